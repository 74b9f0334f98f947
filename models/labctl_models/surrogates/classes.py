"""Surrogates for classes: each gives every recipe the probability of every class."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from labctl_models.surrogates.clusters import nearest
from labctl_models.surrogates.data import checked_labels, checked_rows
from labctl_models.surrogates.nearest import column_scale
from labctl_models.surrogates.tuning import tune

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labctl_models.surrogates.protocol import Array

PENALTIES = (0.1, 1.0, 10.0, 100.0)
LEAVES = (1.0, 3.0)
FEW_TREES = 20
SMALLEST_PROBABILITY = 1e-6


class FittedClassifier(Protocol):
    """A classifier that has seen its data."""

    def probability(self, X: Array) -> Array:
        """Probability (q x classes) of each class at the rows of X (q x d); each row sums to 1."""
        ...


class Classifier(Protocol):
    """A recipe for fitting classes 0 .. classes - 1: holds settings, no data."""

    def fit(self, X: Array, labels: NDArray[np.intp], *, classes: int, seed: int) -> FittedClassifier:
        """Fit X (n x d, unit cube) and labels (n,); classes that do not occur get probability 0.

        The same arguments give the same classifier.

        Raises:
            ValueError: X is empty or not finite, or a label is no whole number below `classes`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Majority:
    """Predicts the shares of the classes among the training rows everywhere."""

    def fit(self, X: Array, labels: NDArray[np.intp], *, classes: int, seed: int) -> FittedMajority:  # noqa: ARG002  nothing is drawn
        """Count the labels; see `Classifier.fit`."""
        _, labels = checked_labels(X, labels, classes)
        return FittedMajority(np.bincount(labels, minlength=classes) / len(labels))


@dataclass(frozen=True, slots=True, eq=False)
class FittedMajority:
    """The shares (classes,) of the classes."""

    shares: Array

    def probability(self, X: Array) -> Array:
        """The same shares (q x classes) at each row."""
        return np.tile(self.shares, (len(X), 1))


@dataclass(frozen=True, slots=True)
class NearestLabel:
    """Predicts the label of the nearest training row, each column divided by its training sd: 1-NN."""

    def fit(self, X: Array, labels: NDArray[np.intp], *, classes: int, seed: int) -> FittedNearestLabel:  # noqa: ARG002  nothing is drawn
        """Keep the rows; see `Classifier.fit`."""
        X, labels = checked_labels(X, labels, classes)
        scale = column_scale(X)
        return FittedNearestLabel(X / scale, np.eye(classes)[labels], scale)


@dataclass(frozen=True, slots=True, eq=False)
class FittedNearestLabel:
    """The measured rows (n x d, scaled) and their labels as indicators (n x classes)."""

    known: Array
    indicator: Array
    scale: Array

    def probability(self, X: Array) -> Array:
        """1 for the label of the nearest row, 0 for all others; of equally near rows the first."""
        _, index = nearest(checked_rows(X, len(self.scale)) / self.scale, self.known)
        return np.asarray(self.indicator[index[:, 0]], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class FittedModel:
    """A scikit-learn classifier, with columns for classes that it never saw."""

    model: Any
    scale: Array
    classes: int

    def probability(self, X: Array) -> Array:
        """Probability (q x classes) at the rows of X (q x d)."""
        X = checked_rows(X, len(self.scale))
        found = np.zeros((len(X), self.classes))
        found[:, self.model.classes_] = self.model.predict_proba(X / self.scale) if len(X) else 0.0
        return found


@dataclass(frozen=True, slots=True)
class LogisticRidge:
    """Logistic regression with a penalty |w|² / (2C) on the slopes, C tuned on held-out inner clusters."""

    penalties: tuple[float, ...] = PENALTIES

    def fit(
        self, X: Array, labels: NDArray[np.intp], *, classes: int, seed: int
    ) -> FittedModel | FittedMajority:
        """Fit X (n x d, unit cube) and labels (n,); see `Classifier.fit`."""
        X, labels = checked_labels(X, labels, classes)
        if len(np.unique(labels)) == 1:
            return Majority().fit(X, labels, classes=classes, seed=seed)

        def losses(train: NDArray[np.intp], test: NDArray[np.intp]) -> Array:
            fits = [self._fitted(X[train], labels[train], classes, c) for c in self.penalties]
            return np.array([_log_loss(fit.probability(X[test]), labels[test]) for fit in fits])

        penalty, _ = tune(X, self.penalties, seed, losses)
        return self._fitted(X, labels, classes, penalty)

    def _fitted(
        self, X: Array, labels: NDArray[np.intp], classes: int, penalty: float
    ) -> FittedModel | FittedMajority:
        from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415  a second to load
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  the same

        if len(np.unique(labels)) == 1:
            return Majority().fit(X, labels, classes=classes, seed=0)
        model = LogisticRegression(C=penalty, max_iter=500, tol=1e-3)
        with warnings.catch_warnings():
            # The last digits of slopes that the penalty hardly holds do not matter to a held-out score.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X, labels)
        return FittedModel(model, np.ones(X.shape[1]), classes)


@dataclass(frozen=True, slots=True)
class ForestOfLabels:
    """A forest of classification trees; leaf size tuned on held-out inner clusters, √d columns a split."""

    kind: Literal["random-forest", "extra-trees"] = "random-forest"
    trees: int = 100
    leaves: tuple[float, ...] = LEAVES

    def fit(self, X: Array, labels: NDArray[np.intp], *, classes: int, seed: int) -> FittedModel:
        """Fit X (n x d) and labels (n,); see `Classifier.fit`."""
        X, labels = checked_labels(X, labels, classes)
        leaf = self.leaves[0]
        if len(self.leaves) > 1:

            def losses(train: NDArray[np.intp], test: NDArray[np.intp]) -> Array:
                X_in, within = X[train], labels[train]
                few = min(FEW_TREES, self.trees)
                # The Brier score, because few trees give probabilities of 0, which the log score punishes.
                truth = np.eye(classes)[labels[test]]
                fits = [self._grown(X_in, within, classes, leaf=a, trees=few, seed=seed) for a in self.leaves]
                return np.array([np.mean((fit.probability(X[test]) - truth) ** 2) for fit in fits])

            leaf, _ = tune(X, self.leaves, seed, losses)
        return self._grown(X, labels, classes, leaf=leaf, trees=self.trees, seed=seed)

    def _grown(
        self, X: Array, labels: NDArray[np.intp], classes: int, *, leaf: float, trees: int, seed: int
    ) -> FittedModel:
        from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier  # noqa: PLC0415  a second

        maker = RandomForestClassifier if self.kind == "random-forest" else ExtraTreesClassifier
        model = maker(n_estimators=trees, min_samples_leaf=int(leaf), random_state=seed, n_jobs=1)
        return FittedModel(model.fit(X, labels), np.ones(X.shape[1]), classes)


def _log_loss(probability: Array, labels: NDArray[np.intp]) -> float:
    given = probability[np.arange(len(labels)), labels]
    return float(-np.mean(np.log(np.maximum(given, SMALLEST_PROBABILITY))))
