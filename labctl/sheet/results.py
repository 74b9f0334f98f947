"""Records what a sheet says: every row is checked against its experiment before any is recorded."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.proposal import Outcome
from labctl.sheet.outcome import experiment_of, outcome_of
from labctl.sheet.read import read_rows
from labctl.state import Experiment

if TYPE_CHECKING:
    from labctl.campaign import Campaign


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of a sheet.

    Attributes:
        now: the experiments that were recorded from it.
        before: how many of its rows had been recorded already.
    """

    now: list[Experiment]
    before: int


def record_sheet(campaign: "Campaign", path: Path, *, by: str) -> Recorded:
    """Record every filled-in row of a sheet; rows without a result are left for later.

    Everything is checked before anything is recorded. A row that was recorded already with the same
    content is passed over, so that a growing sheet can be read again and again. A setting that a person
    changed is recorded as what was really done, and makes the result ``off_recipe``.

    Args:
        campaign: open for work.
        path: the sheet, also as Excel saves it (semicolons, decimal commas).
        by: who says so, where the sheet does not.

    Raises:
        RequestError: in one sentence with file, line and column; nothing was recorded.
    """
    rows = read_rows(path, campaign.config)
    filled, seen = list[tuple[str, Outcome]](), dict[str, int]()
    for row in rows:
        if not row.filled:
            continue
        experiment = experiment_of(row, campaign)
        if experiment.id in seen:
            raise row.wrong(
                "experiment", f"{experiment.id} stands on line {seen[experiment.id]} too; keep one"
            )
        seen[experiment.id] = row.line
        outcome = outcome_of(row, experiment, campaign, by)
        if experiment.outcome is None:
            filled.append((experiment.id, outcome))
        elif not _same(experiment.outcome, outcome):
            raise row.wrong(
                "experiment", f"{experiment.id} was recorded with another result, which stays; empty this row"
            )
    return Recorded(
        [_record(campaign, experiment, outcome) for experiment, outcome in filled], len(seen) - len(filled)
    )


def _same(before: Outcome, now: Outcome) -> bool:
    parts = ("status", "kind", "message", "values", "bounds", "actual")
    return all(getattr(before, part) == getattr(now, part) for part in parts)


def _record(campaign: "Campaign", experiment: str, outcome: Outcome) -> Experiment:
    return campaign.record(
        experiment,
        outcome.values,
        failed=None if outcome.kind is None else outcome.kind.value,
        message=outcome.message,
        actual=outcome.actual,
        bounds=outcome.bounds,
        by=outcome.source,
    )
