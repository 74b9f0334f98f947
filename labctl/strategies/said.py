"""Why a recipe promises a gain, in one sentence with its numbers."""

import math
from collections.abc import Mapping
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from labctl.objective import Objective
from labctl.proposal import Predicted
from labctl.strategies.gain import CHANCE, SCALARISED, Gain
from labctl.strategies.protocol import Situation

Floats = NDArray[np.float64]

_AS_GOOD = 0.05
"""Share of the doubt in a prediction below which a difference is none."""


def because(expected: Mapping[str, Predicted], situation: Situation, found: Gain, X: Floats) -> str:
    """What is expected of a recipe (1 x d in the unit cube), and what it promises over what is known."""
    return f"{_promise(expected, situation, found)}{_where(situation, X)}"


def _promise(expected: Mapping[str, Predicted], situation: Situation, found: Gain) -> str:
    told = _told(expected, situation)
    if found.name.startswith(CHANCE):
        return f"expected {told}; no known recipe keeps the limits on outcomes yet, this one most likely does"
    if found.level is None or found.goal is None:
        what = "compromise" if found.name.startswith(SCALARISED) else "growth of what the front dominates"
        return f"expected {told}, with the greatest expected {what}"
    objective, chosen = situation.objectives[found.goal], expected[found.goal]
    better = objective.worth(chosen.mean) - objective.worth(found.level)
    gap, level = short(abs(better)), short(found.level)
    if objective.target is not None:
        nearer = "nearer to" if better >= 0 else "farther from"
        return (
            f"expected {told}, that is {gap} {nearer} the target than the best known recipe is expected to "
            f"be ({level}), with the greatest expected approach"
        )
    best = "the best known recipe is expected to be"
    if abs(better) < _AS_GOOD * chosen.sd:
        than = f"as good as {best} ({level})"
    else:
        than = f"that is {gap} {'better' if better >= 0 else 'worse'} than {best} ({level})"
    why = "with the greatest expected improvement of all"
    if better < -_AS_GOOD * chosen.sd:
        why = f"yet {why}, since it is so uncertain"
    return f"expected {told}, {than}, {why}"


def _told(expected: Mapping[str, Predicted], situation: Situation) -> str:
    """The predictions that the choice rests on, by name where there are several."""
    needed = {name: p for name, p in expected.items() if situation.objectives[name].needed}
    return ", ".join(
        f"{name + ' ' if len(needed) > 1 else ''}{short(p.mean)} ± {short(p.sd)}"
        f"{_kept_with(situation.objectives[name], p)}"
        for name, p in needed.items()
    )


def _kept_with(objective: Objective, predicted: Predicted) -> str:
    """With what chance a limit on the outcome is kept, in brackets; nothing without one."""
    if not objective.limited:
        return ""
    normal = NormalDist(predicted.mean, max(predicted.sd, 1e-300))
    low, high = objective.limits
    below = 0.0 if low == -math.inf else normal.cdf(low)
    above = 1.0 if high == math.inf else normal.cdf(high)
    return f" (within its limits with a chance of {above - below:.0%})"


def _where(situation: Situation, X: Floats) -> str:
    inside = "" if situation.verdict in (None, "trusted") else " inside the known domain"
    if situation.belief is None:
        return inside
    factor = math.exp(float(situation.belief.log(X)[0]))
    return f"{inside}; what people believe of good recipes weighs it by {factor:.2g}, where 1 is the most"


def short(value: float) -> str:
    """A number with three digits that matter, without an exponent where none is needed."""
    return f"{value:.3g}" if not 1e3 <= abs(value) < 1e6 else f"{value:.0f}"  # noqa: PLR2004 - thousands read well
