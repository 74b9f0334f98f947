"""Classifiers: the contract, on missing classes too, and what each must find."""

import numpy as np
import pytest

from labctl_models.surrogates.classes import Classifier, ForestOfLabels, LogisticRidge, Majority, NearestLabel

ALL: dict[str, Classifier] = {
    "majority": Majority(),
    "nearest": NearestLabel(),
    "logistic-ridge": LogisticRidge(),
    "random-forest": ForestOfLabels("random-forest", trees=15),
    "extra-trees": ForestOfLabels("extra-trees", trees=15),
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("labels", [[0, 1, 2], [0, 2], [1]])
def test_probabilities_have_a_column_for_every_class(name: str, labels: list[int]) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.random((30, 3)), np.resize(labels, 30)
    found = ALL[name].fit(X, y, classes=3, seed=0).probability(rng.random((8, 3)))
    assert found.shape == (8, 3)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert found.min() >= 0
    absent = [c for c in range(3) if c not in labels]
    np.testing.assert_array_equal(found[:, absent], 0.0)


@pytest.mark.parametrize("name", [name for name in ALL if name != "majority"])
def test_a_clear_border_is_found(name: str) -> None:
    rng = np.random.default_rng(1)
    X, Q = rng.random((150, 2)), rng.random((200, 2))
    fitted = ALL[name].fit(X, (X[:, 0] > 0.5).astype(int), classes=2, seed=0)
    right = fitted.probability(Q).argmax(axis=1) == (Q[:, 0] > 0.5)
    assert right.mean() > 0.88


def test_the_majority_is_the_shares() -> None:
    fitted = Majority().fit(np.ones((4, 1)), np.array([0, 1, 1, 1]), classes=2, seed=0)
    np.testing.assert_array_equal(fitted.probability(np.ones((1, 1))), [[0.25, 0.75]])


@pytest.mark.parametrize("name", ALL)
def test_labels_out_of_range_are_refused(name: str) -> None:
    for labels in ([0, 1, 2], [0, -1, 1], [0, 1]):
        with pytest.raises(ValueError, match="labels"):
            ALL[name].fit(np.eye(3), np.array(labels), classes=2, seed=0)
