"""The page: one file, nothing loaded, nothing of a user's executed, every finding on it."""

import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from labctl.audit.asked import Asked
from labctl.audit.page import page
from labctl.audit.repairs import repairs
from labctl.audit.run import audit_study, audit_target
from labctl.target import find_study

Tables = Callable[..., Path]
HOSTILE = "<img src=x onerror=alert(1)>"


def data_of(text: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    content = json.loads(found[1])
    assert isinstance(content, dict)
    return content


def test_every_finding_is_on_the_page_with_its_number_and_its_remedy() -> None:
    audited = audit_target("hplc", None, Asked(), seed=0)
    text = page(audited, repairs(audited, 5, seed=0))
    plain = re.sub(r"\s+", " ", text)
    for finding in audited.findings:
        assert f'id="{finding.id}"' in plain
        assert finding.remedy.split("'")[0] in plain
    for reason in audited.not_applicable.values():
        assert reason.split("'")[0] in plain
    figures = data_of(text)["figures"]
    assert isinstance(figures, dict)
    assert set(re.findall(r'data-figure="([^"]+)"', text)) == set(figures)
    # What failed is on the map.
    assert any(trace["name"] == "failed" for trace in figures["map"]["data"])


def test_a_users_text_stays_text(sound_table: Tables) -> None:
    operators = [HOSTILE if i % 2 else "Ada" for i in range(150)]
    path = sound_table(0, 150, operator=operators, **{HOSTILE: [f"{i % 7}.5" for i in range(150)]})
    study = replace(find_study(str(path), goal="yield", every_row=True), goal=HOSTILE, name=HOSTILE)
    text = page(audit_study(study, seed=0), [])
    assert HOSTILE not in text
    assert "&lt;img" in text or "\\u003cimg" in text


def test_nothing_is_loaded_and_the_policy_forbids_it(sound_table: Tables) -> None:
    text = page(audit_target(str(sound_table(1)), "yield", Asked(), seed=0), [])
    own = html.unescape(re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL))
    assert "default-src 'none'" in own
    assert not re.search(r'(src|href)="(https?:)?//', own)
    assert "prefers-color-scheme: dark" in own


def test_severity_is_told_without_colour(sound_table: Tables) -> None:
    audited = audit_target(str(sound_table(2)), "yield", Asked(), seed=0)
    text = page(audited, [])
    assert "can mislead" in text
    assert "◆" in text


def test_the_power_of_the_screen_is_told_even_if_nothing_was_found(sound_table: Tables) -> None:
    study = find_study(str(sound_table(3)), goal="yield", every_row=True)
    room = np.round(45 + 5 * np.random.default_rng(8).standard_normal(len(study.y)), 1)
    audited = audit_study(replace(study, columns={**study.columns, "room": room}), seed=0)
    assert not isinstance(audited.screen, str)
    assert audited.screen.fields == ("room",)
    assert audited.as_json()["hidden"]["power"] > 0.99
    assert "in four of five cases" in page(audited, [])
