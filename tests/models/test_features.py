"""Magpie features equal matminer's, missing values and ties included."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matminer.featurizers.composition import ElementProperty
from pymatgen.core import Composition

from labctl_models.features import FEATURE_NAMES, magpie
from labctl_models.formulas import SYMBOLS

FILES = {
    "expt_gap/expt_gap.csv": "formula",
    "glass/glass.csv": "formula",
    "steels_yield/steels_yield.csv": "formula",
    "mpea/MPEA_dataset.csv": "FORMULA",
}
MATMINER = {impute: ElementProperty.from_preset("magpie", impute_nan=impute) for impute in (True, False)}


def by_matminer(formulas: list[str], *, impute_nan: bool) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([MATMINER[impute_nan].featurize(Composition(formula)) for formula in formulas])


def assert_equal(formulas: list[str]) -> None:
    for impute_nan in (True, False):
        theirs = by_matminer(formulas, impute_nan=impute_nan)
        ours = magpie(formulas, impute_nan=impute_nan)
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-9, equal_nan=True)


def test_the_names_are_matminers() -> None:
    assert tuple(MATMINER[True].feature_labels()) == FEATURE_NAMES


def test_all_elements_alone_equal_matminer() -> None:
    # Includes the elements whose properties matminer's tables lack.
    assert_equal(list(SYMBOLS))
    assert np.isnan(magpie(list(SYMBOLS), impute_nan=False)).any()
    assert not np.isnan(magpie(list(SYMBOLS))).any()


@pytest.mark.parametrize("file", FILES)
def test_real_formulas_equal_matminer(tables: Path, file: str) -> None:
    column = pd.read_csv(tables / file)[FILES[file]].drop_duplicates()
    assert_equal(column.sample(60, random_state=0).tolist())


amounts = st.sampled_from(["", "1", "2", "3", "0.5", "0.25", "0.333333", "0.33333", "0.3333", "12.7", "1e-6"])
formulas = st.lists(st.tuples(st.sampled_from(SYMBOLS), amounts).map("".join), min_size=1, max_size=7).map(
    "".join
)


@settings(max_examples=60, deadline=None)
@given(st.lists(formulas, min_size=1, max_size=5))
def test_any_formulas_equal_matminer(several: list[str]) -> None:
    assert_equal(several)


@pytest.mark.parametrize(
    ("formula", "mode"),
    [
        ("FeO", 8.0),  # a tie goes to the lower value
        ("Fe0.333333O0.33333", 8.0),  # a difference below 1e-5 of the larger amount is none
        ("Fe1.00002O", 26.0),
        ("Fe1.000005O", 8.0),
    ],
)
def test_the_mode_of_close_amounts_is_matminers(formula: str, mode: float) -> None:
    ours = magpie([formula])[0, FEATURE_NAMES.index("MagpieData mode Number")]
    theirs = by_matminer([formula], impute_nan=True)[0, FEATURE_NAMES.index("MagpieData mode Number")]
    assert ours == theirs == mode


def test_a_formula_checked_by_hand() -> None:
    # Fe2O3: Z = 26 and 8 with fractions 0.4 and 0.6, mean 15.2, deviation 0.4 * 10.8 + 0.6 * 7.2 = 8.64.
    numbers = magpie(["Fe2O3"])[0, :6]
    assert numbers == pytest.approx([8, 26, 18, 15.2, 8.64, 8])


def test_blocks_have_no_seam_and_errors_keep_their_position(monkeypatch: pytest.MonkeyPatch) -> None:
    several = ["Fe2O3", "NaCl", "SiO2", "Zr55Cu30Al10Ni5", "C"]
    whole = magpie(several)
    monkeypatch.setattr("labctl_models.features.CHUNK_FORMULAS", 2)
    assert np.array_equal(magpie(several), whole)
    with pytest.raises(ValueError, match="formula 6, 'Qq'"):
        magpie([*several, "Qq"])


def test_no_formulas_one_formula_and_a_column_of_a_table() -> None:
    assert magpie([]).shape == (0, 132)
    column = pd.Series(["NaCl", "SiO2"], index=[7, 3])
    assert np.array_equal(magpie(column), magpie(["NaCl", "SiO2"]))
    with pytest.raises(ValueError, match="is one formula"):
        magpie("NaCl")


def test_plain_formulas_need_neither_matminer_nor_pymatgen() -> None:
    code = (
        "import sys; from labctl_models.features import magpie; magpie(['Fe2O3']);"
        "print([m for m in ('matminer', 'pymatgen', 'pandas', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
