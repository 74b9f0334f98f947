"""Numbers of things in a sentence."""


def counted(n: int, what: str) -> str:
    """A number and what it counts, such as ``1 row`` and ``2 rows``."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def verb(n: int, one: str, more: str) -> str:
    """The verb that goes with a number of things."""
    return one if n == 1 else more
