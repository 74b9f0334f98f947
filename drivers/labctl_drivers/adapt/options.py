"""Reads nested options: whatever is missing, misspelt or of the wrong kind is told by its key."""

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labctl_drivers.units import UnitError, convert, known

_AMOUNT = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,2})?)\s*(\S.*?)\s*")
# The usual ones, without waiting for pint.
_SECONDS = {"s": 1.0, "second": 1.0, "seconds": 1.0, "min": 60.0, "minute": 60.0, "minutes": 60.0}
_SECONDS |= {"h": 3600.0, "hour": 3600.0, "hours": 3600.0}


@dataclass(frozen=True, slots=True)
class Options:
    """One mapping of an instrument's options, and where it stands.

    Attributes:
        content: its keys and values.
        place: the keys that lead to it, such as ``settings.temperature``; '' at the top.
    """

    content: Mapping[str, Any]
    place: str = ""

    def at(self, key: object) -> str:
        """The place of a key."""
        return f"{self.place}.{key}" if self.place else str(key)

    def allow(self, *allowed: str) -> None:
        """Refuse every other key.

        Raises:
            ValueError: names the key and what was probably meant.
        """
        for key in self.content:
            if key not in allowed:
                raise ValueError(f"{self.at(key)}: there is no such option; {meant(key, allowed)}")

    def text(self, key: str, default: str | None = None) -> str:
        """A text.

        Raises:
            ValueError: it is missing and has no default, or is no text.
        """
        value = self.content.get(key, default)
        if value is None:
            raise ValueError(f"{self.at(key)}: is needed; add it")
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"{self.at(key)}: must be a text, and is {value!r}")
        return value

    def optional(self, key: str) -> str | None:
        """A text, or None where the key is left out."""
        return self.text(key) if key in self.content else None

    def one_of(self, key: str, allowed: Sequence[str]) -> str:
        """One of some words; the first unless it is given."""
        value = self.text(key, allowed[0])
        if value not in allowed:
            raise ValueError(f"{self.at(key)}: is {value!r}; {meant(value, allowed)}")
        return value

    def unit(self, key: str, default: str | None = None) -> str:
        """A unit that pint knows."""
        value = self.text(key, default)
        if value != default:
            try:
                known(value)
            except UnitError as error:
                raise ValueError(f"{self.at(key)}: {error}") from None
        return value

    def number(self, key: str) -> float | None:
        """A finite number, or None where the key is left out."""
        if key not in self.content:
            return None
        value = self.content[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{self.at(key)}: must be a number, and is {value!r}")
        return float(value)

    def whole(self, key: str, default: int) -> int:
        """A whole number from 1 to 1000."""
        value = self.content.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1000:  # noqa: PLR2004 - see above
            raise ValueError(f"{self.at(key)}: must be a whole number from 1 to 1000, and is {value!r}")
        return value

    def seconds(self, key: str, default: str) -> float:
        """A time with its unit, such as ``20 s``, in seconds."""
        text = self.text(key, default)
        found = _AMOUNT.fullmatch(text)
        if found is not None:
            number, unit = float(found[1]), found[2]
            try:
                seconds = number * _SECONDS[unit] if unit in _SECONDS else convert(number, unit, "s")
            except UnitError:
                seconds = 0.0
            if 0.0 < seconds < math.inf:
                return seconds
        raise ValueError(f"{self.at(key)}: must be a time with its unit, such as 20 s, and is {text!r}")

    def amount(self, key: str) -> tuple[float, str] | None:
        """A positive number with its unit, such as ``10 K/min``; None where the key is left out."""
        if key not in self.content:
            return None
        text = self.text(key)
        found = _AMOUNT.fullmatch(text)
        try:
            if found is not None and known(found[2]) is not None and float(found[1]) > 0:
                return float(found[1]), found[2]
        except UnitError:
            pass
        raise ValueError(f"{self.at(key)}: must be a number with its unit, such as 10 K/min, and is {text!r}")

    def part(self, key: str) -> "Options":
        """A mapping below this one; empty where the key is left out."""
        return _mapping(self.content.get(key, {}), self.at(key))

    def parts(self, key: str) -> dict[str, "Options"]:
        """A mapping of names to mappings; empty where the key is left out."""
        inside = self.part(key)
        return {str(name): _mapping(value, inside.at(name)) for name, value in inside.content.items()}

    def listed(self, key: str) -> tuple[Any, ...]:
        """A list; empty where the key is left out."""
        value = self.content.get(key, [])
        if not isinstance(value, list | tuple):
            raise ValueError(f"{self.at(key)}: must be a list, such as [a, b], and is {value!r}")  # noqa: TRY004 - one kind of error for all options
        return tuple(value)


def meant(given: object, allowed: Sequence[str]) -> str:
    """What was probably meant, and what is allowed."""
    near = difflib.get_close_matches(str(given), allowed, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{hint}allowed are {', '.join(allowed)}" if allowed else "there are none"


def _mapping(value: object, place: str) -> Options:
    if not isinstance(value, Mapping):
        raise ValueError(f"{place}: must be a mapping of keys to values, and is {value!r}")  # noqa: TRY004 - one kind of error for all options
    return Options(value, place)
