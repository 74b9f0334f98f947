"""What an instrument handed over, in parts that can be looked at whatever its driver put into them."""

from collections.abc import Mapping

from labctl_drivers.protocol import Reading

_SHOWN = 60


def whole(reading: Reading) -> Reading:
    """The reading; a part of it that should go by name and does not is left out, or kept among the raw."""
    parts = {name: getattr(reading, name) for name in ("values", "units", "actual", "raw")}
    odd = {name: part for name, part in parts.items() if not isinstance(part, Mapping)}
    if not odd:
        return reading
    kept = {name: {} if name in odd else part for name, part in parts.items()}
    told = {name: part for name, part in odd.items() if part is not None}
    return Reading(**{**kept, "raw": {**kept["raw"], **told}})


def shown(value: object) -> str:
    """What a device read instead of a number, in at most 60 characters."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # noqa: BLE001 - a lab's own object, or a number too long to be written out
        text = f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "\u2026"
