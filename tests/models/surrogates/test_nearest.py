"""Nearest neighbour and mean: their values and sds by hand."""

import numpy as np
import pytest

from labctl_models.surrogates.mean import TrainingMean
from labctl_models.surrogates.nearest import NearestNeighbour


def test_the_nearest_rows_value_in_units_of_each_columns_spread() -> None:
    X = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.01], [1.0, 0.01]])
    fitted = NearestNeighbour().fit(X, np.array([1.0, 2.0, 3.0, 4.0]), seed=0)
    # 0.4 of the first column's range and 0.9 of the second's: nearest to (0, 0.01), not to (0, 0).
    assert fitted.predict(np.array([[0.4, 0.009]])).mean[0] == 3.0
    assert fitted.noise_sd == 0.0


def test_the_sd_is_what_lookup_errs_among_the_known() -> None:
    X, y = np.array([[0.0], [0.1], [1.0], [1.2]]), np.array([0.0, 1.0, 5.0, 8.0])
    fitted = NearestNeighbour().fit(X, y, seed=0)
    assert fitted.predict(X).sd[0] == pytest.approx(np.sqrt((1 + 1 + 9 + 9) / 4))


def test_the_mean_is_the_mean() -> None:
    y = np.array([1.0, 2.0, 6.0])
    fitted = TrainingMean().fit(np.eye(3), y, seed=0)
    belief = fitted.predict(np.zeros((2, 3)))
    np.testing.assert_allclose(belief.mean, 3.0)
    assert fitted.noise_sd == pytest.approx(y.std(ddof=1))
    np.testing.assert_allclose(belief.sd, y.std(ddof=1) / np.sqrt(3))
