"""Every name has a key that Bluesky's documents take, and every key its name."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl_drivers.keys import data_key, keyed, name_of

EVENT_MODEL = re.compile(r"[^./]+", re.DOTALL)
NAMES = st.text(st.sampled_from("./%25EF a_"), min_size=1) | st.text(min_size=1)


@given(NAMES)
def test_a_key_is_legal_and_gives_its_name_back(name: str) -> None:
    assert EVENT_MODEL.fullmatch(data_key(name))
    assert name_of(data_key(name)) == name


@given(st.lists(NAMES, unique=True))
def test_different_names_have_different_keys(names: list[str]) -> None:
    assert len({data_key(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("hold_time", "hold_time"),
        ("Ni (at %)", "Ni (at %)"),
        ("Rel. density", "Rel%2E density"),
        ("BCC/FCC", "BCC%2FFCC"),
        ("50%2E", "50%252E"),
    ],
)
def test_most_names_are_their_own_keys(name: str, key: str) -> None:
    assert data_key(name) == key


def test_values_keep_their_order_under_their_keys() -> None:
    assert list(keyed({"b.": 1, "a": 2}).items()) == [("b%2E", 1), ("a", 2)]
