"""Whether mixtures and constraints fit the parameters that they name; what cannot be met is said at once."""

from collections.abc import Mapping

from labctl import units
from labctl.space.constraints import Linear, Mixture
from labctl.space.parameters import NUMERIC, Continuous, Parameter, ends

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
        least, most = least + p.low, most + p.high
    if not least <= mixture.total <= most:
        raise ValueError(f"{place}: parts between {least:g} and {most:g} cannot add up to {mixture.total:g}")
    if mixture.max_parts is not None:
        _check_most_parts(place, mixture, [ends(parameters[part]) for part in mixture.parts])  # type: ignore[arg-type] # checked above


def _check_most_parts(place: str, mixture: Mixture, bounds: list[tuple[float, float]]) -> None:
    most = mixture.max_parts or 0
    needed = [high for low, high in bounds if low > 0]
    if len(needed) > most:
        raise ValueError(f"{place}: {len(needed)} parts have low above 0, but max_parts is {most}")
    others = sorted((high for low, high in bounds if low <= 0), reverse=True)
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
