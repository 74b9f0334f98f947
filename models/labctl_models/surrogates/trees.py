"""Forests of regression trees with an sd: random forest and extremely randomised trees."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from labctl_models.surrogates.data import checked, checked_rows, standardisation
from labctl_models.surrogates.plain import card_without_likelihood
from labctl_models.surrogates.protocol import Prediction
from labctl_models.surrogates.tuning import tune

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from labctl_models.card import Card, Hyperparameter
    from labctl_models.surrogates.protocol import Array

Kind = Literal["random-forest", "extra-trees"]
LEAVES = (1.0, 3.0)
FEW_TREES = 20


@dataclass(frozen=True, slots=True)
class Forest:
    """A forest on bootstrap samples, a third of the columns tried at each split (Breiman's advice).

    The fewest rows of a leaf are chosen on clusters held out of the training rows, with a fifth of the
    trees. The sd at a recipe is the spread between the trees. `noise_sd` is what the out-of-bag residuals
    have beyond the spread between the out-of-bag trees, so that sd² + noise_sd² is on average the error
    seen on rows a tree did not see: rows amid their neighbours, hence too small far from the data.
    Extremely randomised trees get bootstrap samples too, without which they would have no such residuals.

    Attributes:
        kind: Which forest.
        trees: How many trees.
        leaves: The leaf sizes to choose from; of one nothing is tuned.
    """

    kind: Kind = "random-forest"
    trees: int = 100
    leaves: tuple[float, ...] = LEAVES

    def fit(
        self,
        X: Array,
        y: Array,
        *,
        seed: int,
        start: Mapping[str, Hyperparameter] | None = None,  # noqa: ARG002  nothing is searched
    ) -> FittedForest:
        """Fit X (n x d) and y (n,).

        Raises:
            ValueError: X or y is empty, not finite, or of mismatched shape.
        """
        began = time.process_time()
        X, y = checked(X, y)
        shift, scale, remarks = standardisation(y)
        z = (y / scale) - (shift / scale)
        leaf, more = self.leaves[0], tuple[str, ...]()
        if len(self.leaves) > 1:
            quick = replace(self, trees=min(FEW_TREES, self.trees))

            def losses(train: NDArray[np.intp], test: NDArray[np.intp]) -> Array:
                grown = [quick._grow(X[train], z[train], leaf, seed) for leaf in self.leaves]  # noqa: SLF001  itself
                return np.array([np.mean((_over_trees(g, X[test])[0] - z[test]) ** 2) for g in grown])

            leaf, more = tune(X, self.leaves, seed, losses)
        grown = self._grow(X, z, leaf, seed)
        noise = math.sqrt(_noise_variance(grown, X, z))
        values: dict[str, Hyperparameter] = {"trees": self.trees, "leaf": leaf, "noise_sd": noise * scale}
        card = card_without_likelihood(self.kind, values, X.shape, began=began, remarks=(*remarks, *more))
        return FittedForest(grown, noise, shift, scale, card)

    def _grow(self, X: Array, z: Array, leaf: float, seed: int) -> Any:  # noqa: ANN401  sklearn has no types
        from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor  # noqa: PLC0415  takes a second

        maker = RandomForestRegressor if self.kind == "random-forest" else ExtraTreesRegressor
        forest = maker(
            n_estimators=self.trees,
            max_features=1.0 / 3.0,
            min_samples_leaf=int(leaf),
            bootstrap=True,
            random_state=seed,
            n_jobs=1,
        )
        return forest.fit(X, z)


@dataclass(frozen=True, slots=True, eq=False)
class FittedForest:
    """A forest that has seen its data; `noise` in units of sd(y)."""

    forest: Any
    noise: float
    shift: float
    scale: float
    card: Card

    @property
    def noise_sd(self) -> float:
        """Out-of-bag error beyond the spread between trees, lack of fit included, in the units of y."""
        return self.noise * self.scale

    def predict(self, X: Array) -> Prediction:
        """Mean of the trees and their spread at the rows of X (q x d)."""
        mean, variance = _over_trees(self.forest, checked_rows(X, self.card.d))
        return Prediction(mean * self.scale + self.shift, np.sqrt(variance) * self.scale)


def _over_trees(forest: Any, X: Array) -> tuple[Array, Array]:  # noqa: ANN401  sklearn has no types
    """Mean (q,) and variance (q,) between the trees, tree by tree, so memory does not grow with them."""
    total, squares = np.zeros(len(X)), np.zeros(len(X))
    if len(X) == 0:
        return total, squares
    single = X.astype(np.float32)
    for tree in forest.estimators_:
        value = tree.tree_.predict(single)[:, 0]
        total += value
        squares += value * value
    count = len(forest.estimators_)
    mean = total / count
    return mean, np.maximum(squares / count - mean * mean, 0.0)


def _noise_variance(forest: Any, X: Array, z: Array) -> float:  # noqa: ANN401  sklearn has no types
    """Mean squared out-of-bag residual less the mean spread of the out-of-bag trees, at least 0."""
    single = X.astype(np.float32)
    count, total, squares = (np.zeros(len(z)) for _ in range(3))
    for tree, drawn in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        out = np.ones(len(z), dtype=bool)
        out[drawn] = False
        value = tree.tree_.predict(single[out])[:, 0] if out.any() else np.empty(0)
        count[out] += 1
        total[out] += value
        squares[out] += value * value
    seen = count > 1
    if not seen.any():
        return float(np.mean(z**2))
    mean = total[seen] / count[seen]
    spread = np.maximum(squares[seen] / count[seen] - mean**2, 0.0)
    return max(0.0, float(np.mean((z[seen] - mean) ** 2) - np.mean(spread)))
