"""Which kind of failure an exception of the lab's own code is, as the campaign file says it by name."""

from collections.abc import Mapping

from bluesky.utils import FailedStatus

from labctl_drivers.adapt.options import Options, meant
from labctl_drivers.notes import Notes
from labctl_drivers.protocol import ExperimentFailed, FailureKind
from labctl_drivers.verdict import failure_of, sentence

_NAMED = tuple(kind.value for kind in FailureKind)


def kinds_of(options: Options) -> dict[str, FailureKind]:
    """Read a mapping of exception names to kinds of failure.

    Raises:
        ValueError: names the kind that there is not.
    """
    for name, kind in options.content.items():
        if kind not in _NAMED:
            raise ValueError(f"{options.at(name)}: {kind!r} is no kind of failure; {meant(kind, _NAMED)}")
    return {str(name): FailureKind(kind) for name, kind in options.content.items()}


def typed(error: BaseException, notes: Notes, kinds: Mapping[str, FailureKind]) -> ExperimentFailed:
    """The failure that an exception stands for: as the campaign file says, else as every lane sees it."""
    failure = failure_of(error, notes)
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ExperimentFailed):
        kind = next((kinds[name] for name in _names(cause) if name in kinds), None)
        if kind is not None and not isinstance(cause, FailedStatus):
            return ExperimentFailed(kind, sentence(cause), stage=failure.stage)
        cause = cause.__cause__
    return failure


def _names(error: BaseException) -> list[str]:
    return [
        name for one in type(error).__mro__ for name in (one.__name__, f"{one.__module__}.{one.__qualname__}")
    ]
