"""The verdict in words."""

from labctl.audit.words import spelled, verdict
from labctl_models.audit.finding import Finding


def finding(severity: float, area: str = "labels", title: str = "The label is wrong") -> Finding:
    return Finding("x", area, severity, title, 1.0, 0.0, "meaning", "remedy")


def test_the_worst_finding_decides() -> None:
    assert verdict([], 12) == (
        "nothing stands against it",
        "Nothing that was looked at stands against using this table. 12 checks found no flaw.",
    )
    level, sentence = verdict([finding(0.8, "hidden"), finding(0.5), finding(0.1)], 3)
    assert level == "do not rely on it"
    assert sentence.endswith("part of the outcome. The label is wrong. 1 further flaw matters.")
    assert verdict([finding(0.5)], 3)[0] == "use with care"
    assert "1 small remark" in verdict([finding(0.1)], 3)[1]


def test_a_recipes_key_is_spelled_as_people_do() -> None:
    assert spelled('{"formula":"HfNb","temperature":25.0}') == "HfNb, 25"
    named = spelled('{"formula":"HfNb","temperature":25.0}', named=True)
    assert named == "formula HfNb, temperature 25"
    assert spelled("HfNb") == "HfNb"
    assert spelled("12") == "12"
