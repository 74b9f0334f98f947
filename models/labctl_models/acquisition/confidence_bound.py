"""Upper confidence bound: how good a recipe may well be."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from labctl_models.surrogates.protocol import Array

USUAL_BETA = 4.0
"""Two standard deviations: about the upper end of the interval of 95 %."""


def upper_confidence_bound(mean: Array, sd: Array, *, beta: float = USUAL_BETA) -> Array:
    """The bound mean + √beta · sd (q,), for mean and sd (q,) of the response.

    Cox and John, SDO: a statistical method for global optimization (1997); in this form Srinivas, Krause,
    Kakade and Seeger, ICML 2010. With beta = 0 it is the greed for the best mean.

    Raises:
        ValueError: beta is negative or not a number.
    """
    if not beta >= 0.0:
        raise ValueError(f"beta is {beta}; it weighs the uncertainty and must be 0 or more")
    mean, sd = np.asarray(mean, dtype=np.float64), np.asarray(sd, dtype=np.float64)
    return np.asarray(mean + math.sqrt(beta) * sd, dtype=np.float64)


def safe_beta(recipes: int, step: int, *, doubt: float = 0.1) -> float:
    """The beta at which, with probability 1 - doubt, no bound of a pool of recipes is ever exceeded.

    beta = 2 log(N t² π² / (6 doubt)) at step t = 1, 2, ...; theorem 1 of Srinivas et al., ICML 2010, under
    which the regret per step goes to 0. In practice it explores too much: their own experiments divide
    it by 5.

    Raises:
        ValueError: there are no recipes, the step is below 1, or the doubt is not between 0 and 1.
    """
    if recipes < 1 or step < 1 or not 0.0 < doubt < 1.0:
        raise ValueError("a safe beta needs at least 1 recipe, a step from 1 on, and a doubt between 0 and 1")
    return 2.0 * math.log(recipes * step**2 * math.pi**2 / (6.0 * doubt))
