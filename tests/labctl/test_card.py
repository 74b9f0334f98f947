"""Cards, and the sentences about what is wrong with one."""

from pathlib import Path

import pytest

from labctl.card import read_card
from labctl.errors import RequestError

GOOD = """\
name: mine
title: My table
file: {beside: t.csv}
columns:
  - {name: x, header: "x (mm)", unit: mm, role: parameter}
  - {name: y, unit: HV, role: objective}
failures:
  - when: {column: y, equals: 0}
    kind: censored
    message: nothing seen
    bound: {y: {high: 5}}
"""


def _card(folder: Path, text: str) -> Path:
    path = folder / "t.card.yaml"
    path.write_text(text)
    return path


def test_a_card_is_read(tmp_path: Path) -> None:
    card = read_card(_card(tmp_path, GOOD))
    assert card.with_role("parameter") == ("x",)
    assert card.failures[0].bound["y"].high == 5
    column = card.column("x")
    assert column is not None
    assert column.header == "x (mm)"
    assert card.column("z") is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("title:", "titel:", ":2: titel: no such key; did you mean title?"),
        ("unit: mm", "unit: mmm", "columns.0.unit: 'mmm' is no unit"),
        ("role: objective", "role: result", "columns.1.role: is 'result'"),
        ("kind: censored", "kind: broken", "failures.0.kind"),
        ("kind: censored", "kind: infeasible", "only a censored value has a bound"),
        ("column: y, equals", "column: q, equals", "'q' is no column here (x, y)"),
        ("column: y, equals: 0", "column: y", "needs equals"),
        ("{name: y,", "{name: x,", "twice"),
        ("{beside: t.csv}", "{}", "needs one of folder"),
        ("{beside: t.csv}", "{url: 'https://example.org/t.csv'}", "needs sha256"),
        ("{beside: t.csv}", "{folder: ../../etc/passwd}", "without .."),
        ("{beside: t.csv}", "{folder: /etc/passwd}", "below its folder"),
        ("{beside: t.csv}", "{url: 'http://example.org/t.csv', sha256: abc}", "file.url"),
        ("bound: {y: {high: 5}}", "bound: {y: {hihg: 5}}", "did you mean high?"),
        ("name: mine", "path: /etc\nname: mine", "path: no such key"),
    ],
)
def test_a_wrong_card_is_refused_with_place_and_remedy(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = _card(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(RequestError) as caught:
        read_card(path)
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{path}:")
    assert "\n" not in str(caught.value)
