"""Puts a validation's page together, in the looks of a campaign's report, as one text that loads nothing."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from labctl.report.look import FAILED_DARK, FAILED_LIGHT, number, pretty_unit
from labctl.report.shell import as_json, plotly_bundle, policy_of, script, style, template
from labctl.validate import figures, maps, words
from labctl.validate.checked import Checked

OWN_TEMPLATES = Path(__file__).parent / "templates"
NEAR, FAR, OTHER = ("#0072b2", "#56b4e9"), (FAILED_LIGHT, FAILED_DARK), ("#7a5195", "#c3a0dd")
# Okabe and Ito's colours and three more that differ from them in lightness; shapes say the same again.
CLUSTERS = (
    ("#0072b2", "#56b4e9"),
    ("#d55e00", "#ff7a29"),
    ("#009e73", "#2ec79a"),
    ("#cc79a7", "#e08fbd"),
    ("#a07800", "#f0e442"),
    ("#4b3f72", "#b8a9e8"),
    ("#56b4e9", "#9fd8ff"),
    ("#8a8f98", "#9aa1ac"),
    ("#7b3f00", "#c98a4b"),
    ("#e69f00", "#e69f00"),
)
_SIGNS = {"trusted": "yes", "interpolation only": "partly", "lookup table": "no", "undecided": "partly"}


def page(checked: Checked) -> str:
    """A validation's page as HTML."""
    drawn = _figures(checked)
    goal = checked.study.goal_in_words
    data = {"figures": drawn, "goal": goal, "objectives": [{"name": goal, "unit": checked.study.unit}]}
    scripts = script("words.js", "charts.js")
    return template(OWN_TEMPLATES, "validate.html").render(
        checked=checked,
        found=checked.found,
        study=checked.study,
        words=words,
        sign=_SIGNS[checked.level],
        bars=_bars(checked),
        drawn=drawn,
        scores=_score_table(checked),
        confusions=_confusions(checked),
        calibrations=_calibration_table(checked),
        constants=_constants(checked),
        splits=_split_table(checked),
        shown=maps.shown_split(checked),
        shapes=list(zip(CLUSTERS, maps.CLUSTER_SHAPES, strict=True)),
        colours={"near": NEAR, "far": FAR, "other": OTHER, "failed": FAR},
        data=as_json(data | {"parameters": [], "rows": []}),
        style=style() + (OWN_TEMPLATES / "validate.css").read_text("utf-8"),
        plotly=plotly_bundle(),
        script=scripts,
        policy=policy_of(plotly_bundle(), scripts),
    )


def _figures(checked: Checked) -> dict[str, Any]:
    """The figures that there is something for."""
    drawn: dict[str, Any] = {}
    if words.regions(checked):
        drawn |= {"dumbbell": figures.dumbbell(checked), "by-k": figures.by_k(checked)}
    if checked.found.calibration:
        drawn["calibration"] = figures.calibration(checked)
    drawn |= maps.parity(checked)
    more = {
        "map": maps.cluster_map(checked),
        "sanity": figures.sanity(checked),
        "others": figures.others(checked),
    }
    return drawn | {name: figure for name, figure in more.items() if figure is not None}


def _bars(checked: Checked) -> list[dict[str, Any]]:
    """The three errors that say it all, as bars: near, far, and knowing nothing."""
    evidence, best = checked.found.verdict.evidence, checked.found.best
    if best is None or "error_shuffled" not in evidence:
        return []
    name = words.name_of(best, classes=bool(checked.found.classes))
    far = [("far", "asked about a region it has not seen", name, evidence["error_loco"])]
    parts = [
        ("near", "asked about recipes like those it knows", name, evidence["error_shuffled"]),
        *(far if words.regions(checked) else []),
        (
            "copying",
            "copying the nearest recipe, same question" if words.regions(checked) else "copying the nearest",
            "no model",
            evidence["error_nearest_loco"],
        ),
        (
            "nothing",
            "knowing nothing",
            words.name_of("mean", classes=bool(checked.found.classes)),
            evidence["error_mean_loco"],
        ),
    ]
    most = max(value for *_, value in parts) or 1.0
    return [
        {
            "kind": k,
            "what": w,
            "who": n,
            "text": words.with_unit(checked, v),
            "width": round(100 * v / most, 2),
        }
        for k, w, n, v in parts
    ]


def _score_table(checked: Checked) -> dict[str, Any]:
    """Every candidate with its scores, the best on held-out clusters first."""
    classes = bool(checked.found.classes)
    keys = (
        (("balanced_accuracy", "balanced accuracy"), ("mcc", "MCC"), ("pr_auc", "PR-AUC"))
        if classes
        else (("mae", "MAE"), ("rmse", "RMSE"), ("r2", "R²"), ("spearman", "rank corr."))
    )
    reports = sorted(checked.found.candidates, key=lambda r: r.loco.over_clusters if r.loco else math.inf)
    rows = []
    for r in reports:
        cells = [
            _cell(s.numbers.get(key), of_unit=key in ("mae", "rmse")) if s else ""
            for key, _ in keys
            for s in (r.shuffled, r.loco)
        ]
        rows.append(
            {
                "name": words.name_of(r.name, classes=classes),
                "id": r.name,
                "best": r.name == checked.found.best,
                "baseline": r.baseline,
                "status": r.status if r.status != "finished" else "",
                "reason": r.reason,
                "error": words.with_unit(checked, r.loco.over_clusters) if r.loco else "–",
                "cells": cells,
                "worst": _worst(checked, r.loco.worst) if r.loco else "–",
                "worst_fold": r.loco.worst_fold if r.loco else "",
                "cpu": f"{r.cpu_s:.2f}" if r.cpu_s < 10 else f"{r.cpu_s:.0f}",  # noqa: PLR2004 - digits
            }
        )
    majority = next((r.shuffled.numbers["majority_rate"] for r in reports if classes and r.shuffled), None)
    return {"keys": [label for _, label in keys], "rows": rows, "majority": majority}


def _cell(value: float | None, *, of_unit: bool = True) -> str:
    if value is None or not math.isfinite(value):
        return "–"
    return number(float(f"{value:.3g}")) if of_unit else f"{round(value, 2) + 0.0:.2f}".replace("-", "−")


def _worst(checked: Checked, error: float) -> str:
    """Error of the worst cluster; of classes weighted as in the whole table, so it may lie above 1."""
    return f"{error:.2f}" if checked.found.classes else words.with_unit(checked, error)


def _confusions(checked: Checked) -> list[dict[str, Any]]:
    """For classes: what was measured against what was predicted, near and far."""
    entry, classes = checked.entry(checked.found.best), checked.found.classes
    if entry is None or not classes:
        return []
    y = checked.study.y[checked.rows]
    present = np.unique(y)
    truth = np.searchsorted(present, y)
    near = next((s for s in entry.held_out if s.kind == "shuffled"), None)
    tables = []
    for title, split in (
        ("rows held out at random", near),
        ("whole clusters held out", maps.shown_split(checked)),
    ):
        if split is not None:
            found = entry.held_out[split]
            counts = np.zeros((len(classes), len(classes)), dtype=int)
            np.add.at(counts, (truth[found.rows], found.mean.astype(int)), 1)
            totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
            rows = [
                (classes[i], [(int(c), round(float(c / totals[i, 0]), 3)) for c in counts[i]])
                for i in range(len(classes))
            ]
            tables.append({"title": title, "rows": rows})
    return tables


def _calibration_table(checked: Checked) -> list[tuple[str, list[str]]]:
    found = checked.found.calibration
    kinds = [kind for kind in ("shuffled", "loco") if kind in found]
    if not kinds:
        return []
    unit = pretty_unit(checked.study.unit)
    unit = f", {unit}" if unit else ""
    several = [found[kind] for kind in kinds]
    return [
        (
            "",
            [
                "rows held out at random" if kind == "shuffled" else "whole clusters held out"
                for kind in kinds
            ],
        ),
        (
            "errors over what was stated, rms(z), 95 % interval; 1 is honest",
            [f"{c.rms_z:.2f} ({c.rms_z_low:.2f} to {c.rms_z_high:.2f})" for c in several],
        ),
        (
            "area between the curve and honesty (an honest model stays below)",
            [f"{c.scores.miscalibration_area:.3f} ({c.area_null.upper:.3f})" for c in several],
        ),
        (
            "ENCE, error of the stated sizes (an honest model stays below)",
            [f"{c.ence:.2f} ({c.ence_null.upper:.2f})" for c in several],
        ),
        (f"sharpness: sd that is claimed{unit}", [_cell(c.scores.sharpness) for c in several]),
        (
            "log score: mean −log density of the results, lower is better",
            [_cell(c.scores.nll) for c in several],
        ),
        (f"CRPS, lower is better{unit}", [_cell(c.scores.crps) for c in several]),
        (
            f"half width that holds 90 % of results (conformal){unit}",
            [_cell(c.half_width_90) for c in several],
        ),
    ]


def _constants(checked: Checked) -> list[dict[str, str]]:
    def belief(of: tuple[float, float] | None) -> str:
        return (
            "not fitted to so many rows" if of is None else f"{_cell(of[0])} ± {_cell(float(f'{of[1]:.2g}'))}"
        )

    return [
        {"name": c.name, "unit": pretty_unit(c.unit), "alone": belief(c.alone), "beside": belief(c.beside)}
        for c in checked.constants
    ]


def _split_table(checked: Checked) -> list[dict[str, Any]]:
    """Splits by kind: how many were made, accepted and reached."""
    missed = {id(split) for split in checked.found.missed}
    rows = []
    for kind in dict.fromkeys(split.kind for split in checked.found.splits):
        some = [split for split in checked.found.splits if split.kind == kind]
        accepted = [split for split in some if split.accepted]
        shares = [split.sanity.share for split in accepted if split.sanity]
        folds = sorted({split.k for split in some})
        rows.append(
            {
                "kind": words.kind_of(kind),
                "folds": f"{folds[0]}" if len(folds) == 1 else f"{folds[0]} to {folds[-1]}",
                "made": len(some),
                "accepted": len(accepted),
                "reached": sum(id(split) not in missed for split in accepted),
                "share": "" if not shares else f"{np.mean(shares):.0%}".replace("%", " %"),
            }
        )
    return rows
