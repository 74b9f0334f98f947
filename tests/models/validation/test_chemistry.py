"""Chemistry folds against the periodic table of pymatgen and by hand."""

import numpy as np
import pytest
from pymatgen.core.periodic_table import Element

from labctl_models.validation.chemistry import (
    by_element,
    by_period,
    by_periodic_group,
    chemical_systems,
    group_of,
    period_of,
)

OXIDES = ["Fe2O3", "FeO", "CoO", "Co3O4", "NiO", "Li2O"] * 5
SULPHIDES = ["FeS", "FeS2", "CoS", "NiS", "Li2S", "ZnS"] * 5


def test_groups_and_periods_are_pymatgens() -> None:
    for z in range(1, 119):
        element = Element.from_Z(z)
        if element.is_lanthanoid or element.is_actinoid:
            assert group_of(z) in {"lanthanides", "actinides"}
        else:
            assert (group_of(z), period_of(z)) == (str(element.group), element.row)


def test_the_test_rows_of_an_element_are_all_that_contain_it() -> None:
    formulas = OXIDES + SULPHIDES
    split = by_element(formulas)
    folds = dict(zip(split.labels, split.folds, strict=True))
    assert set(folds) == {"O", "S", "Fe", "Co", "Ni", "Li", "Zn"}
    assert split.accepted
    assert split.sanity is None
    for element, (train, test) in folds.items():
        assert all(element in formulas[i] for i in test)
        assert not any(element in formulas[i].replace("Co", "X" if element == "O" else "Co") for i in train)
        assert len(train) + len(test) == 60
    assert {0, 6} & set(folds["Fe"][1]) == {0, 6}
    assert 0 in folds["O"][1]


def test_labels_in_too_few_or_too_many_rows_are_passed_over() -> None:
    split = by_element(["Fe2O3"] * 30 + ["CoO"] * 10 + ["NiO"] * 10 + ["LiCl"] * 2)
    assert split.labels == ("Co", "Ni")
    assert all(name in split.reason for name in ("Fe", "O", "Cl", "Li"))


def test_what_cannot_be_held_out_is_refused_in_words() -> None:
    split = by_period(["Fe2O3"] * 30)
    assert not split.accepted
    assert "Fewer than 2 labels" in split.reason


def test_group_folds_hold_chalcogens_apart() -> None:
    split = by_periodic_group(["NaCl", "KBr"] * 10 + ["MgO", "CaS"] * 10)
    assert set(split.labels) == {"1", "2", "16", "17"}


def test_a_chemical_system_is_never_on_both_sides() -> None:
    formulas = OXIDES + SULPHIDES
    near = np.roll(np.arange(60), 1)
    split = chemical_systems(formulas, near, k=3)
    systems = np.array(["".join(sorted(set(f) - set("0123456789"))) for f in formulas])
    for train, test in split.folds:
        assert not set(systems[train]) & set(systems[test])
    assert chemical_systems(["Fe2O3", "O3Fe2", "FeO", "CoO"], np.array([1, 0, 3, 2]), k=2).k == 2


def test_too_few_systems_and_no_formula_are_refused() -> None:
    with pytest.raises(ValueError, match="1 chemical systems"):
        chemical_systems(["Fe2O3", "FeO"], np.array([1, 0]), k=2)
    with pytest.raises(ValueError, match="formula 2"):
        by_element(["Fe2O3", "nonsense"])
