"""Reads a rule such as ``flow_rate * time <= 20``: comparisons of formulas, joined by and and or."""

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labctl.law.compile import DEEPEST, Reader
from labctl.law.parse import parsed, refuse_long, unquoted
from labctl.law.terms import Floats, Term, alone
from labctl.space.parameters import Parameter
from labctl.space.rules import Columns, Rule

HOW = "a rule compares formulas with <=, <, >= or >, as in flow_rate * time <= 20, joined by and and or"
_SIGNS = re.compile(r"[\w\s.+\-*/()`<>=]*", re.ASCII)
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Test:
    """A part of a rule: its excess, and whether it is kept, for columns of n recipes."""

    excess: Callable[[Columns], Floats]
    exact: Callable[[Columns], Mask]


def read_rule(text: str, parameters: Mapping[str, Parameter]) -> Rule:
    """Read a rule over these parameters; nothing of it is run as code.

    Raises:
        ValueError: it is no such rule, or names what is no numeric parameter; one sentence says where.
    """
    refuse_long(text, "a rule")
    plain, quoted = unquoted(text)
    tree = parsed(plain, signs=_SIGNS, how=HOW)
    known = ", ".join(list(parameters)[:8])
    reader = Reader(tree, parameters, (), quoted, remedy=f"a rule is about parameters (they are {known})")
    test = _read(tree, reader, 0)
    used = tuple(dict.fromkeys(name for node in ast.walk(tree) for name in reader.parameter_of(node)))
    if not used:
        raise ValueError("names no parameter, so that it holds for all recipes or for none")
    return Rule(text.strip(), used, test.excess, test.exact)


def _read(node: ast.expr, reader: Reader, depth: int) -> _Test:
    if depth > DEEPEST:
        raise ValueError(f"is nested more than {DEEPEST} deep; write it more plainly")
    match node:
        case ast.BoolOp(op=op, values=values):
            return _joined(
                [_read(value, reader, depth + 1) for value in values], both=isinstance(op, ast.And)
            )
        case ast.Compare(left=left, ops=ops, comparators=right):
            sides = [alone(reader.linear(side, depth + 1)) for side in (left, *right)]
            tests = [_compared(a, op, b) for a, op, b in zip(sides, ops, sides[1:], strict=False)]
            return _joined(tests, both=True)
    raise ValueError(f"has {reader.shown(node)!r}, which compares nothing; {HOW}")


def _joined(tests: list[_Test], *, both: bool) -> _Test:
    if len(tests) == 1:
        return tests[0]
    of_two, of_masks = (np.maximum, np.logical_and) if both else (np.minimum, np.logical_or)
    return _Test(
        lambda columns: np.asarray(of_two.reduce(np.broadcast_arrays(*[t.excess(columns) for t in tests]))),
        lambda columns: np.asarray(of_masks.reduce(np.broadcast_arrays(*[t.exact(columns) for t in tests]))),
    )


def _compared(left: Term, op: ast.cmpop, right: Term) -> _Test:
    match op:
        case ast.LtE() | ast.Lt():
            small, large = left, right
        case ast.GtE() | ast.Gt():
            small, large = right, left
        case _:
            raise ValueError(
                "compares with == or the like, which hardly any recipe meets; use <= and >=, or a constraint "
                "with equals"
            )
    strictly = isinstance(op, ast.Lt | ast.Gt)

    def sides(columns: Columns) -> tuple[Floats, Floats]:
        with np.errstate(all="ignore"):
            return np.asarray(small(columns), dtype=np.float64), np.asarray(large(columns), dtype=np.float64)

    def excess(columns: Columns) -> Floats:
        a, b = sides(columns)
        with np.errstate(all="ignore"):
            found = (a - b) / np.maximum(np.maximum(np.abs(a), np.abs(b)), 1e-300)
        # What divides by zero is undefined, whatever side of infinity it seems to come to.
        return np.asarray(np.where(np.isfinite(a) & np.isfinite(b), found, np.inf))

    def exact(columns: Columns) -> Mask:
        a, b = sides(columns)
        return np.asarray((a < b if strictly else a <= b) & np.isfinite(a) & np.isfinite(b))

    return _Test(excess, exact)
