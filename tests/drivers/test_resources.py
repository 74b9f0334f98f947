"""What lanes share: never more than there is, all or nothing, and given back on every path."""

from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from labctl_drivers.protocol import Recipe
from labctl_drivers.resources import Resources, needs_of

COUNTS = {"furnace": 1, "slot": 4}
NEEDS = st.dictionaries(st.sampled_from(["furnace", "slot", "door"]), st.integers(0, 5))


class Sharing(RuleBasedStateMachine):
    """Owners take, keep and give back while time goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.resources = Resources(COUNTS, clock=lambda: self.now)
        self.taken: dict[str, tuple[Mapping[str, int], float]] = {}

    def current(self) -> dict[str, Mapping[str, int]]:
        return {owner: needs for owner, (needs, until) in self.taken.items() if self.now < until}

    @rule(owner=st.sampled_from("abcd"), needs=NEEDS, lease=st.floats(0.1, 50))
    def take(self, owner: str, needs: Mapping[str, int], lease: float) -> None:
        current = self.current()
        used: Counter[str] = Counter()
        for held in current.values():
            used.update(held)
        fits = all(used[name] + n <= COUNTS.get(name, 1) for name, n in needs.items())
        expected = current[owner] == needs if owner in current else fits
        assert self.resources.take(owner, needs, lease_s=lease) is expected
        if owner not in current and expected:
            self.taken[owner] = (dict(needs), self.now + lease)

    @rule(owner=st.sampled_from("abcd"))
    def give_back(self, owner: str) -> None:
        self.resources.release(owner)
        self.taken.pop(owner, None)

    @rule(owner=st.sampled_from("abcd"))
    def keep(self, owner: str) -> None:
        self.resources.keep(owner)
        if owner in self.current():
            self.taken[owner] = (self.taken[owner][0], float("inf"))

    @rule(seconds=st.floats(0, 30))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def nobody_has_what_is_not_there(self) -> None:
        held = self.resources.held()
        assert {owner: r.needs for owner, r in held.items()} == self.current()
        total: Counter[str] = Counter()
        for reservation in held.values():
            total.update(reservation.needs)
        assert all(n <= COUNTS.get(name, 1) for name, n in total.items())


Sharing.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestSharing = Sharing.TestCase


def test_what_can_never_be_met_is_said() -> None:
    resources = Resources(COUNTS)
    assert resources.impossible({"slot": 4, "furnace": 1, "door": 1}) is None
    assert resources.impossible({"slot": 5}) == "it needs 5 slot, and there is 4"
    assert resources.impossible({"door": 2}) == "it needs 2 door, and there is 1"
    assert "no number of things" in str(resources.impossible({"slot": -1}))
    with pytest.raises(ValueError, match="at least one slot"):
        Resources({"slot": 0})


class Silent:
    name = "silent"


class Talkative(Silent):
    def __init__(self, told: Mapping[str, object]) -> None:
        self.told = told

    def needs(self, recipe: Recipe) -> Mapping[str, object]:
        return self.told if recipe else {}


def test_an_instrument_says_what_it_needs_or_nothing() -> None:
    assert needs_of(Silent(), {"x": 1}) == {}  # type: ignore[arg-type]
    assert needs_of(Talkative({"slot": 2}), {"x": 1}) == {"slot": 2}  # type: ignore[arg-type]
    for wrong in (1.5, "two", True, None):
        with pytest.raises(ValueError, match="silent says that it needs"):
            needs_of(Talkative({"slot": wrong}), {"x": 1})  # type: ignore[arg-type]
