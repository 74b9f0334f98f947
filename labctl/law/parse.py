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
    if len(text) > LONGEST:
        raise ValueError(f"has {len(text)} characters, and a law has {LONGEST} at most")
    plain, quoted = _unquoted(text)
    reader = Reader(_parsed(plain), parameters, units, quoted)
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


def _unquoted(text: str) -> tuple[str, dict[str, str]]:
    """The text with a stand-in for each name between backquotes, and what they stand for."""
    quoted: dict[str, str] = {}

    def stand_in(found: re.Match[str]) -> str:
        name = f"_quoted{len(quoted)}_"
        quoted[name] = found[1]
        return f" {name} "

    return _QUOTED.sub(stand_in, text).strip(), quoted


def _parsed(text: str) -> ast.expr:
    if not text:
        raise ValueError("is empty; write a law such as s0 + k / sqrt(d)")
    if "^" in text:
        raise ValueError("has a ^; write ** for a power")
    strange = next((sign for sign in text if not _PLAIN.fullmatch(sign)), None)
    if strange is not None or "`" in text:
        raise ValueError(f"has {strange or '`'!r} in it; {HOW}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"cannot be read as a formula; {HOW}") from None
