"""A table is checked once: shapes, names and gaps."""

import math
from typing import Any

import numpy as np
import pytest

from labctl_models.audit.table import AuditTable, coded, formula_keys, missing, partition

X = np.arange(8.0).reshape(4, 2)
Y = np.array([1.0, 2.0, math.nan, 4.0])


def test_columns_take_one_form() -> None:
    table = AuditTable(
        X,
        Y,
        columns={"count": np.array([1, 2, 3, 4]), "who": np.array(["Ada ", None, math.nan, "Bo"], object)},
    )
    assert table.columns["count"].dtype == np.float64
    assert list(table.columns["who"]) == ["Ada", "", "", "Bo"]
    assert list(missing(table.columns["who"])) == [False, True, True, False]
    codes, names = coded(table.columns["who"])
    assert list(codes) == [0, -1, -1, 1]
    assert names == ["Ada", "Bo"]


def test_spelling_of_a_formula_does_not_matter() -> None:
    spelled = ["Hf1 Nb1 Ta1 Ti1 Zr1", "ZrTiTaNbHf", "Hf20Nb20Ta20Ti20Zr20", "Zr0.2Hf0.2Nb0.2Ta0.2Ti0.2W0"]
    assert set(formula_keys(spelled)) == {"HfNbTaTiZr"}
    spelled = ["Fe2O3", "O3Fe2", "FeO1.5", "Fe3O4", "steel 7"]
    assert list(formula_keys(spelled)) == ["FeO1.5", "FeO1.5", "FeO1.5", "FeO1.333", "steel7"]


def test_recipes_are_keys_else_compositions_else_rows() -> None:
    same = np.zeros((4, 2))
    assert len(AuditTable(same, Y, recipes=["a", "b", "a", "c"]).recipe_codes()[1]) == 3
    assert len(AuditTable(same, Y, formulas=["FeO", "OFe", "Fe2O2", "Ti"]).recipe_codes()[1]) == 2
    assert AuditTable(same, Y).recipe_codes()[1] == ["row 1"]
    table = AuditTable(X, Y, recipes=["a", "b", "a", "c"])
    assert table.recipe_partition() == partition(np.array(["x", "y", "x", "z"]))
    assert table.recipe_partition() != partition(np.array(["x", "y", "y", "z"]))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"X": np.empty((0, 2)), "y": np.empty(0)}, "no rows"),
        ({"X": np.arange(4.0)}, "must be a matrix"),
        ({"X": np.full((4, 2), math.nan)}, "not a finite number"),
        ({"y": np.ones(3)}, "y has shape (3,)"),
        ({"columns": {"lot": np.ones(2)}}, "column 'lot' has shape (2,)"),
        ({"cohorts": ("lab",)}, "cohorts names the column 'lab'"),
        ({"pool": np.zeros((3, 5))}, "pool has 5 columns and the table 2"),
        ({"pool_scores": np.array([1.2])}, "probability in [0, 1]"),
        ({"outcome": "classification"}, "must be 1 for success"),
        ({"true_rate": 1.0}, "must lie between 0 and 1"),
        ({"label_range": (0.7, 0.4)}, "its first must be the smaller"),
        ({"feature_names": ("a",)}, "1 feature names for 2 columns"),
    ],
)
def test_wrong_tables_are_refused_in_a_sentence(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011  the sentence is compared below, brackets and all
        AuditTable(**({"X": X, "y": Y} | change))
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)
