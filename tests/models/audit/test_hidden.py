"""The screen finds what was planted, keeps its level, and respects blocks and gaps."""

import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from labctl_models.audit.finding import NotApplicableError
from labctl_models.audit.hidden import DRIFT, NEIGHBOURS_IN_TIME, HiddenVariableCheck, screen
from labctl_models.audit.table import AuditTable, Column


def logged(rng: np.random.Generator, n: int) -> dict[str, Column]:
    return {
        "humidity": 45 + 5 * rng.standard_normal(n),
        "room": np.where(rng.random(n) < 0.2, math.nan, rng.standard_normal(n)),
        "lot": rng.choice(["a", "b", "c", "d"], n),
        "hour": rng.integers(8, 19, n).astype(float),
    }


def test_strengths_are_spearmans_and_eta() -> None:
    rng = np.random.default_rng(0)
    fields = logged(rng, 50)
    residuals = rng.standard_normal(50)
    found = screen(residuals, fields, seed=0)
    strength = dict(zip(found.fields, found.strength, strict=True))
    assert strength["humidity"] == pytest.approx(abs(spearmanr(residuals, fields["humidity"]).statistic))
    assert strength["hour"] == pytest.approx(abs(spearmanr(residuals, fields["hour"]).statistic))
    ranks = residuals.argsort().argsort()
    groups = [ranks[fields["lot"] == lot] for lot in "abcd"]
    between = sum(len(g) * (g.mean() - ranks.mean()) ** 2 for g in groups)
    assert strength["lot"] ** 2 == pytest.approx(between / ((ranks - ranks.mean()) ** 2).sum())


def test_nothing_planted_raises_one_run_in_twenty() -> None:
    rng = np.random.default_rng(1)
    raised = 0
    for seed in range(200):
        order = rng.permutation(30).astype(float)
        found = screen(rng.standard_normal(30), logged(rng, 30), seed=seed, order=order, count=199)
        raised += bool(found.found)
    # 5 % of 200 are 10; more than 19 would happen once in 250 times.
    assert raised <= 19


@pytest.mark.parametrize("name", ["humidity", "lot"])
def test_a_planted_field_is_found(name: str) -> None:
    rng = np.random.default_rng(2)
    fields = logged(rng, 40)
    field = fields[name]
    effect = (field - 45) / 5 if name == "humidity" else 2.0 * (field == "b")
    found = screen(effect + rng.standard_normal(40), fields, seed=0)
    assert found.fields[0] == name
    assert name in found.found
    assert 0.2 < found.explained[0] < 0.9


def test_drift_and_neighbours_in_time() -> None:
    rng = np.random.default_rng(3)
    order = rng.permutation(60).astype(float)
    drifting = 0.05 * order + rng.standard_normal(60)
    found = screen(drifting, {}, seed=0, order=order)
    assert DRIFT in found.found
    assert np.all(found.strength <= 1.0)
    wave = np.empty(60)
    wave[np.argsort(order)] = np.sin(np.arange(60) / 1.5) + 0.3 * rng.standard_normal(60)
    assert NEIGHBOURS_IN_TIME in screen(wave, {}, seed=0, order=order).found
    steady = screen(order, {}, seed=0, order=order)
    assert steady.strength[list(steady.fields).index(DRIFT)] == pytest.approx(1.0)


def test_a_difference_between_blocks_is_not_a_hidden_variable_within() -> None:
    rng = np.random.default_rng(4)
    blocks = np.repeat([0, 1], 40)
    field = 3.0 * blocks + rng.standard_normal(80)
    residuals = 3.0 * blocks + rng.standard_normal(80)
    assert "field" in screen(residuals, {"field": field}, seed=0).found
    assert screen(residuals, {"field": field}, seed=0, blocks=blocks).found == ()
    within = residuals + 1.5 * (field - 3.0 * blocks)
    assert "field" in screen(within, {"field": field}, seed=0, blocks=blocks).found


def test_fields_that_cannot_be_screened_say_why() -> None:
    rng = np.random.default_rng(5)
    fields: dict[str, Column] = {
        "constant": np.ones(30),
        "note": np.array([f"note {k}" for k in range(30)]),
        "rare": np.where(np.arange(30) < 3, 1.0, math.nan),
        "one": np.full(30, "same"),
        "room": rng.standard_normal(30),
    }
    found = screen(rng.standard_normal(30), fields, seed=0)
    assert found.fields == ("room",)
    assert set(found.skipped) == {"constant", "note", "rare", "one"}
    with pytest.raises(NotApplicableError, match="too few"):
        screen(np.arange(5.0), {"room": np.arange(5.0)}, seed=0)
    with pytest.raises(NotApplicableError, match="no logged field"):
        screen(rng.standard_normal(30), {"constant": np.ones(30)}, seed=0)
    with pytest.raises(NotApplicableError, match="all residuals are equal"):
        screen(np.ones(30), {"room": fields["room"]}, seed=0)


def test_the_check_leaves_cohorts_recipes_and_modelled_fields_alone_and_states_its_power() -> None:
    rng = np.random.default_rng(6)
    X = rng.random((60, 2))
    humidity = rng.standard_normal(60)
    doi = rng.choice(["p", "q", "r"], 60)
    residuals = humidity + X[:, 0] + (doi == "p") + 0.3 * rng.standard_normal(60)
    table = AuditTable(
        X,
        residuals,
        columns={
            "humidity": humidity,
            "dose": X[:, 0],
            "doi": doi,
            "reference": np.char.add("ref ", doi),
            "recipe id": np.array([f"r{k}" for k in range(60)]),
        },
        cohorts=("doi",),
        modelled=("dose",),
        residuals=residuals,
    )
    (found,) = HiddenVariableCheck().run(table, seed=0)
    assert found.id == "hidden.screen:humidity"
    assert found.level in {"medium", "high"}
    assert "With 60 rows and 1 fields" in found.meaning
    assert found.detail["power"] == pytest.approx(1.0, abs=0.01)
