"""Chemical formulas to amounts of elements: plain ones at once, all others through pymatgen."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from labctl_models.surrogates.protocol import Array

_PERIODIC_TABLE = """
    H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
    Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu
    Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr
    Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
"""
SYMBOLS = tuple(_PERIODIC_TABLE.split())
"""The 118 element symbols by atomic number; SYMBOLS[Z - 1]."""

NUMBER_OF = {symbol: z for z, symbol in enumerate(SYMBOLS, start=1)}

# pymatgen leaves out what is below this amount, so that 1e-17 of an element left by arithmetic is none.
SMALLEST_AMOUNT = 1e-8
_PART = r"([A-Z][a-z]?)(?:\s*(\d+(?:\.\d*)?|\.\d+))?\s*"
_PARTS = re.compile(_PART, re.ASCII)
_PLAIN = re.compile(rf"\s*(?:{_PART})+", re.ASCII)


class Amounts:
    """Amounts of elements in n formulas, as flat arrays with one entry for each element of each formula.

    Attributes:
        atomic_number: (entries,) Z of each entry.
        amount: (entries,) its amount, as written in the formula.
        begin: (n,) where the entries of each formula begin; every formula has at least one.
    """

    __slots__ = ("amount", "atomic_number", "begin")

    def __init__(self, formulas: Sequence[str], *, first: int = 1) -> None:
        """Parse the formulas, in order; `first` is the position of the first in the user's list.

        Raises:
            ValueError: a formula is none; the sentence names it and its position, counted from 1.
        """
        numbers: list[int] = []
        amounts: list[float] = []
        begin: list[int] = []
        for position, formula in enumerate(formulas, start=first):
            begin.append(len(numbers))
            parts = amounts_of(formula, position)
            numbers.extend(parts)
            amounts.extend(parts.values())
        self.atomic_number: NDArray[np.intp] = np.asarray(numbers, dtype=np.intp)
        self.amount: Array = np.asarray(amounts, dtype=np.float64)
        self.begin: NDArray[np.intp] = np.asarray(begin, dtype=np.intp)

    @property
    def row(self) -> NDArray[np.intp]:
        """(entries,) number of the formula to which each entry belongs."""
        lengths = np.diff(self.begin, append=len(self.amount))
        return np.repeat(np.arange(len(self.begin)), lengths)


def amounts_of(formula: str, position: int = 1) -> dict[int, float]:
    """Atomic number -> amount of one formula, in the order written, such as {26: 2.0, 8: 3.0} of Fe2O3.

    Equal to pymatgen's Composition, deuterium counted as hydrogen.

    Raises:
        ValueError: it is no formula of the 118 elements with positive finite amounts.
    """
    if not isinstance(formula, str):
        raise ValueError(f"formula {position} is {formula!r}; write it as text, such as 'Fe2O3'")  # noqa: TRY004  one error for all bad formulas
    parts = _plain(formula)
    if parts is None:
        parts = _by_pymatgen(formula, position)
    parts = {z: amount for z, amount in parts.items() if amount >= SMALLEST_AMOUNT}
    if not parts or not all(map(math.isfinite, parts.values())):
        raise ValueError(f"formula {position}, {formula!r}, has no elements with finite positive amounts")
    return parts


def element_fractions(formulas: Sequence[str]) -> tuple[tuple[str, ...], Array]:
    """Symbols (e) of all elements that occur, by atomic number, and their atomic fractions (n x e).

    Raises:
        ValueError: a formula is none.
    """
    amounts = Amounts(formulas)
    present, column = np.unique(amounts.atomic_number, return_inverse=True)
    fractions = np.zeros((len(amounts.begin), len(present)))
    fractions[amounts.row, column] = amounts.amount
    fractions /= fractions.sum(axis=1, keepdims=True)
    return tuple(SYMBOLS[z - 1] for z in present), fractions


def _plain(formula: str) -> dict[int, float] | None:
    """Amounts of a formula without brackets, signs or exponents; None for anything else."""
    if _PLAIN.fullmatch(formula) is None:
        return None
    parts: dict[int, float] = {}
    for symbol, number in _PARTS.findall(formula):
        z = NUMBER_OF.get(symbol)
        if z is None:
            return None
        parts[z] = parts.get(z, 0.0) + (float(number) if number else 1.0)
    return parts


def _by_pymatgen(formula: str, position: int) -> dict[int, float]:
    from pymatgen.core.composition import Composition  # noqa: PLC0415  takes a third of a second to load

    try:
        found = Composition(formula)
        return {NUMBER_OF[element.symbol]: float(amount) for element, amount in found.items()}
    except KeyError as error:
        raise ValueError(f"formula {position}, {formula!r}, names {error}, which is no element") from None
    except ValueError as error:
        raise ValueError(f"formula {position}, {formula!r}, is no chemical formula: {error}") from None
