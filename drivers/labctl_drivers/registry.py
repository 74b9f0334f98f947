"""Instruments by name, for campaigns that name theirs in a file; each is imported only when it is built."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from labctl_drivers.protocol import Instrument, Surroundings


def _furnace(options: Mapping[str, Any], surroundings: Surroundings) -> Instrument:
    from labctl_drivers.simulated.bench import FurnaceBench  # noqa: PLC0415 - bluesky and ophyd-async
    from labctl_drivers.simulated.settings import BenchSettings  # noqa: PLC0415 - beside the line above

    _refuse_unknown("furnace", options, [field.name for field in fields(BenchSettings)])
    try:
        settings = BenchSettings(**options)
    except ValueError as error:
        raise ValueError(f"instrument furnace: {error}") from error
    return FurnaceBench(settings, surroundings=surroundings)


_BUILDERS: Mapping[str, Callable[[Mapping[str, Any], Surroundings], Instrument]] = {"furnace": _furnace}
KINDS = tuple(sorted(_BUILDERS))


def build(kind: str, options: Mapping[str, Any], surroundings: Surroundings) -> Instrument:
    """Build an instrument.

    Args:
        kind: one of ``KINDS``.
        options: the instrument's own settings, by name.
        surroundings: where it keeps its memory, and its seed.

    Raises:
        ValueError: an unknown kind or option, or a value out of range; one sentence with what is allowed.
    """
    if kind not in _BUILDERS:
        raise ValueError(f"there is no instrument {kind!r}; known are {', '.join(KINDS)}")
    return _BUILDERS[kind](options, surroundings)


def _refuse_unknown(kind: str, options: Mapping[str, Any], allowed: list[str]) -> None:
    for name in options:
        if name not in allowed:
            near = difflib.get_close_matches(str(name), allowed, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise ValueError(
                f"instrument {kind} has no option {name!r}; {hint}allowed are {', '.join(allowed)}"
            )
