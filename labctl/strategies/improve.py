"""Recipes that are expected to improve on the best one known: log expected improvement on averaged GPs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labctl.proposal import Alternative, Arm, Predicted, recipe_key
from labctl.space import Space
from labctl.strategies.candidates import Candidates, candidates
from labctl.strategies.gain import CHANCE, SCALARISED, Gain, gain
from labctl.strategies.protocol import Choice, Situation

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
        ranked = self._rank(situation, among, found)
        if situation.space.pool is None and len(situation.space.free_columns):
            ranked = self._refine(situation, ranked, found)
        if not ranked.rows:
            return None
        return self._choice(situation, ranked, found)

    def _rank(self, situation: Situation, among: Candidates, found: Gain) -> _Ranked:
        # Not a number is never the best: where the verdict forbids it, no improvement is promised.
        scores = np.where(situation.within_trust(among.X), found.score.log(among.X), np.nan)
        return _Ranked(among, scores, among.best(scores, situation.allowed, max(_STARTS, 1 + _ALTERNATIVES)))

    def _refine(self, situation: Situation, ranked: _Ranked, found: Gain) -> _Ranked:
        """Climb from the best draws along the continuous columns, within the space's laws."""
        from labctl_models.acquisition.ascent import ascend  # noqa: PLC0415

        space = situation.space
        starts = ranked.among.X[ranked.rows]
        if not len(starts):
            return ranked
        climbed = ascend(
            found.score,
            starts,
            free=[int(c) for c in space.free_columns],
            lower=np.zeros(space.width),
            upper=np.ones(space.width),
            constraints=_laws(space),
        )
        lawful = [
            recipe
            for recipe in (space.nearest_lawful(row) for row in climbed.X)
            if recipe is not None
            and recipe_key(recipe) not in situation.knowledge.tried
            and situation.veto(recipe) is None
        ]
        kept = [ranked.among.recipe(row) for row in ranked.rows]
        distinct = list({recipe_key(r): r for r in (*lawful, *kept)}.values())
        return self._rank(situation, Candidates(space.encode(distinct), lambda i: distinct[i]), found)

    def _choice(self, situation: Situation, ranked: _Ranked, found: Gain) -> Choice:
        rows = ranked.rows[: 1 + _ALTERNATIVES]
        expected = situation.surrogates.predict(ranked.among.X[rows])
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
            _because(expected[0], situation, found),
            found.name,
            float(ranked.scores[rows[0]]) if np.isfinite(ranked.scores[rows[0]]) else None,
            others,
        )


def _because(expected: Mapping[str, Predicted], situation: Situation, found: Gain) -> str:
    where = "" if situation.verdict in (None, "trusted") else " inside the known domain"
    if found.name.startswith(CHANCE):
        return (
            f"no known recipe keeps the limits on outcomes yet, and this one has the greatest chance{where}"
        )
    told = [
        f"{'' if name == situation.goal else name + ' '}{short(p.mean)} ± {short(p.sd)}"
        for name, p in expected.items()
        if situation.objectives[name].wanted
    ]
    if found.level is None or found.goal is None:
        what = "compromise" if found.name.startswith(SCALARISED) else "growth of what the front dominates"
        return f"expected {', '.join(told)}, with the greatest expected {what}{where}"
    objective, chosen = situation.objectives[found.goal], expected[found.goal]
    better = objective.worth(chosen.mean) - objective.worth(found.level)
    if objective.target is not None:
        nearer = "nearer to" if better >= 0 else "farther from"
        return (
            f"expected {told[0]}, that is {short(abs(better))} {nearer} the target than the best known "
            f"recipe is expected to be ({short(found.level)}), with the greatest expected approach{where}"
        )
    than = "better" if better >= 0 else "worse"
    return (
        f"expected {told[0]}, that is {short(abs(better))} {than} than the best known recipe is expected to "
        f"be ({short(found.level)}), with the greatest expected improvement of all{where}"
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
