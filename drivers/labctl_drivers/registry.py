"""Instruments by name, for campaigns that name theirs in a file; each is imported only when it is built."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from labctl_drivers.protocol import Instrument, Surroundings

Settings = TypeVar("Settings")


def _furnace(options: Mapping[str, Any], surroundings: Surroundings) -> Instrument:
    from labctl_drivers.simulated.bench import FurnaceBench  # noqa: PLC0415 - bluesky and ophyd-async
    from labctl_drivers.simulated.settings import BenchSettings  # noqa: PLC0415 - beside the line above

    return FurnaceBench(_settings("furnace", BenchSettings, options), surroundings=surroundings)


def _workshop(options: Mapping[str, Any], surroundings: Surroundings) -> Instrument:
    from labctl_drivers.simulated.workshop.settings import WorkshopSettings  # noqa: PLC0415 - see _furnace
    from labctl_drivers.simulated.workshop.workshop import Workshop  # noqa: PLC0415 - see _furnace

    return Workshop(_settings("workshop", WorkshopSettings, options), surroundings=surroundings)


def _press(options: Mapping[str, Any], surroundings: Surroundings) -> Instrument:
    from labctl_drivers.simulated.press import Press, PressSettings  # noqa: PLC0415 - see _furnace

    return Press(_settings("press", PressSettings, options), surroundings=surroundings)


def _devices(options: Mapping[str, Any], surroundings: Surroundings) -> Instrument:
    from labctl_drivers.adapt.devices import build_devices  # noqa: PLC0415 - bluesky

    return build_devices(options, surroundings)


def _plan(options: Mapping[str, Any], surroundings: Surroundings) -> Instrument:
    from labctl_drivers.adapt.plan import build_plan  # noqa: PLC0415 - bluesky

    return build_plan(options, surroundings)


def _epics_furnace(options: Mapping[str, Any], surroundings: Surroundings) -> Instrument:
    from labctl_drivers.epics.instrument import EpicsFurnaceInstrument  # noqa: PLC0415 - see _furnace
    from labctl_drivers.epics.settings import settings_of  # noqa: PLC0415 - see _furnace

    try:
        settings = settings_of(options)
    except ValueError as error:
        raise ValueError(f"instrument epics_furnace: {error}") from error
    return EpicsFurnaceInstrument(settings, surroundings=surroundings)


def _queueserver(options: Mapping[str, Any], surroundings: Surroundings) -> Instrument:
    from labctl_drivers.queueserver.instrument import QueueServer  # noqa: PLC0415 - see _furnace
    from labctl_drivers.queueserver.settings import settings_of  # noqa: PLC0415 - see _furnace

    try:
        settings = settings_of(options)
    except ValueError as error:
        raise ValueError(f"instrument queueserver: {error}") from error
    return QueueServer(settings, surroundings=surroundings)


_BUILDERS: Mapping[str, Callable[[Mapping[str, Any], Surroundings], Instrument]] = {
    "devices": _devices,
    "epics_furnace": _epics_furnace,
    "furnace": _furnace,
    "press": _press,
    "queueserver": _queueserver,
    "workshop": _workshop,
    "plan": _plan,
}
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


def _settings(kind: str, settings: type[Settings], options: Mapping[str, Any]) -> Settings:
    """The settings of a simulated instrument, from its options by name."""
    _refuse_unknown(kind, options, [field.name for field in fields(settings)])  # type: ignore[arg-type]
    try:
        return settings(**options)
    except ValueError as error:
        raise ValueError(f"instrument {kind}: {error}") from error


def _refuse_unknown(kind: str, options: Mapping[str, Any], allowed: list[str]) -> None:
    for name in options:
        if name not in allowed:
            near = difflib.get_close_matches(str(name), allowed, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise ValueError(
                f"instrument {kind} has no option {name!r}; {hint}allowed are {', '.join(allowed)}"
            )
