"""Calibration of a classifier's scores by a logistic line in their log-odds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

if TYPE_CHECKING:
    from labctl_models.surrogates.protocol import Array

STEPS = 30
SETTLED = 1e-8
RIDGE = 1e-3
"""Keeps the line finite where the classes do not overlap; a thousandth of a row's worth."""
LONGEST_STEP = 4.0


def platt(x: Array, y: Array, weights: Array) -> Array:
    """Lines (b x 2: height, slope) that give classes y (n, 0 or 1) by log-odds x (n,), with weights (b x n).

    Maximum likelihood by Newton's steps; Platt, Advances in Large Margin Classifiers (1999). A slope of 1
    at height 0 says that the scores were calibrated already, a slope of 0 that they say nothing.
    """
    # From a flat line in log-odds of about 1, where every step is sound; a steep start may never return.
    unit = max(float(np.abs(x).mean()), np.finfo(np.float64).tiny)
    x = x / unit
    line = np.zeros((len(weights), 2))
    for _ in range(STEPS):
        p = expit(line[:, :1] + line[:, 1:] * x)
        off, curve = weights * (y - p), weights * p * (1.0 - p)
        up = np.column_stack([off.sum(axis=1), off @ x])
        a, b, c = curve.sum(axis=1) + RIDGE, curve @ x, curve @ (x * x) + RIDGE
        step = np.column_stack([c * up[:, 0] - b * up[:, 1], a * up[:, 1] - b * up[:, 0]])
        step = np.clip(step / (a * c - b * b)[:, None], -LONGEST_STEP, LONGEST_STEP)
        line = line + step
        if float(np.abs(step).max()) < SETTLED:
            break
    return np.asarray(line / [1.0, unit], dtype=np.float64)


def calibrated(line: Array, x: Array) -> Array:
    """Probability (b x n) of class 1 at log-odds x (n,) by lines (b x 2)."""
    return np.asarray(expit(line[:, :1] + line[:, 1:] * x), dtype=np.float64)
