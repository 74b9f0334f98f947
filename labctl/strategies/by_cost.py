"""Improvement with cheaper fidelities at hand: what tells most about the goal for its cost."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labctl.proposal import Arm, Predicted, recipe_key
from labctl.sources import Source
from labctl.strategies.candidates import candidates, finite
from labctl.strategies.improve import Improve
from labctl.strategies.protocol import Choice, Situation
from labctl_drivers.protocol import Recipe

if TYPE_CHECKING:
    from labctl_models.fidelity.choose import Pick
    from labctl_models.fidelity.guard import Judged
    from labctl_models.fidelity.readings import Readings

Floats = NDArray[np.float64]

MOST_IN_A_ROW = 10
"""Cheap readings after which the target is measured: what is known of their worth, it is known from there."""
_SILENT, _REST = 5, 10
"""Attempts without a reading after which a fidelity is left alone, and for how many results of the target."""
_NAMES = {"trial": "surprise_at_target", "inform": "nats_per_cost", "target": "log_expected_improvement"}


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Recipes that some source may measure next: X (q x d), and by source (q x m) whether it may."""

    recipes: Sequence[Recipe]
    X: Floats
    allowed: NDArray[np.bool_]


class ImproveByCost:
    """Choose the recipe and the fidelity that are worth their cost.

    However cheap a fidelity is, the target has its turn after ``MOST_IN_A_ROW`` readings, and one that gives
    none is left alone.

    A cheap fidelity is first tried beside results of the target, for a small share of their cost. Once it is
    seen to predict them better than they predict each other it is used: what is measured next is the recipe
    and the source of most information about the best response for its cost. When it misleads it is dropped,
    and the goal is improved on as without it (``labctl_models.fidelity``).
    """

    arm: Arm = "improve"
    needs_results = 2

    def choose(self, situation: Situation) -> Choice | None:
        """Choose a recipe and by which fidelity to measure it."""
        from labctl_models.fidelity.choose import Options, decide  # noqa: PLC0415 - scipy is slow to import
        from labctl_models.fidelity.guard import judge  # noqa: PLC0415

        readings = _readings(situation)
        judged = judge(readings, seed=situation.seed)
        among = _candidates(situation)
        if not among.allowed.any():
            return None
        costs = np.column_stack([source.cost.predict(among.X).mean for source in situation.sources])
        pick = decide(
            readings,
            judged,
            Options(among.X, among.allowed, costs),
            [source.spent for source in situation.sources],
            seed=situation.seed,
            alone=situation.surrogates.of(situation.goal),
        )
        if pick.role == "target" and judged.together is None:
            # No fidelity helps, so the goal is improved on as if there were none.
            choice = Improve().choose(situation)
            return None if choice is None else _with_standing(choice, judged, situation)
        return _choice(pick, among, judged, situation)


def _readings(situation: Situation) -> "Readings":
    """All readings of the goal, in the direction in which more is better."""
    from labctl_models.fidelity.readings import Readings  # noqa: PLC0415

    own = situation.knowledge.results[situation.goal]
    parts = [(own.X, own.y, len(situation.sources) - 1, np.arange(1, len(own.y) + 1))]
    for number, source in enumerate(situation.sources[:-1]):
        read = situation.knowledge.stand_ins.get(str(source.name))
        if read is not None:
            parts.append((read.X, read.y, number, read.after))
    # In the order in which they came, since what was read after the target's last result counts.
    order = np.argsort(np.concatenate([after for *_, after in parts]), kind="stable")
    return Readings(
        np.vstack([X for X, *_ in parts])[order],
        np.concatenate([np.full(len(y), number, dtype=np.intp) for _, y, number, _ in parts])[order],
        situation.sign * np.concatenate([y for _, y, *_ in parts])[order],
        len(situation.sources),
    )


def _candidates(situation: Situation) -> _Candidates:
    """What may be measured: new recipes by any source, and those known at the target by a cheaper one."""
    space, known = situation.space, situation.knowledge
    reached = [space.canonical(r) for r in space.decode(known.X_measured)]
    # What was made off its recipe was made all the same.
    made = {recipe_key(r) for r in reached}
    open_to = [_heard(situation, source) for source in situation.sources]
    if space.pool is not None:
        recipes = [space.pool.recipe(row) for row in range(len(space.pool))]
    else:
        fresh = candidates(situation)
        recipes = [fresh.recipe(row) for row in range(len(fresh))]
        recipes += reached
    recipes = list({recipe_key(r): r for r in recipes}.values())
    X = space.encode(recipes)
    trusted, against = situation.within_trust(X), situation.vetoed(recipes)
    allowed = np.zeros((len(recipes), len(situation.sources)), dtype=bool)
    for row, recipe in enumerate(recipes):
        key = recipe_key(recipe)
        if against[row] or space.problems(recipe) or not situation.allowed(recipe):
            continue
        for number, source in enumerate(situation.sources):
            if not open_to[number] or (source.name is None and (key in made or not trusted[row])):
                continue
            new = key not in (known.tried if source.name is None else _read(situation, source))
            allowed[row, number] = new and source.offers(recipe)
    kept = np.flatnonzero(allowed.any(axis=1))
    return _Candidates([recipes[row] for row in kept], X[kept], allowed[kept])


def _heard(situation: Situation, source: Source) -> bool:
    """Whether a fidelity is to be asked now; the target always is."""
    if source.name is None:
        return True
    since_target = sum(one.waited for one in situation.sources[:-1])
    return since_target < MOST_IN_A_ROW and not _left_alone(source)


def _left_alone(source: Source) -> bool:
    return source.silent >= _SILENT and source.rested < _REST


def _read(situation: Situation, source: Source) -> frozenset[str]:
    stand_in = situation.knowledge.stand_ins.get(str(source.name))
    return frozenset() if stand_in is None else stand_in.tried


def _choice(pick: "Pick", among: _Candidates, judged: "Judged", situation: Situation) -> Choice:
    source, said = situation.sources[pick.source], _named(pick.because, situation)
    choice = Choice(
        among.recipes[pick.row],
        said if source.name is None else f"by {source.name}: {said}",
        _NAMES[pick.role],
        finite(pick.value),
        fidelity=source.name,
        predictions=_predicted(pick, among, judged, situation),
    )
    return _with_standing(choice, judged, situation)


def _named(because: str, situation: Situation) -> str:
    """A reason of the models, who know sources by their number, with the names that people know."""
    cheaper = situation.sources[:-1]
    return re.sub(r"source (\d+)", lambda found: str(cheaper[int(found[1])].name), because)


def _predicted(
    pick: "Pick", among: _Candidates, judged: "Judged", situation: Situation
) -> dict[str, Predicted] | None:
    """What the source is expected to read, where a model of it takes part in the choice."""
    together = judged.together
    if together is None or (pick.source not in (*judged.used, len(situation.sources) - 1)):
        return None if situation.sources[pick.source].name is None else {}
    belief = together.predict(among.X[[pick.row]], np.array([pick.source]))
    return {
        situation.goal: Predicted(
            mean=situation.sign * float(belief.mean[0]),
            sd=float(belief.sd[0]),
            noise_sd=float(together.noise_sd(pick.source)),
        )
    }


def _with_standing(choice: Choice, judged: "Judged", situation: Situation) -> Choice:
    """The choice with what the guard says of each fidelity in its reason."""
    cheaper = [(situation.sources[j.source], _STANDING[j.standing]) for j in judged.judgements]
    said = [f"{s.name} {_mute(s) if _left_alone(s) else standing}" for s, standing in cheaper]
    return replace(choice, because=f"{choice.because}; {', '.join(said)}")


def _mute(source: Source) -> str:
    return f"gave no reading in {source.silent} attempts and is left alone"


_STANDING = {"helps": "helps", "unproven": "is not proven yet", "dropped": "was dropped: it does not help"}
