"""What a campaign's goals make of a recipe: what may be gained by it, times each chance that it counts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labctl.objective import Objective
from labctl.strategies.knowledge import Results
from labctl.strategies.protocol import Situation
from labctl.strategies.surrogate import LEAST_RESULTS, fit

if TYPE_CHECKING:
    from labctl_models.acquisition.score import Score
    from labctl_models.surrogates.protocol import Fitted

Floats = NDArray[np.float64]

IMPROVEMENT = "log_expected_improvement"
APPROACH = "log_expected_approach"
GROWTH = "log_expected_hypervolume_growth"
SCALARISED = "log_expected_scalarised_improvement"
CHANCE = "log_chance_of_keeping_limits"
"""Names of the scores in the ledger."""
WEIGHED = "_weighed"
"""What a name ends in where chances or beliefs weigh the gain."""
_LIKELY = 0.5
_AUGMENTED = 0.05


@dataclass(frozen=True, slots=True)
class Gain:
    """What recipes are ranked by.

    Attributes:
        score: ranks them.
        name: of the score, in the ledger.
        level: what has to be improved on, in the goal's unit; None where there is no single number.
        best: the best known recipe, as a row of the unit cube; d.
        goal: whose level it is; the only goal that has results may be another than the first.
    """

    score: "Score"
    name: str
    level: float | None
    best: Floats
    goal: str | None = None


def gain(situation: Situation) -> Gain | None:
    """What may be gained, by the goals that have results; None as long as none has enough."""
    goals = {
        name: o
        # The main goal first, as the columns of what is known of all of them stand.
        for name, o in sorted(situation.objectives.items(), key=lambda item: item[0] != situation.goal)
        if o.wanted and len(situation.knowledge.results[name].y) >= LEAST_RESULTS
    }
    if not goals:
        return None
    kept = _kept(situation)
    found = _of_one(situation, goals, kept) if len(goals) == 1 else _of_several(situation, goals, kept)
    weights = [*kept, *(w for w in (situation.surrogates.weight, situation.belief) if w is not None)]
    if not weights:
        return found
    from labctl_models.acquisition.score import Product  # noqa: PLC0415 - scipy is slow to import

    return replace(found, score=Product((found.score, *weights)), name=found.name + WEIGHED)


def lawful(situation: Situation, X: Floats) -> NDArray[np.bool_]:
    """Which recipes (rows of X, n x d) rather keep every limit on an outcome than not."""
    return _lawful(X, _kept(situation))


def _kept(situation: Situation) -> list["Score"]:
    """For each objective with limits, the chance that a recipe keeps them."""
    from labctl_models.acquisition.score import Kept  # noqa: PLC0415

    found: list[Score] = []
    for name, objective in situation.objectives.items():
        if objective.limited and len(situation.knowledge.results[name].y) >= LEAST_RESULTS:
            ends = sorted(objective.sign * end for end in objective.limits)
            found.append(Kept(situation.surrogates.of(name), *ends))
    return found


def _lawful(X: Floats, kept: list["Score"]) -> NDArray[np.bool_]:
    found = np.ones(len(X), dtype=bool)
    for chance in kept:
        found &= chance.log(X) >= np.log(_LIKELY)
    return found


def best_known(situation: Situation) -> Floats:
    """The measured recipe of which most is expected, as a row of the unit cube (d,)."""
    known = situation.knowledge.results[situation.goal].X
    means = situation.surrogates.of(situation.goal).predict(known).mean
    objective = situation.objectives[situation.goal]
    worth = means if objective.target is None else -np.abs(means - objective.target)
    return np.asarray(known[int(worth.argmax())])


def _of_one(situation: Situation, goals: Mapping[str, Objective], kept: list["Score"]) -> Gain:
    """Improvement on the best recipe that is expected to keep the limits, or approach to a target."""
    from labctl_models.acquisition.score import Approach, Improvement  # noqa: PLC0415

    ((name, objective),) = goals.items()
    fitted, known = situation.surrogates.of(name), situation.knowledge.results[name].X
    means = fitted.predict(known).mean
    worth = means if objective.target is None else -np.abs(means - objective.target)
    within = _lawful(known, kept)
    if not within.any():
        return _any_lawful(kept, known)
    best = int(np.where(within, worth, -np.inf).argmax())
    if objective.target is not None:
        score: Score = Approach(fitted, objective.target, float(-worth[best]))
        return Gain(score, APPROACH, float(means[best]), known[best], name)
    score = Improvement(fitted, float(worth[best]))
    return Gain(score, IMPROVEMENT, float(objective.sign * means[best]), known[best], name)


def _any_lawful(kept: list["Score"], known: Floats) -> Gain:
    """As long as no known recipe keeps the limits, one that does is looked for, whatever else it gives."""
    from labctl_models.acquisition.score import Product  # noqa: PLC0415

    nearest = int(np.sum([chance.log(known) for chance in kept], axis=0).argmax())
    return Gain(Product(()), CHANCE, None, known[nearest])


def _of_several(situation: Situation, goals: Mapping[str, Objective], kept: list["Score"]) -> Gain:
    """Growth of what the front dominates; with many goals, improvement of a weighted compromise.

    The front is that of the expected results of the recipes measured in every goal: the same plug-in that
    makes a single goal's improvement safe from lucky readings.
    """
    from labctl_models.acquisition.hypervolume import MOST_GOALS, boxes, reference_point  # noqa: PLC0415
    from labctl_models.acquisition.score import Growth  # noqa: PLC0415

    fitted = [_worth_of(situation, name, objective) for name, objective in goals.items()]
    known = situation.knowledge.X_complete
    if len(known) < LEAST_RESULTS:
        known = situation.knowledge.X_measured
    worths = np.column_stack([f.predict(known).mean for f in fitted])
    within = _lawful(known, kept)
    if not within.any():
        return _any_lawful(kept, known)
    if len(goals) > MOST_GOALS:
        return _scalarised(situation, goals, (known, worths), within)
    known, worths = known[within], worths[within]
    spread = np.ptp(worths, axis=0)
    scaled = (worths - worths.min(axis=0)) / np.where(spread > 0, spread, 1.0)
    best = known[int(scaled.sum(axis=1).argmax())]
    free = boxes(worths, reference_point(worths))
    return Gain(Growth(tuple(fitted), free), GROWTH, None, best)


def _worth_of(situation: Situation, name: str, objective: Objective) -> "Fitted":
    """A surrogate of how good a goal's value is, larger being better."""
    from labctl_models.acquisition.miss import Miss  # noqa: PLC0415

    fitted = situation.surrogates.of(name)
    return fitted if objective.target is None else Miss(fitted, objective.target)


def _scalarised(
    situation: Situation,
    goals: Mapping[str, Objective],
    expected: tuple[Floats, Floats],
    within: NDArray[np.bool_],
) -> Gain:
    """Improvement of an augmented Chebyshev compromise with weights drawn anew for each proposal.

    ParEGO: Knowles, IEEE Trans. Evol. Comput. 10, 50 (2006). Of the measured values where recipes have them
    for every goal, else of what is expected; ``within`` says which of the recipes keep the limits.
    """
    from labctl_models.acquisition.improvement import noisy_incumbent  # noqa: PLC0415
    from labctl_models.acquisition.score import Improvement  # noqa: PLC0415

    X, worths = expected
    if len(situation.knowledge.X_complete) >= LEAST_RESULTS:
        # Every goal has results then, so that its columns are those of the goals.
        raw = situation.knowledge.Y_complete
        worths = np.column_stack(
            [[objective.worth(float(v)) for v in raw[:, i]] for i, objective in enumerate(goals.values())]
        )
    spread = np.ptp(worths, axis=0)
    scaled = (worths - worths.min(axis=0)) / np.where(spread > 0, spread, 1.0)
    weights = situation.rng.dirichlet(np.ones(len(goals)))
    compromise = (scaled * weights).min(axis=1) + _AUGMENTED * scaled @ weights
    nothing = np.empty(0)
    fitted = fit(Results(X, compromise, X[:0], nothing, nothing), 1.0, situation.seed)
    best = X[within][int(compromise[within].argmax())]
    return Gain(Improvement(fitted, noisy_incumbent(fitted, X[within])), SCALARISED, None, best)
