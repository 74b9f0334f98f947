"""Prospective calibration at work: predictions are widened when those written before were too sure."""

import numpy as np

from labctl.config import CampaignConfig
from labctl.scores import scored
from labctl.state import CampaignState

CALM = 25
"""So many of the last results decide on the factor, once enough of them came without another alarm."""
_FEWEST_CALM = 10


def widening(config: CampaignConfig, state: CampaignState) -> float:
    """By what factor predictions are widened, because those written before were too sure of themselves.

    1 until the anytime-valid alarm on the coverage of the goal's predictions. After an alarm the factor
    grows so that the past intervals would have covered as often as they promised, and later predictions,
    which are written with it, are watched anew. Once ten results came without another alarm, the
    last ``CALM`` results decide where they ask for less, those before the alarm among them at first: a
    surrogate that a few early results misled is not doubted for ever.
    """
    results = scored(config, state)
    if not results:
        return 1.0
    from labctl_models.audit.prospective import inflation, watch  # noqa: PLC0415 - scipy takes a moment to import

    factor, start = 1.0, 0
    while start < len(results):
        part = results[start:]
        y = np.array([s.measured for s in part])
        mean = np.array([s.predicted.mean for s in part])
        # As first said, times the factor of this stretch, whatever was written at the time.
        sd = np.array([max(s.predicted.measurement_sd / s.predicted.widened, 1e-300) for s in part])
        sd *= factor
        seen = watch(y, mean, sd)
        if seen.alarm_at is None:
            break
        told = watch(y[: seen.alarm_at], mean[: seen.alarm_at], sd[: seen.alarm_at])
        factor *= told.inflation
        start += seen.alarm_at
    calm = len(results) - start
    if factor > 1.0 and calm >= _FEWEST_CALM:
        latest = results[start:] if calm >= CALM else results[-CALM:]
        factor = min(factor, inflation(np.array([s.z * s.predicted.widened for s in latest])))
    return factor
