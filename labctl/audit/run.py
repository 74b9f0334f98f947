"""Runs the audit of a study, and keeps what it found beside what it could not look at."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labctl.audit.asked import Asked
from labctl.audit.gaps import Gap, gaps_of
from labctl.audit.prepare import Prepared, prepare
from labctl.audit.words import OF_THE_POOL, checked, not_asked, verdict
from labctl.scores import scored
from labctl.study import Study
from labctl.target import find_study

if TYPE_CHECKING:
    from labctl.view import View
    from labctl_models.audit.finding import Check, Finding
    from labctl_models.audit.hidden import Screen
    from labctl_models.audit.prospective import Watch

Floats = NDArray[np.float64]
Progress = Callable[[int, int, str], None]
"""Is told, before each step, its number, how many there are, and what is asked."""

FEWEST_PROSPECTIVE = 10
"""With fewer predictions written before their results, rows are judged by leaving each out instead."""
LONGEST_DETAIL = 100
_SMALL = 0.39
"""The severity of what is told without being held against the table."""
_MEDIAN_OF_CHI2 = 0.4549364
_SPREAD = "recipes spread evenly over the table's ranges"


@dataclass(frozen=True, eq=False)
class Audited:
    """What an audit found.

    Attributes:
        study: what was audited.
        view: of the campaign, where it is one.
        prepared: the table that the checks looked at, with its residuals.
        findings: the most severe first.
        fine: names of the checks that found nothing.
        not_applicable: name of each check that could say nothing -> why.
        gaps: the largest gaps among the candidates, the largest first.
        screen: the hidden-variable screen, or the reason why there is none.
        watched: how predictions fared that were written before their results; None where they are too few.
        seconds: processor time of each check.
        cpu_seconds: of the whole audit.
        seed: of everything that is drawn.
    """

    study: Study
    view: "View | None"
    prepared: Prepared
    findings: tuple["Finding", ...]
    fine: tuple[str, ...]
    not_applicable: dict[str, str]
    gaps: tuple[Gap, ...]
    screen: "Screen | str"
    watched: "Watch | None"
    seconds: dict[str, float]
    cpu_seconds: float
    seed: int

    def as_json(self) -> dict[str, Any]:
        """The audit as JSON values; lists in a finding's detail that only a plot needs are left out."""
        study = self.study
        level, sentence = verdict(self.findings, len(self.fine))
        screen = self.screen
        return {
            "target": study.name,
            "source": study.source,
            "goal": study.goal,
            "rows": len(study.y),
            "measured": int(study.measured.sum()),
            "failed": None if study.failed is None else int(study.failed.sum()),
            "verdict": level,
            "sentence": sentence,
            "findings": [_short(finding.as_json()) for finding in self.findings],
            "fine": list(self.fine),
            "not_applicable": [{"check": c, "reason": r} for c, r in self.not_applicable.items()],
            "hidden": {"looked_at": [], "reason": screen}
            if isinstance(screen, str)
            else {
                "looked_at": list(screen.fields),
                "found": list(screen.found),
                "rows": screen.n,
                "power": screen.power,
                "power_half": screen.power_half,
                "smallest_visible": screen.visible if np.isfinite(screen.visible) else None,
                "skipped": dict(screen.skipped),
            },
            "candidates": self.prepared.of_the_pool or None,
            "gaps": [gap.as_json() for gap in self.gaps],
            "notes": list(self.prepared.notes),
            "seed": self.seed,
            "cpu_seconds": round(self.cpu_seconds, 3),
            "seconds": {name: round(s, 4) for name, s in self.seconds.items()},
        }


def audit_target(
    target: str,
    goal: str | None,
    asked: Asked,
    folder: Path | None = None,
    *,
    seed: int,
    progress: Progress | None = None,
) -> Audited:
    """Audit whatever a person named: a campaign file, a CSV, a card, or a table of the catalogue.

    Raises:
        RequestError: it is none of these, an option does not fit, or there is nothing to audit.
    """
    began = time.process_time()
    path = Path(target)
    view = None
    if path.suffix in (".yaml", ".yml") and not path.name.endswith(".card.yaml"):
        from labctl.view import look  # noqa: PLC0415 - only for campaigns

        view = look(path, folder)
    study = find_study(target, goal=goal, folder=folder, every_row=True)
    others = () if view is not None else _measured_with(path, study.goal)
    found = audit_study(study, asked, seed=seed, view=view, outcomes=others, progress=progress)
    return replace(found, cpu_seconds=time.process_time() - began)


def audit_study(
    study: Study,
    asked: Asked | None = None,
    *,
    seed: int,
    view: "View | None" = None,
    outcomes: Sequence[str] = (),
    progress: Progress | None = None,
) -> Audited:
    """Audit a study: every check on the table it makes, findings ranked by how much they can hurt.

    Args:
        study: of a table or a campaign, with every row of it.
        asked: what a person said beside it.
        seed: of everything that is drawn; the same seed gives the same findings.
        view: of the campaign, whose predictions are scored against the results that came after them.
        outcomes: columns that were measured with the goal.
        progress: see `audit_target`.

    Raises:
        RequestError: there is nothing to audit, or an option names something the table does not have.
    """
    from labctl.audit.extra import (  # noqa: PLC0415 - scipy takes a moment
        CalibrationCheck,
        ComputedCheck,
        KnownZerosCheck,
        UnstatedRateCheck,
    )
    from labctl_models.audit.residuals import with_residuals  # noqa: PLC0415 - scipy takes a moment
    from labctl_models.audit.run import DEFAULT, RESIDUALS, audit  # noqa: PLC0415
    from labctl_models.threads import one_thread  # noqa: PLC0415

    began = time.process_time()
    results = np.empty((0, 3)) if view is None else _scored(view)
    prepared = prepare(study, asked or Asked(), seed=seed, z=_prospective(study, view), outcomes=outcomes)
    calibration = CalibrationCheck(results)
    computed = ComputedCheck(prepared.computed, study.goal)
    checks: list[Check] = [*DEFAULT, computed, KnownZerosCheck(), UnstatedRateCheck()]
    if view is not None:
        checks.append(calibration)
    told = _counting(progress, 1 + len(checks))
    told(RESIDUALS)
    with one_thread():
        # The page shows the residuals, so they are made here and not thrown away with the checks.
        fitted = time.process_time()
        prepared = replace(prepared, table=with_residuals(prepared.table, seed=seed))
        spent = time.process_time() - fitted
    found = audit(prepared.table, seed=seed, checks=checks, progress=told)
    loud = {finding.id for finding in found.findings}
    fine = [
        check.name
        for check in checks
        if check.name not in found.not_applicable and not any(_is_of(one, check.name) for one in loud)
    ]
    return Audited(
        study=study,
        view=view,
        prepared=prepared,
        findings=tuple(_ranked([_named(finding, study, prepared) for finding in found.findings])),
        fine=tuple(fine),
        not_applicable={
            name: not_asked(name, reason, prepared.why_no_pool)
            for name, reason in found.not_applicable.items()
        },
        gaps=gaps_of(prepared),
        screen=_screened(prepared, seed),
        watched=None if view is None else calibration.watched(),
        seconds={**found.seconds, "residuals": spent},
        cpu_seconds=time.process_time() - began,
        seed=seed,
    )


def _counting(progress: Progress | None, count: int) -> Callable[[str], None]:
    """Tells of each step once, with its number and in words."""
    seen: list[str] = []

    def tell(name: str) -> None:
        if progress is not None and name not in seen:
            seen.append(name)
            progress(len(seen), count, checked(name))

    return tell


def _measured_with(path: Path, goal: str) -> tuple[str, ...]:
    """What a card says was measured beside the goal; nothing for a table without a card."""
    if path.suffix.lower() in (".csv", ".tsv", ".txt"):
        return ()
    from labctl.datasets import load_card  # noqa: PLC0415 - only for tables with a card

    return tuple(name for name in load_card(str(path), Path()).with_role("objective") if name != goal)


def _is_of(finding: str, check: str) -> bool:
    """Whether a finding's id comes from the check of this name; a few ids are the name with a suffix."""
    return finding == check or finding.startswith((f"{check}:", f"{check}_"))


def _ranked(findings: list["Finding"]) -> list["Finding"]:
    return sorted(findings, key=lambda finding: (-finding.severity, finding.id))


def _named(finding: "Finding", study: Study, prepared: Prepared) -> "Finding":
    """The finding with the goal's own name where the checks only know an outcome."""
    if prepared.made_up and _of_the_pool(finding):
        # Recipes spread evenly are only one idea of what might be tried, and no table owes them anything.
        finding = replace(
            finding,
            severity=min(finding.severity, _SMALL),
            title=finding.title.replace("the candidates", _SPREAD).replace(
                "from candidates", f"from {_SPREAD}"
            ),
            meaning=f"{finding.meaning} Nobody named recipes that could be made next (--candidates "
            "POOL.csv), so these were spread evenly over the ranges of the table, and this stays a small "
            "remark.",
        )
    title, prefix = finding.title, "outcome: "
    if title.startswith(prefix):
        title = f"{study.goal}: {title.removeprefix(prefix)}"
    if finding.id == "selection.no_failures" and len(study.classes) == 1:
        title = f"Every one of the {len(study.y):,} rows has {study.goal} = {study.classes[0]}"
    if finding.id == "anomalies.outcomes":
        rows = np.asarray(finding.detail["rows"])
        title = title.replace(f"row {int(rows[0]) + 1} ", f"{study.ids[int(rows[0])]} ")
    return replace(finding, id=finding.id.replace(":outcome", f":{study.goal}"), title=title)


def _of_the_pool(finding: "Finding") -> bool:
    """Whether a finding compares the table with candidates."""
    estimated = str(finding.detail.get("source", "")).startswith("estimated")
    return finding.id in OF_THE_POOL or (finding.id == "selection.success_share" and estimated)


def _scored(view: "View") -> Floats:
    """Result, predicted mean and sd of a reading (t x 3) of every result that had a prediction."""
    rows = [
        (s.measured, s.predicted.mean, s.predicted.measurement_sd) for s in scored(view.config, view.state)
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


def _prospective(study: Study, view: "View | None") -> Floats | None:
    """Scores z of predictions that were written before their results; None where they are too few.

    They are divided by their typical size: a surrogate that is too sure of itself everywhere is told
    elsewhere, and makes no single result a surprise.
    """
    if view is None:
        return None
    by_id = {s.experiment.id: s.z for s in scored(view.config, view.state)}
    z = np.array([by_id.get(name, np.nan) for name in study.ids])
    known = np.isfinite(z)
    if known.sum() < FEWEST_PROSPECTIVE:
        return None
    return np.asarray(z / max(1.0, float(np.sqrt(np.median(z[known] ** 2) / _MEDIAN_OF_CHI2))))


def _screened(prepared: Prepared, seed: int) -> "Screen | str":
    """The hidden-variable screen with all it looked at, for the page; or why there is none."""
    from labctl_models.audit.finding import NotApplicableError  # noqa: PLC0415
    from labctl_models.audit.hidden import HiddenVariableCheck  # noqa: PLC0415
    from labctl_models.audit.run import WHY_NOT, stream  # noqa: PLC0415

    check = HiddenVariableCheck()
    if prepared.table.residuals is None:
        return WHY_NOT["residuals"]
    try:
        # With the seed that the check itself was given, so that page and findings say the same.
        return check.screened(prepared.table, seed=stream(seed, check.name))
    except NotApplicableError as reason:
        return str(reason)


def _short(finding: dict[str, Any]) -> dict[str, Any]:
    detail = finding["detail"]
    kept = {k: v for k, v in detail.items() if not isinstance(v, list) or len(v) <= LONGEST_DETAIL}
    return {**finding, "detail": kept}
