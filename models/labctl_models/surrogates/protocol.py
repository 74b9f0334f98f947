"""What any surrogate must do; write these few methods and every acquisition function works with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl_models.card import Card, Hyperparameter

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Prediction:
    """Belief about the noise-free response at q recipes.

    Attributes:
        mean: (q,) expected response, in the units of y.
        sd: (q,) standard deviation of that response, without measurement noise, in the units of y.
            A new reading scatters by sqrt(sd**2 + noise_sd**2).
    """

    mean: Array
    sd: Array


class Fitted(Protocol):
    """A surrogate that has seen its data; it never changes afterwards."""

    @property
    def noise_sd(self) -> float:
        """Standard deviation of one measurement about the response, in the units of y."""
        ...

    @property
    def card(self) -> Card:
        """What this model is."""
        ...

    def predict(self, X: Array) -> Prediction:
        """Belief at the rows of X (q x d, unit cube), with memory that does not grow with q * n."""
        ...


@runtime_checkable
class Differentiable(Protocol):
    """A fitted surrogate that also knows its slopes; acquisition ascent uses them when they are there."""

    def predict_with_slopes(self, X: Array) -> tuple[Prediction, Array, Array]:
        """The prediction at X (q x d), then d mean / d x (q x d) and d sd / d x (q x d)."""
        ...


@runtime_checkable
class Averaged(Protocol):
    """A fitted surrogate that believes in several normals of equal weight; acquisition averages over them."""

    def components(self, X: Array) -> Prediction:
        """The members' beliefs at X (q x d): mean and sd are S x q for S members."""
        ...

    def components_with_slopes(self, X: Array) -> tuple[Prediction, Array, Array]:
        """The same, then d mean / d x and d sd / d x (both S x q x d); for few rows."""
        ...


class Surrogate(Protocol):
    """A recipe for fitting: holds settings, no data."""

    def fit(
        self, X: Array, y: Array, *, seed: int, start: Mapping[str, Hyperparameter] | None = None
    ) -> Fitted:
        """Fit X (n x d, unit cube) and y (n,), n >= 1; larger y is better.

        The same arguments give the same model. `start` holds the hyperparameters of an earlier card and
        may only make the fit quicker or better. Data that are merely awkward (constant, repeated, few)
        must not raise: the card's remarks say what was done instead.

        Raises:
            ValueError: X or y is empty, not finite, or of mismatched shape.
        """
        ...
