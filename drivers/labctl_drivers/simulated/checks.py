"""How settings of simulated instruments are checked: one sentence that names setting and range."""

import math


def number(name: str, value: object, *, above: float, most: float = math.inf) -> None:
    """See that a setting is a number in its range.

    Raises:
        ValueError: it is not.
    """
    fits = isinstance(value, int | float) and not isinstance(value, bool) and above < value <= most
    if not fits:
        limit = f"up to {most:g}" if math.isfinite(most) else f"above {max(above, 0.0):g}"
        if above >= 0.0 and math.isfinite(most):
            limit = f"above {above:g} and up to {most:g}"
        if above < -1.0:
            limit = f"between {above:g} and {most:g}"
        raise ValueError(f"{name} must be a number {limit}, and is {value!r}")


def whole(name: str, value: float) -> None:
    """See that a number is whole.

    Raises:
        ValueError: it is not.
    """
    if value != int(value):
        raise ValueError(f"{name} must be a whole number, and is {value!r}")


def switch(name: str, value: object) -> None:
    """See that a setting is true or false.

    Raises:
        ValueError: it is neither.
    """
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, and is {value!r}")  # noqa: TRY004 - one kind of error for all settings
