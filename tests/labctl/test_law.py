"""Laws that people write: what is understood, what is refused, and the constants that data give them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.config import CampaignModel
from labctl.law import read_law
from labctl.space import Categorical, Continuous, Integer, Space
from labctl_models.surrogates.basis import least_squares
from labctl_models.surrogates.mechanistic import MechanisticGaussianProcess

PARAMETERS = {
    "d": Continuous(unit="um", low=10**-2.5, high=100, scale="log"),
    "grain size": Continuous(unit="um", low=1, high=50),
    "n": Integer(unit="dimensionless", low=1, high=9),
    "quench": Categorical(choices=("water", "oil")),
}
D = np.array([0.01, 0.25, 4.0])
COLUMNS = {"d": D, "grain size": np.array([4.0, 9.0, 16.0]), "n": np.array([1.0, 2.0, 3.0])}


def test_terms_are_those_of_the_formula() -> None:
    law = read_law("s0 + k / sqrt(d) - 2 * c * n ** 2 / (1 + d)", PARAMETERS)
    assert law.constants == ("s0", "k", "c")
    assert law.parameters == ("d", "n")
    expected = np.column_stack([np.ones(3), 1 / np.sqrt(D), -2 * np.array([1.0, 4.0, 9.0]) / (1 + D)])
    np.testing.assert_allclose(law.values(COLUMNS, 3), expected, rtol=1e-14)


def test_a_constant_may_stand_in_several_places_and_names_may_be_quoted() -> None:
    law = read_law("k * log10(d) + (k - b) * exp(-`grain size` / 10) + b", PARAMETERS)
    decay = np.exp(-np.array([0.4, 0.9, 1.6]))
    expected = np.column_stack([np.log10(D) + decay, 1 - decay])
    np.testing.assert_allclose(law.values(COLUMNS, 3), expected, rtol=1e-14)
    assert set(law.parameters) == {"d", "grain size"}


@given(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3), st.floats(0.01, 90))
@settings(max_examples=60, deadline=None)
def test_a_law_is_what_python_computes_of_it(b: list[float], d: float) -> None:
    text = "(a + 3 * k * d) / d ** 0.5 - c * (log(d) - 2) * sqrt(d)"
    terms = read_law(text, PARAMETERS).values({"d": np.array([d])}, 1)[0]
    by_hand = (b[0] + 3 * b[1] * d) / d**0.5 - b[2] * (math.log(d) - 2) * math.sqrt(d)
    assert float(terms @ b) == pytest.approx(by_hand, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("s0 + k / d^0.5", "write ** for a power"),
        ("s0 + __import__('os').system('id')", 'has "\'" in it'),
        ("s0 + __import__(d)", "'__import__(d)', which is not understood"),
        ("s0 + k * d.real", "'d.real', which is not understood"),
        ("s0 + k * d // 2", "'k * d // 2', which is not understood"),
        ("s0 + k *", "cannot be read as a formula"),
        ("s0 + 1j * k", "'1j', which is not understood"),
        ("s0 + True * k", "'True', which is not understood"),
        ("s0 + sqrt(k * d)", "is not linear in its constants: k stands inside sqrt(k * d)"),
        ("s0 * k * d", "is not linear in its constants: s0 * k multiplies two"),
        ("s0 + d ** m", "m stands inside d ** m and is no parameter"),
        ("s0 + d / (d + K)", "K stands inside d / (d + K)"),
        ("s0 + d", "has a part without a constant"),
        ("d ** 2", "has a part without a constant"),
        ("s0 + k * quench", "uses quench, which is no number"),
        ("s0 + k * sqrt", "sqrt without brackets"),
        ("s0 + k * sqrt(d, n)", "has ',' in it"),
        ("s0 + k * " + "9" * 400, "too large"),
        ("s0" + " + s0" * 200, "at most"),
        ("-" * 100 + "s0", "nested more than 30 deep"),
        ("(" * 240 + "s0" + ")" * 240, "cannot be read as a formula"),
    ],
)
def test_what_is_no_law_is_refused_in_one_sentence(text: str, says: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the sentence is looked at
        read_law(text, PARAMETERS)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_enormous_power_costs_nothing_and_is_infinite() -> None:
    law = read_law("k * 9 ** 9 ** 9 ** 9 ** 9", PARAMETERS)
    assert not np.isfinite(law.values(COLUMNS, 3)).any()


def test_a_campaign_file_declares_its_constants() -> None:
    campaign = {
        "campaign": "hall-petch",
        "parameters": {"d": {"kind": "continuous", "unit": "um", "low": 0.1, "high": 100}},
        "objectives": {"strength": {"goal": "maximize", "unit": "MPa"}},
        "instrument": {"kind": "hand"},
    }
    constants = {"s0": {"unit": "MPa"}, "k": {"unit": "MPa*um**0.5"}}
    good = CampaignModel.model_validate(
        {**campaign, "law": {"formula": "s0 + k / sqrt(d)", "constants": constants}}
    )
    assert good.law is not None
    assert good.law.written(good.parameters).units == {"s0": "MPa", "k": "MPa*um**0.5"}
    for formula, says in (
        ("s0 + k / sqrt(D)", "D stands inside|did you mean d"),
        ("s0 + kk / sqrt(d)", "did you mean k"),
        ("s0 * d", "does not contain the constant k"),
    ):
        with pytest.raises(ValueError, match=says):
            CampaignModel.model_validate({**campaign, "law": {"formula": formula, "constants": constants}})


def hall_petch(seed: int, n: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """Strengths (MPa) at log-uniform grain sizes (µm): 30 + 250/√d - 12.5/d, and noise of sd 70."""
    rng = np.random.default_rng(seed)
    d = 10 ** (4.5 * rng.random(n) - 2.5)
    return d, 30 + 250 / np.sqrt(d) - 12.5 / d + 70 * rng.standard_normal(n)


def test_the_constants_of_hall_and_petch_come_back_within_their_sd() -> None:
    space = Space({"d": PARAMETERS["d"]})
    law = read_law("s0 + k / sqrt(d) + c / d", space.parameters).over(space)
    truth = np.array([30.0, 250.0, -12.5])
    found = []
    for seed in range(60):
        d, y = hall_petch(seed)
        X = space.encode_columns({"d": d.tolist()})
        alone = least_squares(law, law.values(X), y)
        found.append((alone.mean, (alone.mean - truth) / alone.sd))
    means, z = (np.array(part) for part in zip(*found, strict=True))
    # 3-parameter least squares over 200 other draws: sd 16.2, 8.3 and 0.63.
    np.testing.assert_allclose(means.std(axis=0), [16.2, 8.3, 0.63], rtol=0.3)
    assert (np.abs(means.mean(axis=0) - truth) < 3 * means.std(axis=0) / math.sqrt(60)).all()
    assert (np.abs(z) < 2).mean() == pytest.approx(0.95, abs=0.05)
    d, y = hall_petch(0)
    fitted = MechanisticGaussianProcess(law).fit(space.encode_columns({"d": d.tolist()}), y, seed=0)
    assert (np.abs(fitted.constants.mean - truth) < 3 * fitted.constants.sd).all()
