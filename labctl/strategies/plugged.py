"""Recipes that an optimiser from outside suggests, such as one that was made for bluesky-adaptive."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np

from labctl.config import PluggedConfig
from labctl.errors import RequestError
from labctl.proposal import Arm, recipe_key
from labctl.space.parameters import Continuous
from labctl.state import Experiment
from labctl.strategies.candidates import candidates
from labctl.strategies.protocol import Choice, Situation
from labctl_drivers.protocol import Recipe, Setting

_T = TypeVar("_T")
_KEY = "strategy.plugged.optimizer"
_ID = "_id"
_ASKS = 8
"""How often it is asked before chance has its turn: it may suggest what is forbidden or was tried before."""


class Outside(Protocol):
    """What is asked of an optimiser: the ``Optimizer`` of ``bluesky_adaptive.protocols``.

    ``register_suggestions`` and ``register_failures`` are used where it has them. It must take results of
    points that it did not suggest itself, which come without an ``_id``, as that protocol says.
    """

    def suggest(self, num_points: int | None = None) -> Any:  # noqa: ANN401 - foreign
        """The next points."""
        ...

    def ingest(self, points: Any) -> None:  # noqa: ANN401 - foreign
        """Take results: settings and outcomes in one mapping each."""
        ...


class Plugged:
    """Choose what the optimiser suggests that the campaign file names as ``package.module:factory``.

    For every choice the factory makes a new optimiser, which is told all that the ledger holds: results, what
    failed, and what is under way. So it has no state that a crash could lose, and the same ledger gives the
    same choice if its chance comes from the seed it is given. What it suggests is not taken on trust: numbers
    are moved to the nearest that the space allows, and what the lab's limits forbid, a veto speaks against or
    was tried before is not proposed. The prediction in the ledger is labctl's own.
    """

    arm: Arm = "improve"
    needs_results = 0

    def choose(self, situation: Situation) -> Choice | None:
        """Ask for a recipe; None if none of what is suggested may be proposed."""
        told = situation.plugged
        if told is None:
            raise RequestError("is missing, and the arm plugged needs it", key="strategy.plugged")
        optimizer = _made(told, situation)
        _teach(optimizer, told, situation)
        for _ in range(_ASKS):
            points = _asked(told, "suggest", lambda: list(optimizer.suggest(1)))
            if not points:
                return None
            choice = _choice(points[0], told, situation)
            if choice is not None:
                return choice
        return None


def _made(told: PluggedConfig, situation: Situation) -> Outside:
    """A new optimiser, by the factory that the campaign file names."""
    from labctl_drivers.adapt.names import find, folder_of_modules  # noqa: PLC0415 - loads bluesky

    try:
        folder = folder_of_modules(told.modules, situation.folder, "strategy.plugged.modules")
        factory = find(told.optimizer, _KEY, folder).found
    except ValueError as error:
        raise RequestError(str(error)) from None
    # Another one each time, or an optimiser that draws would draw the same point again and again.
    seed = int(situation.rng.integers(2**31))
    parameters, objectives = situation.space.parameters, situation.objectives
    made: Outside = _asked(told, "make", lambda: factory(parameters, objectives, seed=seed, **told.options))
    lacking = [name for name in ("suggest", "ingest") if not callable(getattr(made, name, None))]
    if lacking:
        raise RequestError(
            f"{told.optimizer} gave {type(made).__name__}, which has no {' and no '.join(lacking)}", key=_KEY
        )
    return made


def _teach(optimizer: Outside, told: PluggedConfig, situation: Situation) -> None:
    """Tell an optimiser all that is known."""
    every = [e for e in situation.experiments if e.status != "rejected" and e.proposal.fidelity is None]
    results = [result for e in every if (result := _result(e, situation)) is not None]
    if results:
        _asked(told, "ingest", lambda: optimizer.ingest(results))
    register = getattr(optimizer, "register_suggestions", None)
    fail = getattr(optimizer, "register_failures", None)
    for experiment in every:
        if _result(experiment, situation) is not None:
            continue
        recipe = dict(experiment.proposal.recipe)
        point: Mapping[str, Any] = {_ID: experiment.id, **recipe}
        if callable(register):
            point = _asked(told, "register_suggestions", partial(_registered, register, recipe))
        if experiment.finished and callable(fail):
            _asked(told, "register_failures", partial(fail, [point]))


def _registered(register: Callable[[Any], Any], recipe: Recipe) -> Mapping[str, Any]:
    """A point with the id that the optimiser gives it."""
    point: Mapping[str, Any] = register([recipe])[0]
    return point


def _result(experiment: Experiment, situation: Situation) -> Mapping[str, Setting] | None:
    """The settings that were reached and all that is wanted of them; None where a part is missing."""
    outcome = experiment.outcome
    if outcome is None or not experiment.finished or outcome.bounds:
        return None
    if any(o.needed and name not in outcome.values for name, o in situation.objectives.items()):
        return None
    if outcome.status != "measured" and outcome.kind != "off_recipe":
        return None
    reached = {n: _reached(experiment.made[n], n, experiment, situation) for n in experiment.proposal.recipe}
    return {**reached, **outcome.values}


def _reached(value: Setting, name: str, experiment: Experiment, situation: Situation) -> Setting:
    """A setting as an optimiser can take it, which knows nothing beyond the bounds."""
    parameter = situation.space.parameters[name]
    if isinstance(parameter, Continuous) and not isinstance(value, str):
        return min(max(float(value), parameter.low), parameter.high)
    return value if parameter.problem(value) is None else experiment.proposal.recipe[name]


def _choice(point: Any, told: PluggedConfig, situation: Situation) -> Choice | None:  # noqa: ANN401 - foreign
    """What is proposed for a suggested point; None if nothing near it may be."""
    wish = _wish(point, told, situation)
    space, tried = situation.space, situation.knowledge.tried
    row = np.clip(space.encode([wish])[0], 0.0, 1.0)
    if space.pool is not None:
        among = candidates(situation, risky=True)
        rows = among.best(-((among.X - row) ** 2).sum(axis=1), situation.allowed, 1)
        recipe = among.recipe(rows[0]) if rows else None
    else:
        recipe = space.canonical(wish) if not space.problems(wish) else space.nearest_lawful(row)
        if recipe is not None and (recipe_key(recipe) in tried or not situation.allowed(recipe)):
            return None
    if recipe is None or situation.veto(recipe) is not None:
        return None
    because = f"suggested by {told.optimizer}"
    if recipe_key(recipe) != recipe_key(wish):
        moved = ", ".join(f"{n} {_short(v)}" for n, v in wish.items() if recipe[n] != v)
        because = f"nearest to what {told.optimizer} suggested ({moved})"
    return Choice(recipe, because)


def _wish(point: Any, told: PluggedConfig, situation: Situation) -> Recipe:  # noqa: ANN401 - foreign
    """The settings of a suggested point, of the right names and kinds.

    Raises:
        RequestError: it is no point of this campaign at all.
    """
    if not isinstance(point, Mapping):
        raise RequestError(f"{told.optimizer} suggested {type(point).__name__} and no mapping", key=_KEY)
    wish: dict[str, Setting] = {}
    for name, parameter in situation.space.parameters.items():
        if name not in point:
            raise RequestError(f"{told.optimizer} suggested a point without {name}", key=_KEY)
        value = point[name].item() if hasattr(point[name], "item") else point[name]
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        problem = parameter.problem(value)
        if problem is not None and not (number and hasattr(parameter, "unit")):
            raise RequestError(f"{told.optimizer} suggested {name} = {value!r}: {problem}", key=_KEY)
        wish[name] = value
    return wish


def _asked(told: PluggedConfig, what: str, ask: Callable[[], _T]) -> _T:
    """What foreign code answers.

    Raises:
        RequestError: it failed; one sentence that names it.
    """
    try:
        return ask()
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        raise RequestError(f"{told.optimizer} failed in {what}: {text}", key=_KEY) from error


def _short(value: Setting) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
