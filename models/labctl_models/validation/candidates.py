"""The candidates of a race: what runs by default, for numbers and for classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from labctl_models.surrogates.classes import ForestOfLabels, LogisticRidge, Majority, NearestLabel
from labctl_models.surrogates.gp import GaussianProcess
from labctl_models.surrogates.gp_isotropic import IsotropicGaussianProcess
from labctl_models.surrogates.mean import TrainingMean
from labctl_models.surrogates.mechanistic import MechanisticGaussianProcess
from labctl_models.surrogates.nearest import NearestNeighbour
from labctl_models.surrogates.ridge import Ridge
from labctl_models.surrogates.trees import Forest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labctl_models.surrogates.basis import Law
    from labctl_models.surrogates.classes import Classifier
    from labctl_models.surrogates.protocol import Array, Surrogate
    from labctl_models.validation.heldout import Task

MEAN, NEAREST, STACK = "mean", "nearest", "stack"
MOST_ROWS_OF_A_GP = 1_500
SMALLEST_SD_SHARE = 1e-6


@dataclass(frozen=True, slots=True)
class Candidate:
    """One entry of a race.

    Attributes:
        name: Unique in the race.
        maker: A surrogate for numbers, or a classifier for classes.
        baseline: Whether it is never dropped and never called best.
        most_rows: With more rows than this it is passed over; None for any number.
    """

    name: str
    maker: Surrogate | Classifier
    baseline: bool = False
    most_rows: int | None = None


def default_candidates(law: Law | None = None) -> tuple[Candidate, ...]:
    """The candidates for numbers, cheapest first; with a law also the Gaussian process about it.

    The stack is made of them by the race itself. Gaussian processes are searched from one place a fold,
    and are passed over beyond 1,500 rows, where one fit takes a minute.
    """
    mechanistic = () if law is None else (_gp("gp-mechanistic", MechanisticGaussianProcess(law, starts=1)),)
    return (
        Candidate(MEAN, TrainingMean(), baseline=True),
        Candidate(NEAREST, NearestNeighbour(), baseline=True),
        Candidate("ridge", Ridge()),
        _gp("gp-isotropic", IsotropicGaussianProcess()),
        Candidate("extra-trees", Forest("extra-trees")),
        Candidate("random-forest", Forest("random-forest")),
        _gp("gp-ard", GaussianProcess(starts=1)),
        *mechanistic,
    )


def default_classifiers() -> tuple[Candidate, ...]:
    """The candidates for classes, cheapest first; "mean" is the shares of the classes, hence the majority."""
    return (
        Candidate(MEAN, Majority(), baseline=True),
        Candidate(NEAREST, NearestLabel(), baseline=True),
        Candidate("logistic-ridge", LogisticRidge()),
        Candidate("extra-trees", ForestOfLabels("extra-trees")),
        Candidate("random-forest", ForestOfLabels("random-forest")),
    )


def _gp(name: str, maker: Surrogate) -> Candidate:
    return Candidate(name, maker, most_rows=MOST_ROWS_OF_A_GP)


def fit_and_predict(
    candidate: Candidate, task: Task, X: Array, fold: tuple[NDArray[np.intp], NDArray[np.intp]], seed: int
) -> tuple[Array, Array, Array | None]:
    """Mean, sd and probability of the test rows of a fold by a model fitted to its training rows.

    The sd is that of a reading: belief about the response and noise together, kept above a millionth of the
    spread of y, since a model that claims certainty could not be scored.

    Raises:
        ValueError: a prediction is not finite, or the candidate refuses the rows.
    """
    train, test = fold
    if task.classes:
        classifier = cast("Classifier", candidate.maker)
        known = classifier.fit(X[train], task.labels[train], classes=task.classes, seed=seed)
        probability = np.asarray(known.probability(X[test]), dtype=np.float64)
        if probability.shape != (len(test), task.classes) or not np.isfinite(probability).all():
            raise ValueError("it gave no finite probability for every class")
        label = probability.argmax(axis=1).astype(np.float64)
        return label, 1.0 - probability.max(axis=1), probability
    fitted = cast("Surrogate", candidate.maker).fit(X[train], task.y[train], seed=seed)
    belief = fitted.predict(X[test])
    sd = np.sqrt(belief.sd**2 + fitted.noise_sd**2)
    if not (np.isfinite(belief.mean).all() and np.isfinite(sd).all()):
        raise ValueError("it gave a prediction that is not finite")
    return belief.mean, np.maximum(sd, SMALLEST_SD_SHARE * float(np.std(task.y))), None
