"""Turns the tree of a formula into terms, without running any of it."""

import ast
import difflib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from labctl.law.terms import MINUS_ONE, Floats, Linear, Term, alone, number_term, scaled, total
from labctl.space.parameters import NUMERIC, Parameter

DEEPEST = 30
_FUNCTIONS: Mapping[str, Callable[[Floats], Floats]] = {
    "sqrt": np.sqrt,
    "log": np.log,
    "log10": np.log10,
    "exp": np.exp,
    "abs": np.abs,
}
HOW = "a law is made of numbers, names, + - * / **, brackets, sqrt, log, log10, exp and abs"


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns the tree of a formula into terms; whatever it does not know, it refuses."""

    tree: ast.expr
    parameters: Mapping[str, Parameter]
    declared: Collection[str] | None
    quoted: Mapping[str, str]
    remedy: str = "declare it under law.constants"

    def linear(self, node: ast.expr, depth: int) -> Linear:
        """What a node at a depth of the tree comes to.

        Raises:
            ValueError: it is not understood, not linear, or nested too deep; one sentence says where.
        """
        if depth > DEEPEST:
            raise ValueError(f"is nested more than {DEEPEST} deep; write it more plainly")
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return Linear(number_term(value))
            case ast.Name(id=name):
                return self._name(self.quoted.get(name, name))
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return scaled(self.linear(inner, depth + 1), MINUS_ONE)
            case ast.BinOp():
                return self._binary(node, depth)
            case ast.Call(func=ast.Name(id=name), args=[inner], keywords=[]) if name in _FUNCTIONS:
                return self._call(name, inner, node, depth)
        raise self._strange(node)

    def _binary(self, node: ast.BinOp, depth: int) -> Linear:
        match node.op:
            case ast.Add() | ast.Sub():
                left, right = self.linear(node.left, depth + 1), self.linear(node.right, depth + 1)
                return total(left, right if isinstance(node.op, ast.Add) else scaled(right, MINUS_ONE))
            case ast.Mult():
                left, right = self.linear(node.left, depth + 1), self.linear(node.right, depth + 1)
                if left.terms and right.terms:
                    raise ValueError(f"is not linear in its constants: {self.shown(node)} multiplies two")
                return scaled(left, alone(right)) if left.terms else scaled(right, alone(left))
            case ast.Div():
                below = self._free(node.right, node, depth)
                return scaled(self.linear(node.left, depth + 1), lambda c: 1.0 / np.asarray(below(c)))
            case ast.Pow():
                base, power = self._free(node.left, node, depth), self._free(node.right, node, depth)
                return Linear(lambda c: np.asarray(base(c), dtype=np.float64) ** np.asarray(power(c)))
        raise self._strange(node)

    def _call(self, name: str, inner: ast.expr, node: ast.expr, depth: int) -> Linear:
        argument = self._free(inner, node, depth)
        return Linear(lambda c: _FUNCTIONS[name](np.asarray(argument(c), dtype=np.float64)))

    def _strange(self, node: ast.expr) -> ValueError:
        return ValueError(f"has {self.shown(node)!r}, which is not understood; {HOW}")

    def parameter_of(self, node: ast.AST) -> Iterable[str]:
        """The parameter that a node names, if any."""
        name = self.quoted.get(node.id, node.id) if isinstance(node, ast.Name) else ""
        return (name,) if name in self.parameters else ()

    def _name(self, name: str) -> Linear:
        if name in self.parameters:
            if not isinstance(self.parameters[name], NUMERIC):
                raise ValueError(f"uses {name}, which is no number; a law is about numbers")
            return Linear(lambda columns: columns[name])
        if name in _FUNCTIONS:
            raise ValueError(f"has {name} without brackets; write {name}(...)")
        if self.declared is not None and name not in self.declared:
            known = {one.casefold(): one for one in (*self.declared, *self.parameters)}
            close = difflib.get_close_matches(name.casefold(), known, n=1)
            hint = f"did you mean {known[close[0]]}?" if close else self.remedy
            raise ValueError(f"has {name}, which is neither a parameter nor a constant; {hint}")
        return Linear(terms={name: lambda _: 1.0})

    def _free(self, node: ast.expr, whole: ast.expr, depth: int) -> Term:
        """A part in which no constant may stand."""
        found = self.linear(node, depth + 1)
        if found.terms:
            name = next(iter(found.terms))
            known = ", ".join(self.parameters) if len(self.parameters) <= 8 else "those of the table"  # noqa: PLR2004 - fits a line
            raise ValueError(
                f"is not linear in its constants: {name} stands inside {self.shown(whole)} and is no "
                f"parameter (parameters are {known})"
            )
        return alone(found)

    def shown(self, node: ast.expr) -> str:
        """The text of a node, with names as they were quoted, short enough for a sentence."""
        text = ast.unparse(node)
        for stand_in, name in self.quoted.items():
            text = text.replace(stand_in, f"`{name}`")
        return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - one line of a terminal
