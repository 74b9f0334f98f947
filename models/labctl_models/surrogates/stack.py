"""A weighted mean of surrogates, the weights learnt from predictions of rows that none of them had seen."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labctl_models.surrogates.data import checked, standardisation
from labctl_models.surrogates.plain import card_without_likelihood
from labctl_models.surrogates.protocol import Prediction
from labctl_models.surrogates.tuning import inner_folds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl_models.card import Card, Hyperparameter
    from labctl_models.surrogates.protocol import Array, Fitted, Surrogate

MOST_STEPS = 20_000
NOTHING = 1e-14


def simplex_weights(predictions: Array, y: Array, row_weights: Array | None = None) -> Array:
    """Weights (m,) >= 0 with sum 1 that minimise Σ_i r_i (y_i - Σ_m w_m F_im)², F (n x m) held out.

    Stacking (Wolpert, Neural Netw. 5, 241 (1992); Breiman, Mach. Learn. 24, 49 (1996)) on the simplex,
    solved exactly by an active-set walk over the Gram matrix; of equally good weights those with the
    smallest squares, so that identical members share theirs.

    Raises:
        ValueError: the shapes do not match, or a value is not finite.
    """
    F, y = np.asarray(predictions, dtype=np.float64), np.asarray(y, dtype=np.float64)
    r = np.ones(len(y)) if row_weights is None else np.asarray(row_weights, dtype=np.float64)
    if F.ndim != 2 or F.shape[0] != len(y) or r.shape != y.shape or F.shape[1] == 0:  # noqa: PLR2004  a matrix
        raise ValueError(f"predictions must be n x m and y n; their shapes are {F.shape} and {y.shape}")
    if not (np.isfinite(F).all() and np.isfinite(y).all() and np.isfinite(r).all()):
        raise ValueError("stacking needs finite predictions and outcomes")
    E = F - y[:, None]
    size = float(np.abs(E).max())
    if size == 0.0:
        return np.full(F.shape[1], 1.0 / F.shape[1])
    E = E / size
    # On the simplex the squared error is w'Gw with G = E'RE. A whiff of the identity breaks ties evenly.
    G = E.T @ (r[:, None] * E)
    G += 1e-9 * max(float(np.trace(G)), 1e-300) * np.eye(len(G))
    return _least_quadratic(G)


def _least_quadratic(G: Array) -> Array:
    """Minimise w'Gw on the simplex, G (m x m) positive definite: an active set, as in Lawson and Hanson."""
    m = len(G)
    free = np.zeros(m, dtype=bool)
    free[int(np.argmin(np.diagonal(G)))] = True
    w = free.astype(np.float64)
    for _ in range(MOST_STEPS):
        gradient = G @ w
        # At the minimum every slope of a used member is w'Gw, and none of an unused one is below that.
        slack = gradient - float(w @ gradient)
        slack[free] = 0.0
        if slack.min() >= -1e-12 * float(np.trace(G)):
            break
        free[int(np.argmin(slack))] = True
        while True:
            target = np.zeros(m)
            solved = np.linalg.solve(G[np.ix_(free, free)], np.ones(int(free.sum())))
            target[free] = solved / solved.sum()
            if target[free].min() > 0.0:
                w = target
                break
            falling = free & (target <= 0.0)
            step = float(np.min(w[falling] / (w[falling] - target[falling])))
            w = w + step * (target - w)
            free &= ~(falling & (w <= NOTHING))
            w[~free] = 0.0
    return np.asarray(w / w.sum(), dtype=np.float64)


def mixture(weights: Array, means: Array, variances: Array) -> tuple[Array, Array]:
    """Mean (q,) and variance (q,) of the mixture: means and variances are q x m.

    The variance holds the members' own and their disagreement.
    """
    mean = means @ weights
    return mean, (variances + (means - mean[:, None]) ** 2) @ weights


@dataclass(frozen=True, slots=True)
class Stack:
    """Members weighted by what they err on clusters held out of the training rows.

    `fit` fits every member once for each inner cluster and once to everything.
    """

    members: tuple[tuple[str, Surrogate], ...]

    def fit(
        self,
        X: Array,
        y: Array,
        *,
        seed: int,
        start: Mapping[str, Hyperparameter] | None = None,  # noqa: ARG002  members have their own cards
    ) -> FittedStack:
        """Fit X (n x d, unit cube) and y (n,).

        Raises:
            ValueError: there is no member, or X or y is empty, not finite, or of mismatched shape.
        """
        began = time.process_time()
        if not self.members:
            raise ValueError("a stack needs at least one member")
        X, y = checked(X, y)
        _, _, remarks = standardisation(y)
        folds, remark = inner_folds(X, seed)
        remarks = (*remarks, *([remark] if remark else []))
        weights = np.full(len(self.members), 1.0 / len(self.members))
        if len(np.unique(folds)) > 1:
            held_out = np.empty((len(y), len(self.members)))
            for fold in np.unique(folds):
                train, test = folds != fold, folds == fold
                for column, (_, member) in enumerate(self.members):
                    held_out[test, column] = member.fit(X[train], y[train], seed=seed).predict(X[test]).mean
            weights = simplex_weights(held_out, y)
        fitted = tuple(member.fit(X, y, seed=seed) for _, member in self.members)
        values = {name: float(weight) for (name, _), weight in zip(self.members, weights, strict=True)}
        card = card_without_likelihood("stack", values, X.shape, began=began, remarks=remarks)
        return FittedStack(fitted, weights, card)


@dataclass(frozen=True, slots=True, eq=False)
class FittedStack:
    """Fitted members and their weights (m,)."""

    members: tuple[Fitted, ...]
    weights: Array
    card: Card

    @property
    def noise_sd(self) -> float:
        """Root mean square of the members' noise, by weight."""
        return math.sqrt(sum(w * m.noise_sd**2 for w, m in zip(self.weights, self.members, strict=True)))

    def predict(self, X: Array) -> Prediction:
        """The mixture of the members' beliefs at the rows of X (q x d)."""
        beliefs = [member.predict(X) for member in self.members]
        means = np.column_stack([belief.mean for belief in beliefs])
        variances = np.column_stack([belief.sd**2 for belief in beliefs])
        mean, variance = mixture(self.weights, means, variances)
        return Prediction(mean, np.sqrt(variance))
