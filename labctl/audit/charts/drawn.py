"""Which figure goes with which kind of finding."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from labctl.audit.charts import chosen, copies, labels, metadata, misses, reach, sample, values
from labctl.audit.charts.detail import Figure
from labctl.audit.run import Audited

if TYPE_CHECKING:
    from labctl_models.audit.finding import Finding

_DRAWN: dict[str, Callable[["Finding", Audited], Figure | None]] = {
    "domain.coverage": reach.far,
    "domain.leverage": reach.leverage,
    "domain.likeness": reach.apart,
    "domain.diversity": sample.worth,
    "selection.success_share": sample.corrected,
    "selection.rate_unknown": sample.corrected,
    "selection.no_failures": chosen.all_succeeded,
    "selection.popularity": chosen.popular,
    "labels.threshold": labels.sweep,
    "labels.conflicts": labels.repeats,
    "labels.threshold_unknown": copies.classes,
    "labels.copied_rows": copies.differences,
    "labels.zeros": values.spread_of,
    "labels.known_zeros": values.spread_of,
    "labels.rounding": values.digits,
    "labels.units": values.units,
    "metadata.completeness": metadata.filled,
    "metadata.missingness": metadata.gap_and_outcome,
    "metadata.cohort_effect": metadata.cohorts,
    "metadata.cohort_from_recipe": metadata.told,
    "duplicates.twins": sample.twins,
    "anomalies.outcomes": misses.surprises,
    "hidden.screen": misses.hidden,
    "predictions.calibration": misses.evidence,
}


def figure(finding: "Finding", audited: Audited) -> Figure | None:
    """The figure of a finding, or None where a picture would show no more than its number."""
    draw = _DRAWN.get(finding.id.split(":")[0])
    return None if draw is None else draw(finding, audited)
