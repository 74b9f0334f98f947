"""Cards: their JSON, and a hash that sees everything but the time."""

import hashlib
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from labctl_models.card import Card, library_versions


def a_card(**changes: object) -> Card:
    card = Card(
        kind="gp",
        hyperparameters={"noise_variance": np.float64(0.1), "lengthscales": np.array([0.5, 2.0])},
        n=3,
        d=2,
        log_marginal_likelihood=-1.5,
        log_posterior=-2.5,
        versions={"numpy": "2.0"},
        seconds=0.25,
    )
    return replace(card, **changes)


def test_json_round_trip_keeps_every_digit() -> None:
    card = a_card(hyperparameters={"noise_variance": 0.1 + 0.2, "lengthscales": [1 / 3]})
    body = json.loads(json.dumps(card.as_json(), allow_nan=False))
    assert body["hyperparameters"] == {"noise_variance": 0.30000000000000004, "lengthscales": [1 / 3]}
    assert body["seconds"] == 0.25
    assert body["remarks"] == []


def test_hash_is_sha256_of_canonical_json_without_seconds() -> None:
    text = (
        '{"d":2,"hyperparameters":{"lengthscales":[0.5,2.0],"noise_variance":0.1},"kind":"gp",'
        '"log_marginal_likelihood":-1.5,"log_posterior":-2.5,"n":3,"remarks":[],"versions":{"numpy":"2.0"}}'
    )
    assert a_card().hash() == hashlib.sha256(text.encode()).hexdigest()
    assert a_card(seconds=99.0).hash() == a_card().hash()


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "rf"},
        {"n": 4},
        {"d": 3},
        {"remarks": ("a jitter",)},
        {"versions": {"numpy": "2.1"}},
        {"log_posterior": math.nextafter(-2.5, 0.0)},
        {"hyperparameters": {"noise_variance": 0.1, "lengthscales": (0.5, math.nextafter(2.0, 3.0))}},
    ],
)
def test_hash_sees_every_other_field_to_the_last_digit(change: dict[str, object]) -> None:
    assert a_card(**change).hash() != a_card().hash()


def test_order_of_hyperparameters_does_not_matter() -> None:
    reordered = {"lengthscales": (0.5, 2.0), "noise_variance": 0.1}
    assert a_card(hyperparameters=reordered).hash() == a_card().hash()


def test_later_changes_of_the_callers_dict_do_not_reach_the_card() -> None:
    mine = {"noise_variance": 0.1, "lengthscales": [0.5, 2.0]}
    card = a_card(hyperparameters=mine)
    mine["lengthscales"].append(3.0)
    mine["noise_variance"] = 9.0
    assert card.hash() == a_card().hash()


def test_numbers_that_are_not_finite_become_null() -> None:
    card = a_card(log_posterior=math.nan, hyperparameters={"lengthscales": [math.inf, 1.0]})
    assert card.as_json()["log_posterior"] is None
    assert card.as_json()["hyperparameters"] == {"lengthscales": [None, 1.0]}
    assert len(card.hash()) == 64


def test_versions_name_what_is_installed_and_what_is_not() -> None:
    found = library_versions(("numpy", "no-such-distribution-here"))
    assert found == {"numpy": np.__version__, "no-such-distribution-here": "absent"}
