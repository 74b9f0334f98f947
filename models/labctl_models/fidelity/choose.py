"""Which recipe to measure next, and with which source: what it tells about the target for what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from scipy.spatial.distance import cdist

from labctl_models.acquisition.improvement import log_expected_improvement_at, noisy_incumbent
from labctl_models.fidelity.information import best_responses, information
from labctl_models.surrogates.data import checked_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from labctl_models.fidelity.guard import Judged, Judgement
    from labctl_models.fidelity.readings import Readings
    from labctl_models.fidelity.surrogate import FittedFidelities
    from labctl_models.surrogates.protocol import Array, Fitted

TRIAL_SHARE = 0.1
"""What sources that help nothing yet may cost together, as a share of what the target has cost."""
DROPPED_SHARE = 0.05
"""The same for sources that were dropped: enough to notice when that becomes wrong."""
SAME = 1e-9

Role: TypeAlias = Literal["trial", "inform", "target"]


@dataclass(frozen=True, slots=True, eq=False)
class Options:
    """What may be measured next, and for how much.

    Attributes:
        X: (q x d, unit cube) candidate recipes. Recipes whose target is known belong here too, where a
            cheap source may still read them: there it shows best whether it helps.
        allowed: (q x m) whether a source may measure a recipe.
        cost: (q x m) or (m,) expected cost of one measurement, positive, in one unit for all sources.

    Raises:
        ValueError: the shapes do not match, a cost is not positive and finite, or nothing is allowed.
    """

    X: Array
    allowed: NDArray[np.bool_]
    cost: Array

    def __post_init__(self) -> None:
        """Check the parts against each other, and give every recipe a cost of its own."""
        X = checked_rows(self.X)
        allowed = np.array(self.allowed, dtype=np.bool_)
        if allowed.ndim != 2 or len(allowed) != len(X):  # noqa: PLR2004  recipes by sources
            raise ValueError(f"allowed must be {len(X)} x m; its shape is {allowed.shape}")
        if not allowed.any():
            raise ValueError("no source may measure any of the recipes")
        cost = np.array(np.broadcast_to(np.asarray(self.cost, dtype=np.float64), allowed.shape))
        if not (np.isfinite(cost).all() and (cost > 0.0).all()):
            raise ValueError("a cost must be a positive number")
        for name, value in (("X", X), ("allowed", allowed), ("cost", cost)):
            object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True)
class Pick:
    """The next measurement.

    Attributes:
        row: Row of the candidates.
        source: By what to measure it.
        role: "trial" of a source that is not trusted, "inform" by one that helps, or "target".
        value: Log expected improvement for the target; for "inform", nats per unit cost; for "trial", how
            many standard deviations off the prediction of the target was at that recipe.
        because: The reason in one sentence.
    """

    row: int
    source: int
    role: Role
    value: float
    because: str


def decide(
    readings: Readings,
    judged: Judged,
    options: Options,
    spent: ArrayLike,
    *,
    seed: int,
    alone: Fitted | None = None,
) -> Pick:
    """Choose the next recipe and source.

    1. A source that is not proven is tried, at a recipe whose target is known, as long as all such
       sources together have cost at most `TRIAL_SHARE` of the target, or `DROPPED_SHARE` for one that was
       dropped.
    2. With sources that help, the recipe and source of most information per cost, unless that is the target
       or cheap readings since the last one of the target have cost as much as another: what the guard
       knows, it knows from target readings.
    3. The target is measured where its expected improvement is highest, which is where it pays; by `alone`
       (a surrogate of the target only, as another strategy has it) when no source helps.

    Args:
        readings: All readings.
        judged: What `guard.judge` says about them.
        options: What may be measured next.
        spent: (m,) what each source has cost so far, in the unit of the costs.
        seed: The same arguments and seed give the same pick.
        alone: Takes the place of `judged.alone`.

    Raises:
        ValueError: the target has too few readings to be judged and `alone` is not given; or nothing cheap
            is worth reading, and the target may measure none of the candidates.
    """
    spent = np.asarray(spent, dtype=np.float64)
    trial = _trial(readings, judged, options, spent)
    if trial is not None:
        return trial
    target = readings.target
    if judged.together is not None:
        cheap = most_informative(judged.together, options, judged.used, seed=seed)
        stuck = not options.allowed[:, target].any()
        if cheap is not None and (stuck or (cheap.source != target and not _due(readings, options))):
            return cheap
    fitted = judged.together.at_target() if judged.together is not None else alone
    if fitted is None and judged.alone is not None:
        fitted = judged.alone.at_target()
    if fitted is None:
        raise ValueError("the target has too few readings for a model; give a surrogate of it, or measure it")
    return best_target(fitted, readings, options)


def most_informative(
    fitted: FittedFidelities, options: Options, used: tuple[int, ...], *, seed: int
) -> Pick | None:
    """The recipe and source, the target included, of most information at the target per unit cost."""
    best = best_responses(fitted, options.X, seed=seed)
    pick: Pick | None = None
    for source in (fitted.m - 1, *used):
        rows = np.flatnonzero(options.allowed[:, source])
        if not len(rows):
            continue
        nats = information(fitted.joint(options.X[rows], source), best)
        rate = nats / options.cost[rows, source]
        top = int(rate.argmax())
        if pick is None or rate[top] > pick.value:
            price = options.cost[rows[top], source]
            because = f"it tells {nats[top]:.2g} nats about the best response of the target for {price:g}"
            pick = Pick(int(rows[top]), source, "inform", float(rate[top]), because)
    return pick


def best_target(fitted: Fitted, readings: Readings, options: Options) -> Pick:
    """The recipe of highest expected improvement at the target, among those that it may measure."""
    target = readings.target
    rows = np.flatnonzero(options.allowed[:, target])
    if not len(rows):
        raise ValueError("the target may measure none of the recipes")
    incumbent = noisy_incumbent(fitted, readings.of(target)[0])
    value = log_expected_improvement_at(fitted, options.X[rows], incumbent)
    top = int(value.argmax())
    because = (
        f"its expected improvement on {incumbent:.4g}, the best that is known, is greatest at the target"
    )
    return Pick(int(rows[top]), target, "target", float(value[top]), because)


def _due(readings: Readings, options: Options) -> bool:
    """Whether the readings since the last one of the target have cost as much as the target does."""
    last = np.flatnonzero(readings.source == readings.target)[-1]
    typical = np.median(options.cost, axis=0)
    return bool(typical[readings.source[last + 1 :]].sum() >= typical[readings.target])


def _trial(readings: Readings, judged: Judged, options: Options, spent: Array) -> Pick | None:
    """A reading of an unproven source within its share, where the target is known and was surprising."""
    doubted = [judgement for judgement in judged.judgements if not judgement.used]
    known, _ = readings.of(readings.target)
    if not doubted or not len(known):
        return None
    paid = sum(spent[judgement.source] for judgement in doubted)
    surprise = _surprise(judged, len(known))
    for judgement in sorted(doubted, key=lambda j: (j.standing == "dropped", j.source_readings)):
        share = DROPPED_SHARE if judgement.standing == "dropped" else TRIAL_SHARE
        source = judgement.source
        allowance = share * spent[readings.target] - paid
        rows = np.flatnonzero(options.allowed[:, source] & (options.cost[:, source] <= allowance + SAME))
        if len(rows):
            return _trial_at(rows, judgement, known, surprise, options.X)
    return None


def _surprise(judged: Judged, n: int) -> Array:
    if judged.alone is None:
        return np.zeros(n)
    target = judged.alone.at_target()
    left_out = target.leave_one_out()
    return np.asarray(
        np.abs(target.y - left_out.mean) / np.hypot(left_out.sd, target.noise_sd), dtype=np.float64
    )


def _trial_at(rows: NDArray[np.intp], judgement: Judgement, known: Array, surprise: Array, X: Array) -> Pick:
    apart = cdist(X[rows], known)
    nearest = apart.argmin(axis=1)
    gap = apart.min(axis=1)
    # Nearest first, and of recipes that are known exactly the one that surprised most.
    order = np.lexsort((-surprise[nearest], np.where(gap <= SAME, 0.0, gap)))
    top = int(order[0])
    because = f"source {judgement.source} is tried beside the target ({judgement.because})"
    return Pick(int(rows[top]), judgement.source, "trial", float(surprise[nearest[top]]), because)
