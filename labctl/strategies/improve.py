"""Recipes that are expected to improve on the best one known: log expected improvement on averaged GPs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labctl.proposal import Alternative, Arm, Predicted, recipe_key
from labctl.space import Space
from labctl.strategies.candidates import Candidates, candidates
from labctl.strategies.protocol import Choice, Situation

if TYPE_CHECKING:
    from labctl_models.acquisition.ascent import Linear

Floats = NDArray[np.float64]

IMPROVEMENT = "log_expected_improvement"
WEIGHED_IMPROVEMENT = "log_expected_improvement_weighed"
"""Names of the score in the ledger; weighed by the chance of a sample once one was not made."""
_ALTERNATIVES = 3
_STARTS = 8


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Candidates in the order of their score."""

    among: Candidates
    scores: Floats
    rows: list[int]


class Improve:
    """Choose the candidate with the greatest log expected improvement.

    Noise-aware: what has to be improved on is the best *expected* value among the measured recipes, not
    the luckiest reading, and replicates of a recipe count as the repeated measurements they are. Where
    the last verdict on the surrogate is not "trusted", recipes outside the domain of the measured ones
    are not chosen here; that is left to arms that do not rest on a prediction. Once a recipe has made no
    sample, each improvement is weighed by the chance of one. The closed form and its logarithm follow
    Ament et al., NeurIPS 2023 (arXiv 2310.20708).
    """

    arm: Arm = "improve"
    needs_results = 2

    def choose(self, situation: Situation) -> Choice | None:
        """Choose the recipe with the greatest expected improvement."""
        from labctl_models.acquisition.improvement import noisy_incumbent  # noqa: PLC0415

        fitted = situation.surrogates.of(situation.goal)
        known = situation.knowledge.results[situation.goal].X
        incumbent = noisy_incumbent(fitted, known)
        best_known = known[int(np.argmax(fitted.predict(known).mean))]
        among = candidates(situation, near=best_known, risky=True)
        if not len(among):
            return None
        ranked = self._rank(situation, among, incumbent)
        if situation.space.pool is None and len(situation.space.free_columns):
            ranked = self._refine(situation, ranked, incumbent)
        if not ranked.rows:
            return None
        return self._choice(situation, ranked, incumbent)

    def _rank(self, situation: Situation, among: Candidates, incumbent: float) -> _Ranked:
        from labctl_models.acquisition.improvement import log_expected_improvement_at  # noqa: PLC0415

        scores = log_expected_improvement_at(situation.surrogates.of(situation.goal), among.X, incumbent)
        weight = situation.surrogates.weight
        if weight is not None:
            scores = scores + weight.log(among.X)
        # Not a number is never the best: where the verdict forbids it, no improvement is promised.
        scores = np.where(situation.within_trust(among.X), scores, np.nan)
        return _Ranked(among, scores, among.best(scores, situation.allowed, max(_STARTS, 1 + _ALTERNATIVES)))

    def _refine(self, situation: Situation, ranked: _Ranked, incumbent: float) -> _Ranked:
        """Climb from the best draws along the continuous columns, within the space's laws."""
        from labctl_models.acquisition.ascent import ascend  # noqa: PLC0415

        space, fitted = situation.space, situation.surrogates.of(situation.goal)
        starts = ranked.among.X[ranked.rows]
        if not len(starts):
            return ranked
        climbed = ascend(
            fitted,
            incumbent,
            starts,
            free=[int(c) for c in space.free_columns],
            lower=np.zeros(space.width),
            upper=np.ones(space.width),
            constraints=_laws(space),
            weight=situation.surrogates.weight,
        )
        lawful = [
            recipe
            for recipe in (space.canonical(r) for r in space.decode(climbed.X))
            if not space.problems(recipe) and recipe_key(recipe) not in situation.knowledge.tried
        ]
        kept = [ranked.among.recipe(row) for row in ranked.rows]
        distinct = list({recipe_key(r): r for r in (*lawful, *kept)}.values())
        return self._rank(situation, Candidates(space.encode(distinct), lambda i: distinct[i]), incumbent)

    def _choice(self, situation: Situation, ranked: _Ranked, incumbent: float) -> Choice:
        rows = ranked.rows[: 1 + _ALTERNATIVES]
        expected = situation.surrogates.predict(ranked.among.X[rows])
        chosen = expected[0][situation.goal]
        others = tuple(
            Alternative(
                recipe=dict(ranked.among.recipe(row)),
                value=float(ranked.scores[row]),
                predictions=predictions,
            )
            for row, predictions in zip(rows[1:], expected[1:], strict=True)
            if np.isfinite(ranked.scores[row])
        )
        return Choice(
            ranked.among.recipe(rows[0]),
            _because(chosen, situation, incumbent),
            IMPROVEMENT if situation.surrogates.weight is None else WEIGHED_IMPROVEMENT,
            float(ranked.scores[rows[0]]) if np.isfinite(ranked.scores[rows[0]]) else None,
            others,
        )


def _because(chosen: Predicted, situation: Situation, incumbent: float) -> str:
    sign = situation.sign
    gain = sign * chosen.mean - incumbent
    than = "better" if gain >= 0 else "worse"
    where = "" if situation.verdict in (None, "trusted") else " inside the known domain"
    return (
        f"expected {short(chosen.mean)} ± {short(chosen.sd)}, that is {short(abs(gain))} {than} than the "
        f"best known recipe is expected to be ({short(sign * incumbent)}), with the greatest expected "
        f"improvement of all{where}"
    )


def short(value: float) -> str:
    """A number with three digits that matter, without an exponent where none is needed."""
    return f"{value:.3g}" if not 1e3 <= abs(value) < 1e6 else f"{value:.0f}"  # noqa: PLR2004 - thousands read well


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
