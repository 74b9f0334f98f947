"""Answers survive the wire, whatever is in them, and nothing else passes for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl_drivers.epics import wire
from labctl_drivers.protocol import Answer, Bound, ExperimentFailed, FailureKind, Reading

keys = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=40)
readings = st.builds(
    Reading,
    values=st.dictionaries(keys, st.floats(), max_size=3),
    units=st.dictionaries(keys, keys, max_size=2),
    actual=st.dictionaries(keys, st.floats(allow_nan=False) | keys, max_size=3),
    raw=st.dictionaries(keys, st.lists(st.none() | st.floats(allow_nan=False)), max_size=2),
)


def same(one: Reading | None, other: Reading | None) -> bool:
    # Not by ==, for which a NaN differs from itself.
    return repr(one) == repr(other)


@given(key=keys, reading=readings)
def test_a_reading_comes_back_as_it_was(key: str, reading: Reading) -> None:
    answer = wire.read(wire.written(key, Answer("done", reading=reading)), key)
    assert answer is not None
    assert answer.state == "done"
    assert same(answer.reading, reading)
    assert wire.written(key, answer).isascii()


@given(key=keys, kind=st.sampled_from(FailureKind), message=keys, reading=st.none() | readings)
def test_a_failure_comes_back_as_it_was(
    key: str, kind: FailureKind, message: str, reading: Reading | None
) -> None:
    failure = ExperimentFailed(
        kind, message, stage="measure", reading=reading, bounds={"hardness": Bound(high=60.0)}
    )
    answer = wire.read(wire.written(key, Answer("failed", failure=failure)) + "\0", key)
    assert answer is not None
    assert answer.failure is not None
    assert (answer.failure.kind, answer.failure.message) == (kind, message)
    assert answer.failure.bounds == {"hardness": Bound(high=60.0)}
    assert same(answer.failure.reading, reading)


def test_an_answer_about_another_key_is_none_of_ours() -> None:
    text = wire.written("a", Answer("never"))
    assert wire.read(text, "b") is None
    assert wire.read("", "b") is None
    assert wire.read("\0\0", "b") is None


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "3",
        '{"key":"a"}',
        '{"key":"a","state":"well","result":null}',
        '{"key":"a","state":"done","result":{"reading":{"values":3}}}',
        '{"key":"a","state":"failed","result":{"kind":"tired","message":"","stage":"","reading":null,"bounds":{}}}',
        '{"key":"a","state":"done","result":[]}',
    ],
)
def test_what_is_no_answer_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="the furnace answered with what is no"):
        wire.read(text, "a")
