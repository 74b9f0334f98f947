"""Reads the text of a law: from its characters to a tree, and from the tree to its constants and terms."""

import ast
import re
import warnings
from collections.abc import Mapping

from labctl.law.compile import HOW, Reader
from labctl.law.written import WrittenLaw
from labctl.space.parameters import Parameter

LONGEST = 500
_PLAIN = re.compile(r"[\w\s.+\-*/()`]*", re.ASCII)
_QUOTED = re.compile(r"`([^`]+)`")


def read_law(
    text: str, parameters: Mapping[str, Parameter], *, units: Mapping[str, str] | None = None
) -> WrittenLaw:
    """Read a law over these parameters.

    Args:
        text: the formula; names between backquotes may have any characters.
        parameters: those whose names it may use; they must be numbers.
        units: of its constants. Where they are given, no other name may be a constant; else every name
            that is no parameter is one.

    Raises:
        ValueError: it is no such formula, or not linear in its constants; one sentence says where.
    """
    refuse_long(text, "a law")
    plain, quoted = unquoted(text)
    reader = Reader(parsed(plain), parameters, units, quoted)
    found = reader.linear(reader.tree, 0)
    if found.offset is not None:
        raise ValueError("has a part without a constant; give every part a constant as a factor, as in k * x")
    if not found.terms:
        raise ValueError("names no constant to be learnt, as s0 and k in s0 + k / sqrt(d)")
    unused = [name for name in units or {} if name not in found.terms]
    if unused:
        raise ValueError(f"does not contain the constant {unused[0]}; remove one or add the other")
    used = tuple(dict.fromkeys(name for node in ast.walk(reader.tree) for name in reader.parameter_of(node)))
    return WrittenLaw(text.strip(), found.terms, used, dict(units or {}))


def refuse_long(text: str, what: str) -> None:
    """Refuse a text that nobody would write by hand.

    Raises:
        ValueError: says how long it is and may be.
    """
    if len(text) > LONGEST:
        raise ValueError(f"has {len(text)} characters, and {what} has {LONGEST} at most")


def unquoted(text: str) -> tuple[str, dict[str, str]]:
    """The text with a stand-in for each name between backquotes, and what they stand for."""
    quoted: dict[str, str] = {}

    def stand_in(found: re.Match[str]) -> str:
        name = f"_quoted{len(quoted)}_"
        quoted[name] = found[1]
        return f" {name} "

    return _QUOTED.sub(stand_in, text).strip(), quoted


def parsed(text: str, *, signs: re.Pattern[str] = _PLAIN, how: str = HOW) -> ast.expr:
    """The tree of a formula that consists of these signs only.

    Raises:
        ValueError: it is empty, has another sign, or cannot be read.
    """
    if not text:
        raise ValueError(f"is empty; {how}")
    if "^" in text:
        raise ValueError("has a ^; write ** for a power")
    strange = next((sign for sign in text if not signs.fullmatch(sign)), None)
    if strange is not None or "`" in text:
        raise ValueError(f"has {strange or '`'!r} in it; {how}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"cannot be read as a formula; {how}") from None
