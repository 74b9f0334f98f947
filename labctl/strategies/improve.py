"""Recipes that are expected to improve on the best one known: log expected improvement on averaged GPs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labctl.proposal import Arm, recipe_key
from labctl.space import Space
from labctl.space.narrowed import nearest_lawful, reached
from labctl.strategies.candidates import Candidates, candidates, finite, runners_up
from labctl.strategies.gain import Gain, gain
from labctl.strategies.protocol import Choice, Situation
from labctl.strategies.said import because
from labctl.strategies.worthwhile import hopeless, twins
from labctl_models.acquisition.weighed import FLOOR

if TYPE_CHECKING:
    from labctl_models.acquisition.ascent import Linear

Floats = NDArray[np.float64]

_ALTERNATIVES = 3
_STARTS = 8


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Candidates in the order of their score."""

    among: Candidates
    scores: Floats
    rows: list[int]


class Improve:
    """Choose the candidate that promises the greatest gain.

    Of one goal that is log expected improvement, or approach to a target; of several, the growth of what the
    Pareto front dominates (``labctl.strategies.gain``). Noise-aware: what has to be improved on is the best
    *expected* value among the measured recipes, not the luckiest reading, and replicates of a recipe count as
    the repeated measurements they are. Where the last verdict on the surrogate is not "trusted", recipes
    outside the domain of the measured ones are not chosen here; that is left to arms that do not rest on a
    prediction. Each gain is weighed by the chance of a sample, once a recipe has made none, by the chance
    that limits on outcomes are kept, and by what people believe. The closed form and its logarithm follow
    Ament et al., NeurIPS 2023 (arXiv 2310.20708).
    """

    arm: Arm = "improve"
    needs_results = 2

    def choose(self, situation: Situation) -> Choice | None:
        """Choose the recipe with the greatest gain."""
        found = gain(situation)
        if found is None:
            return None
        among = candidates(situation, near=found.best, risky=True)
        if not len(among):
            return None
        risk = bool(situation.rng.random() < FLOOR)
        ranked = self._rank(situation, among, found, risk=risk)
        if situation.space.pool is None and len(situation.space.free_columns):
            ranked = self._refine(situation, ranked, found, risk=risk)
        if not ranked.rows:
            return None
        return self._choice(situation, ranked, found)

    def _rank(self, situation: Situation, among: Candidates, found: Gain, *, risk: bool) -> _Ranked:
        # Not a number is never the best: where the verdict forbids it, no improvement is promised.
        open_to = situation.within_trust(among.X) & ~hopeless(situation, among.X, risk=risk)
        if situation.space.pool is None:
            # A pool has no twins, and predicting all of it once more would cost as much as its scores.
            open_to &= ~twins(situation, among.X, _gains(situation, among.X, found))
        scores = np.where(open_to, found.score.log(among.X), np.nan)
        return _Ranked(among, scores, among.best(scores, situation.allowed, max(_STARTS, 1 + _ALTERNATIVES)))

    def _refine(self, situation: Situation, ranked: _Ranked, found: Gain, *, risk: bool) -> _Ranked:
        """Climb from the best draws along the continuous columns, within the space's laws."""
        from labctl_models.acquisition.ascent import ascend  # noqa: PLC0415

        space, room = situation.space, situation.advised.strict
        starts = ranked.among.X[ranked.rows]
        if not len(starts) or room is None:
            return ranked
        lower, upper = reached(space, room)
        climbed = ascend(
            found.score,
            starts,
            free=[int(c) for c in room.free_columns],
            lower=lower,
            upper=upper,
            constraints=_laws(space),
        )
        lawful = [
            recipe
            for recipe in (nearest_lawful(space, room, row) for row in climbed.X)
            if recipe is not None
            and recipe_key(recipe) not in situation.knowledge.tried
            and situation.veto(recipe) is None
        ]
        kept = [ranked.among.recipe(row) for row in ranked.rows]
        distinct = list({recipe_key(r): r for r in (*lawful, *kept)}.values())
        return self._rank(
            situation, Candidates(space.encode(distinct), lambda i: distinct[i]), found, risk=risk
        )

    def _choice(self, situation: Situation, ranked: _Ranked, found: Gain) -> Choice:
        rows = ranked.rows[: 1 + _ALTERNATIVES]
        expected = situation.surrogates.predict(ranked.among.X[rows])
        predicted = dict(zip(rows, expected, strict=True))
        others = tuple(
            one.model_copy(update={"predictions": predicted[row]})
            for row in rows[1:]
            for one in runners_up(ranked.among, [row], ranked.scores)
        )
        return Choice(
            ranked.among.recipe(rows[0]),
            because(expected[0], situation, found, ranked.among.X[rows[:1]]),
            found.name,
            finite(ranked.scores[rows[0]]),
            others,
        )


def _gains(situation: Situation, X: Floats, found: Gain) -> Floats:
    """By how much each row of X (n x d) is expected to beat the best, in units of the readings' scatter."""
    if found.level is None or found.goal is None or situation.objectives[found.goal].target is not None:
        return np.zeros(len(X))
    fitted, objective = situation.surrogates.of(found.goal), situation.objectives[found.goal]
    gain_of_each = fitted.predict(X).mean - objective.sign * found.level
    return np.asarray(gain_of_each / max(float(fitted.noise_sd), 1e-300), dtype=np.float64)


def _laws(space: Space) -> "list[Linear]":
    """The space's linear laws as the ascent takes them: sums at or above a number."""
    from labctl_models.acquisition.ascent import Linear  # noqa: PLC0415

    system = space.linear_system
    laws: list[Linear] = []
    for rows, rests, sign, equality in (
        (system.A_eq, system.b_eq, 1.0, True),
        (system.A_ub, system.b_ub, -1.0, False),
    ):
        for row, rest in zip(rows, rests, strict=True):
            columns = np.flatnonzero(row)
            laws.append(
                Linear(
                    columns=tuple(int(c) for c in columns),
                    coefficients=tuple(float(sign * row[c]) for c in columns),
                    rhs=float(sign * rest),
                    equality=equality,
                )
            )
    return laws
