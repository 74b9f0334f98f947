"""The largest gaps of a table: candidates that lie farthest from everything tried and from each other."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from labctl.audit.prepare import Prepared
from labctl_drivers.protocol import Recipe


@dataclass(frozen=True, slots=True)
class Gap:
    """One gap.

    Attributes:
        recipe: the candidate in its middle.
        row: of it in the pool.
        times: how many times as far it lies from the nearest row as rows lie from each other.
    """

    recipe: Recipe
    row: int
    times: float

    def as_json(self) -> dict[str, Any]:
        """The gap as JSON values."""
        return {"recipe": dict(self.recipe), "times_as_far": round(self.times, 4)}


def gaps_of(prepared: Prepared) -> tuple[Gap, ...]:
    """At most twenty gaps, the largest first; none where there are no candidates or all lie near the rows."""
    from labctl_models.audit.domain import coverage, pca_map  # noqa: PLC0415 - scipy takes a moment
    from labctl_models.audit.finding import NotApplicableError  # noqa: PLC0415

    table, pool = prepared.table, prepared.pool
    if table.pool is None or pool is None or len(pool) == 0:
        return ()
    chart = pca_map(table.X)
    try:
        found = coverage(chart.scores, chart.place(table.pool))
    except NotApplicableError:
        return ()
    times = found.distance[found.gaps] / max(found.radius, float(np.finfo(np.float64).tiny))
    return tuple(
        Gap(pool[row], row, float(far))
        for row, far in zip(found.gaps.tolist(), times.tolist(), strict=True)
        if np.isfinite(far)
    )
