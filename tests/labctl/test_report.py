"""The page and the picture: complete, self-contained, and safe whatever people call things."""

import base64
import hashlib
import json
import math
import random
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from labctl.campaign import Campaign
from labctl.errors import RequestError
from labctl.proposal import Alternative, Interval, Outcome, Predicted, Proposal, Stamp
from labctl.report import page, write_report
from labctl.report.figures import progress
from labctl.report.look import ARMS, FAILURES, number, pretty_unit
from labctl.report.picture import picture
from labctl.report.slices import MOST_PANELS, epsilon_squared, ranked
from labctl.report.words import calibration_in_words, expected_inside, verdict_in_words
from labctl.summary import Calibration
from labctl.view import View, look
from labctl_drivers.protocol import FailureKind
from labctl_models.validation.gate import Level

Views = Callable[..., View]
NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(2)> & \u2028 'q' \"d\" Ωµ"
CAMPAIGN: dict[str, Any] = {
    "campaign": "c",
    "parameters": {
        "dose": {"kind": "continuous", "unit": "gram", "low": 0.1, "high": 10, "scale": "log"},
        "level": {"kind": "ordinal", "unit": "mm", "levels": [1, 2, 5]},
        "salt": {"kind": "categorical", "choices": ["KCl", "NaCl"]},
        "oxide": {"kind": "formula", "choices": ["Fe2O3", "TiO2"]},
    },
    "objectives": {"cost": {"goal": "minimize", "unit": "percent"}},
    "instrument": {"kind": "hand"},
}


class Page(HTMLParser):
    """The elements of a page, their attributes, and the text of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        elif self.cdata_elem is None:
            self.words += data

    @property
    def data(self) -> dict[str, Any]:
        [text] = [text for attributes, text in self.scripts if attributes.get("id") == "data"]
        found: dict[str, Any] = json.loads(text)
        return found


def done(i: int, outcome: Outcome | None, *, predicted: float | None = None, arm: Any = "improve") -> Any:  # noqa: ANN401
    recipe = {"dose": 0.1 + i % 90 / 10, "level": (1.0, 2.0, 5.0)[i % 3], "salt": ("KCl", "NaCl")[i % 2]}
    return (
        Proposal(
            recipe={**recipe, "oxide": "Fe2O3"},
            arm=arm,
            because="why",
            predictions={} if predicted is None else {"cost": Predicted(mean=predicted, sd=1.0)},
            alternatives=(Alternative(recipe={**recipe, "oxide": "TiO2"}, value=0.1),),
            data="d" * 64,
            code="labctl 0",
            seed=5,
        ),
        outcome,
    )


def measured(value: float) -> Outcome:
    return Outcome(status="measured", values={"cost": value}, source="bench")


def failed(kind: FailureKind, message: str = "") -> Outcome:
    raw = {"reading": "nan"}
    return Outcome(status="failed", kind=kind, message=message, raw=raw, source="bench")


def trace(figure: dict[str, Any], name: str) -> dict[str, Any]:
    [found] = [t for t in figure["data"] if t.get("name") == name]
    return dict(found)


@pytest.fixture
def real(furnace_campaign: Callable[..., Path]) -> View:
    path = furnace_campaign(budget={"experiments": 12}, strategy={"initial": 5, "arms": {"improve": 1}})
    with Campaign.open(path) as campaign:
        campaign.run()
    return look(path)


def test_a_real_campaign_is_shown_whole(real: View, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(real, path)
    shown = Page(path.read_text("utf-8"))
    assert [r["id"] for r in shown.data["rows"]] == [e.id for e in real.state]
    assert [r["status"] for r in shown.data["rows"]] == [e.status for e in real.state]
    assert real.summary.best is not None
    assert number(real.summary.best.value) in shown.words
    assert real.state.head in shown.words
    assert f"labctl verify {real.config.path} --head {real.state.head}" in shown.words
    plots = {attributes["data-figure"] for _, attributes in shown.elements if "data-figure" in attributes}
    assert plots == set(shown.data["figures"])


def test_the_page_loads_nothing_and_runs_nothing_but_its_own(real: View) -> None:
    text = page(real)
    shown = Page(text)
    for tag, attributes in shown.elements:
        assert not {"src", "srcset", "action", "poster", "style"} & set(attributes), (tag, attributes)
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert tag not in {"link", "iframe", "object", "embed", "base", "form", "img"}
        assert (attributes.get("href") or "#").startswith("#")
    style = text[text.index("<style>") : text.index("</style>")]
    assert "@import" not in style
    assert "url(" not in style
    assert text.count("plotly.js v") == 1
    [policy] = [a["content"] or "" for t, a in shown.elements if "http-equiv" in a]
    assert "default-src 'none'" in policy
    run = [content for attributes, content in shown.scripts if "type" not in attributes]
    assert len(run) == 2
    for content in run:
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "showSendToCloud: false" in run[1]


def test_what_people_write_stays_text(view_from: Views) -> None:
    campaign = {
        **CAMPAIGN,
        "purpose": NASTY,
        "parameters": {
            "<b>dose</b>": {"kind": "continuous", "unit": "gram", "low": 0, "high": 1},
            "salt": {"kind": "categorical", "choices": [NASTY.replace("\u2028", ""), "NaCl"]},
        },
        "objectives": {"<i>cost</i> & </script>": {"goal": "minimize", "unit": "percent"}},
    }
    goal = "<i>cost</i> & </script>"
    proposal = Proposal(
        recipe={"<b>dose</b>": 0.5, "salt": NASTY.replace("\u2028", "")},
        arm="expert",
        because=NASTY,
        data="",
        code=NASTY,
        seed=0,
    )
    result = Outcome(status="measured", values={goal: 1.0}, source=NASTY, message=NASTY, raw={NASTY: NASTY})
    shown = Page(page(view_from(campaign, [(proposal, result)] * 3)))
    tags = {tag for tag, _ in shown.elements}
    assert not tags & {"img", "i"}
    assert len(shown.scripts) == 3
    assert NASTY in shown.words
    row = shown.data["rows"][0]
    assert row["because"] == row["message"] == NASTY
    # plotly reads tags in what it draws, so they come to it as entities.
    assert "<" not in shown.data["figures"]["progress"]["layout"]["yaxis"]["title"]["text"]
    assert not any("<" in t for t in shown.data["figures"]["slice-1"]["layout"]["xaxis"].get("ticktext", []))


def test_the_page_says_in_words_how_far_to_trust_where_it_lies_and_what_surprised(view_from: Views) -> None:
    near = [done(i, measured(10.0 + 0.1 * (i % 3)), predicted=10.0) for i in range(11)]
    proposal, _ = done(11, None, predicted=10.0)
    wide = {"cost": Predicted(mean=10.0, sd=1.0, widened=2.5)}
    stamp = Stamp(where="outside", percentile=1.0, nearest_success="e0003", nearest_failure="e0005")
    far = proposal.model_copy(update={"predictions": wide, "domain": stamp})
    view = view_from(CAMPAIGN, [*near, (far, measured(90.0)), (far, measured(91.0))])
    verdict = {"verdict": "lookup table", "reason": "No candidate beats <the> mean.", "n": 12}
    shown = Page(page(replace(view, state=replace(view.state, verdict=verdict))))
    words = " ".join(shown.words.split())
    assert "By the last validation, on 12 results: lookup table." in words
    assert "No candidate beats <the> mean." in words
    assert "Predictions are now written 2.5 times as wide as the surrogate says" in words
    assert "standard deviations above its prediction; measured again, it came out so too" in words
    row = shown.data["rows"][11]
    assert row["domain"] == (
        "outside the region that had been measured, nearest result e0003, nearest failure e0005"
    )
    assert row["widened"] == 2.5
    assert row["surprise"].startswith("80 standard deviations above")
    assert not {"domain", "widened", "surprise"} & set(shown.data["rows"][0])


def test_every_verdict_that_the_gate_can_give_has_words() -> None:
    for level in get_args(Level):
        told = verdict_in_words({"verdict": level, "reason": "why", "n": 20})
        assert told is not None
        assert not told[0].endswith(f"{level}.")
    assert verdict_in_words(None) is None


def test_few_experiments_have_ticks_at_whole_numbers_that_stand_apart(view_from: Views) -> None:
    data = Page(page(view_from(CAMPAIGN, [done(i, measured(1.0), predicted=1.0) for i in range(1)]))).data
    figure = data["figures"]["surprises"]["layout"]
    assert (figure["xaxis"]["dtick"], figure["xaxis2"]["dtick"]) == (1, 1)
    assert figure["xaxis"]["range"] == pytest.approx([0.2, 1.8])
    assert figure["xaxis2"]["domain"][0] - figure["xaxis"]["domain"][1] > 0.05
    assert data["figures"]["progress"]["layout"]["xaxis"]["dtick"] == 1


@pytest.mark.parametrize(
    ("n", "within", "said"),
    [
        (1, 0.0, "The one result with a prediction lay outside the 95 % interval written down before it."),
        (1, 1.0, "The one result with a prediction lay inside the 95 % interval written down before it."),
        (4, 0.5, "Two of the four results with a prediction lay inside the 95 % interval written"),
        (5, 0.8, "4 of 5 results (80%) lay inside"),
    ],
)
def test_few_results_are_counted_in_words_and_not_in_percent(n: int, within: float, said: str) -> None:
    assert calibration_in_words(Calibration(n=n, within_95=within, rms_z=1.0)).startswith(said)


def test_the_curve_is_the_best_so_far_and_failures_stand_below_it(view_from: Views) -> None:
    view = view_from(
        CAMPAIGN,
        [
            done(0, measured(5.0), arm="initial"),
            done(1, failed(FailureKind.INFEASIBLE, "cracked")),
            done(2, measured(7.0)),
            done(3, measured(3.0)),
            done(4, failed(FailureKind.UNKNOWN)),
            done(5, failed(FailureKind.INFEASIBLE)),
            done(6, None),
        ],
    )
    figure = progress(view.config, view.state)
    curve = trace(figure, "best so far")
    assert (curve["x"], curve["y"]) == ([1, 4, 7], [5.0, 3.0, 3.0])
    assert trace(figure, "initial")["x"] == [1]
    assert trace(figure, "improve")["y"] == [7.0, 3.0]
    assert trace(figure, "infeasible")["x"] == [2, 6]
    assert trace(figure, "unknown")["customdata"] == [4]
    assert figure["layout"]["yaxis2"]["categoryarray"] == ["unknown", "infeasible"]


def test_predictions_stand_beside_results_with_their_95_percent_intervals(view_from: Views) -> None:
    results = [done(i, measured(10.0 + i), predicted=10.0) for i in range(4)]
    data = Page(page(view_from(CAMPAIGN, results))).data
    inside, outside = (trace(data["figures"]["parity"], n) for n in ("inside", "outside the 95 % interval"))
    # 1.96 is the 97.5 % quantile of the normal distribution, and the predicted sd is 1.
    assert inside["x"] == [10.0, 11.0]
    assert outside["x"] == [12.0, 13.0]
    assert inside["error_y"]["array"] == pytest.approx([1.96, 1.96], abs=1e-3)
    bars = next(t for t in data["figures"]["surprises"]["data"] if t["type"] == "bar")
    assert sum(bars["x"]) == 4


@pytest.mark.parametrize(
    "results",
    [
        [],
        [done(0, None)],
        [done(0, measured(1.0))],
        [done(0, measured(1.0), predicted=1.0)],
        [done(i, measured(2.0), predicted=2.0) for i in range(3)],
        [done(i, failed(kind)) for i, kind in enumerate(FailureKind)],
        [done(0, Outcome(status="failed", kind="censored", bounds={"cost": Interval(low=1)}, source="s"))],  # type: ignore[arg-type]
        [done(i, measured(10.0**i), predicted=1e300) for i in range(6)],
        [done(i, measured(-(10.0**-i)), arm=arm) for i, arm in enumerate(ARMS)],
    ],
    ids=[
        "none",
        "waiting",
        "one",
        "one predicted",
        "all equal",
        "all failed",
        "censored",
        "huge",
        "every arm",
    ],
)
def test_page_and_picture_stand_at_the_edges(view_from: Views, results: list[Any], tmp_path: Path) -> None:
    view = view_from(CAMPAIGN, results)
    shown = Page(page(view))
    assert len(shown.data["rows"]) == len(results)
    assert ("nothing measured yet" in shown.words) == (view.summary.best is None)
    picture(view, tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_every_failure_is_in_the_page_with_its_reason(view_from: Views) -> None:
    view = view_from(CAMPAIGN, [done(i, failed(kind, f"says {kind}")) for i, kind in enumerate(FailureKind)])
    rows = Page(page(view)).data["rows"]
    assert [(r["kind"], r["message"]) for r in rows] == [(FAILURES[k][2], f"says {k}") for k in FailureKind]
    assert all(json.loads(r["raw"]) == {"reading": "nan"} for r in rows)


def test_two_hundred_parameters_show_those_that_matter(view_from: Views) -> None:
    draw = random.Random(4)  # noqa: S311 - a test's draw
    names = [f"p{i}" for i in range(200)]
    campaign = {
        **CAMPAIGN,
        "parameters": {n: {"kind": "continuous", "unit": "mm", "low": 0, "high": 1} for n in names},
    }
    results = []
    for _ in range(80):
        recipe: dict[str, Any] = {n: draw.random() for n in names}
        # A hump, which a correlation would not see.
        value = (recipe["p123"] - 0.5) ** 2
        proposal = Proposal(recipe=recipe, arm="random", because="", data="", code="", seed=0)
        results.append((proposal, measured(value)))
    shown = Page(page(view_from(campaign, results)))
    assert f"The {MOST_PANELS} of 200 parameters" in shown.words
    assert ranked(view_from(campaign, results).config, view_from(campaign, results).state)[0].name == "p123"
    assert "p123" in {p["name"] for p in shown.data["parameters"]}
    assert sum(name.startswith("slice-") for name in shown.data["figures"]) == MOST_PANELS


def test_two_thousand_experiments_stay_a_page_that_can_be_mailed(view_from: Views) -> None:
    results = [done(i, measured(math.sin(i)), predicted=0.0) for i in range(2000)]
    view = view_from(CAMPAIGN, results)
    text = page(view)
    assert len(Page(text).data["rows"]) == 2000
    assert len(text.encode()) < 12_000_000


def test_epsilon_squared_is_what_kelley_says() -> None:
    # Two groups of three: SS within 4, SS total 17.5, so 1 - (5/4) * 4/17.5.
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert epsilon_squared(values, np.array([0, 0, 0, 1, 1, 1])) == pytest.approx(1 - 1.25 * 4 / 17.5)
    assert epsilon_squared(values, np.array([0, 1, 0, 1, 0, 1])) == 0.0
    assert epsilon_squared(np.ones(6), np.array([0, 1, 0, 1, 0, 1])) is None


def test_how_many_results_belong_inside_is_the_binomial_range() -> None:
    # Binomial with p = 0.95: P(X <= 16) = 0.0159 and P(X <= 17) = 0.0755 for n = 20.
    assert expected_inside(20) == (17, 20)
    assert expected_inside(1) == (0, 1)


@pytest.mark.parametrize(
    ("calibration", "said"),
    [
        (None, "No result yet had a prediction"),
        (Calibration(3, 1.0, 1.0), "too few to judge"),
        (Calibration(40, 0.6, 2.4), "too sure of itself, with errors 2.4 times as large"),
        (Calibration(40, 0.95, 1.02), "errors were 1.02 times what it said"),
        (Calibration(40, 1.0, 0.3), "more careful than it had to be"),
    ],
)
def test_calibration_is_said_in_plain_words(calibration: Calibration | None, said: str) -> None:
    assert said in calibration_in_words(calibration)


def test_numbers_and_units_look_as_in_papers() -> None:
    assert [number(v) for v in (1234.5678, 131.24, -0.5, 0.0, 2.5e-7)] == [
        "1,235",
        "131.2",
        "−0.5",
        "0",
        "2.500e−07",
    ]
    assert [pretty_unit(u) for u in ("degC", "W/m**2", "unknown")] == ["°C", "W/m²", ""]


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_same_campaign_gives_the_same_picture(real: View, tmp_path: Path, suffix: str) -> None:
    for name in ("a", "b"):
        picture(real, tmp_path / f"{name}{suffix}")
    first = (tmp_path / f"a{suffix}").read_bytes()
    assert first == (tmp_path / f"b{suffix}").read_bytes()
    if suffix == ".svg":
        assert not re.search(rb"(href|src)=\"https?:", first)


def test_a_picture_of_another_kind_is_refused(real: View, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"end it in \.png or \.svg"):
        picture(real, tmp_path / "p.gif")
