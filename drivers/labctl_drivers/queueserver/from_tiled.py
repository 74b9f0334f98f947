"""The values of runs that a worker's own Tiled catalog holds, for a controller that did not hear them."""

import time
from collections.abc import Sequence
from typing import Any

from labctl_drivers.protocol import ExperimentFailed, FailureKind
from labctl_drivers.tiled_mirror import MirrorError, tiled_client

_TURN_S = 0.5


def values_of(where: str, uids: Sequence[str], stream: str, seconds: float) -> dict[str, Any]:
    """The last value of every data key in a stream of some runs.

    Args:
        where: address of a Tiled server, or the folder of a catalog.
        uids: of the runs.
        stream: of the events.
        seconds: how long to wait for runs that are not there yet, s.

    Raises:
        ExperimentFailed: ``unknown``, as long as the catalog does not hold all of them with their end.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            with tiled_client(where) as client:
                found = _found(client, uids, stream)
        except MirrorError as error:
            found, why = None, str(error)
        else:
            why = f"the Tiled catalog at {where} does not hold run {', '.join(uids) or 'unknown'} yet"
        if found is not None:
            return found
        if time.monotonic() > deadline:
            raise ExperimentFailed(
                FailureKind.UNKNOWN, f"{why}; look its result up and settle it", stage="measure"
            )
        time.sleep(_TURN_S)


def _found(client: Any, uids: Sequence[str], stream: str) -> dict[str, Any] | None:  # noqa: ANN401 - Tiled's own
    if not uids:
        return None
    values: dict[str, Any] = {}
    for uid in uids:
        run = client.get(uid)
        if run is None or run.metadata.get("stop") is None:
            return None
        if stream in run:
            data = run[stream].read()
            values |= {str(name): data[name].values[-1] for name in data.data_vars}
    return values
