"""The rate of success among candidates that nobody has tried, from the scores of a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logit, ndtr

from labctl_models.audit.finding import SIGNIFICANT, NotApplicableError
from labctl_models.audit.platt import calibrated, platt
from labctl_models.audit.statistics import CHUNK_ENTRIES, auc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labctl_models.audit.table import AuditTable
    from labctl_models.surrogates.protocol import Array

RESAMPLES = 999
HALVINGS = 40
FOLDS = 5
FEWEST_OF_EACH = 10
FEWEST_SCORES = 50
MOST_SCORES = 2000
WIDEST = 0.5
"""A wider 95 % interval says too little about a rate to be called an estimate."""
FARTHEST = 20.0


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate of success estimated from scores, with its 95 % bootstrap interval.

    `p` is the two-sided bootstrap probability that the rate is that of the table.
    """

    value: float
    low: float
    high: float
    p: float


def estimated_rate(scores: Array, *, trained_rate: float, seed: int, resamples: int = RESAMPLES) -> Rate:
    """Rate of success among m unlabelled candidates, from their scores (m,), taken to be calibrated.

    The maximum of the likelihood of Saerens, Latinne and Decaestecker, Neural Comput. 14, 21 (2002), which
    their expectation maximisation climbs. It has one maximum only, found here by halving an interval: the
    steps of the climb become too short to be told from none where scores say little.
    """
    odds = _log_odds(scores)
    rng = np.random.default_rng(seed)
    m = len(odds)
    weights = np.vstack([np.ones((1, m)), _resampled(rng, m, resamples)])
    return _summed_up(_most_likely(weights, expit(odds)[None, :], np.array([trained_rate])), trained_rate)


def shifted_rate(
    scores: Array, known: Array, success: Array, *, seed: int, resamples: int = RESAMPLES
) -> Rate:
    """The same from scores (m,) that may be wrong by a logistic line, told by those of rows with a result.

    `known` (n,) are scores of rows that the classifier had not seen and `success` (n,) what became of
    them. The line is drawn anew in every resample, so that the interval holds what n rows leave open.

    Raises:
        NotApplicableError: the scores do not tell successes from failures, the candidates differ from the
            table in more than their rate of success, or the interval is too wide to be an estimate.
    """
    x, own = _log_odds(scores), _log_odds(known)
    n, hits = len(own), int(success.sum())
    error = np.sqrt((n + 1) / (12 * hits * (n - hits)))
    if ndtr((0.5 - auc(own, success > 0)) / error) > SIGNIFICANT:
        raise NotApplicableError(
            "a classifier of this table cannot tell successes from failures that it has not seen, so its "
            "scores say nothing about how often candidates succeed"
        )
    rng = np.random.default_rng(seed)
    found, trained = [], []
    size = max(1, CHUNK_ENTRIES // max(n, len(x)))
    for begin in range(0, resamples + 1, size):
        count = min(size, resamples + 1 - begin)
        rows, candidates = _resampled(rng, n, count), _resampled(rng, len(x), count)
        if begin == 0:
            rows[0], candidates[0] = 1.0, 1.0
        share = np.clip(rows @ success / n, 0.5 / n, 1.0 - 0.5 / n)
        found.append(_most_likely(candidates, calibrated(platt(own, success, rows), x), share))
        trained.append(share)
    rates = np.concatenate(found)
    if _differ(x, own, success, float(rates[0])) <= SIGNIFICANT:
        raise NotApplicableError(
            "scores of the candidates are no mixture of those of the table's successes and failures, so "
            "the candidates differ in more than how often they succeed"
        )
    rate = _summed_up(rates, np.concatenate(trained))
    if rate.high - rate.low > WIDEST:
        raise NotApplicableError(
            f"the scores of the candidates allow any rate of success from {rate.low:.0%} to {rate.high:.0%}, "
            "which is no estimate"
        )
    return rate


def unseen_scores(table: AuditTable, *, seed: int) -> tuple[Array, Array, Array]:
    """Scores of the candidates, of rows with a result, and these results: what `shifted_rate` needs.

    Logistic regression in five folds that keep the rows of a recipe together. A candidate is scored by the
    model of a fold drawn at random, so that its score is made as a row's is, by a model that saw neither.

    Raises:
        NotApplicableError: there are too few candidates, or too few successes or failures.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415  takes a second to load

    from labctl_models.surrogates.classes import LogisticRidge  # noqa: PLC0415  the same

    rows = np.flatnonzero(np.isfinite(table.success))
    labels = table.success[rows].astype(np.intp)
    fewest = min(int(labels.sum()), int(len(labels) - labels.sum()))
    if table.pool is None or len(table.pool) < FEWEST_SCORES or fewest < FEWEST_OF_EACH:
        raise NotApplicableError(
            f"the true rate of success is not stated, and its estimate needs {FEWEST_SCORES} candidates and "
            f"{FEWEST_OF_EACH} rows of either kind"
        )
    rng = np.random.default_rng(seed)
    pool = table.pool
    pool = pool if len(pool) <= MOST_SCORES else pool[rng.choice(len(pool), MOST_SCORES, replace=False)]
    X, groups = table.X[rows], table.recipe_codes()[0][rows]
    own, scores = np.full(len(rows), np.nan), np.full(len(pool), np.nan)
    by = rng.integers(FOLDS, size=len(pool))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(X, labels, groups)
    for fold, (train, test) in enumerate(folds):
        fitted = LogisticRidge().fit(X[train], labels[train], classes=2, seed=seed)
        own[test] = fitted.probability(X[test])[:, 1]
        scores[by == fold] = fitted.probability(pool[by == fold])[:, 1]
    return scores, own, labels.astype(np.float64)


def _log_odds(scores: Array) -> Array:
    with np.errstate(divide="ignore"):
        odds = logit(np.asarray(scores, dtype=np.float64))
    return np.asarray(np.clip(odds, -FARTHEST, FARTHEST), dtype=np.float64)


def _resampled(rng: np.random.Generator, n: int, count: int) -> Array:
    """How often each of n rows is drawn in each of `count` resamples (count x n)."""
    return rng.multinomial(n, np.full(n, 1.0 / n), count).astype(np.float64)


def _most_likely(weights: Array, scores: Array, trained: Array) -> Array:
    """Most likely rate (b,) of candidates with weights (b x m) and calibrated scores (b or 1 x m)."""
    yes = scores / trained[:, None]
    no = (1.0 - scores) / (1.0 - trained[:, None])
    low, high = np.zeros(len(weights)), np.ones(len(weights))
    for _ in range(HALVINGS):
        rate = (low + high) / 2.0
        mixed = rate[:, None] * yes + (1.0 - rate[:, None]) * no
        # The likelihood is concave in the rate, hence its slope changes sign once.
        rising = np.sum(weights * (yes - no) / mixed, axis=1) > 0.0
        low, high = np.where(rising, rate, low), np.where(rising, high, rate)
    least = 0.5 / weights.shape[1]
    return np.clip((low + high) / 2.0, least, 1.0 - least)


def _summed_up(rates: Array, trained: Array | float) -> Rate:
    """The first rate, with the interval and the p of the others (b,)."""
    others, above = rates[1:], (rates - trained)[1:]
    if len(others) == 0:
        return Rate(float(rates[0]), float(rates[0]), float(rates[0]), 1.0)
    low, high = np.quantile(others, [0.025, 0.975])
    fewer = min(int(np.count_nonzero(above <= 0.0)), int(np.count_nonzero(above >= 0.0)))
    p = min(1.0, 2.0 * (1 + fewer) / (1 + len(others)))
    return Rate(float(rates[0]), float(low), float(high), p)


def _differ(x: Array, own: Array, success: Array, rate: float) -> float:
    """How likely so large a distance (Kolmogorov, Smirnov) of candidates and mixture is at this rate: p.

    Each part of the mixture counts as many rows as it has; the rate was fitted, which makes p too large,
    never too small.
    """
    from scipy.stats import kstwobign  # noqa: PLC0415  used here alone

    yes, no = np.sort(own[success > 0]), np.sort(own[success == 0])
    at = np.sort(np.concatenate([x, own]))

    def share(values: Array) -> NDArray[np.float64]:
        return np.searchsorted(values, at, side="right") / len(values)

    mixture = rate * share(yes) + (1.0 - rate) * share(no)
    distance = float(np.abs(mixture - share(np.sort(x))).max())
    size = 1.0 / (rate**2 / len(yes) + (1.0 - rate) ** 2 / len(no) + 1.0 / len(x))
    return float(kstwobign.sf(distance * np.sqrt(size)))
