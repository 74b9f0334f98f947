"""What people know before any result: where good recipes may lie, and which they would not make."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise, product
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from labctl.space import NoRecipeError, Space, sample
from labctl.space.forbidden import Ban, Forbidden
from labctl.space.laws import check_forbidden
from labctl.space.narrowed import Room
from labctl.space.parameters import NUMERIC, Formula, Number, Parameter, Strict, ends
from labctl_drivers.protocol import Recipe, Setting

if TYPE_CHECKING:
    from labctl_models.acquisition.prior import Belief

_SHORT = "near and within for a number, or a weight for each choice"
_WIDEST = 100.0
"""A belief that reaches so many times the range of its parameter says nothing of it."""
_STEEPEST = 1e6
"""How many times likelier than another a choice may be called; beyond it a choice is vetoed."""
_MOST_CASES = 20_000
ALL_VETOED = "speak against every recipe that may be proposed"


class BeliefConfig(Strict):
    """Where good values of one parameter are thought to lie.

    Attributes:
        near: the likeliest number, in the parameter's unit.
        within: how far from it about two thirds of the belief reach, in the same unit.
        choices: of a category, how likely each choice is; a choice that is left out has the lowest weight.
    """

    near: Number | None = None
    within: Number | None = Field(default=None, gt=0)
    choices: dict[str, Number] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_one_thing(self) -> "BeliefConfig":
        numeric = self.near is not None and self.within is not None
        if numeric == bool(self.choices) or (self.near is None) != (self.within is None):
            raise ValueError(f"needs {_SHORT}")
        if any(weight <= 0 for weight in self.choices.values()):
            raise ValueError("a weight must be above zero; what must not be tried is a veto")
        weights = self.choices.values()
        if self.choices and max(weights) / _STEEPEST > min(weights):
            raise ValueError(
                f"one weight is more than {_STEEPEST:.0e} times another; what must not be tried is a veto"
            )
        return self


def _weights(value: object) -> object:
    """The short form: choices with their weights, without the word choices."""
    if isinstance(value, dict) and value and not value.keys() & {"near", "within", "choices"}:
        return {"choices": value}
    return value


class Advice(Strict):
    """What people know, as far as a campaign may use it.

    Attributes:
        prior: by parameter, where good recipes are thought to lie; it fades as results come in.
        strength: after how many results the prior counts as much as the acquisition itself.
        vetoes: recipes that a person would not make, each with the reason.
        doubt: share of the experiments that try a vetoed recipe all the same, since people err too; a recipe
            that must never be made belongs into ``forbidden`` or into the lab's hard limits.
    """

    prior: dict[
        str, Annotated[BeliefConfig, BeforeValidator(_weights, json_schema_input_type=dict[str, Any])]
    ] = Field(default_factory=dict)
    strength: Number = Field(default=5.0, gt=0, le=1e6)
    vetoes: tuple[Forbidden, ...] = Field(default=(), max_length=100)
    doubt: Number = Field(default=0.05, ge=0, le=0.5)

    def check(self, parameters: Mapping[str, Parameter], fixed: Mapping[str, Setting]) -> None:
        """See that everything fits the parameters, and that vetoes leave something beside what is fixed.

        Raises:
            ValueError: one sentence that begins with the key.
        """
        for name, belief in self.prior.items():
            parameter = parameters.get(name)
            if parameter is None:
                raise ValueError(f"advice.prior.{name}: no such parameter; there are {', '.join(parameters)}")
            numeric = isinstance(parameter, NUMERIC)
            if numeric == bool(belief.choices) or isinstance(parameter, Formula):
                raise ValueError(f"advice.prior.{name}: needs {_SHORT}, and this is {parameter.kind}")
            problem = None if belief.near is None else parameter.problem(belief.near)
            unknown = [choice for choice in belief.choices if parameter.problem(choice)]
            if problem or unknown:
                raise ValueError(f"advice.prior.{name}: {problem or parameter.problem(unknown[0])}")
            if isinstance(parameter, NUMERIC) and belief.within is not None:
                low, high = ends(parameter)
                if belief.within > _WIDEST * (high - low):
                    raise ValueError(
                        f"advice.prior.{name}.within: reaches more than {_WIDEST:g} times the range "
                        f"from {low:g} to {high:g}; where nothing is believed of {name}, leave it out"
                    )
        for i, veto in enumerate(self.vetoes):
            check_forbidden(f"advice.vetoes.{i}", veto, parameters)
        because = all_vetoed(self, parameters, fixed)
        if because is not None:
            raise ValueError(f"advice.vetoes: {ALL_VETOED} (such as: {because}); remove one of them")


def vetoed(
    advice: Advice, parameters: Mapping[str, Parameter], columns: Mapping[str, Sequence[Setting]], n: int
) -> NDArray[np.bool_]:
    """Which of n recipes, given as columns by parameter, some veto speaks against."""
    found = np.zeros(n, dtype=bool)
    for veto in advice.vetoes:
        found |= Ban(veto, parameters).meets_all(columns, n)
    return found


def veto_of(advice: Advice, parameters: Mapping[str, Parameter], recipe: Recipe) -> str | None:
    """What the first veto against a recipe says, or None."""
    return next((v.because for v in advice.vetoes if Ban(v, parameters).meets(recipe)), None)


def all_vetoed(
    advice: Advice, parameters: Mapping[str, Parameter], fixed: Mapping[str, Setting]
) -> str | None:
    """What a veto says, where vetoes speak against every recipe with these fixed settings; else None.

    A veto changes its mind about a number only at the ends of its interval, so that trying those, one number
    between each two of them and every choice is a proof.
    """
    bans = [Ban(veto, parameters) for veto in advice.vetoes]
    named = {name for veto in advice.vetoes for name in veto.when}
    cases = {name: [fixed[name]] if name in fixed else _cases(name, parameters[name], bans) for name in named}
    if not 0 < math.prod(len(some) for some in cases.values()) <= _MOST_CASES or not bans:
        return None
    recipes = (dict(zip(cases, settings, strict=True)) for settings in product(*cases.values()))
    if all(any(ban.meets(recipe) for ban in bans) for recipe in recipes):
        return bans[0].forbidden.because
    return None


def leaves_nothing(advice: Advice, space: Space) -> str | None:
    """Say that vetoes leave no recipe beside the laws of a space, or that none was found; None if one was.

    A proof where the ends of numbers or the rows of a pool tell; else nothing was found by draws and by what
    else :func:`labctl.space.sample` does.
    """
    if not advice.vetoes:
        return None
    if space.pool is not None:
        all_of_it = vetoed(advice, space.parameters, space.pool.columns, len(space.pool)).all()
        return f"{ALL_VETOED}; remove one of them" if all_of_it else None
    room = Room(space).without(advice.vetoes)
    # What is forbidden anyway narrows the ends once more, which can be the proof.
    if room.box is None or room.without(space.forbidden).box is None:
        return f"{ALL_VETOED}; remove one of them"
    try:
        sample(room.strict or space, 1, np.random.default_rng(0))
    except NoRecipeError:
        return "leave no recipe that was found beside what else the campaign asks for; remove one of them"
    return None


def _cases(name: str, parameter: Parameter, bans: Sequence[Ban]) -> list[Setting]:
    """Settings of a parameter that stand for all of them, as far as vetoes tell them apart."""
    if not isinstance(parameter, NUMERIC):
        return list(parameter.choices)
    low, high = ends(parameter)
    marks = {low, high}
    for ban in bans:
        if name in ban.intervals:
            first, _, last, _ = ban.intervals[name]
            marks |= {end for end in (first, last) if low < end < high}
    turns = sorted(marks)
    return [*turns, *((a + b) / 2 for a, b in pairwise(turns))]


def belief(advice: Advice, space: Space, results: int) -> "Belief | None":
    """The prior as a weight over the unit cube after so many results; None without one."""
    from labctl_models.acquisition.prior import FLOOR, Belief  # noqa: PLC0415 - only where there is a prior

    if not advice.prior:
        return None
    columns, centres, sds = [], [], []
    linear = np.zeros(space.width)
    for name, wanted in advice.prior.items():
        parameter, place = space.parameters[name], space.slices[name]
        if wanted.near is not None and wanted.within is not None:
            # Upwards, where a logarithmic scale has no end.
            centre, edge = parameter.encode([wanted.near, wanted.near + wanted.within])[:, 0]
            columns.append(place.start)
            centres.append(float(centre))
            sds.append(max(float(edge - centre), 1e-3))
        else:
            most = math.log(max(wanted.choices.values()))
            least = math.log(min(wanted.choices.values())) + math.log(FLOOR)
            for offset, choice in enumerate(parameter.choices):  # type: ignore[union-attr] # checked: a category
                weight = wanted.choices.get(choice)
                linear[place.start + offset] = (least if weight is None else math.log(weight)) - most
    return Belief(
        np.array(columns, dtype=np.float64),
        np.array(centres),
        np.array(sds),
        linear,
        fade=advice.strength / max(1, results),
    )
