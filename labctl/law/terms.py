"""What a part of a formula comes to: sums of constants with terms, and how they are put together."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Term: TypeAlias = Callable[[Mapping[str, Floats]], "Floats | float"]
MINUS_ONE: Term = lambda _: -1.0  # noqa: E731 - a term like any other


@dataclass(frozen=True, slots=True)
class Linear:
    """offset + Σ constant · term: what a part of a formula comes to."""

    offset: Term | None = None
    terms: Mapping[str, Term] = field(default_factory=dict)


def number_term(value: float) -> Term:
    """The term of a plain number.

    Raises:
        ValueError: it is not finite.
    """
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("has a number that is too large")
    return lambda _: number


def alone(found: Linear) -> Term:
    """The part without constants; zero where there is none."""
    return found.offset if found.offset is not None else lambda _: 0.0


def total(a: Linear, b: Linear) -> Linear:
    """The sum of two parts."""
    offsets = [term for term in (a.offset, b.offset) if term is not None]
    terms = {
        name: _added([p[name] for p in (a.terms, b.terms) if name in p]) for name in [*a.terms, *b.terms]
    }
    return Linear(_added(offsets) if offsets else None, terms)


def _added(parts: list[Term]) -> Term:
    return parts[0] if len(parts) == 1 else lambda c: np.asarray(parts[0](c)) + np.asarray(parts[1](c))


def scaled(found: Linear, factor: Term) -> Linear:
    """A part times a factor that has no constants."""

    def times(term: Term) -> Term:
        return lambda c: np.asarray(factor(c)) * np.asarray(term(c))

    offset = None if found.offset is None else times(found.offset)
    return Linear(offset, {name: times(term) for name, term in found.terms.items()})
