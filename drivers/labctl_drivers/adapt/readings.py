"""How what devices read becomes the values of the objectives, each in its unit; the rest is kept raw."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labctl_drivers.adapt.options import Options, meant
from labctl_drivers.units import UnitError, convert, is_dimensionless, known

DataKeys = Mapping[str, Mapping[str, Any]]
"""What a Bluesky device describes, by key."""


@dataclass(frozen=True, slots=True)
class ReadingRule:
    """Where one quantity is read.

    Attributes:
        place: the option that says so.
        key: the key among those that the device describes; None where there is only one.
        unit: the unit of what is read.
        described_as: what the device itself calls that unit, where it uses another word.
    """

    place: str
    key: str | None
    unit: str
    described_as: str | None


RULE_KEYS = ("key", "unit", "described_as")
"""The options that every reading has, wherever it comes from."""


def rule_of(options: Options) -> ReadingRule:
    """Read the rule of one quantity.

    Raises:
        ValueError: names the option that is wrong.
    """
    return ReadingRule(
        options.place,
        options.optional("key"),
        options.unit("unit", "dimensionless"),
        options.optional("described_as"),
    )


def key_among(keys: DataKeys, key: str | None, *, device: str, name: str, place: str) -> str:
    """The key of one quantity among those that a device describes.

    A key may be given without the device's own name before it.

    Raises:
        ValueError: there is no such key, or it is not clear which is meant.
    """
    candidates = [name] if key is None else [key]
    candidates += [f"{device}{sep}{candidates[0]}" for sep in "-_"]
    found = next((one for one in candidates if one in keys), None)
    if found is not None:
        return found
    if key is not None:
        raise ValueError(f"{place}: {device} reads no {key!r}; {meant(key, _short(keys, device))}")
    if len(keys) == 1:
        return next(iter(keys))
    raise ValueError(f"{place}: is needed, for {device} reads {', '.join(keys) or 'nothing'}; choose one")


def _short(keys: DataKeys, device: str) -> list[str]:
    """The keys as they serve in every lane: without the device's own name before them."""
    return [key.removeprefix(f"{device}-").removeprefix(f"{device}_") or key for key in keys]


def refuse_other_unit(keys: DataKeys, key: str, unit: str, described_as: str | None, place: str) -> None:
    """Refuse a unit that contradicts the one that the device itself gives.

    A word that pint does not know says nothing. One that it knows may still be meant in another way, as the C
    of many EPICS records is no coulomb: ``described_as`` says that somebody has seen to it.

    Raises:
        ValueError: names the option and the unit of the device.
    """
    own = keys[key].get("units")
    if not isinstance(own, str) or own == described_as or is_dimensionless(own):
        return
    try:
        same = known(own) == known(unit)
    except UnitError:
        return
    if not same:
        raise ValueError(
            f"{place}: is {unit}, but {key} is described in {own}; write unit: {own}, or described_as: {own} "
            "beside it if that is only another word for the same"
        )


def is_of_kind(keys: DataKeys, key: str, unit: str) -> bool:
    """Whether a device gives a unit for a key that measures the same thing as this one."""
    try:
        convert(1.0, str(keys[key].get("units")), unit)
    except UnitError:
        return False
    return True


def refuse_no_number(keys: DataKeys, key: str, place: str) -> None:
    """Refuse a key that is no single number.

    Raises:
        ValueError: names the option and what the key is.
    """
    kind, shape = keys[key].get("dtype", "number"), keys[key].get("shape") or []
    if kind in {"number", "integer", "boolean"} and all(size == 1 for size in shape):
        return
    what = "text" if kind == "string" else "an array"
    raise ValueError(f"{place}: {key} is {what}, and an objective is one number; read one that is")


def number(value: Any) -> Any:  # noqa: ANN401 - whatever a device read
    """A value as a plain float where it is one number; else as it is, to be judged as no reading."""
    if isinstance(value, bool):
        return float(value)
    size, item = getattr(value, "size", None), getattr(value, "item", None)
    if size == 1 and callable(item):
        value = item()
    return float(value) if isinstance(value, int | float) else value
