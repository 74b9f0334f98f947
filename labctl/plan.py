"""A campaign as a Bluesky plan, for people who have a RunEngine of their own."""

import asyncio
import threading
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labctl.campaign import Campaign, Watcher
from labctl.config import load_config
from labctl.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Generator

    from bluesky.utils import Msg

    from labctl.summary import Summary
    from labctl_drivers.guest import Host

_ENDED = "the RunEngine was stopped or aborted by its user"
_INSISTS = 5
"""How often a RunEngine may interrupt the end of a plan: a pause that fails interrupts it twice."""


def campaign_plan(
    path: Path | str,
    *,
    experiments: int | None = None,
    folder: Path | str | None = None,
    seed: int | None = None,
    watch: Watcher | None = None,
) -> "Generator[Msg, Any, Summary]":
    """Run a campaign, or go on with it, inside a RunEngine of your own.

    ::

        RE(campaign_plan("campaign.yaml", experiments=5))

    It is the loop of ``labctl run``: the same ledger, limits, retries and rules, and each attempt at most
    once. Every attempt is one run, whose documents go to all that is subscribed to your RunEngine and into
    the campaign's file. The loop works on a thread of its own, so that your event loop stays free.

    Nothing is repeated, so there is nothing to pause: one Ctrl-C ends the plan after the experiment that
    runs, and two, a suspender or ``RE.abort()`` break it off, which the ledger keeps as ``aborted``. Give the
    plan to the RunEngine once more to go on.

    Args:
        path: the campaign file.
        experiments: the budget, in place of the file's; experiments done before count.
        folder: where the ledger is; beside the file unless given.
        seed: of a new campaign, in place of the file's.
        watch: called on the loop's thread with every experiment that has its outcome.

    Returns:
        Where the campaign stands then.

    Raises:
        LabctlError: as :meth:`labctl.Campaign.open` and :meth:`labctl.Campaign.run` do.
    """
    from bluesky import plan_stubs as bps  # noqa: PLC0415 - takes a moment to import
    from bluesky.utils import FailedPause, RunEngineControlException  # noqa: PLC0415 - as above

    from labctl_drivers.guest import Host, whatever_failed  # noqa: PLC0415 - loads the engine

    if load_config(path).lanes > 1:
        raise RequestError(
            "a RunEngine carries out one experiment at a time; set lanes to 1, or use `labctl run`",
            file=path,
            key="instrument.lanes",
        )
    host = Host(asyncio.get_running_loop())
    loop = _Loop(host, partial(Campaign.open, path, folder=folder, seed=seed), experiments, watch)
    # From here on a request to pause can only end the plan.
    yield from bps.clear_checkpoint()
    loop.start()
    try:
        while (turn := (yield from host.next_turn())) is not None:
            ended = yield from host.play(turn)
            try:
                # Here a pause that was asked for ends the plan, before the loop decides on what comes next.
                yield from whatever_failed(bps.checkpoint)
            except (RunEngineControlException, FailedPause) as error:
                ended = ended or error
            if ended is not None:
                loop.stop_after_this(_ENDED)
            host.finish(turn)
            if ended is not None:
                raise ended  # noqa: TRY301 - the RunEngine's own, which has to see it again
    except GeneratorExit:
        loop.leave(_ENDED)
        raise
    except (RunEngineControlException, FailedPause):
        loop.leave(_ENDED)
        yield from _until(loop.closed)
        raise
    except BaseException:
        loop.leave("the plan failed")
        raise
    yield from whatever_failed(lambda: bps.wait_for([lambda: asyncio.wrap_future(loop.closed)]))
    return loop.over.result()


def _until(closed: "Future[None]") -> "Generator[Msg, Any, None]":
    """Wait until the campaign is closed, also while the RunEngine insists on ending."""
    from bluesky import plan_stubs as bps  # noqa: PLC0415 - takes a moment to import
    from bluesky.utils import FailedPause, FailedStatus, RunEngineControlException  # noqa: PLC0415 - as above

    for _ in range(_INSISTS):
        try:
            yield from bps.wait_for([lambda: asyncio.wrap_future(closed)])
        except (RunEngineControlException, FailedPause, FailedStatus):
            continue
        return


class _Loop(threading.Thread):
    """The campaign's own loop beside the plan: it decides what is done, and waits for the host to do it."""

    def __init__(
        self,
        host: "Host",
        opened: "partial[Campaign]",
        experiments: int | None,
        watch: Watcher | None,
    ) -> None:
        super().__init__(name="campaign", daemon=True)
        self.over: Future[Summary] = Future()
        # Set after the other one, and never with an exception, which asyncio would complain of.
        self.closed: Future[None] = Future()
        self._host = host
        self._opened = opened
        self._experiments = experiments
        self._watch = watch
        self._lock = threading.Lock()
        self._campaign: Campaign | None = None
        self._leaving: str | None = None

    def run(self) -> None:
        """Open the campaign, run it, and close it."""
        from labctl_drivers.guest import GuestLane  # noqa: PLC0415 - loads the engine

        try:
            with self._opened() as campaign:
                campaign.carry_out_on(partial(GuestLane, self._host))
                with self._lock:
                    self._campaign = campaign
                    leaving = self._leaving
                if leaving is not None:
                    campaign.stop(leaving)
                summary = campaign.run(experiments=self._experiments, watch=self._watch)
        except BaseException as error:  # noqa: BLE001 - raised again where the plan waits
            self._host.end("the campaign has ended")
            self.over.set_exception(error)
        else:
            self._host.end("the campaign has ended")
            self.over.set_result(summary)
        self.closed.set_result(None)

    def leave(self, why: str) -> None:
        """Start nothing more, and give up what runs; it is still written down."""
        self.stop_after_this(why)
        self._host.end(why)

    def stop_after_this(self, why: str) -> None:
        """Start nothing more."""
        with self._lock:
            self._leaving = why
            campaign = self._campaign
        if campaign is not None:
            campaign.stop(why)
