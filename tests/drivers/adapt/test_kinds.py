"""Exceptions of a lab's own code and the kinds of failure they stand for."""

import pytest
from bluesky.utils import FailedStatus

from labctl_drivers.adapt.kinds import kinds_of, typed
from labctl_drivers.adapt.options import Options
from labctl_drivers.notes import Notes
from labctl_drivers.protocol import ExperimentFailed, FailureKind


def wrapped(cause: BaseException) -> FailedStatus:
    error = FailedStatus("a status")
    error.__cause__ = cause
    return error


class CrackedError(ValueError):
    pass


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (wrapped(CrackedError("at 500")), "infeasible", "CrackedError: at 500"),
        (wrapped(ValueError("odd")), "bad_reading", "ValueError: odd"),
        (wrapped(OSError("no line")), "instrument_fault", "OSError: no line"),
        (CrackedError("at 500"), "infeasible", "CrackedError: at 500"),
    ],
)
def test_the_nearest_name_gives_the_kind(error: Exception, kind: str, message: str) -> None:
    kinds = kinds_of(Options({"CrackedError": "infeasible", "builtins.ValueError": "bad_reading"}))
    failure = typed(error, Notes(), kinds)
    assert (failure.kind.value, failure.message) == (kind, message)


def test_what_the_driver_says_itself_is_left_as_it_is() -> None:
    own = ExperimentFailed(FailureKind.CENSORED, "off scale", stage="measure")
    assert typed(wrapped(own), Notes(), {"ExperimentFailed": FailureKind.UNKNOWN}) is own


def test_a_kind_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match=r"f\.OSError: 'fault' is no kind of failure; .*instrument_fault"):
        kinds_of(Options({"OSError": "fault"}, "f"))
