"""Validation of a table: everything a reader needs to know how far its model can be trusted."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from labctl_models.surrogates.clusters import nearest_other, standardised
from labctl_models.threads import one_thread
from labctl_models.validation import chemistry
from labctl_models.validation.candidates import default_candidates, default_classifiers
from labctl_models.validation.checks import checked_groups, checked_table, cube_law, unit_cube
from labctl_models.validation.leakage import Leakage, leakage, smoothness
from labctl_models.validation.race import Race, race
from labctl_models.validation.splits import by_group, kernel_loco, loco, ordered_groups, shuffled
from labctl_models.validation.summary import Report, Summary, summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from labctl_models.surrogates.basis import Law
    from labctl_models.surrogates.protocol import Array
    from labctl_models.validation.candidates import Candidate
    from labctl_models.validation.folds import Split
    from labctl_models.validation.gate import Verdict
    from labctl_models.validation.heldout import Task
    from labctl_models.validation.reliability import Calibration

KERNEL_KS = (3, 6, 10)
"""Numbers of clusters of the kernelised clusterings, which only the yardsticks and the best run on."""
RESERVE = 0.03
"""Share of the budget kept for what follows the race."""


@dataclass(frozen=True, slots=True, eq=False)
class Validation:
    """How far a model of this table can be trusted.

    Attributes:
        n: Rows.
        d: Columns.
        classes: Number of classes; 0 for numbers.
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
        race: Every prediction that was made, by candidate and split.
        cpu_s: Processor seconds of the whole.
    """

    n: int
    d: int
    classes: int
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
    race: Race
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
    progress: Callable[[str], None] | None = None,
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
        budget_s: Processor seconds; the time of one fit more may pass before the clock is read.
        ks: Numbers of clusters.
        seeds: Seeds of the clusterings; the first is worked through before the next begins.
        seed: Seed of everything else.
        progress: Called with a short text before each step.

    Raises:
        ValueError: fewer than 20 rows, missing or infinite values, a constant outcome, a class with one
            member, all recipes the same, or another argument that does not fit; one sentence says which.
    """
    began = time.process_time()
    X, task, names = checked_table(X, y, classify=classify)
    columns = checked_groups(groups, len(X))
    cube, low, spread = unit_cube(X)
    if candidates is None:
        candidates = default_classifiers() if names else default_candidates(cube_law(law, low, spread))
    with one_thread():
        Z = standardised(X)
        distance, neighbour = nearest_other(Z)
        near = neighbour[:, 0]
        plan = _plan(X, near, ks=tuple(ks), seeds=tuple(seeds), seed=seed)
        extra = _extra(X, near, columns, order, formulas, seed)
        leaks = {
            split.kind: leakage(task, Z, split, distance[:, 0], seed=seed) for split in plan.looked_into
        }
    left = budget_s * (1.0 - RESERVE) - (time.process_time() - began)
    judge = "loco" if plan.regions else "shuffled"
    run = race(
        task, cube, plan.rungs, candidates, budget_s=left, seed=seed, judge=judge, progress=progress
    )
    first = summarise(task, run, judge=judge, refused=plan.refused, seed=seed)
    run = _extended(first, run, task, cube, candidates, extra, began, budget_s, seed, progress)
    summary = replace(first, reports=first.reports_with(task, run))
    for split in plan.looked_into:
        leader = summary.predictions.get(split)
        if leader is not None and not task.classes:
            found = smoothness(task, Z, split, leader)
            leaks[split.kind] = replace(leaks[split.kind], smoothness=found)
    return Validation(
        n=X.shape[0],
        d=X.shape[1],
        classes=task.classes,
        best=summary.best,
        verdict=summary.verdict,
        candidates=summary.reports,
        splits=(*plan.made, *extra),
        missed=run.missed,
        stack_weights=summary.stack_weights,
        nested_error=summary.nested_error,
        calibration=summary.calibration,
        inflation=summary.inflation,
        leakage=leaks,
        race=run,
        cpu_s=time.process_time() - began,
    )
