"""From scores of candidates to a choice, for strategies that rank by one number of their own."""

import numpy as np
from numpy.typing import NDArray

from labctl.strategies.candidates import Candidates, candidates, finite, runners_up
from labctl.strategies.gain import best_known, lawful
from labctl.strategies.protocol import Choice, Situation
from labctl.strategies.surrogate import LEAST_RESULTS
from labctl.strategies.worthwhile import twins

Floats = NDArray[np.float64]

_ALTERNATIVES = 3


def promising(situation: Situation) -> Candidates | None:
    """Candidates that may be chosen by a prediction of the goal; None as long as there are too few results.

    Those that the verdict on the surrogate allows, and that rather keep the limits on outcomes than not.
    """
    known = situation.knowledge.results[situation.goal]
    if len(known.y) < LEAST_RESULTS:
        return None
    among = candidates(situation, near=best_known(situation))
    if not len(among):
        return None
    kept = situation.within_trust(among.X) & lawful(situation, among.X) & ~twins(situation, among.X)
    return among.only(np.flatnonzero(kept)) if kept.any() else None


def choose(
    situation: Situation, among: Candidates, scores: Floats, acquisition: str, what: str
) -> Choice | None:
    """The allowed candidate with the highest score (n,), its runners-up, and what is expected of it."""
    rows = among.best(scores, situation.allowed, 1 + _ALTERNATIVES)
    if not rows:
        return None
    expected = situation.surrogates.predict(among.X[rows[:1]])[0][situation.goal]
    others = runners_up(among, rows[1:], scores)
    because = f"expected {expected.mean:.4g} ± {expected.sd:.2g}; {what}"
    return Choice(among.recipe(rows[0]), because, acquisition, finite(scores[rows[0]]), others)
