"""A plan inside a run that is open: what it says, it says there, with a limit on every wait."""

from collections.abc import Generator
from typing import Any

import pytest
from bluesky import plan_stubs as bps
from bluesky.utils import Msg
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_drivers.adapt.events import Events, within_this_run
from labctl_drivers.adapt.readings import ReadingRule

VERBS = st.sampled_from(["set", "wait", "trigger", "open_run", "close_run", "null", "create", "read"])


@settings(max_examples=100, deadline=None)
@given(st.lists(VERBS, max_size=30))
def test_every_message_passes_in_its_order_but_those_that_open_and_close_runs(verbs: list[str]) -> None:
    def plan() -> Generator[Msg, Any, str]:
        for i, verb in enumerate(verbs):
            answer = yield Msg(
                verb, None, i, run="inner", **({"name": "primary"} if verb == "create" else {})
            )
            assert answer == ("key" if verb in {"open_run", "close_run"} else i)
        return "returned"

    outer, said, answer = within_this_run(plan(), "key", 7.0), [], None
    while True:
        try:
            message = outer.send(answer)
        except StopIteration as end:
            returned = end.value
            break
        answer = message.args[0]
        said.append(message)
    assert returned == "returned"
    assert [m.args[0] for m in said] == [i for i, v in enumerate(verbs) if v not in {"open_run", "close_run"}]
    assert all(m.run is None for m in said)
    assert all(m.kwargs["timeout"] == 7.0 for m in said if m.command == "wait")
    for message in said:
        if message.command == "create":
            runs = verbs[: message.args[0]].count("open_run")
            assert message.kwargs["name"] == ("primary" if runs < 2 else f"primary-{runs}")


def test_a_limit_of_the_plan_s_own_stays_and_an_error_reaches_the_plan() -> None:
    caught = []

    def plan() -> Generator[Msg, Any, None]:
        try:
            yield from bps.wait("group", timeout=3.0)
        except OSError as error:
            caught.append(error)
        yield from bps.null()

    outer = within_this_run(plan(), "key", 7.0)
    assert next(outer).kwargs["timeout"] == 3.0
    assert outer.throw(OSError("no line")).command == "null"
    assert [str(one) for one in caught] == ["no line"]


def document_of(stream: str, values: list[float], unit: str = "mm") -> Events:
    events = Events()
    events("descriptor", {"uid": "d", "name": stream, "data_keys": {"x": {"units": unit}}})
    for value in values:
        events("event", {"descriptor": "d", "data": {"x": value}})
    events("event_page", {"descriptor": "d", "data": {"x": [7.0, 9.0]}})
    events("event", {"descriptor": "of another run", "data": {"x": 1e9}})
    return events


@pytest.mark.parametrize(("take", "value"), [("last", 9.0), ("mean", 5.0), ("min", 1.0), ("max", 9.0)])
def test_one_number_is_made_of_all_events_of_a_stream(take: str, value: float) -> None:
    rule = ReadingRule("readings.x", "x", "mm", None)
    events = document_of("primary", [1.0, 3.0])
    assert events.value("x", "primary", take, rule) == value
    assert events.last("primary") == {"x": 9.0}
    assert events.last("baseline") == {}
    with pytest.raises(ValueError, match=r"readings\.x\.unit: is mm, but x is described in m;"):
        document_of("primary", [], "m").value("x", "primary", take, rule)
