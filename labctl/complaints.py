"""Turns what pydantic found wrong with a file into one sentence: file, line, key and remedy."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from labctl.errors import RequestError
from labctl.yamlfile import KeyPath, YamlFile

_WANTED = {
    "tuple_type": "a list, such as [a, b]",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "string_type": "text; put it in quotes",
    "string_pattern_mismatch": "a short name of letters, digits, _, . and -, led by a letter or digit",
}
_SHOWN_AT_MOST = 60


def problem(
    file: YamlFile,
    error: ValidationError,
    *,
    place: Callable[[KeyPath], KeyPath],
    known: Callable[[KeyPath], Sequence[str]],
) -> RequestError:
    """The first thing that is wrong.

    Args:
        file: what was checked.
        error: what pydantic says of it.
        place: turns pydantic's place into the file's.
        known: the keys that may stand beside the last key of a place of pydantic's.
    """
    problems = error.errors(include_url=False)
    # A misspelt key is both unknown and missing; what it was meant to be is said where it is unknown.
    detail = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    where, what = place(detail["loc"]), _remedy(detail, known)
    if not where:
        where, what = _place_in(what, known(()))
    return RequestError(what, file=file.path, line=file.line_of(where), key=".".join(map(str, where)) or None)


def _place_in(what: str, tops: Sequence[str]) -> tuple[KeyPath, str]:
    """The place that a sentence about several keys begins with, and the rest of the sentence."""
    key, colon, rest = what.partition(": ")
    parts = tuple(int(part) if part.isdecimal() else part for part in key.split("."))
    return (parts, rest) if colon and parts[0] in tops else ((), what)


def _remedy(detail: Mapping[str, Any], known: Callable[[KeyPath], Sequence[str]]) -> str:
    kind, given, context = detail["type"], detail.get("input"), detail.get("ctx", {})
    last = str(detail["loc"][-1]) if detail["loc"] else ""
    match kind:
        case "missing":
            what = _missing(last)
        case "extra_forbidden":
            what = f"no such key; {_nearest(last, known(detail['loc']))}"
        case "value_error":
            what = str(context["error"])
        case "union_tag_not_found" | "union_tag_invalid":
            what = "needs kind: continuous, integer, ordinal, categorical or formula"
        case "literal_error":
            what = f"is {given!r}, but must be {context['expected']}"
        case "too_short":
            what = f"needs at least {context['min_length']}, and has {context['actual_length']}"
        case "too_long":
            what = (
                f"may have at most {context['max_length']}, and has {context['actual_length']}; remove some"
            )
        case _ if kind in _WANTED:
            what = f"is {_shown(given)}, but must be {_WANTED[kind]}"
        case _:
            what = f"is {_shown(given)}, but {detail['msg'][0].lower()}{detail['msg'][1:]}"
    return what


def _shown(given: object) -> str:
    plain = isinstance(given, str | int | float | bool) or given is None
    shown = repr(given) if plain else f"a {type(given).__name__}"
    return shown if len(shown) <= _SHOWN_AT_MOST else shown[: _SHOWN_AT_MOST - 3] + "..."


def _missing(last: str) -> str:
    if last == "unit":
        return "missing; write the unit, such as mm, degC, minute or percent (unknown, if nobody knows it)"
    return "missing; add it"


def _nearest(key: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"remove it (known here: {', '.join(known)})" if known else "remove it"


def keys_beside(model: type[BaseModel], place: KeyPath) -> list[str]:
    """The keys that may stand where the last key of a place of pydantic's stands."""
    here: list[Any] = [model]
    for part in place[:-1]:
        here = [further for kind in here for further in _within(kind, part)]
    return [key for kind in here if _is_model(kind) for key in kind.model_fields]


def _within(kind: Any, part: str | int) -> list[Any]:  # noqa: ANN401 - an annotation may be anything
    """What may stand under a key of a kind of value; the name of a union's branch keeps that branch."""
    if _is_model(kind):
        if part in kind.model_fields:
            return _branches(kind.model_fields[str(part)].annotation)
        tag = kind.model_fields.get("kind")
        return [kind] if tag is not None and get_args(tag.annotation) == (part,) else []
    if get_origin(kind) in (dict, tuple, list):
        return _branches(get_args(kind)[1 if get_origin(kind) is dict else 0])
    return []


def _branches(kind: Any) -> list[Any]:  # noqa: ANN401 - an annotation may be anything
    """An annotation without what is said beside it, in each of its branches."""
    if get_origin(kind) is Annotated:
        return _branches(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return [branch for member in get_args(kind) for branch in _branches(member)]
    return [kind]


def _is_model(kind: Any) -> bool:  # noqa: ANN401 - an annotation may be anything
    return isinstance(kind, type) and issubclass(kind, BaseModel)
