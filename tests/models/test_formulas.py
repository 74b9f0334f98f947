"""Formulas read as pymatgen reads them, in real tables and in generated ones."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition, Element

from labctl_models.formulas import SYMBOLS, Amounts, amounts_of, element_fractions

FILES = {
    "expt_gap/expt_gap.csv": "formula",
    "glass/glass.csv": "formula",
    "steels_yield/steels_yield.csv": "formula",
    "mpea/MPEA_dataset.csv": "FORMULA",
}


def by_pymatgen(formula: str) -> dict[int, float]:
    return {element.Z: amount for element, amount in Composition(formula).items()}


def real_formulas(tables: Path, file: str) -> list[str]:
    with (tables / file).open(encoding="utf-8", newline="") as handle:
        return list(dict.fromkeys(row[FILES[file]] for row in csv.DictReader(handle)))


def test_the_symbols_are_those_of_the_periodic_table() -> None:
    assert tuple(Element.from_Z(z).symbol for z in range(1, 119)) == SYMBOLS


@pytest.mark.parametrize("file", FILES)
def test_every_real_formula_reads_as_in_pymatgen(tables: Path, file: str) -> None:
    formulas = real_formulas(tables, file)
    assert len(formulas) > 300
    for formula in formulas:
        assert amounts_of(formula) == by_pymatgen(formula)


symbols = st.sampled_from(SYMBOLS)
numbers = st.one_of(
    st.just(""),
    st.integers(1, 200).map(str),
    st.floats(1e-4, 100).map(lambda x: f"{x:.6g}").filter(lambda text: "e" not in text),
)
parts = st.lists(st.tuples(symbols, numbers).map("".join), min_size=1, max_size=5)
plain = st.tuples(parts, st.sampled_from(["", " "])).map(lambda p: p[1].join(p[0]))
nested = st.recursive(
    plain,
    lambda inner: st.tuples(plain, st.sampled_from(["()", "[]"]), inner, st.integers(1, 9)).map(
        lambda t: f"{t[0]}{t[1][0]}{t[2]}{t[1][1]}{t[3]}"
    ),
    max_leaves=3,
)


@settings(max_examples=300, deadline=None)
@given(nested)
def test_any_formula_reads_as_in_pymatgen(formula: str) -> None:
    assert amounts_of(formula) == by_pymatgen(formula)


@pytest.mark.parametrize(
    ("formula", "amounts"),
    [
        ("Fe2O3", {26: 2.0, 8: 3.0}),
        ("Ca(NO3)2", {20: 1.0, 7: 2.0, 8: 6.0}),
        ("CO", {6: 1.0, 8: 1.0}),
        ("Co", {27: 1.0}),
        (" Al0.25 Co1 Fe.5 Ni1. ", {13: 0.25, 27: 1.0, 26: 0.5, 28: 1.0}),
        ("CH3CH2OH", {6: 2.0, 1: 6.0, 8: 1.0}),
        ("D2O", {1: 2.0, 8: 1.0}),
        ("Fe1e-9O", {8: 1.0}),
        ("Fe0O", {8: 1.0}),
        ("Fe1e1", {26: 10.0}),
        ("K4[Fe(CN)6]", {19: 4.0, 26: 1.0, 6: 6.0, 7: 6.0}),
        ("Y3N@C80", {39: 3.0, 7: 1.0, 6: 80.0}),
    ],
)
def test_known_formulas(formula: str, amounts: dict[int, float]) -> None:
    assert amounts_of(formula) == amounts == by_pymatgen(formula)


@pytest.mark.parametrize(
    "formula",
    [
        *("", " ", "2", "fe", "Xx", "X2O", "Uue", "Fe2O3)", "Fe(", "Fe-2", "Fe2+", "H2O*2", "Fe2.5.1", "C o"),
        *("Fe 2 5", "Fe1e999", "Fe0", "__import__('os')", "nan", "Fe\x00"),
    ],
)
def test_what_is_no_formula_is_refused_by_name_and_position(formula: str) -> None:
    with pytest.raises(ValueError, match="formula 2") as refusal:
        Amounts(["Fe", formula])
    assert repr(formula) in str(refusal.value)


@pytest.mark.parametrize("value", [None, 3.0, float("nan"), b"Fe"])
def test_what_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="formula 1 is"):
        Amounts([value])


def test_a_long_hostile_text_is_refused_quickly() -> None:
    with pytest.raises(ValueError, match="is no chemical formula"):
        amounts_of("Fe" + "1" * 20_000 + " " * 20_000 + "!")


def test_fractions_are_pymatgens() -> None:
    formulas = ["Fe2O3", "Al0.25 Co1 Fe1 Ni1", "Ca(NO3)2"]
    found, fractions = element_fractions(formulas)
    assert found == ("N", "O", "Al", "Ca", "Fe", "Co", "Ni")
    for row, formula in zip(fractions, formulas, strict=True):
        composition = Composition(formula)
        assert row == pytest.approx([composition.get_atomic_fraction(symbol) for symbol in found], abs=1e-15)
    assert np.allclose(fractions.sum(axis=1), 1.0)


def test_no_formulas_have_no_elements() -> None:
    found, fractions = element_fractions([])
    assert found == ()
    assert fractions.shape == (0, 0)
