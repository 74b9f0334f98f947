"""SIGKILL at every named point of the dispatch, for instruments that can be asked, are mute, or lie."""

from collections.abc import Callable
from pathlib import Path

import pytest
from crash_bench import MANNERS, POINTS, acts, faults, told, under_way, unfinished

Die = Callable[..., bool]
EXPERIMENTS = 3


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("lanes", [1, 2])
def test_killed_at_every_point_nothing_is_lost_or_done_twice(
    tmp_path: Path, die: Die, manner: str, lanes: int
) -> None:
    left, unknown = 0, 0
    for point in POINTS:
        # The second time: there is an experiment before it, and one after it.
        folder = tmp_path / point
        order = {"lanes": lanes, "experiments": EXPERIMENTS}
        assert die(folder, manner, point=point, times=2, **order), f"{point} was never passed twice"
        assert faults(folder) == []
        before, state = told(folder)
        open_keys = under_way(state)
        done = acts(folder)
        assert not die(folder, manner, **order)
        assert faults(folder, before) == []
        assert unfinished(folder, EXPERIMENTS) == []
        _, after = told(folder)
        outcomes = {
            intent.key: outcome for e in after for intent, outcome in zip(e.intents, e.outcomes, strict=True)
        }
        left += len(open_keys)
        for key in open_keys:
            kind = outcomes[key].kind
            unknown += kind == "unknown"
            if manner == "mute":
                # Whether it had acted or not: it cannot say, so nobody assumes anything.
                assert kind == "unknown"
            elif manner == "askable":
                assert kind is None
            elif key in done:
                # What it says of an act that was done cannot be believed, and it was not done again.
                assert kind == "unknown"
    assert left >= 6
    if manner != "askable":
        assert unknown > 0


def test_a_retry_has_a_key_of_its_own_and_never_repeats_an_act(tmp_path: Path, die: Die) -> None:
    folder = tmp_path / "again"
    for point in ("after act", "after intent", "before outcome", "after act", "after start"):
        die(folder, "askable", point=point, times=1, experiments=EXPERIMENTS)
        assert faults(folder) == []
    assert not die(folder, "askable", experiments=EXPERIMENTS)
    assert faults(folder) == []
    assert unfinished(folder, EXPERIMENTS) == []
