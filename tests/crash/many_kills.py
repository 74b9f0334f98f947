"""Kill a controller again and again at random instants, and count what was lost or done twice.

    python tests/crash/many_kills.py --kills 1000

Campaigns on a fast instrument run one after the other, on one lane and on two, with an instrument that can
be asked, a mute one and a lying one. Each is killed until it gets to its end.
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from crash_bench import MANNERS, faults, fork, told, under_way, unfinished, warm_up

EXPERIMENTS = 6
SECONDS = 0.01
"""How long each act takes: about as long as all that happens around it, so that kills find it under way."""


@dataclass
class Count:
    """What so many kills came to.

    ``under_way`` counts attempts that had an intent and no outcome when their controller died, by manner of
    the instrument, and ``unknown`` how many of these ended as unknown.
    """

    kills: int = 0
    campaigns: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    chain_breaks: list[str] = field(default_factory=list)
    under_way: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MANNERS, 0))
    unknown: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MANNERS, 0))
    torch: bool = False
    seconds: float = 0.0


def one_campaign(
    folder: Path, count: Count, draw: random.Random, *, manner: str, lanes: int, longest_s: float
) -> None:
    """Run a campaign to its end through as many kills as it takes."""
    order = {
        "folder": str(folder),
        "manner": manner,
        "lanes": lanes,
        "experiments": EXPERIMENTS,
        "seconds": SECONDS,
    }
    left: set[str] = set()
    before, killed = None, True
    while killed:
        killed = fork(order, after_s=draw.uniform(0.0, longest_s))
        count.kills += killed
        try:
            wrong = faults(folder, before)
        except Exception as error:  # noqa: BLE001 - whatever the ledger has become, it is counted
            count.chain_breaks.append(f"{folder.name}: {error}")
            return
        count.twice += wrong
        before, state = told(folder)
        if killed:
            left |= set(under_way(state))
    count.campaigns += 1
    count.lost += unfinished(folder, EXPERIMENTS)
    _, state = told(folder)
    for e in state:
        for intent, outcome in zip(e.intents, e.outcomes, strict=True):
            if intent.key in left:
                count.under_way[manner] += 1
                count.unknown[manner] += outcome.kind == "unknown"


def many(kills: int, seed: int) -> Count:
    """Kill so often, and count."""
    count, draw, began = Count(), random.Random(seed), time.monotonic()  # noqa: S311 - not for secrets
    # What a process wrote outlives it without reaching a disk, so that memory will do, where there is some.
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    folder = Path(tempfile.mkdtemp(prefix="kills-", dir=memory if os.access(memory, os.W_OK) else None))
    try:
        warm_up(folder / "warm")
        clock = time.monotonic()
        fork(
            {
                "folder": str(folder / "timed"),
                "manner": "askable",
                "experiments": EXPERIMENTS,
                "seconds": SECONDS,
            }
        )
        longest_s = 1.1 * (time.monotonic() - clock)
        while count.kills < kills:
            number = count.campaigns
            place = folder / f"{number}"
            manner, lanes = MANNERS[number % 3], 1 + number // 3 % 2
            one_campaign(place, count, draw, manner=manner, lanes=lanes, longest_s=longest_s)
            if count.chain_breaks:
                break
            shutil.rmtree(place)
        count.torch = "torch" in sys.modules
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    count.seconds = round(time.monotonic() - began, 1)
    return count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    count = many(given.kills, given.seed)
    sys.stdout.write(json.dumps(asdict(count)) + "\n")
    return 1 if count.lost or count.twice or count.chain_breaks else 0


if __name__ == "__main__":
    sys.exit(main())
