"""Puts an audit's page together, in the looks of a campaign's report, as one text that loads nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labctl.audit import charts, words
from labctl.audit import map as area
from labctl.audit.repairs import SHARES, Repair, out_of_reach
from labctl.audit.run import Audited
from labctl.files import write_whole
from labctl.report.look import FAILED_DARK, FAILED_LIGHT, number, pretty_unit
from labctl.report.shell import as_json, plotly_bundle, policy_of, script, style, template
from labctl.strategy import code_version
from labctl_drivers.protocol import Recipe

if TYPE_CHECKING:
    from labctl_models.audit.finding import Finding

OWN_TEMPLATES = Path(__file__).parent / "templates"

SIGNS = {"high": "▲", "medium": "◆", "low": "●"}
"""Severity has a shape and a word besides its colour."""
_SHOWN_SETTINGS = 6
_EXAMPLES = 6
_LONG = 60
_FEW_BARS = 3
_A_SHARE = (
    "domain.coverage",
    "domain.likeness",
    "selection.success_share",
    "selection.rate_unknown",
    "metadata.completeness",
    "duplicates.twins",
    "labels.threshold",
    "metadata.cohort_from_recipe",
    "selection.popularity",
    "labels.rounding",
    "domain.leverage",
    "predictions.calibration",
    "metadata.cohort_effect",
    "metadata.missingness",
    "domain.diversity",
)


def write_page(audited: Audited, found: list[Repair], path: Path) -> None:
    """Write an audit's page: one HTML file that loads nothing from anywhere.

    Raises:
        RequestError: the file cannot be written.
    """
    write_whole(path, page(audited, found))


def page(audited: Audited, found: list[Repair]) -> str:
    """An audit's page as HTML, with the experiments that would repair what was found."""
    study = audited.study
    drawn: dict[str, Any] = {}
    the_map = area.chart(audited)
    if the_map is not None:
        drawn["map"] = the_map
    cards = [_card(i, finding, audited, drawn) for i, finding in enumerate(audited.findings)]
    grave = [card for card in cards if card["level"] != "low"]
    # One card in full for each question; what else it found is folded away.
    first = list({card["question"]: card for card in reversed(grave)}.values())[::-1]
    first.sort(key=cards.index)
    level, sentence = words.verdict(audited.findings, len(audited.fine))
    data = {
        "figures": drawn,
        "goal": study.goal,
        "objectives": [{"name": study.goal, "unit": pretty_unit(study.unit)}],
        "parameters": [],
        "rows": [],
    }
    scripts = script("words.js", "charts.js")
    return str(
        template(OWN_TEMPLATES, "audit.html").render(
            audited=audited,
            study=study,
            level=level,
            sentence=sentence,
            grave=first,
            alike=[card for card in grave if card not in first],
            small=[card for card in cards if card["level"] == "low"],
            fine=[words.checked(name) for name in audited.fine],
            silent=[(words.checked(n), reason) for n, reason in audited.not_applicable.items()],
            screen=None if isinstance(audited.screen, str) else audited.screen,
            successes=_successes(audited),
            power=None if isinstance(audited.screen, str) else words.power_in_words(audited.screen),
            watched=audited.watched,
            repairs=_table(found, study.space.units),
            beyond=out_of_reach(audited),
            gaps=_gaps(audited),
            shares=SHARES,
            arms=_arms(audited),
            number=number,
            has_map="map" in drawn,
            code=code_version(),
            failed=(FAILED_LIGHT, FAILED_DARK),
            data=as_json(data),
            style=style(),
            own_style=(OWN_TEMPLATES / "audit.css").read_text("utf-8"),
            plotly=plotly_bundle(),
            script=scripts,
            policy=policy_of(plotly_bundle(), scripts),
        )
    )


def _card(i: int, finding: "Finding", audited: Audited, drawn: dict[str, Any]) -> dict[str, Any]:
    """What the page says of a finding; its figure goes to the others."""
    name = finding.id.split(":", maxsplit=1)[0]
    figure = charts.figure(finding, audited)
    if figure is not None:
        drawn[f"finding-{i}"] = figure
    share = name in _A_SHARE
    return {
        "finding": finding,
        "level": finding.level,
        "sign": SIGNS[finding.level],
        "area": words.AREAS.get(finding.area, finding.area),
        "question": words.checked(name),
        "of_what": words.of_what(finding),
        "value": _shown(finding.value, share=share),
        "expected": None if finding.expected is None else _shown(finding.expected, share=share),
        "examples": _examples(finding),
        "slim": figure is not None and _is_slim(figure),
        "figure": f"finding-{i}" if figure is not None else None,
    }


def _examples(finding: "Finding") -> list[str]:
    """A few recipes that a finding names, one where each has many settings."""
    recipes = finding.detail.get("recipes")
    if not isinstance(recipes, list):
        return []
    shown = [words.spelled(str(name), named=True) for name in recipes[:_EXAMPLES]]
    return shown if all(len(text) < _LONG for text in shown) else shown[:1]


def _is_slim(figure: dict[str, Any]) -> bool:
    """Whether a figure is a few bars, which need little room."""
    trace = figure["data"][0]
    return trace["type"] == "bar" and trace.get("orientation") == "h" and len(trace["y"]) <= _FEW_BARS


def _shown(value: float, *, share: bool) -> str:
    if value != value:  # noqa: PLR0124 - NaN alone differs from itself
        return "unknown"
    return f"{value:.0%}" if share and abs(value) <= 1 else number(value)


def _table(found: list[Repair], units: dict[str, str]) -> dict[str, Any] | None:
    """The repairs as a table with the first few settings, or None where no experiment would help."""
    if not found:
        return None
    return _recipes([(r.recipe, r.why) for r in found], units)


def _recipes(recipes: Sequence[tuple[Recipe, str]], units: dict[str, str]) -> dict[str, Any]:
    """Recipes, each with some words, as a table with the first few settings."""
    names = list(recipes[0][0])
    shown = names[:_SHOWN_SETTINGS]
    return {
        "heads": [(name, pretty_unit(units.get(name))) for name in shown],
        "more": len(names) - len(shown),
        "rows": [
            ([v if isinstance(v := recipe[n], str) else number(float(v)) for n in shown], said)
            for recipe, said in recipes
        ],
    }


def _gaps(audited: Audited) -> dict[str, Any] | None:
    """The gaps as a table, in the order of their numbers on the map."""
    if not audited.gaps:
        return None
    names = audited.study.space.names
    rows = [({n: gap.recipe[n] for n in names}, f"{gap.times:.1f}") for gap in audited.gaps]
    return _recipes(rows, audited.study.space.units)


def _successes(audited: Audited) -> dict[str, Any] | None:
    """How many rows are successes, where the outcome is a class."""
    table = audited.prepared.table
    if table.outcome != "classification":
        return None
    known = np.isfinite(table.success)
    return {"share": float(table.success[known].mean()), "n": int(table.success[known].sum())}


def _arms(audited: Audited) -> dict[str, Any] | None:
    """Why the experiments of a campaign were chosen, and what share of them was nobody's choice."""
    arms = audited.study.arms
    if arms is None:
        return None
    n = len(arms)
    counts = {arm: int((arms == arm).sum()) for arm in sorted(set(arms.tolist()))}
    return {"n": n, "counts": counts, "random": counts.get("random", 0) / n}
