"""What is done with each object of an instrument of devices, as the campaign file says it."""

from collections.abc import Mapping
from dataclasses import dataclass

from labctl_drivers.adapt import readings, settings
from labctl_drivers.adapt.common import LONG
from labctl_drivers.adapt.options import Options


@dataclass(frozen=True, slots=True)
class SetStep:
    """How one parameter is set, and read back.

    Attributes:
        place: the option that says so.
        object: name of the object that is set.
        rule: its unit or choices.
        step: settings of one step are set together, and the steps one after the other.
        limit_s: longest that it may take, s.
        described_as: what the device itself calls the unit, where it uses another word.
        readback: the key under which the device reads what it has reached.
        tolerance: how far that may be off, in the device's unit.
    """

    place: str
    object: str
    rule: settings.SettingRule
    step: int
    limit_s: float
    described_as: str | None
    readback: str | None
    tolerance: float | None


@dataclass(frozen=True, slots=True)
class Act:
    """An object that is triggered or read.

    Attributes:
        place: the option that names it.
        object: its name.
        limit_s: longest that it may take, s.
    """

    place: str
    object: str
    limit_s: float


def set_step(options: Options) -> SetStep:
    """Read how one parameter is set.

    Raises:
        ValueError: names the option that is wrong.
    """
    options.allow("object", "step", "timeout", "described_as", "readback", "tolerance", *settings.RULE_KEYS)
    tolerance = options.number("tolerance")
    if tolerance is not None and (tolerance < 0 or "readback" not in options.content):
        what = "cannot be negative" if tolerance < 0 else "needs readback, the key that is compared; add it"
        raise ValueError(f"{options.at('tolerance')}: {what}")
    return SetStep(
        options.place,
        options.text("object"),
        settings.rule_of(options),
        options.whole("step", 1),
        options.seconds("timeout", LONG),
        options.optional("described_as"),
        options.optional("readback"),
        tolerance,
    )


def reading_step(options: Options) -> tuple[Act, readings.ReadingRule]:
    """Read where one quantity comes from.

    Raises:
        ValueError: names the option that is wrong.
    """
    options.allow("object", "timeout", *readings.RULE_KEYS)
    place, name = options.at("object"), options.text("object")
    return Act(place, name, options.seconds("timeout", LONG)), readings.rule_of(options)


def acts(top: Options, key: str) -> tuple[Act, ...]:
    """Read a list of objects, each by its name or with a time limit.

    Raises:
        ValueError: names the option that is wrong.
    """
    found = []
    for i, value in enumerate(top.listed(key)):
        place = f"{top.at(key)}.{i}"
        options = Options(value if isinstance(value, Mapping) else {"object": value}, place)
        options.allow("object", "timeout")
        found.append(Act(place, options.text("object"), options.seconds("timeout", LONG)))
    return tuple(found)
