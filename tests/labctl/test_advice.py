"""What people know: beliefs as a weight over the unit cube, and vetoes."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labctl.advice import Advice, belief, leaves_nothing, veto_of, vetoed
from labctl.config import CampaignConfig, load_config
from labctl.errors import RequestError

Written = Callable[..., Path]
VETOES = [
    {"when": {"solvent": "water", "dose": {"above": 5, "unit": "gram"}}, "because": "it foams"},
    {"when": {"steps": {"at_most": 1, "unit": "dimensionless"}}, "because": "one step never did anything"},
]
BOTH_SIDES = [
    {"when": {"dose": {"below": 5, "unit": "gram"}}, "because": "too little"},
    {"when": {"dose": {"at_least": 5000, "unit": "mg"}}, "because": "too much"},
]


@pytest.fixture
def config(hand_campaign: Written) -> CampaignConfig:
    """Dose from 0 to 10 g, 1 to 5 steps, three solvents; dose is thought best at 2 ± 1 g."""
    prior = {"dose": {"near": 2, "within": 1}, "solvent": {"water": 3, "no": 1}}
    return load_config(hand_campaign(advice={"prior": prior, "strength": 10, "vetoes": VETOES}))


def weight(config: CampaignConfig, results: int, **told: Any) -> float:  # noqa: ANN401 - a setting
    found = belief(config.model.advice, config.space, results)
    assert found is not None
    recipe = {"dose": 2.0, "steps": 1, "solvent": "water", **told}
    return float(found.log(config.space.encode([recipe]))[0])


def test_a_belief_is_highest_where_people_think_and_falls_as_they_say(config: CampaignConfig) -> None:
    assert weight(config, 10) == pytest.approx(0, abs=1e-9)
    # One "within" away a normal density has fallen to exp(-1/2), on both sides alike.
    for dose in (1.0, 3.0):
        assert weight(config, 10, dose=dose) == pytest.approx(-0.5, abs=2e-3)
    assert weight(config, 10, solvent="no") == pytest.approx(math.log(1 / 3), abs=5e-3)
    # Of what nobody thinks anything is left, so that it can be outweighed.
    assert math.log(1e-3) <= weight(config, 10, solvent="Äthanol") < weight(config, 10, solvent="no")
    assert weight(config, 10, dose=10.0) == pytest.approx(math.log(1e-3), abs=1e-3)
    assert weight(config, 10, steps=5) == weight(config, 10, steps=1)


def test_a_belief_fades_with_results(config: CampaignConfig) -> None:
    seen = [weight(config, n, dose=4.0) for n in (1, 10, 100, 1000)]
    assert seen == sorted(seen)
    assert seen[1] == pytest.approx(10 * seen[2])
    assert abs(seen[3]) < 0.03
    assert weight(config, 0, dose=4.0) == seen[0]


def test_slopes_of_a_belief_are_those_of_its_values(config: CampaignConfig) -> None:
    found = belief(config.model.advice, config.space, 10)
    assert found is not None
    rng = np.random.default_rng(0)
    X = rng.uniform(0.05, 0.95, (5, config.space.width))
    value, slopes = found.log_with_slopes(X)
    assert value == pytest.approx(found.log(X))
    for column in range(config.space.width):
        step = np.zeros(config.space.width)
        step[column] = 1e-6
        by_difference = (found.log(X + step) - found.log(X - step)) / 2e-6
        assert slopes[:, column] == pytest.approx(by_difference, rel=1e-4, abs=1e-6)


def test_weights_of_any_size_are_told_by_their_ratio(hand_campaign: Written) -> None:
    for scale in (1e-305, 1.0, 1e305):
        prior = {"solvent": {"water": 2 * scale, "no": scale}}
        config = load_config(hand_campaign(advice={"prior": prior, "strength": 10}))
        assert weight(config, 10) == 0
        assert weight(config, 10, solvent="no") == pytest.approx(math.log(0.5), abs=5e-3)


def test_vetoes_that_leave_a_gap_leave_something(hand_campaign: Written) -> None:
    gap = [BOTH_SIDES[0], {"when": {"dose": {"above": 5, "unit": "gram"}}, "because": "too much"}]
    advice = load_config(hand_campaign(advice={"vetoes": gap})).model.advice
    assert len(advice.vetoes) == 2
    # With the dose fixed elsewhere, the gap is out of reach.
    with pytest.raises(RequestError, match="speak against every recipe"):
        load_config(hand_campaign(advice={"vetoes": gap}, strategy={"fixed": {"dose": 6}}))


def test_without_a_prior_there_is_no_belief(config: CampaignConfig) -> None:
    assert belief(Advice(), config.space, 3) is None


def test_a_belief_on_a_logarithmic_scale_is_told_in_the_parameters_own_unit(hand_campaign: Written) -> None:
    parameters = {"hold": {"kind": "continuous", "unit": "minute", "low": 1, "high": 1000, "scale": "log"}}
    prior = {"hold": {"near": 10, "within": 90}}
    config = load_config(hand_campaign(parameters=parameters, advice={"prior": prior, "strength": 10}))
    found = belief(config.model.advice, config.space, 10)
    assert found is not None
    X = config.space.encode([{"hold": 10.0}, {"hold": 100.0}, {"hold": 1.0}])
    assert found.log(X) == pytest.approx([0, -0.5, -0.5], abs=2e-3)


def test_vetoes_speak_against_what_meets_all_their_conditions(config: CampaignConfig) -> None:
    recipes = [
        {"dose": 6.0, "steps": 2, "solvent": "water"},
        {"dose": 5.0, "steps": 2, "solvent": "water"},
        {"dose": 6.0, "steps": 2, "solvent": "no"},
        {"dose": 6.0, "steps": 1, "solvent": "water"},
        {"dose": 0.0, "steps": 1, "solvent": "no"},
    ]
    advice, parameters = config.model.advice, config.model.parameters
    said = [veto_of(advice, parameters, recipe) for recipe in recipes]
    never = "one step never did anything"
    assert said == ["it foams", None, None, "it foams", never]
    columns = {name: [recipe[name] for recipe in recipes] for name in parameters}
    found = vetoed(advice, parameters, columns, len(recipes))
    assert found.tolist() == [text is not None for text in said]


@pytest.mark.parametrize(
    ("advice", "said"),
    [
        (
            {"prior": {"dosis": {"near": 1, "within": 1}}},
            "advice.prior.dosis: no such parameter; there are dose",
        ),
        ({"prior": {"dose": {"near": 1}}}, "needs near and within for a number"),
        ({"prior": {"dose": {"water": 1}}}, "advice.prior.dose: needs near and within for a number"),
        ({"prior": {"dose": {"near": 11, "within": 1}}}, "advice.prior.dose: "),
        ({"prior": {"dose": {"near": 1, "within": 0}}}, "advice.prior.dose.within"),
        ({"prior": {"solvent": {"near": 1, "within": 1}}}, "advice.prior.solvent: needs near and within"),
        ({"prior": {"solvent": {"wine": 1}}}, "advice.prior.solvent: "),
        ({"prior": {"solvent": {"water": 0}}}, "what must not be tried is a veto"),
        (
            {"vetoes": [{"when": {"dosis": {"above": 1, "unit": "gram"}}, "because": "x"}]},
            "dosis: is no parameter",
        ),
        (
            {"vetoes": [{"when": {"dose": {"above": 1, "unit": "meter"}}, "because": "x"}]},
            "advice.vetoes.0.when",
        ),
        ({"vetoes": [{"when": {"solvent": "wine"}, "because": "x"}]}, "advice.vetoes.0.when"),
        ({"vetoes": [{"when": {"solvent": "no"}, "because": ""}]}, "because"),
        ({"doubt": 0.6}, "advice.doubt: is 0.6"),
        ({"strength": 0}, "advice.strength: is 0"),
        ({"strength": 1e300}, "advice.strength: is 1e+300"),
        (
            {"prior": {"dose": {"near": 2, "within": 1e300}}},
            "reaches more than 100 times the range from 0 to 10",
        ),
        (
            {"prior": {"solvent": {"water": 1e300, "no": 1e-300}}},
            "one weight is more than 1e+06 times another",
        ),
        (
            {"vetoes": [{"when": {"steps": {"at_least": 1, "unit": "dimensionless"}}, "because": "never"}]},
            "advice.vetoes: speak against every recipe that may be proposed (such as: never)",
        ),
        ({"vetoes": BOTH_SIDES}, "advice.vetoes: speak against every recipe that may be proposed"),
    ],
)
def test_advice_that_fits_nothing_is_refused(
    hand_campaign: Written, advice: dict[str, object], said: str
) -> None:
    with pytest.raises(RequestError) as refused:
        load_config(hand_campaign(advice=advice))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


PART = {"kind": "continuous", "unit": "mm", "low": 0, "high": 1}
HALF = {"when": {"x": {"at_least": 0.5, "unit": "mm"}}, "because": "no"}


@pytest.mark.parametrize(
    ("laws", "veto", "sentence"),
    [
        (
            {"forbidden": [{"when": {"x": {"below": 0.5, "unit": "mm"}}, "because": "n"}]},
            HALF,
            "every recipe",
        ),
        ({"rules": ["x >= 0.5"]}, HALF, "leave no recipe that was found"),
        ({"constraints": [{"terms": {"x": 1}, "at_least": 0.6, "unit": "mm"}]}, HALF, "leave no recipe"),
        ({"rules": ["x >= 0.4"]}, HALF, None),
        ({"forbidden": [{"when": {"x": {"below": 0.4, "unit": "mm"}}, "because": "n"}]}, HALF, None),
        ({}, HALF, None),
    ],
)
def test_vetoes_that_leave_nothing_beside_the_laws_are_known_before_a_campaign_begins(
    hand_campaign: Written, laws: dict[str, Any], veto: dict[str, Any], sentence: str | None
) -> None:
    told = {"parameters": {"x": PART, "z": PART}, "advice": {"vetoes": [veto]}, **laws}
    config = load_config(hand_campaign(**told))
    found = leaves_nothing(config.model.advice, config.space)
    assert (found is None) == (sentence is None)
    assert sentence is None or sentence in str(found)
    assert leaves_nothing(Advice(), config.space) is None


def test_vetoes_against_every_row_of_a_pool_leave_nothing(hand_campaign: Written) -> None:
    config = load_config(hand_campaign(parameters={"x": PART}, advice={"vetoes": [HALF]}))
    assert leaves_nothing(config.model.advice, config.space.with_pool({"x": [0.5, 0.7]})) is not None
    assert leaves_nothing(config.model.advice, config.space.with_pool({"x": [0.4, 0.7]})) is None
