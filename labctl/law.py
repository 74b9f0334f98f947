"""A law as a person writes it, such as ``s0 + k / sqrt(d)``: text that is read, and never run as code."""

import ast
import difflib
import math
import re
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from labctl.space import Space
from labctl.space.parameters import NUMERIC, Parameter, Strict, check_unit

if TYPE_CHECKING:
    from labctl_models.surrogates.basis import Law

Floats: TypeAlias = NDArray[np.float64]
Term: TypeAlias = Callable[[Mapping[str, Floats]], "Floats | float"]

LONGEST = 500
DEEPEST = 30
_PLAIN = re.compile(r"[\w\s.+\-*/()`]*", re.ASCII)
_QUOTED = re.compile(r"`([^`]+)`")
_FUNCTIONS: Mapping[str, Callable[[Floats], Floats]] = {
    "sqrt": np.sqrt,
    "log": np.log,
    "log10": np.log10,
    "exp": np.exp,
}
_MINUS_ONE: Term = lambda _: -1.0  # noqa: E731 - a term like any other
_HOW = "a law is made of numbers, names, + - * / **, brackets, sqrt, log, log10 and exp"


class ConstantConfig(Strict):
    """A named constant of a law."""

    unit: str = Field(description="Unit of the constant, such as MPa*um**0.5.")
    about: str = Field(default="", description="What it is, for people.")

    @field_validator("unit")
    @classmethod
    def _unit_is_known(cls, value: str) -> str:
        return check_unit(value)


class LawConfig(Strict):
    """What is known of the goal beforehand: a formula of the parameters with constants that are not known.

    The parameters stand for numbers in their own units, and the formula must be linear in its constants,
    as ``s0 + k / sqrt(d)`` is. A name that is no plain word goes between backquotes.
    """

    formula: str = Field(description="such as s0 + k / sqrt(grain_size)")
    constants: dict[str, ConstantConfig] = Field(min_length=1)

    def written(self, parameters: Mapping[str, Parameter]) -> "WrittenLaw":
        """The law over these parameters.

        Raises:
            ValueError: in one sentence that begins with the key at fault.
        """
        units = {name: constant.unit for name, constant in self.constants.items()}
        try:
            return read_law(self.formula, parameters, units=units)
        except ValueError as error:
            raise ValueError(f"law.formula: {error}") from None


@dataclass(frozen=True, eq=False)
class WrittenLaw:
    """A law y = Σ constant · term, each term a function of parameters in their own units.

    Attributes:
        text: as it was written.
        terms: by constant, in the order of the formula.
        parameters: the parameters that it needs.
        units: of the constants, where somebody said.
    """

    text: str
    terms: Mapping[str, Term]
    parameters: tuple[str, ...]
    units: Mapping[str, str] = field(default_factory=dict)

    @property
    def constants(self) -> tuple[str, ...]:
        """Names of the b constants."""
        return tuple(self.terms)

    def values(self, columns: Mapping[str, Floats], n: int) -> Floats:
        """The terms at n rows (n x b); ``columns`` holds every parameter (n,) in its own unit.

        Where a term is undefined, such as the root of a negative number, it is NaN or infinite.
        """
        with np.errstate(all="ignore"):
            found = [
                np.broadcast_to(np.asarray(t(columns), dtype=np.float64), n) for t in self.terms.values()
            ]
        return np.stack(found, axis=1)

    def over(self, space: Space) -> "Law":
        """The same over rows of the unit cube of a space, as surrogates take it."""
        from labctl_models.surrogates.basis import Law  # noqa: PLC0415 - reads scipy

        def basis(X: Floats) -> Floats:
            columns = {
                name: np.asarray(space.parameters[name].decode(X[:, space.slices[name]]), dtype=np.float64)
                for name in self.parameters
            }
            return self.values(columns, len(X))

        return Law(self.constants, basis)


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
    reader = _Reader(_parsed(plain), parameters, units, quoted)
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
        raise ValueError(f"has {strange or '`'!r} in it; {_HOW}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"cannot be read as a formula; {_HOW}") from None


@dataclass(frozen=True, slots=True)
class _Linear:
    """offset + Σ constant · term: what a part of a formula comes to."""

    offset: Term | None = None
    terms: Mapping[str, Term] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns the tree of a formula into terms; whatever it does not know, it refuses."""

    tree: ast.expr
    parameters: Mapping[str, Parameter]
    declared: Collection[str] | None
    quoted: Mapping[str, str]

    def linear(self, node: ast.expr, depth: int) -> _Linear:
        if depth > DEEPEST:
            raise ValueError(f"is nested more than {DEEPEST} deep; write it more plainly")
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return _Linear(_number(value))
            case ast.Name(id=name):
                return self._name(self.quoted.get(name, name))
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return _scaled(self.linear(inner, depth + 1), _MINUS_ONE)
            case ast.BinOp():
                return self._binary(node, depth)
            case ast.Call(func=ast.Name(id=name), args=[inner], keywords=[]) if name in _FUNCTIONS:
                return self._call(name, inner, node, depth)
        raise self._strange(node)

    def _binary(self, node: ast.BinOp, depth: int) -> _Linear:
        match node.op:
            case ast.Add() | ast.Sub():
                left, right = self.linear(node.left, depth + 1), self.linear(node.right, depth + 1)
                return _sum(left, right if isinstance(node.op, ast.Add) else _scaled(right, _MINUS_ONE))
            case ast.Mult():
                left, right = self.linear(node.left, depth + 1), self.linear(node.right, depth + 1)
                if left.terms and right.terms:
                    raise ValueError(f"is not linear in its constants: {self._shown(node)} multiplies two")
                return _scaled(left, _alone(right)) if left.terms else _scaled(right, _alone(left))
            case ast.Div():
                below = self._free(node.right, node, depth)
                return _scaled(self.linear(node.left, depth + 1), lambda c: 1.0 / np.asarray(below(c)))
            case ast.Pow():
                base, power = self._free(node.left, node, depth), self._free(node.right, node, depth)
                return _Linear(lambda c: np.asarray(base(c), dtype=np.float64) ** np.asarray(power(c)))
        raise self._strange(node)

    def _call(self, name: str, inner: ast.expr, node: ast.expr, depth: int) -> _Linear:
        argument = self._free(inner, node, depth)
        return _Linear(lambda c: _FUNCTIONS[name](np.asarray(argument(c), dtype=np.float64)))

    def _strange(self, node: ast.expr) -> ValueError:
        return ValueError(f"has {self._shown(node)!r}, which is not understood; {_HOW}")

    def parameter_of(self, node: ast.AST) -> Iterable[str]:
        """The parameter that a node names, if any."""
        name = self.quoted.get(node.id, node.id) if isinstance(node, ast.Name) else ""
        return (name,) if name in self.parameters else ()

    def _name(self, name: str) -> _Linear:
        if name in self.parameters:
            if not isinstance(self.parameters[name], NUMERIC):
                raise ValueError(f"uses {name}, which is no number; a law is about numbers")
            return _Linear(lambda columns: columns[name])
        if name in _FUNCTIONS:
            raise ValueError(f"has {name} without brackets; write {name}(...)")
        if self.declared is not None and name not in self.declared:
            known = {one.casefold(): one for one in (*self.declared, *self.parameters)}
            close = difflib.get_close_matches(name.casefold(), known, n=1)
            hint = f"did you mean {known[close[0]]}?" if close else "declare it under law.constants"
            raise ValueError(f"has {name}, which is neither a parameter nor a constant; {hint}")
        return _Linear(terms={name: lambda _: 1.0})

    def _free(self, node: ast.expr, whole: ast.expr, depth: int) -> Term:
        """A part in which no constant may stand."""
        found = self.linear(node, depth + 1)
        if found.terms:
            name = next(iter(found.terms))
            known = ", ".join(self.parameters) if len(self.parameters) <= 8 else "those of the table"  # noqa: PLR2004 - fits a line
            raise ValueError(
                f"is not linear in its constants: {name} stands inside {self._shown(whole)} and is no "
                f"parameter (parameters are {known})"
            )
        return _alone(found)

    def _shown(self, node: ast.expr) -> str:
        text = ast.unparse(node)
        for stand_in, name in self.quoted.items():
            text = text.replace(stand_in, f"`{name}`")
        return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - one line of a terminal


def _number(value: float) -> Term:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("has a number that is too large")
    return lambda _: number


def _alone(found: _Linear) -> Term:
    return found.offset if found.offset is not None else lambda _: 0.0


def _sum(a: _Linear, b: _Linear) -> _Linear:
    offsets = [term for term in (a.offset, b.offset) if term is not None]
    terms = {
        name: _added([p[name] for p in (a.terms, b.terms) if name in p]) for name in [*a.terms, *b.terms]
    }
    return _Linear(_added(offsets) if offsets else None, terms)


def _added(parts: list[Term]) -> Term:
    return parts[0] if len(parts) == 1 else lambda c: np.asarray(parts[0](c)) + np.asarray(parts[1](c))


def _scaled(found: _Linear, factor: Term) -> _Linear:
    def times(term: Term) -> Term:
        return lambda c: np.asarray(factor(c)) * np.asarray(term(c))

    offset = None if found.offset is None else times(found.offset)
    return _Linear(offset, {name: times(term) for name, term in found.terms.items()})
