"""Magpie features of chemical formulas, equal to matminer's and computed for all formulas at once."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labctl_models.formulas import SYMBOLS, Amounts, element_fractions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from labctl_models.surrogates.protocol import Array

__all__ = ["FEATURE_NAMES", "element_fractions", "magpie"]

PROPERTIES = (
    *("Number", "MendeleevNumber", "AtomicWeight", "MeltingT", "Column", "Row", "CovalentRadius"),
    *("Electronegativity", "NsValence", "NpValence", "NdValence", "NfValence", "NValence", "NsUnfilled"),
    *("NpUnfilled", "NdUnfilled", "NfUnfilled", "NUnfilled", "GSvolume_pa", "GSbandgap", "GSmagmom"),
    "SpaceGroupNumber",
)
STATISTICS = ("minimum", "maximum", "range", "mean", "avg_dev", "mode")
FEATURE_NAMES = tuple(f"MagpieData {statistic} {name}" for name in PROPERTIES for statistic in STATISTICS)
"""The 132 names, those of matminer's `feature_labels()`."""

CHUNK_FORMULAS = 20_000


def magpie(formulas: Sequence[str], *, impute_nan: bool = True) -> Array:
    """The 132 Magpie features (n x 132, columns FEATURE_NAMES) of n chemical formulas.

    Six statistics of 22 properties of the elements, weighted by their amounts: Ward et al., npj Comput.
    Mater. 2, 16028 (2016). The values are those of matminer's `ElementProperty.from_preset("magpie")`,
    whose tables are read: a property unknown for an element is by default its mean over all elements,
    and with impute_nan=False it makes the statistics that need it NaN.

    Raises:
        ValueError: a formula is none; the sentence names it and its position, counted from 1.
    """
    if isinstance(formulas, str):
        raise ValueError(f"{formulas!r} is one formula; give a list of formulas")  # noqa: TRY004  as for any bad formula
    formulas = list(formulas)
    table = _properties(impute_nan=impute_nan)
    blocks = [
        _statistics(Amounts(formulas[begin : begin + CHUNK_FORMULAS], first=begin + 1), table)
        for begin in range(0, len(formulas), CHUNK_FORMULAS)
    ]
    return np.vstack(blocks) if blocks else np.empty((0, len(FEATURE_NAMES)))


def _statistics(amounts: Amounts, table: Array) -> Array:
    values = table[amounts.atomic_number - 1]
    weight, begin, row = amounts.amount, amounts.begin, amounts.row
    share = (weight / np.add.reduceat(weight, begin)[row])[:, None]
    low, high = np.minimum.reduceat(values, begin), np.maximum.reduceat(values, begin)
    mean = np.add.reduceat(values * share, begin)
    deviation = np.add.reduceat(np.abs(values - mean[row]) * share, begin)
    features = np.stack([low, high, high - low, mean, deviation, _mode(values, weight, begin, row)], axis=2)
    return features.reshape(len(begin), len(FEATURE_NAMES))


def _mode(values: Array, weight: Array, begin: NDArray[np.intp], row: NDArray[np.intp]) -> Array:
    """The property of the most abundant element; of several, the lowest value.

    Amounts count as equal within numpy.isclose's tolerances, applied to the amounts as written: that is
    matminer's rule, by which 0.33333 and 0.333333 of two elements are a tie.
    """
    most = np.maximum.reduceat(weight, begin)[row]
    tied = np.isclose(weight, most)
    return np.asarray(np.minimum.reduceat(np.where(tied[:, None], values, np.inf), begin), dtype=np.float64)


@cache
def _properties(*, impute_nan: bool) -> Array:
    """The properties (118 x 22) of the elements by atomic number, from the tables that matminer installs."""
    table = np.column_stack([_column(name) for name in PROPERTIES])
    if impute_nan:
        table = np.where(np.isnan(table), np.nanmean(table, axis=0), table)
    table.setflags(write=False)
    return table


def _column(name: str) -> Array:
    """One property of the 118 elements; a line that is missing or no number is NaN, as in matminer."""
    lines = (_folder() / f"{name}.table").read_text(encoding="utf-8").splitlines()
    column = np.full(len(SYMBOLS), np.nan)
    for z, line in enumerate(lines[: len(SYMBOLS)]):
        try:
            column[z] = float(line)
        except ValueError:
            continue
    return column


def _folder() -> Path:
    # Found, not imported: importing matminer takes seconds, its tables take milliseconds.
    spec = find_spec("matminer")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the Magpie features need matminer's element tables; install matminer")
    return Path(spec.submodule_search_locations[0]) / "utils" / "data_files" / "magpie_elementdata"
