"""What is worth an experiment: no near twin of what was done, and nothing that hardly makes a sample."""

import numpy as np
from numpy.typing import NDArray

from labctl.space.narrowed import reached
from labctl.strategies.protocol import Situation

Floats = NDArray[np.float64]

TWIN = 0.01
"""Share of the range in which each setting may be drawn within which two recipes are one: what differs less
is a replicate."""
NEAR = 0.03
"""The same for a recipe that is expected to gain less than readings scatter."""
HARDLY = 0.2
"""Chance of a sample below which a recipe is not tried as long as there is another."""
_BLOCK = 4_000_000


def twins(situation: Situation, X: Floats, gains: Floats | None = None) -> NDArray[np.bool_]:
    """Which rows of X (n x d) are near twins of what was done or is under way; never of a pool.

    A replicate is worth having, but as one, declared and reckoned as such. Recipes that differ by a hair from
    the best one known look promising to every acquisition function, since nothing is known against them.

    Args:
        situation: what is known.
        X: in the unit cube.
        gains: by how much each is expected to beat the best (n,), in units of the readings' scatter.
    """
    done = situation.knowledge.X_done
    if situation.space.pool is not None or not len(done) or not len(X):
        return np.zeros(len(X), dtype=bool)
    reach = np.full(len(X), TWIN) if gains is None else np.where(gains < 1.0, NEAR, TWIN)
    box = situation.advised.box
    if box is not None and box is not situation.space:
        lower, upper = reached(situation.space, box)
        wide = np.where(upper > lower, upper - lower, 1.0)
        X, done = X / wide, done / wide
    nearest = np.empty(len(X))
    rows = max(1, _BLOCK // (len(done) * X.shape[1]))
    for begin in range(0, len(X), rows):
        block = X[begin : begin + rows]
        nearest[begin : begin + rows] = np.abs(block[:, None, :] - done[None]).max(axis=2).min(axis=1)
    return np.asarray(nearest < reach)


def hopeless(situation: Situation, X: Floats, *, risk: bool) -> NDArray[np.bool_]:
    """Which rows of X (n x d) hardly make a sample, as long as others do; none where the risk is taken.

    Weighing a gain by its chance is not enough: where little is left to gain elsewhere, the one recipe that
    is known to fail would be next. One time in twenty the risk is taken, so that no region stays closed.
    """
    chance = None if risk else situation.surrogates.chance(X)
    if chance is None or not (chance >= HARDLY).any():
        return np.zeros(len(X), dtype=bool)
    return np.asarray(chance < HARDLY)
