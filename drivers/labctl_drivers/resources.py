"""What lanes share: a furnace, slots in a rack; reserved all or nothing, by an owner, for a time."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from labctl_drivers.protocol import Instrument, Needs, Recipe


@dataclass(frozen=True, slots=True)
class Reservation:
    """What an owner holds.

    Attributes:
        owner: the key of the attempt, by which the ledger and the instrument can be asked what became of it.
        needs: how many of each resource, by name.
        until: when the lease ends, on the clock of :class:`Resources`; inf for until it is given back.
    """

    owner: str
    needs: Mapping[str, int]
    until: float


class Resources:
    """Named counts that all lanes share; safe to use from several threads.

    An owner takes all that it needs at once or nothing, and takes nothing more while it holds something, so
    that no two owners can wait for each other. A name without a count exists once.

    A lease ends by itself, so that an owner which died without giving back blocks nobody for ever. One whose
    attempt did not end in order has to be kept with :meth:`keep`: its device may still be in use.

    Args:
        counts: how many there are of each resource.
        clock: seconds that only grow.

    Raises:
        ValueError: a count is below one.
    """

    def __init__(self, counts: Mapping[str, int], *, clock: Callable[[], float] = time.monotonic) -> None:
        for name, count in counts.items():
            if count < 1:
                raise ValueError(f"there must be at least one {name}, and there are {count}")
        self._counts = dict(counts)
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[str, Reservation] = {}

    def impossible(self, needs: Mapping[str, int]) -> str | None:
        """Why these needs can never be met, in one sentence, or None."""
        for name, number in needs.items():
            if number < 0:
                return f"it needs {number} {name}, which is no number of things"
            if number > self.count(name):
                return f"it needs {number} {name}, and there is {self.count(name)}"
        return None

    def count(self, name: str) -> int:
        """How many there are of a resource, taken ones among them."""
        return self._counts.get(name, 1)

    def take(self, owner: str, needs: Mapping[str, int], *, lease_s: float) -> bool:
        """Reserve all of it for an owner, or nothing; says whether it was done.

        Args:
            owner: the key of an attempt. One that holds something already takes nothing more, so that a
                second call with the same key does no harm: it only says yes where the needs are the same.
            needs: how many of each resource.
            lease_s: for how long, s.
        """
        with self._lock:
            self._end_leases()
            known = self._held.get(owner)
            if known is not None:
                return dict(known.needs) == dict(needs)
            taken: dict[str, int] = {}
            for reservation in self._held.values():
                for name, number in reservation.needs.items():
                    taken[name] = taken.get(name, 0) + number
            if any(taken.get(name, 0) + number > self.count(name) for name, number in needs.items()):
                return False
            self._held[owner] = Reservation(owner, dict(needs), self._clock() + lease_s)
            return True

    def release(self, owner: str) -> None:
        """Give back all that an owner holds; an owner that holds nothing may do so too."""
        with self._lock:
            self._held.pop(owner, None)

    def keep(self, owner: str) -> None:
        """Let what an owner holds be taken by nobody until it is released, however long that takes."""
        with self._lock:
            known = self._held.get(owner)
            if known is not None:
                self._held[owner] = Reservation(owner, known.needs, float("inf"))

    def held(self) -> Mapping[str, Reservation]:
        """Who holds what, by owner."""
        with self._lock:
            self._end_leases()
            return dict(self._held)

    def _end_leases(self) -> None:
        now = self._clock()
        self._held = {owner: r for owner, r in self._held.items() if now < r.until}


def needs_of(instrument: Instrument, recipe: Recipe) -> dict[str, int]:
    """What one attempt at this recipe takes; nothing for an instrument that does not say.

    Raises:
        ValueError: the driver names no whole numbers of things; one sentence.
    """
    if not isinstance(instrument, Needs):
        return {}
    needs: dict[str, int] = {}
    told: Mapping[str, object] = instrument.needs(recipe)
    for name, number in told.items():
        if not isinstance(number, int) or isinstance(number, bool):
            raise ValueError(f"{instrument.name} says that it needs {number!r} of {name!r}")  # noqa: TRY004 - one kind of error for whatever a driver says
        needs[name] = number
    return needs
