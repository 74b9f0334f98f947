"""Whether mixtures and constraints fit the parameters that they name; what cannot be met is said at once."""

from collections.abc import Mapping
from fractions import Fraction
from math import gcd

from labctl import units
from labctl.space.constraints import Linear, Mixture, Sparse
from labctl.space.forbidden import Ban, Forbidden
from labctl.space.parameters import (
    NUMERIC,
    Categorical,
    Continuous,
    Parameter,
    can_rest,
    ends,
    settable_ends,
)
from labctl_drivers.protocol import Setting

_LARGEST = 1e100
"""A weighted sum beyond this leaves nothing of its smaller terms, and soon no number at all."""
_WIDEST = 1e9
"""Times the total that a part of a mixture may span; its share would drown in rounding errors."""


def check_mixture(name: str, mixture: Mixture, parameters: Mapping[str, Parameter]) -> None:
    """See that a mixture's parts are there, in its unit, and can add up to its total.

    Raises:
        ValueError: one sentence that begins with the key.
    """
    least, most, place = 0.0, 0.0, f"mixtures.{name}"
    for part in mixture.parts:
        p = parameters.get(part)
        if not isinstance(p, Continuous) or p.scale != "linear":
            raise ValueError(f"{place}: {part} is no continuous parameter with a linear scale")
        if p.unit != mixture.unit:
            raise ValueError(f"{place}: {part} is in {p.unit}, the total in {mixture.unit}; use one unit")
        if p.high - p.low > _WIDEST * mixture.total:
            raise ValueError(
                f"{place}: {part} spans {p.low:g} to {p.high:g}, far beyond the total of {mixture.total:g}; "
                "narrow it"
            )
        if mixture.max_parts is not None and p.low < 0:
            raise ValueError(f"{place}: {part} may be below 0, but max_parts counts parts above 0")
        low, high = settable_ends(p)
        least, most = least + low, most + high
    if not least <= mixture.total <= most:
        raise ValueError(f"{place}: parts between {least:g} and {most:g} cannot add up to {mixture.total:g}")
    parts = [p for part in mixture.parts if isinstance(p := parameters[part], Continuous)]
    if mixture.max_parts is not None:
        _check_most_parts(place, mixture, parts)
    _check_steps(place, mixture, parts)


def _check_steps(place: str, mixture: Mixture, parts: list[Continuous]) -> None:
    """See that parts which all move in steps can meet the total, whatever their bounds."""
    grids = [grid for p in parts if (grid := p.grid) is not None]
    if len(grids) < len(parts):
        return
    total = Fraction(repr(mixture.total)) - sum(Fraction(grid.first, grid.scale) for grid in grids)
    scale = max(grid.scale for grid in grids)
    shared = Fraction(gcd(*(grid.step * (scale // grid.scale) for grid in grids)), scale)
    over = total % shared
    if over:
        below, above = (mixture.total - float(over), mixture.total + float(shared - over))
        raise ValueError(
            f"{place}: the parts' steps reach {below:.12g} and {above:.12g}, never {mixture.total:g} "
            f"{mixture.unit}; change a step, an origin or the total"
        )


def _check_most_parts(place: str, mixture: Mixture, parts: list[Continuous]) -> None:
    most = mixture.max_parts or 0
    needed = [p.high for p in parts if not can_rest(p)]
    if len(needed) > most:
        why = "have no step at 0" if any(p.low <= 0 for p in parts if not can_rest(p)) else "have low above 0"
        raise ValueError(f"{place}: {len(needed)} parts {why}, but max_parts is {most}")
    others = sorted((p.high for p in parts if can_rest(p)), reverse=True)
    reach = sum(needed) + sum(others[: most - len(needed)])
    if reach < mixture.total * (1 - 1e-9):
        raise ValueError(
            f"{place}: at most {most} parts reach {reach:g}, not {mixture.total:g}; raise max_parts or a high"
        )


def check_constraint(place: str, constraint: Linear, parameters: Mapping[str, Parameter]) -> None:
    """See that a constraint's terms are numbers that can be added up.

    Raises:
        ValueError: one sentence that begins with the key.
    """
    for name, weight in constraint.terms.items():
        parameter = parameters.get(name)
        if not isinstance(parameter, NUMERIC):
            raise ValueError(f"{place}.terms: {name} is no numeric parameter")  # noqa: TRY004 - for pydantic
        conversion = units.factor(parameter.unit, constraint.unit)
        if conversion is None:
            raise ValueError(
                f"{place}: {name} in {parameter.unit} cannot be added up in {constraint.unit}; "
                "use units that convert by a factor"
            )
        if not max(map(abs, ends(parameter))) * abs(weight * conversion) < _LARGEST:
            raise ValueError(f"{place}: {weight:g} {name} grows too large to compute with; lower the weight")
        linear = isinstance(parameter, Continuous) and parameter.scale == "linear"
        if constraint.equals is not None and not linear:
            raise ValueError(
                f"{place}: equals needs continuous parameters with a linear scale, and {name} is none; "
                "give at_least and at_most"
            )


def check_sparse(place: str, sparse: Sparse, parameters: Mapping[str, Parameter]) -> None:
    """See that amounts of which few may be used are numbers from zero up, and can be so few.

    Raises:
        ValueError: one sentence that begins with the key.
    """
    always = []
    for name in sparse.parameters:
        parameter = parameters.get(name)
        if not isinstance(parameter, NUMERIC):
            raise ValueError(f"{place}.parameters: {name} is no numeric parameter")  # noqa: TRY004 - for pydantic
        low, high = ends(parameter)
        if low < 0:
            raise ValueError(f"{place}: {name} may be below 0, but this is about amounts; set low: 0")
        if not can_rest(parameter):
            always.append(name)
        if sparse.least is None:
            continue
        conversion = units.factor(str(sparse.unit), parameter.unit)
        if conversion is None:
            raise ValueError(f"{place}: least in {sparse.unit} is no amount of {name} in {parameter.unit}")
        if sparse.least * conversion > settable_ends(parameter)[1]:
            raise ValueError(
                f"{place}: least is more than {name} can be ({high:g} {parameter.unit}); lower it"
            )
    if sparse.at_most is not None and len(always) > sparse.at_most:
        raise ValueError(
            f"{place}: {', '.join(always)} can never be 0, but at_most is {sparse.at_most}; set low: 0"
        )


def check_forbidden(place: str, forbidden: Forbidden, parameters: Mapping[str, Parameter]) -> None:
    """See that a forbidden combination names parameters, choices that they have, and units that convert.

    Raises:
        ValueError: one sentence that begins with the key.
    """
    for name, condition in forbidden.when.items():
        parameter, here = parameters.get(name), f"{place}.when.{name}"
        if parameter is None:
            raise ValueError(f"{here}: is no parameter; they are {', '.join(parameters)}")
        if isinstance(parameter, NUMERIC):
            if condition.choices:
                raise ValueError(f"{here}: is a number; give an interval such as {{above: 150, unit: degC}}")
        elif not condition.choices:
            raise ValueError(f"{here}: has choices, not numbers; name one or a list of them")
        elif isinstance(parameter, Categorical) or parameter.choices:
            stray = next((choice for choice in condition.choices if choice not in parameter.choices), None)
            if stray is not None:
                raise ValueError(f"{here}: {stray} is none of its choices ({', '.join(parameter.choices)})")
    try:
        Ban(forbidden, parameters)
    except ValueError as error:
        raise ValueError(f"{place}.when.{error}") from None


def check_fixed(place: str, fixed: Mapping[str, Setting], parameters: Mapping[str, Parameter]) -> None:
    """See that what is fixed are parameters, at values that may be proposed.

    Raises:
        ValueError: one sentence that begins with the key.
    """
    for name, value in fixed.items():
        parameter = parameters.get(name)
        if parameter is None:
            raise ValueError(f"{place}.{name}: is no parameter; they are {', '.join(parameters)}")
        if not isinstance(parameter, NUMERIC) and not parameter.choices:
            continue  # the table that lists them is not read yet
        problem = parameter.problem(value)
        if problem is None and isinstance(parameter, Continuous) and parameter.grid is not None:
            near = float(parameter.grid.nearest(float(value)))
            problem = None if near == value else f"{value:g} is between two steps; the nearest is {near:g}"
        if problem is not None:
            raise ValueError(f"{place}.{name}: {problem}")
