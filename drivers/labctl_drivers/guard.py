"""The driver's own check of the lab's hard limits, which shares no code with the controller's.

The controller holds a recipe against the limits when it is proposed and when it is dispatched. This is the
third time, right before an instrument moves, by another reading of the file and another comparison: a slip in
one of the two, or a controller that asks neither, still moves nothing that the lab does not allow.
"""

import functools
import re
import unicodedata
from collections.abc import Mapping
from math import copysign
from numbers import Real
from pathlib import Path
from typing import Any

from labctl_drivers.guard_file import Book, FileRefusedError, book_of, content_of
from labctl_drivers.protocol import Ramp, Recipe

# Half of what the controller grants after a conversion of units, so that of the two this is the stricter one.
_SLACK = 5e-13
_NAME = re.compile(r"[A-Za-zµμΩÅ°%][A-Za-z0-9_µμΩÅ°%]*[⁻¹²³⁴⁵⁶]*")
_POWER = re.compile(r"-?[0-9](\.[0-9])?")
_LONGEST = 80


class Guard:
    """Says why a recipe may not be started, or None.

    The file is read anew each time it is asked. One that has vanished, cannot be read, or has been changed
    into something that is no list of limits allows nothing; so does whatever goes wrong in here.

    Args:
        path: the file of the lab's hard limits.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: tuple[bytes, Book] | None = None

    def __call__(
        self, recipe: Recipe, units: Mapping[str, str], ramps: Mapping[str, Ramp] | None = None
    ) -> str | None:
        """Say in one sentence why this recipe may not be started, or None.

        Args:
            recipe: the settings.
            units: the unit of every numeric setting.
            ramps: how fast the instrument changes its settings; a setting with a limited rate of change that
                neither stands here nor is set by another setting is refused.
        """
        try:
            book = self._book()
            for name, value in recipe.items():
                _look_at(book, name, value, units)
            for name in book.speeds:
                if name in recipe:
                    _look_at_speed(book, name, recipe, units, (ramps or {}).get(name))
            for combination in book.never:
                _look_at_combination(combination, recipe, units)
        except _No as no:
            return f"{no} ({self.path.name})"
        except Exception as error:  # noqa: BLE001 - a check that breaks allows nothing
            return f"the limits in {self.path.name} could not be checked ({type(error).__name__})"
        return None

    def move(self, name: str, value: float, unit: str, ramp: Ramp | None = None) -> str | None:
        """Say why a device may not go to one value of a setting, or None.

        For drivers that set a device again and again, such as along a ramp: ask before each setpoint. A
        setting whose rate of change is limited may not be moved without a ramp.

        Args:
            name: of the setting, as the lab's limits call it.
            value: the setpoint.
            unit: of the value.
            ramp: how fast the device goes there.
        """
        try:
            book = self._book()
            _look_at(book, name, value, {name: unit})
            if name in book.speeds:
                at_most, rate_unit, _ = book.speeds[name]
                if ramp is None:
                    return f"{name} may not jump, because its rate of change is limited ({self.path.name})"
                _look_at_ramp(name, ramp.speed, ramp.unit, at_most, rate_unit)
        except _No as no:
            return f"{no} ({self.path.name})"
        except Exception as error:  # noqa: BLE001 - a check that breaks allows nothing
            return f"the limits in {self.path.name} could not be checked ({type(error).__name__})"
        return None

    def _book(self) -> Book:
        try:
            content = content_of(self.path)
            if self._known is None or self._known[0] != content:
                self._known = None
                book = book_of(content)
                for unit in _units_in(book):
                    _unit(unit)
                self._known = (content, book)
        except FileRefusedError as error:
            raise _No(f"the lab's limits cannot be used: {error}; nothing may move") from error
        return self._known[1]


class _No(Exception):  # noqa: N818 - an answer, and no error
    pass


def _look_at(book: Book, name: str, value: object, units: Mapping[str, str]) -> None:
    bounded = name in book.ranges
    if isinstance(value, str):
        if bounded or name in book.free:
            raise _No(f"{name} is a text where the lab expects a number")
        return
    number = _number(name, value)
    if name in book.free:
        return
    if not bounded:
        raise _No(f"the lab has no limits for {name}")
    low, high, unit = book.ranges[name]
    here, slack = _in(name, number, units.get(name), unit)
    room = slack * max(abs(here), abs(low), abs(high))
    if not (here >= low - room and here <= high + room):
        raise _No(f"{name} = {number!r} {units.get(name, '')} lies outside {low!r} to {high!r} {unit}")
    if number == here == low == 0.0 and copysign(1.0, number) < copysign(1.0, low):
        raise _No(f"{name} is minus zero, which a device may take for a negative number")


def _look_at_speed(
    book: Book, name: str, recipe: Recipe, units: Mapping[str, str], ramp: Ramp | None
) -> None:
    at_most, unit, setter = book.speeds[name]
    if ramp is None and setter not in recipe:
        raise _No(f"nothing says how fast {name} changes, and the lab limits that")
    if ramp is not None:
        _look_at_ramp(name, ramp.speed, ramp.unit, at_most, unit)
    if setter in recipe:
        _look_at_ramp(name, recipe[setter], units.get(setter), at_most, unit)


def _look_at_ramp(name: str, speed: object, speed_unit: str | None, at_most: float, unit: str) -> None:
    here, slack = _in(name, _number(f"the rate of {name}", speed), speed_unit, unit)
    if not abs(here) <= at_most * (1.0 + slack):
        raise _No(f"{name} would change by {here:g} {unit}, and at most {at_most:g} is allowed")


def _look_at_combination(
    combination: Mapping[str, frozenset[str] | tuple[float, float, str]],
    recipe: Recipe,
    units: Mapping[str, str],
) -> None:
    """A setting that the recipe does not name may have any value, as long as another of them is named."""
    if any(name in recipe for name in combination) and all(
        name not in recipe or _may_be(what, name, recipe[name], units) for name, what in combination.items()
    ):
        raise _No(f"{' and '.join(combination)} make a combination that the lab forbids")


def _may_be(
    what: frozenset[str] | tuple[float, float, str], name: str, value: object, units: Mapping[str, str]
) -> bool:
    if isinstance(what, frozenset):
        return not isinstance(value, str) or any(_alike(value, text) for text in what)
    if isinstance(value, str):
        return True
    above, below, unit = what
    here, slack = _in(name, _number(name, value), units.get(name), unit)
    room = slack * max(abs(here), *(abs(end) for end in (above, below) if abs(end) != float("inf")))
    return not (here <= above + room or here >= below - room)


def _alike(said: str, text: str) -> bool:
    """Whether two texts are the same but for case, blanks around them, and how Unicode spells them."""
    first, second = (
        unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", one).casefold()).strip()
        for one in (said, text)
    )
    return first == second


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise _No(f"{name} is neither a number nor a text")
    try:
        number = float(value)
    except (OverflowError, ValueError) as error:
        raise _No(f"{name} is larger than any number") from error
    if number - number != 0.0:  # NaN or infinite
        raise _No(f"{name} is not finite")
    return number


def _in(name: str, number: float, unit: object, wanted: str) -> tuple[float, float]:
    """The number in the wanted unit, and the relative error that this may have brought."""
    if unit is None and wanted in {"", "dimensionless"}:
        unit = wanted
    if not isinstance(unit, str):
        raise _No(f"{name} has no unit, and its limit is in {wanted}")
    if unit == wanted:
        return number, 0.0
    here, there = _unit(unit), _unit(wanted)
    if here.dimensionality != there.dimensionality or _is_step(here) != _is_step(there):
        raise _No(f"{name} is in {unit}, and its limit in {wanted}")
    converted = float(_registry().Quantity(number, here).to(there).magnitude)
    if converted - converted != 0.0:
        raise _No(f"{name} is not finite in {wanted}")
    return converted, _SLACK


def _units_in(book: Book) -> list[str]:
    found = [unit for _, _, unit in book.ranges.values()] + [unit for _, unit, _ in book.speeds.values()]
    return found + [what[2] for one in book.never for what in one.values() if isinstance(what, tuple)]


def _is_step(unit: Any) -> bool:  # noqa: ANN401 - a unit of pint's
    """Whether a unit is of differences of temperature, which are no temperatures."""
    return str(unit).startswith("delta_") and set(unit.dimensionality) == {"[temperature]"}


@functools.cache
def _unit(text: str) -> Any:  # noqa: ANN401 - a unit of pint's
    # pint works out numbers and powers in the text of a unit, so there are to be none but small ones.
    after_name = True
    for part in re.split(r"(?:\*\*|[*/^·\s])+", text.strip()):
        is_name = _NAME.fullmatch(part) is not None
        if not (is_name or part in {"", "1"} or (after_name and _POWER.fullmatch(part))):
            raise _No(f"{text[:_LONGEST]!r} is no unit")
        after_name = is_name
    if len(text) > _LONGEST:
        raise _No(f"{text[:_LONGEST]!r} is no unit")
    try:
        return _registry().parse_units(text)
    except Exception as error:  # pint raises its tokeniser's errors as well as its own
        raise _No(f"{text[:_LONGEST]!r} is no unit that is known") from error


@functools.cache
def _registry() -> Any:  # noqa: ANN401 - pint is imported only here
    import pint  # noqa: PLC0415 - half a second that a program which only looks need not spend

    registry: Any = pint.UnitRegistry()
    registry.define("HV = kilogram_force / millimeter ** 2 = _ = vickers")
    registry.define("equivalent = [] = equiv")
    return registry
