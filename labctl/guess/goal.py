"""Which column a person means to optimise."""

from collections.abc import Sequence

from labctl.errors import RequestError
from labctl.headers import goal_places
from labctl.tables import Column, Table, listed


def find_goal(table: Table, wanted: str) -> Column:
    """The column a person means, by its full header, its name without the unit, or how only it begins.

    Raises:
        RequestError: there is none, or several, or it holds no numbers; the sentence lists candidates.
    """
    numeric = [c for c in table.columns if c.kind in {"number", "integer", "flag"}]
    hits = [table.columns[i] for i in goal_places([c.header for c in table.columns], wanted)]
    hits = hits or [c for c in table.columns if c.name.casefold() == wanted.casefold()]
    if not hits:
        raise RequestError(f"has no column {wanted!r}; choose one of {_names(numeric)}", file=table.path)
    if len(hits) > 1:
        headers = [c.header.strip() for c in hits]
        unlike = len(set(headers)) == len(headers)
        remedy = f"name one of {listed(headers)}" if unlike else "give them different headers in the file"
        raise RequestError(f"several columns are called {wanted!r}; {remedy}", file=table.path)
    if hits[0] not in numeric:
        raise RequestError(
            f"column {wanted!r} holds no numbers to optimise; choose one of {_names(numeric)}",
            file=table.path,
        )
    return hits[0]


def _names(columns: Sequence[Column]) -> str:
    return listed([c.name for c in columns], 30) if columns else "none, since no column holds numbers"
