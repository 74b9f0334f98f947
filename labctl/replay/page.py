"""Puts a comparison's page together, in the looks of a campaign's report, as one text that loads nothing."""

from pathlib import Path

from labctl.replay import charts, words
from labctl.replay.looks import DASHES, LOOKS
from labctl.replay.words import Results
from labctl.report.look import FAILED_DARK, FAILED_LIGHT
from labctl.report.shell import as_json, plotly_bundle, policy_of, script, style, template

OWN_TEMPLATES = Path(__file__).parent / "templates"


def page(results: Results) -> str:
    """A comparison's page as HTML."""
    goal = results["goal"]
    data = {
        "figures": {"best": charts.best(results), "top": charts.top(results)},
        "goal": goal["name"],
        "objectives": [{"name": goal["name"], "unit": goal["unit"]}],
        "parameters": [],
        "rows": [],
    }
    scripts = script("words.js", "charts.js")
    return str(
        template(OWN_TEMPLATES, "replay.html").render(
            results=results,
            tables=[words.table(results), words.levels(results)],
            sentences=words.sentences(results)[: -len(words.verdict(results))],
            verdict=words.verdict(results),
            looks={name: LOOKS[name] for name in results["strategies"]},
            paint=paint,
            failed=(FAILED_LIGHT, FAILED_DARK),
            dashes=DASHES,
            with_unit=words.with_unit,
            data=as_json(data),
            style=style(),
            plotly=plotly_bundle(),
            script=scripts,
            policy=policy_of(plotly_bundle(), scripts),
        )
    )


def paint(colour: str, opacity: float) -> str:
    """A colour such as #0072b2 with an opacity, as CSS."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity})"
