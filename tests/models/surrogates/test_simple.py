"""What holds of every surrogate that is no plain Gaussian process: the contract, on awkward data too."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_models.surrogates.basis import Law
from labctl_models.surrogates.gp_isotropic import IsotropicGaussianProcess
from labctl_models.surrogates.mean import TrainingMean
from labctl_models.surrogates.mechanistic import MechanisticGaussianProcess
from labctl_models.surrogates.nearest import NearestNeighbour
from labctl_models.surrogates.protocol import Surrogate
from labctl_models.surrogates.ridge import Ridge
from labctl_models.surrogates.stack import Stack
from labctl_models.surrogates.trees import Forest

LINE = Law(("offset", "slope"), lambda X: np.column_stack([np.ones(len(X)), X[:, 0]]))
ALL: dict[str, Surrogate] = {
    "mean": TrainingMean(),
    "nearest": NearestNeighbour(),
    "ridge": Ridge(),
    "gp-isotropic": IsotropicGaussianProcess(),
    "gp-mechanistic": MechanisticGaussianProcess(LINE, starts=1),
    "random-forest": Forest("random-forest", trees=10),
    "extra-trees": Forest("extra-trees", trees=10),
    "stack": Stack((("mean", TrainingMean()), ("ridge", Ridge()))),
}
CLOSE_TO_MEAN = 3.0


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "kind", ["one", "constant", "zero", "twins", "columns that never vary", "huge", "tiny"]
)
def test_awkward_data_give_a_finite_belief_with_an_honest_card(name: str, kind: str) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.random((24, 3)), rng.standard_normal(24)
    if kind == "one":
        X, y = X[:1], y[:1]
    elif kind in {"constant", "zero"}:
        y = np.full(24, 0.0 if kind == "zero" else 4.2)
    elif kind == "twins":
        X = np.repeat(X[:4], 6, axis=0)
    elif kind == "columns that never vary":
        X[:, 1:] = 0.5
    else:
        y = y * (1e12 if kind == "huge" else 1e-12)
    fitted = ALL[name].fit(X, y, seed=0)
    belief = fitted.predict(rng.random((7, 3)))
    assert belief.mean.shape == belief.sd.shape == (7,)
    assert np.isfinite(belief.mean).all()
    assert (belief.sd >= 0).all()
    assert np.isfinite(belief.sd).all()
    assert fitted.noise_sd >= 0
    assert (fitted.card.n, fitted.card.d) == X.shape
    assert fitted.predict(np.empty((0, 3))).mean.shape == (0,)
    fitted.card.hash()


@pytest.mark.parametrize("name", ALL)
def test_the_same_fit_twice_is_the_same(name: str) -> None:
    rng = np.random.default_rng(1)
    X, y, Q = rng.random((30, 3)), rng.standard_normal(30), rng.random((9, 3))
    one, two = ALL[name].fit(X, y, seed=5), ALL[name].fit(X, y, seed=5)
    assert one.card.hash() == two.card.hash()
    np.testing.assert_array_equal(one.predict(Q).mean, two.predict(Q).mean)


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 100), factor=st.sampled_from([1e-3, 7.0, 1e4]))
def test_units_of_y_change_nothing_else(name: str, seed: int, factor: float) -> None:
    rng = np.random.default_rng(seed)
    X, y, Q = rng.random((25, 2)), rng.standard_normal(25), rng.random((5, 2))
    one, two = ALL[name].fit(X, y, seed=0), ALL[name].fit(X, factor * y, seed=0)
    np.testing.assert_allclose(
        two.predict(Q).mean, factor * one.predict(Q).mean, rtol=1e-3, atol=1e-4 * factor
    )
    np.testing.assert_allclose(two.predict(Q).sd, factor * one.predict(Q).sd, rtol=1e-3, atol=1e-4 * factor)


@pytest.mark.parametrize("name", ALL)
def test_what_cannot_be_fitted_or_asked_is_refused(name: str) -> None:
    X, y = np.random.default_rng(0).random((6, 2)), np.arange(6.0)
    for bad_X, bad_y in ((X, y[:5]), (X[:0], y[:0]), (np.full((6, 2), np.nan), y), (X, y * np.nan)):
        with pytest.raises(ValueError, match=r"X|y"):
            ALL[name].fit(bad_X, bad_y, seed=0)
    with pytest.raises(ValueError, match="2 columns"):
        ALL[name].fit(X, y, seed=0).predict(np.ones((3, 5)))


@pytest.mark.parametrize("name", ALL)
def test_stated_sds_are_about_right_amid_the_data(name: str) -> None:
    rng = np.random.default_rng(2)
    X, Q = rng.random((120, 2)), rng.random((400, 2))

    def response(P: np.ndarray) -> np.ndarray:
        return np.asarray(5 * P[:, 0] + np.sin(6 * P[:, 1]))

    fitted = ALL[name].fit(X, response(X) + 0.5 * rng.standard_normal(120), seed=0)
    belief = fitted.predict(Q)
    reading = response(Q) + 0.5 * rng.standard_normal(400)
    z = (reading - belief.mean) / np.sqrt(belief.sd**2 + fitted.noise_sd**2)
    assert 0.75 < np.sqrt(np.mean(z**2)) < 1.3
