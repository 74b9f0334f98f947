"""The verdict: may a strategy rely on the model beyond the data, between them, or not at all."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl_models.validation.pairing import Difference

Level: TypeAlias = Literal["trusted", "interpolation only", "lookup table"]
STANDARD_ERRORS = 2.0
RETAINED = 0.5
NOTHING = " Nothing about the outcome has been learnt from these columns."
"""What is said where all candidates were judged and none is better than the mean."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the model may be used for, why, and the numbers behind it.

    Attributes:
        level: "trusted": skill remains when whole regions are held out. "interpolation only": it is good
            between measured recipes, and beyond them no better than their mean or much worse than it
            looks. "lookup table": it adds nothing to looking up the nearest measured recipe or their mean.
        reason: In words, with numbers.
        winner: The candidate that the level speaks of; None where none may be called better.
        evidence: Named numbers; errors are mean errors over clusters.
        undecided: Whether the answer is no for want of rows or time: a gain was seen, but not one that
            can be told from chance, or the budget was too small.
        needed_s: Where it was the budget that was too small: processor seconds that would probably do.
    """

    level: Level
    reason: str
    winner: str | None
    evidence: Mapping[str, float] = field(default_factory=dict)
    undecided: bool = False
    needed_s: float | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the gate looks at; errors are mean errors on shuffled folds and on held-out clusters.

    Attributes:
        name: The best candidate on held-out clusters.
        shuffled: Its error on shuffled folds.
        loco: Its error on held-out clusters.
        mean_shuffled: Error of the training mean (or of the majority) on shuffled folds.
        mean_loco: The same on held-out clusters.
        nearest_shuffled: Error of the nearest neighbour on shuffled folds.
        nearest_loco: The same on held-out clusters.
        over_nearest: Paired gain over the nearest neighbour on held-out clusters.
        over_mean: Paired gain over the mean on held-out clusters.
        over_mean_shuffled: Its paired gain over the mean on shuffled folds.
        name_near: The best candidate on shuffled folds, often another one.
        error_near: That one's error on shuffled folds.
        near_over_mean: That one's paired gain over the mean on shuffled folds.
    """

    name: str
    shuffled: float
    loco: float
    mean_shuffled: float
    mean_loco: float
    nearest_shuffled: float
    nearest_loco: float
    over_nearest: Difference
    over_mean: Difference
    over_mean_shuffled: Difference
    name_near: str
    error_near: float
    near_over_mean: Difference


def gate(evidence: Evidence) -> Verdict:
    """The verdict, by these rules in this order (standard errors are paired over clusters).

    1. Neither the best on clusters nor the best on shuffled folds is better than the mean by more than 2 on
       shuffled folds: "lookup table" without a winner.
    2. Not better than the nearest neighbour by more than 2 on held-out clusters: "lookup table".
    3. Not better than the mean by more than 2 on shuffled folds: "lookup table", since a gain on clusters
       alone is luck.
    4. Not better than the mean by more than 2 on held-out clusters: "interpolation only".
    5. Of the skill on shuffled folds, 1 - error / error of the mean, less than half remains on held-out
       clusters: "interpolation only".
    6. Otherwise "trusted".
    """
    e = evidence
    skill_shuffled, skill_loco = _skill(e.shuffled, e.mean_shuffled), _skill(e.loco, e.mean_loco)
    retained = skill_loco / skill_shuffled if skill_shuffled > 0.0 else math.nan
    numbers = {
        "skill_shuffled": skill_shuffled,
        "skill_loco": skill_loco,
        "skill_retained": retained,
        "error_shuffled": e.shuffled,
        "error_loco": e.loco,
        "error_mean_loco": e.mean_loco,
        "error_nearest_loco": e.nearest_loco,
        "generalisation_gap": e.loco - e.shuffled,
        "memorisation_share": _memorisation_share(e),
        "gain_over_nearest": e.over_nearest.gain,
        "gain_over_nearest_se": e.over_nearest.standard_error,
        "gain_over_mean": e.over_mean.gain,
        "gain_over_mean_se": e.over_mean.standard_error,
        "gain_over_mean_shuffled": e.over_mean_shuffled.gain,
        "gain_over_mean_shuffled_se": e.over_mean_shuffled.standard_error,
        "error_best_shuffled": e.error_near,
        "gain_best_shuffled": e.near_over_mean.gain,
        "gain_best_shuffled_se": e.near_over_mean.standard_error,
        "clusters": float(e.over_nearest.clusters),
    }
    level, reason, winner, wanting = _rule(e, skill_shuffled, skill_loco, retained)
    if wanting is None or wanting.gain <= 0.0:
        return Verdict(level, reason, winner, numbers)
    needed = wanting.needed(STANDARD_ERRORS)
    if math.isfinite(needed) and "to be told from chance" not in reason:
        reason += f" With {wanting.clusters} clusters a gain below {needed:.2g} cannot be told from chance."
    return Verdict(level, reason, winner, numbers, undecided=True)


def _rule(
    e: Evidence, shuffled: float, loco: float, retained: float
) -> tuple[Level, str, str | None, Difference | None]:
    """Level, reason and winner, and the gain that was too small for a better level where that decided."""
    known_near = e.over_mean_shuffled.beats(STANDARD_ERRORS)
    if not known_near and not e.near_over_mean.beats(STANDARD_ERRORS):
        reason = (
            "No candidate beats predicting the mean by more than 2 standard errors, even on shuffled folds: "
            f"the best there, {e.name_near}, errs {e.error_near:.3g} and the mean {e.mean_shuffled:.3g}."
            f"{NOTHING}"
        )
        return "lookup table", reason, None, e.near_over_mean
    if not e.over_nearest.beats(STANDARD_ERRORS):
        reason = (
            f"With whole clusters held out, {e.name} errs {e.loco:.3g} and looking up the nearest measured "
            f"recipe {e.nearest_loco:.3g}; {_too_little(e.over_nearest)}."
        )
        return "lookup table", reason, None, e.over_nearest
    if not known_near:
        reason = (
            f"{e.name}, the best with whole clusters held out, errs {e.shuffled:.3g} on shuffled folds and "
            f"the mean {e.mean_shuffled:.3g}: what does not hold among neighbours is luck beyond them."
        )
        return "lookup table", reason, None, e.over_mean_shuffled
    if not e.over_mean.beats(STANDARD_ERRORS):
        reason = (
            f"With whole clusters held out, {e.name} errs {e.loco:.3g} and predicting the mean "
            f"{e.mean_loco:.3g}; {_too_little(e.over_mean)}. On "
            f"shuffled folds it errs {e.shuffled:.3g}: it is good between measured recipes only."
        )
        return "interpolation only", reason, e.name, e.over_mean
    if retained < RETAINED:
        reason = (
            f"{e.name} removes {shuffled:.0%} of the mean's error on shuffled folds and {loco:.0%} with "
            "whole clusters held out: most of its apparent skill is interpolation."
        )
        return "interpolation only", reason, e.name, None
    reason = (
        f"With whole clusters held out, {e.name} errs {e.loco:.3g}, the nearest neighbour "
        f"{e.nearest_loco:.3g} and the mean {e.mean_loco:.3g}; of its skill on shuffled "
        f"folds {retained:.0%} remains."
    )
    return "trusted", reason, e.name, None


def gate_without_regions(evidence: Evidence, why: str) -> Verdict:
    """The verdict when no region can be held out: at best "interpolation only", by shuffled folds alone.

    Both kinds of error in the evidence are then those of shuffled folds; `why` says why there is no region.
    """
    verdict = gate(evidence)
    if verdict.level == "lookup table":
        reason = verdict.reason.replace("whole clusters held out", "rows held out")
        return replace(verdict, reason=reason.replace("clusters a gain", "folds a gain"))
    reason = (
        f"No region could be held out, so nothing is known of recipes beyond the measured ones: {why} On "
        f"shuffled folds {evidence.name} errs {evidence.shuffled:.3g}, the nearest neighbour "
        f"{evidence.nearest_shuffled:.3g} and the mean {evidence.mean_shuffled:.3g}."
    )
    return replace(verdict, level="interpolation only", reason=reason, undecided=False)


def _skill(error: float, of_mean: float) -> float:
    return 1.0 - error / of_mean if of_mean > 0.0 else math.nan


def _memorisation_share(e: Evidence) -> float:
    """Share of the best model's gain on shuffled folds that mere lookup has too."""
    gain = e.mean_shuffled - e.shuffled
    return (e.mean_shuffled - e.nearest_shuffled) / gain if gain > 0.0 else math.nan


def _too_little(difference: Difference) -> str:
    """Why a gain does not count: few clusters ask for more than 2 standard errors."""
    gain, needed = _gain(difference), difference.needed(STANDARD_ERRORS)
    if difference.gain > STANDARD_ERRORS * difference.standard_error and math.isfinite(needed):
        asked = f"would have to exceed {needed:.2g} to be told from chance"
        return f"a gain of {gain} rests on {difference.clusters} clusters only, and {asked}"
    return f"a gain of {gain} is not above 2 standard errors"


def _gain(difference: Difference) -> str:
    return f"{difference.gain:.3g} ± {difference.standard_error:.2g}"
