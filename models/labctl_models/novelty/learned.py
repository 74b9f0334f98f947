"""A distance learned from what was found, and how much it re-ranks the found when it is learned anew."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from scipy.spatial.distance import pdist
from scipy.stats import rankdata

from labctl_models.novelty.neighbours import leave_one_out_distances
from labctl_models.novelty.stein import Scale
from labctl_models.threads import one_thread

if TYPE_CHECKING:
    from labctl_models.surrogates.protocol import Array

Layers: TypeAlias = "tuple[tuple[Array, Array], ...]"
Kind: TypeAlias = Literal["pca", "autoencoder"]
KEPT_VARIANCE = 0.95
"""Components are kept until they hold this share of the variance."""
DENOISING = 0.1
"""Noise on the autoencoder's inputs, in standard deviations, so that it learns the trend of few rows."""
COPIES = 8
STEPS = 300
PENALTY = 1e-2


@dataclass(frozen=True, slots=True, eq=False)
class LearnedDistance:
    """Artefacts (recipe and outcome side by side) to points whose Euclidean distance is the learned one.

    Attributes:
        recipes: how recipes are standardised, and `outcomes` how outcomes are.
        layers: pairs of weights and offsets from the standardised artefact to the point, with tanh between.
        size: by what points are divided, so that the median distance of two known artefacts is 1.
    """

    recipes: Scale
    outcomes: Scale
    layers: Layers
    size: float

    def embed(self, X: Array, Y: Array) -> Array:
        """Points (q x m) of recipes X (q x d, unit cube) with outcomes Y (q x p, measured or predicted)."""
        point = _side_by_side(self.recipes, self.outcomes, X, Y)
        for number, (weights, offset) in enumerate(self.layers):
            point = np.tanh(point) if number else point
            point = point @ weights + offset
        return point / self.size


def learn(X: Array, Y: Array, *, kind: Kind = "pca", seed: int = 0) -> LearnedDistance:
    """Learn a distance from recipes X (n x d, unit cube) and their outcomes Y (n x p); deterministic.

    After DeLeNox (Liapis et al., Proc. ICCC 2013; arXiv 2103.11715), which alternates between a search for
    the novel under a distance and learning the distance from all that was found. There a denoising
    autoencoder compresses thousands of artefacts; a lab has tens, so principal components are the default,
    and the autoencoder has one narrow hidden layer between two of its own. Recipes and outcomes have the
    same weight in all, however many columns each has.

    Raises:
        ValueError: there are fewer than 3 artefacts, X and Y differ in length, or a value is not finite.
    """
    X, Y = np.asarray(X, dtype=np.float64), np.asarray(Y, dtype=np.float64)
    if len(X) != len(Y) or len(X) < 3:  # noqa: PLR2004 - two artefacts have one distance, which is then 1
        raise ValueError(
            f"{len(X)} recipes and {len(Y)} outcomes; a distance is learned from 3 pairs or more"
        )
    if not np.isfinite(X).all():
        raise ValueError("a recipe is not finite")
    recipes, outcomes = _spread(X), Scale.of(Y)
    artefacts = _side_by_side(recipes, outcomes, X, Y)
    with one_thread():
        components = _components(artefacts)
        layers: Layers = ((components, np.zeros(components.shape[1])),)
        if kind == "autoencoder":
            layers = _autoencoder(artefacts, components.shape[1], seed)
        unscaled = LearnedDistance(recipes, outcomes, layers, 1.0)
        typical = float(np.median(pdist(unscaled.embed(X, Y))))
    return LearnedDistance(recipes, outcomes, layers, typical if typical > 0.0 else 1.0)


def rank_drift(old: Array, new: Array) -> float:
    """Spearman correlation of the archive's novelties under two distances: 1 is no drift, 0 a new ranking.

    Args:
        old: (n x m) points of the archive under the old distance.
        new: (n x l) points of the same archive under the new one.

    NaN where either ranks nothing, because all artefacts are equally novel.
    """
    a, b = (rankdata(leave_one_out_distances(np.asarray(points))) for points in (old, new))
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0.0 else float("nan")


def _spread(X: Array) -> Scale:
    """Mean and sd of each column; a column that does not vary keeps its unit."""
    sd = X.std(axis=0)
    return Scale(X.mean(axis=0), np.where(sd > 1e-12, sd, 1.0))  # noqa: PLR2004 - the rounding of equal rows


def _side_by_side(recipes: Scale, outcomes: Scale, X: Array, Y: Array) -> Array:
    """Standardised artefacts (q x (d + p)), each of the two blocks with a total variance near 1.

    An outcome many widths out is brought nearer by an arcsinh, lest it be the only component.
    """
    A, B = recipes.standardised(X), np.arcsinh(outcomes.standardised(Y))
    return np.hstack([A / np.sqrt(A.shape[1]), B / np.sqrt(B.shape[1])])


def _components(artefacts: Array) -> Array:
    """Principal directions (columns) that hold most of the variance; their signs do not matter here."""
    _, singular, directions = np.linalg.svd(artefacts - artefacts.mean(axis=0), full_matrices=False)
    held = np.cumsum(singular**2)
    if held[-1] <= 0.0:
        return np.eye(artefacts.shape[1])
    count = int(np.searchsorted(held, KEPT_VARIANCE * held[-1])) + 1
    return np.asarray(directions[:count].T, dtype=np.float64)


def _autoencoder(artefacts: Array, width: int, seed: int) -> Layers:
    """Weights of the encoding half of a denoising autoencoder with `width` numbers at its neck."""
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415  a second to load
    from sklearn.neural_network import MLPRegressor  # noqa: PLC0415

    rng = np.random.default_rng(seed)
    clean = np.tile(artefacts, (COPIES, 1))
    noisy = clean + DENOISING * artefacts.std(axis=0) * rng.standard_normal(clean.shape)
    side = 2 * artefacts.shape[1]
    network = MLPRegressor(
        hidden_layer_sizes=(side, width, side),
        activation="tanh",
        solver="lbfgs",
        alpha=PENALTY,
        max_iter=STEPS,
        random_state=seed,
    )
    with warnings.catch_warnings():
        # A fixed number of steps is the bargain: the neck need not be perfect, only the same each time.
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(noisy, clean)
    halves = zip(network.coefs_[:2], network.intercepts_[:2], strict=True)
    return tuple((np.asarray(weights), np.asarray(offset)) for weights, offset in halves)
