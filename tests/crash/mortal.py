"""Runs campaigns in processes that kill themselves at a given commit; orders come as JSON lines on stdin.

Each order names the campaign file and after how many moments the process has to die; every commit of
the ledger and of the instrument's memory has two moments, one right before it and one right after it.
The answer says whether the process was killed, or how many moments its life had. One process imports what
each kind of campaign needs, by running the first of its kind in memory, and is then forked for each order.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

# Where ophyd is installed, Bluesky imports it to write down its version; it would look for EPICS on threads.
os.environ["OPHYD_CONTROL_LAYER"] = "dummy"

from labctl.bench import set_up
from labctl.campaign import Campaign
from labctl.config import load_config
from labctl.ledger import Ledger
from labctl_drivers.memory import Memory


class Life:
    """Counts moments, and ends when its number is reached."""

    def __init__(self, moments: int | None) -> None:
        self.left = moments
        self.lived = 0

    def moment(self) -> None:
        if self.left is not None and self.lived == self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        self.lived += 1

    def around(self, commit: Callable[..., object]) -> Callable[..., object]:
        def counted(*args: object, **named: object) -> object:
            self.moment()
            result = commit(*args, **named)
            self.moment()
            return result

        return counted


def live(order: dict[str, Any]) -> int:
    """Run the campaign to its end, or to this life's; gives the number of moments."""
    life = Life(order["moments"])
    Ledger.append_all = life.around(Ledger.append_all)  # type: ignore[method-assign]
    Memory.started = life.around(Memory.started)  # type: ignore[method-assign]
    Memory.finished = life.around(Memory.finished)  # type: ignore[method-assign]
    with Campaign.open(order["campaign"]) as campaign:
        campaign.run()
    return life.lived


def warm_up(order: dict[str, Any]) -> None:
    """Import all that a campaign needs, and leave no thread behind that a fork would cut off."""
    config = load_config(order["campaign"])
    with Campaign.in_memory(config, set_up(config, folder=None, seed=0), seed=0) as campaign:
        campaign.run()
    if threading.active_count() > 1:
        raise RuntimeError(f"these threads outlived their campaign: {threading.enumerate()}")


def main() -> None:
    kinds_seen = set()
    for line in sys.stdin:
        kind = json.loads(line)["kind"]
        if kind not in kinds_seen:
            warm_up(json.loads(line))
            kinds_seen.add(kind)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, str(live(json.loads(line))).encode())
            os._exit(0)
        os.close(writer)
        _, status = os.waitpid(child, 0)
        lived = os.read(reader, 100).decode()
        os.close(reader)
        answer = {"killed": os.WIFSIGNALED(status), "lived": int(lived) if lived else None}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
