"""Validation of a table: everything a reader needs to know how far its model can be trusted."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from labctl_models.surrogates.clusters import nearest_other, standardised
from labctl_models.threads import one_thread
from labctl_models.validation.candidates import MEAN, NEAREST, default_candidates, default_classifiers
from labctl_models.validation.checks import checked_table, cube_law, unit_cube
from labctl_models.validation.leakage import Leakage, leakage, smoothness
from labctl_models.validation.plan import extra_splits, planned
from labctl_models.validation.race import Entry, Race, Step, race
from labctl_models.validation.splits import twins
from labctl_models.validation.summary import Report, report, summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike

    from labctl_models.surrogates.basis import Law
    from labctl_models.surrogates.protocol import Array
    from labctl_models.validation.candidates import Candidate
    from labctl_models.validation.folds import Split
    from labctl_models.validation.gate import Verdict
    from labctl_models.validation.heldout import Task
    from labctl_models.validation.reliability import Calibration
    from labctl_models.validation.summary import Summary

RESERVE = 0.03
"""Share of the budget kept for what follows the races."""
FOR_OTHERS = 0.15
"""Share of the budget kept for groups, time, chemistry and curved clusters, where there are any: they tell
more than the same numbers of clusters found once more from other seeds."""

ENOUGH_MORE = 1.5
"""A budget that was too small is not advised again, nor one that is hardly larger."""


@dataclass(frozen=True, slots=True, eq=False)
class Validation:
    """How far a model of this table can be trusted.

    Attributes:
        n: Rows.
        d: Columns.
        classes: The names of the classes, by number; none for numbers.
        best: The candidate with the least error on held-out clusters, yardsticks aside; None if all failed.
            Whether it may be called a winner is the verdict's to say.
        verdict: Trusted, interpolation only or lookup table, and why.
        candidates: A report for each candidate and for the stack.
        splits: Every split that was made, the refused ones with their reason.
        missed: Accepted splits that the budget did not reach.
        stack_weights: Weights of the stack's members on the clusters; empty without a stack.
        nested_error: Error on held-out clusters when the candidate is chosen without the cluster it is then
            scored on; what it lies above the best one's error is the optimism of the choice.
        calibration: Of the best, by "shuffled" and "loco"; empty for classes.
        inflation: Factor for the sd outside the domain: rms(z) on held-out clusters, at least 1.
        leakage: By "shuffled" and "loco".
        entries: Every prediction that was made, by candidate and split.
        cpu_s: Processor seconds of the whole.
    """

    n: int
    d: int
    classes: tuple[str, ...]
    best: str | None
    verdict: Verdict
    candidates: tuple[Report, ...]
    splits: tuple[Split, ...]
    missed: tuple[Split, ...]
    stack_weights: Mapping[str, float]
    nested_error: float
    calibration: Mapping[str, Calibration]
    inflation: float
    leakage: Mapping[str, Leakage]
    entries: tuple[Entry, ...]
    cpu_s: float


def validate(
    X: ArrayLike,
    y: ArrayLike,
    *,
    classify: bool | None = None,
    groups: Mapping[str, Sequence[Any]] | None = None,
    order: Sequence[Any] | None = None,
    formulas: Sequence[str] | None = None,
    law: Law | None = None,
    candidates: Sequence[Candidate] | None = None,
    budget_s: float = 120.0,
    ks: Iterable[int] = range(2, 11),
    seeds: Iterable[int] = (0, 1, 2),
    seed: int = 0,
    keep_twins_together: bool = False,
    progress: Callable[[Step], None] | None = None,
) -> Validation:
    """Validate candidates on X (n x d, any units) and y (n,), within `budget_s` processor seconds.

    Columns are brought to the unit cube (for models) and to mean 0 and sd 1 (for clusters and distances)
    by all rows of X; no outcome is read for that. Models, tuning included, see training rows only.

    Args:
        X: Recipes or features.
        y: Outcomes; for classes any labels.
        classify: Whether y are classes; None decides by their type: whole numbers, booleans and text are.
        groups: Columns (n,) such as lab or paper, of which each group is held out in turn.
        order: Numbers (n,) such as years; each moment is predicted from the earlier ones.
        formulas: Chemical formulas (n,), by which systems, elements, groups and periods are held out.
        law: A law in the units of X, for a candidate that learns its constants; numbers only.
        candidates: Instead of the default ones; they must hold one named "mean" and one named "nearest".
        budget_s: Processor seconds, imports aside. Clusters and leaks are looked for and yardsticks are run
            in any case, and the time of one fit more may pass before the clock is read.
        ks: Numbers of clusters.
        seeds: Seeds of the clusterings; the first is worked through before the next begins.
        seed: Seed of everything else.
        keep_twins_together: Whether rows of the same recipe share a fold in shuffled folds too. They do not
            by default, because that is the usual practice whose flattery is to be shown.
        progress: Called before each candidate begins a split.

    Raises:
        ValueError: fewer than 20 rows, missing or infinite values, a constant outcome, a class with one
            member, all recipes the same, or another argument that does not fit; one sentence says which.
    """
    _load()
    began = time.process_time()
    X, task, names = checked_table(X, y, classify=classify)
    cube, low, spread = unit_cube(X)
    if candidates is None:
        candidates = default_classifiers() if names else default_candidates(cube_law(law, low, spread))
    if not {MEAN, NEAREST} <= {candidate.name for candidate in candidates if candidate.baseline}:
        raise ValueError(f"the candidates need baselines named {MEAN!r} and {NEAREST!r} to be judged by")
    with one_thread():
        Z = standardised(X)
        distance, neighbour = nearest_other(Z)
        near = neighbour[:, 0]
        extra = extra_splits(X, near, groups=groups, order=order, formulas=formulas, seed=seed)
        together = twins(X) if keep_twins_together else None
        plan = planned(X, near, ks=ks, seeds=seeds, seed=seed, extra=extra, together=together)
        leaks = {s.kind: leakage(task, Z, s, distance[:, 0], seed=seed) for s in plan.looked_into}
    prepared = time.process_time() - began
    left = budget_s * (1.0 - RESERVE) - prepared
    judge = "loco" if plan.regions else "shuffled"
    others = [split for split in extra if split.accepted]
    for_race = 1.0 - FOR_OTHERS if others else 1.0
    steps = sum(map(len, plan.rungs)), len(others)
    run = race(
        task,
        cube,
        plan.rungs,
        candidates,
        budget_s=left * for_race,
        seed=seed,
        judge=judge,
        progress=_counting(progress, 0, sum(steps)),
    )
    needed_s = (prepared + run.needed_s / for_race) / (1.0 - RESERVE)
    summary = summarise(
        task,
        run,
        regions=bool(plan.regions),
        why_none=plan.why_none,
        seed=seed,
        needed_s=_rounded_up(max(needed_s, ENOUGH_MORE * budget_s)),
    )
    left = began + budget_s * (1.0 - RESERVE) - time.process_time()
    more = _on_others(
        task,
        cube,
        extra,
        candidates,
        run=run,
        summary=summary,
        left=left,
        seed=seed,
        progress=_counting(progress, steps[0], sum(steps)),
    )
    entries = _joined(summary.entries, more)
    if not task.classes:
        for split in plan.looked_into:
            found = summary.predictions(split)
            if found is not None:
                leak = smoothness(task, Z, split, found)
                leaks[split.kind] = replace(leaks[split.kind], smoothness=leak)
    return Validation(
        n=X.shape[0],
        d=X.shape[1],
        classes=names,
        best=summary.best,
        verdict=summary.verdict,
        candidates=tuple(report(task, entry) for entry in entries),
        splits=(*plan.made, *extra),
        missed=(*run.missed, *(split for split in extra if split.accepted and split not in more.splits)),
        stack_weights=summary.stack_weights,
        nested_error=summary.nested_error,
        calibration=summary.calibration,
        inflation=summary.inflation,
        leakage=leaks,
        entries=entries,
        cpu_s=time.process_time() - began,
    )


def _load() -> None:
    """Import what a first fit would, so that no budget pays for it and no first fold looks slow."""
    import sklearn.cluster  # noqa: PLC0415  takes seconds, which `labctl --help` has no use for
    import sklearn.ensemble  # noqa: F401, PLC0415  as above


def _rounded_up(seconds: float) -> float:
    """At least so many whole seconds, with two digits that count."""
    step = 10.0 ** max(0, math.floor(math.log10(max(seconds, 1.0))) - 1)
    return math.ceil(seconds / step) * step


def _counting(
    progress: Callable[[Step], None] | None, before: int, count: int
) -> Callable[[Step], None] | None:
    """The same listener, told the numbers among the splits of both races."""
    if progress is None:
        return None
    return lambda step: progress(replace(step, number=before + step.number, count=count))


def _on_others(
    task: Task,
    cube: Array,
    extra: tuple[Split, ...],
    candidates: Sequence[Candidate],
    *,
    run: Race,
    summary: Summary,
    left: float,
    seed: int,
    progress: Callable[[Step], None] | None,
) -> Race:
    """The yardsticks and the best single candidate on the splits of other kinds, as far as time allows."""
    finalists = [one for one in candidates if one.baseline or one.name == summary.best_alone]
    folds = sum(split.k for split in run.splits)
    each = sum(run.entry(one.name).cpu_s for one in finalists) / max(1, folds)
    affordable, planned_folds = [], 0
    for split in extra:
        planned_folds += split.k if split.accepted else 0
        if split.accepted and each * planned_folds <= left:
            affordable.append(split)
    return race(task, cube, [affordable], finalists, budget_s=left, seed=seed, progress=progress)


def _joined(entries: tuple[Entry, ...], more: Race) -> tuple[Entry, ...]:
    """Entries with what they did on further splits."""
    further = {entry.name: entry for entry in more.entries}
    return tuple(
        replace(
            entry,
            held_out={**entry.held_out, **further[entry.name].held_out},
            cpu_s=entry.cpu_s + further[entry.name].cpu_s,
        )
        if entry.name in further
        else entry
        for entry in entries
    )
