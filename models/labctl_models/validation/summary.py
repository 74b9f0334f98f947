"""From the predictions of a race to scores, the best candidate, its calibration and the verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from labctl_models.validation.candidates import MEAN, NEAREST
from labctl_models.validation.conformal import upper_quantile
from labctl_models.validation.gate import NOTHING, Evidence, Verdict, gate, gate_without_regions
from labctl_models.validation.heldout import losses
from labctl_models.validation.pairing import paired
from labctl_models.validation.reliability import calibration
from labctl_models.validation.scores import scores
from labctl_models.validation.stacking import nested_choice, stacked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl_models.validation.folds import Split
    from labctl_models.validation.heldout import HeldOut, Task
    from labctl_models.validation.race import Entry, Race
    from labctl_models.validation.reliability import Calibration
    from labctl_models.validation.scores import Scores

COVERAGE = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What one candidate is worth, and what it cost.

    Attributes:
        name: The candidate's.
        baseline: Whether it is a yardstick.
        status: How its race ended; see `Entry`.
        reason: Why, if not at the finish.
        cpu_s: Processor seconds.
        shuffled: Scores on shuffled folds; None when it predicted none.
        loco: Scores on held-out clusters; the splits they rest on are fewer for a candidate that was dropped.
        others: Scores on the other kinds of split, by kind.
    """

    name: str
    baseline: bool
    status: str
    reason: str
    cpu_s: float
    shuffled: Scores | None
    loco: Scores | None
    others: Mapping[str, Scores] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """What a race says; see `Validation` for the fields."""

    best: str | None
    best_alone: str | None
    entries: tuple[Entry, ...]
    verdict: Verdict
    stack_weights: Mapping[str, float]
    nested_error: float
    calibration: Mapping[str, Calibration]

    @property
    def inflation(self) -> float:
        """rms(z) of the best on held-out clusters, at least 1; NaN where there is none."""
        found = self.calibration.get("loco")
        return math.nan if found is None else max(1.0, found.rms_z)

    def predictions(self, split: Split) -> HeldOut | None:
        """What the best predicted on a split."""
        return next((e.held_out.get(split) for e in self.entries if e.name == self.best), None)


def summarise(
    task: Task, run: Race, *, regions: bool, why_none: str, seed: int, needed_s: float = math.nan
) -> Summary:
    """The summary of a race over shuffled folds and, with `regions`, over clusters.

    Where a candidate was stopped or no cluster was reached, any verdict but "trusted" is undecided, and
    `needed_s`, the budget with which that would not have happened, goes with it; so it does where a gain
    cannot be told from chance and splits of the first rung were missed.
    """
    finished = [entry for entry in run.entries if entry.status == "finished"]
    alone = [entry for entry in finished if not entry.baseline]
    stopped = ", ".join(entry.name for entry in run.entries if entry.status == "stopped")
    if not alone:
        reason = "Every candidate failed; see their reports."
        verdict = Verdict("lookup table", reason, None)
        if stopped:
            reason = f"No candidate was judged within the budget; never judged, for want of time: {stopped}."
            verdict = Verdict("lookup table", reason, None, undecided=True, needed_s=needed_s)
        return Summary(None, None, run.entries, verdict, {}, math.nan, {})
    entries, weights = run.entries, dict[str, float]()
    racing = alone
    if len(finished) > 1:
        stack, weights = stacked(task, finished, run.splits)
        entries, racing = (*entries, stack), [*alone, stack]
    kind = "loco" if regions and any(split.kind == "loco" for split in run.splits) else "shuffled"
    by_name = {entry.name: of_kind(entry, kind) for entry in (*finished, *racing)}
    errors = {entry.name: scores(task, by_name[entry.name]).over_clusters for entry in racing}
    best = min(errors, key=lambda name: errors[name])
    best_alone = min((entry.name for entry in alone), key=lambda name: errors[name])
    evidence = _evidence(task, {entry.name: entry for entry in entries}, best, kind)
    why = why_none if not regions else "the budget ended before the first clusters."
    verdict = gate(evidence) if kind == "loco" else gate_without_regions(evidence, why)
    if stopped:
        known = verdict.reason.replace(NOTHING, "")
        limit = f"Never judged, for want of time: {stopped}; a larger budget may change this."
        verdict = replace(verdict, reason=f"{known} {limit}")
    short = verdict.undecided and run.cut_short
    if (stopped and verdict.level != "trusted") or short or (regions and kind != "loco"):
        verdict = replace(verdict, undecided=True, needed_s=needed_s)
    leader = next(entry for entry in entries if entry.name == best)
    found = {
        kind: _calibration(task, of_kind(leader, kind), seed)
        for kind in ("shuffled", "loco")
        if not task.classes and of_kind(leader, kind)
    }
    nested = nested_choice(task, {entry.name: by_name[entry.name] for entry in racing})
    return Summary(best, best_alone, entries, verdict, weights, nested, found)


def of_kind(entry: Entry, kind: str) -> dict[Split, HeldOut]:
    """The entry's predictions on the splits of one kind."""
    return {split: found for split, found in entry.held_out.items() if split.kind == kind}


def report(task: Task, entry: Entry) -> Report:
    """Scores of an entry on every kind of split that it predicted."""
    kinds = dict.fromkeys(split.kind for split in entry.held_out)
    found = {kind: scores(task, of_kind(entry, kind)) for kind in kinds}
    return Report(
        name=entry.name,
        baseline=entry.baseline,
        status=entry.status,
        reason=entry.reason,
        cpu_s=entry.cpu_s,
        shuffled=found.pop("shuffled", None),
        loco=found.pop("loco", None),
        others=found,
    )


def _evidence(task: Task, entries: Mapping[str, Entry], best: str, kind: str) -> Evidence:
    far = {name: of_kind(entries[name], kind) for name in (best, MEAN, NEAREST)}
    near = {name: found for name, entry in entries.items() if (found := of_kind(entry, "shuffled"))}
    error_far = {name: scores(task, found).over_clusters for name, found in far.items()}
    error_near = {name: scores(task, found).over_clusters for name, found in near.items()}
    name_near = min((name for name in near if not entries[name].baseline), key=lambda name: error_near[name])
    return Evidence(
        name=best,
        shuffled=error_near[best],
        loco=error_far[best],
        mean_shuffled=error_near[MEAN],
        mean_loco=error_far[MEAN],
        nearest_shuffled=error_near[NEAREST],
        nearest_loco=error_far[NEAREST],
        over_nearest=paired(task, far[best], far[NEAREST]),
        over_mean=paired(task, far[best], far[MEAN]),
        over_mean_shuffled=paired(task, near[best], near[MEAN]),
        name_near=name_near,
        error_near=error_near[name_near],
        near_over_mean=paired(task, near[name_near], near[MEAN]),
    )


def _calibration(task: Task, found: Mapping[Split, HeldOut], seed: int) -> Calibration:
    """Of all predictions of one kind; a row that was predicted on several splits counts as one reading."""
    rows = np.concatenate([held_out.rows for held_out in found.values()])
    mean = np.concatenate([held_out.mean for held_out in found.values()])
    sd = np.concatenate([held_out.sd for held_out in found.values()])
    widths = [upper_quantile(losses(task, held_out), COVERAGE) for held_out in found.values()]
    return calibration(
        task.y[rows],
        mean,
        sd,
        rows=len(np.unique(rows)),
        half_width_90=float(np.median(widths)),
        seed=seed,
    )
