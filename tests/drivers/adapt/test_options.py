"""Nested options: every complaint names the key and what would be right."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from labctl_drivers.adapt.options import Options


@pytest.mark.parametrize(
    ("text", "seconds"), [("20 s", 20.0), ("1.5 hours", 5400.0), ("2min", 120.0), ("1 day", 86400.0)]
)
def test_a_time_has_a_unit(text: str, seconds: float) -> None:
    assert Options({"t": text}).seconds("t", "1 s") == pytest.approx(seconds)


def test_defaults_and_parts() -> None:
    top = Options({"a": {"b": {"c": 1}}, "list": [1, "x"], "speed": "10 K/min"}, "top")
    assert top.parts("a")["b"].at("c") == "top.a.b.c"
    assert top.part("z").content == {}
    assert (top.listed("list"), top.listed("no")) == ((1, "x"), ())
    assert (top.text("z", "d"), top.optional("z"), top.number("z"), top.whole("z", 3)) == ("d", None, None, 3)
    assert (top.amount("speed"), top.amount("z")) == ((10.0, "K/min"), None)
    assert top.one_of("z", ("last", "mean")) == "last"


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (lambda o: o.allow("objekt"), "s.object: there is no such option; did you mean objekt? allowed are"),
        (lambda o: o.text("none"), "s.none: is needed; add it"),
        (lambda o: o.text("number"), "s.number: must be a text, and is 5"),
        (lambda o: o.one_of("object", ("last", "mean")), "s.object: is 'x'; allowed are last, mean"),
        (lambda o: o.unit("odd"), "s.odd: 'parrot' is not a unit that pint knows"),
        (lambda o: o.unit("code"), "s.code: "),
        (lambda o: o.number("object"), "s.object: must be a number, and is 'x'"),
        (lambda o: o.number("nan"), "s.nan: must be a number, and is nan"),
        (lambda o: o.number("yes"), "s.yes: must be a number, and is True"),
        (lambda o: o.whole("nan", 1), "s.nan: must be a whole number from 1 to 1000, and is nan"),
        (
            lambda o: o.seconds("object", "1 s"),
            "s.object: must be a time with its unit, such as 20 s, and is",
        ),
        (lambda o: o.seconds("none", "0 s"), "must be a time"),
        (lambda o: o.seconds("none", "3 m"), "must be a time"),
        (lambda o: o.amount("object"), "s.object: must be a number with its unit, such as 10 K/min"),
        (lambda o: o.part("object"), "s.object: must be a mapping of keys to values, and is 'x'"),
        (lambda o: o.listed("object"), r"s.object: must be a list, such as [a, b], and is 'x'"),
    ],
)
def test_what_is_wrong_is_said_with_its_key(read: Callable[[Options], Any], said: str) -> None:
    content = {"object": "x", "number": 5, "odd": "parrot", "nan": float("nan"), "yes": True}
    options = Options({**content, "code": "__import__('os')"}, "s")
    with pytest.raises(ValueError, match=re.escape(said)):
        read(options)
