"""Options of a queue server: what is wrong is named by its key."""

from typing import Any

import pytest

from labctl_drivers.protocol import Surroundings
from labctl_drivers.queueserver.settings import settings_of
from labctl_drivers.registry import build

GOOD: dict[str, Any] = {
    "plan": "anneal",
    "documents": "localhost:5568",
    "settings": {"temperature": {"argument": "temp", "unit": "K"}, "quench": {"choices": {"oil": "o"}}},
    "readings": {"hardness": {"key": "tester_hardness", "unit": "HV"}},
}


def test_what_is_left_out_has_a_sensible_default() -> None:
    settings = settings_of(GOOD)
    assert settings.control == "tcp://localhost:60615"
    assert settings.arguments == {"temperature": "temp", "quench": "quench"}
    assert (settings.stream, settings.group, settings.fixed) == ("primary", "primary", {})
    assert (settings.patience_s, settings.environment_s) == (10.0, 60.0)


def test_it_is_built_without_a_server_and_says_what_it_knows() -> None:
    bench: Any = build("queueserver", GOOD, Surroundings())
    assert bench.parameter_units == {"temperature": "K"}
    assert bench.categories == {"quench": ("oil",)}
    assert bench.quantity_units == {"hardness": "HV"}
    assert bench.check({"temperature": 300.0, "quench": "oil"}) is None
    assert "quench" in bench.check({"temperature": 300.0, "quench": "lava"})
    bench.stop()
    bench.close()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"plan": None}, "plan: is needed"),
        ({"documents": None}, "documents: is needed, host:port"),
        ({"contol": "tcp://x:1"}, "contol: there is no such option; did you mean control"),
        ({"settings": {}}, "settings: is needed"),
        ({"settings": {"t": {"unit": "furlongs per"}}}, "settings.t.unit"),
        ({"arguments": {"temp": 3}}, "arguments: temp is given twice"),
        ({"readings": {"h": {"kee": "x"}}}, "readings.h.kee: there is no such option"),
        ({"failures": {"Cracked": "broken"}}, "failures.Cracked: 'broken' is no kind of failure"),
        ({"patience": "soon"}, "patience: must be a time"),
        ({"environment_timeout": "60"}, "environment_timeout: must be a time"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], says: str) -> None:
    options = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    with pytest.raises(ValueError, match="instrument queueserver: ") as caught:
        build("queueserver", options, Surroundings())
    assert says in str(caught.value)
