"""An instrument that gives no answer is not waited for, and is never taken to have said that all is well."""

import time
from typing import Any, TypeAlias

import pytest

from labctl_drivers import inquiry
from labctl_drivers.patience import Patience
from labctl_drivers.protocol import Answer, Reading

Scripts: TypeAlias = Any
PATIENCE = Patience(answer_s=0.2)
DONE = Answer("done", reading=Reading({"y": 1.0}, {"y": "nm"}))


def raising(_: object) -> None:
    raise ConnectionError("no route")


def test_an_answer_is_passed_on(scripted: Scripts) -> None:
    instrument = scripted(None)
    instrument.ask = lambda _: DONE
    assert inquiry.ask(instrument, "k1", PATIENCE) is DONE
    assert inquiry.check(instrument, {"x": 1.0}, PATIENCE) is None
    assert inquiry.check(instrument, {}, PATIENCE) == "the recipe is empty"


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (lambda _: time.sleep(3600), "toy could not be asked: its answer did not return within 0.2 s"),
        (raising, "toy could not be asked: ConnectionError: no route"),
        (lambda _: None, "toy gave no answer"),
    ],
    ids=["hangs", "raises", "nothing"],
)
def test_what_is_no_answer_is_unknown(asked: Any, why: str, scripted: Scripts) -> None:  # noqa: ANN401 - a bad driver's
    instrument = scripted(None)
    instrument.ask = asked
    answer = inquiry.ask(instrument, "k1", PATIENCE)
    assert (answer.state, answer.failure.message) == ("unknown", why)


def test_a_check_that_gives_no_answer_refuses(scripted: Scripts) -> None:
    instrument = scripted(None)
    instrument.check = lambda _: time.sleep(3600)
    assert inquiry.check(instrument, {}, PATIENCE) == (
        "toy could not be asked: its check did not return within 0.2 s"
    )
    instrument.check = raising
    assert "ConnectionError" in str(inquiry.check(instrument, {}, PATIENCE))
