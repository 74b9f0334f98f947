"""Looks at an instrument's interlocks again and again while an attempt runs."""

import threading
import time
from collections.abc import Callable

from labctl_drivers.patience import Patience
from labctl_drivers.protocol import Instrument, Interlocked
from labctl_drivers.verdict import sentence

_LONGEST = 400
_TURN_S = 0.005


class Watch:
    """Watches over one instrument during one attempt, on a daemon thread of its own.

    Whatever is not a plain None counts as tripped: a sentence, an exception, a look that takes longer than
    ``patience.look_s``. Once tripped it stays so, even if the door is shut again at once. Instruments without
    interlocks are not watched and never trip.
    """

    def __init__(self, instrument: Instrument, patience: Patience) -> None:
        self._instrument = instrument
        self._patience = patience
        self._looking: tuple[str, float] | None = None
        self._why: str | None = None
        self._rounds = 0
        self._round = threading.Condition()
        self._nudge = threading.Event()
        self._over = False

    def begin(self) -> str | None:
        """Look once at every interlock, and go on looking; say which one is tripped already."""
        if not isinstance(self._instrument, Interlocked):
            return None
        name = f"interlocks of {self._instrument.name}"
        threading.Thread(target=self._look_on, args=(self._instrument,), name=name, daemon=True).start()
        self._await_round(1)
        return self.tripped()

    def look_again(self) -> str | None:
        """Look at every interlock once more, now; name one that is tripped."""
        if isinstance(self._instrument, Interlocked):
            # The round that is under way may have begun before whatever makes the caller ask.
            self._await_round(self._rounds + 2)
        return self.tripped()

    def tripped(self) -> str | None:
        """Name and sentence of the interlock that tripped, or None."""
        looking = self._looking
        if self._why is None and looking is not None:
            name, since = looking
            if time.monotonic() - since > self._patience.look_s:
                self._why = f"{name}: its look did not return within {self._patience.look_s:g} s"
        return self._why

    def end(self) -> None:
        """Stop looking."""
        self._over = True
        self._nudge.set()

    def _await_round(self, number: int) -> None:
        while self.tripped() is None and self._rounds < number:
            self._nudge.set()
            with self._round:
                if self._rounds < number:
                    self._round.wait(_TURN_S)

    def _look_on(self, instrument: Interlocked) -> None:
        try:
            self._look_until_over(instrument)
        except BaseException as error:  # noqa: BLE001 - nobody looks any more, which must not pass for all is well
            self._why = self._why or f"interlocks: they cannot be read: {sentence(error)}"

    def _look_until_over(self, instrument: Interlocked) -> None:
        looks: dict[str, Callable[[], object]] = {}
        if not self._take("interlocks", lambda: looks.update(instrument.interlocks())):
            return
        while all(self._take(str(name), look) for name, look in looks.items()):
            with self._round:
                self._rounds += 1
                self._round.notify_all()
            self._nudge.wait(self._patience.period_s)
            self._nudge.clear()
            if self._over:
                return

    def _take(self, name: str, look: Callable[[], object]) -> bool:
        """Take one look; say whether all is well."""
        self._looking = (name, time.monotonic())
        try:
            said = look()
        except BaseException as error:  # noqa: BLE001 - an interlock that cannot be read is no interlock
            said = f"it cannot be read: {sentence(error)}"
        self._looking = None
        if said is None:
            return True
        self._why = self._why or f"{name}: {_line(said)}"
        return False


def _line(said: object) -> str:
    text = " ".join(said.split()) if isinstance(said, str) else f"it says {said!r}"
    return text[:_LONGEST] or "it tripped without saying why"
