"""Numbers of things in the titles of findings."""


def counted(n: int, what: str) -> str:
    """A number and what it counts, such as "1 row" and "6,836 rows"."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def verb(n: int, one: str, more: str) -> str:
    """The form of a verb that goes with a number of things."""
    return one if n == 1 else more
