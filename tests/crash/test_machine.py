"""Propose, decide, dispatch, crash, resume, settle, in any order: at most one act for each key."""

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crash_bench import MANNERS, Acts, acts, campaign_in, faults
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from labctl.campaign import Campaign
from labctl.ledger import Entry
from labctl.proposal import Halt

EXPERIMENTS = 12
STEPS = ("append", "start", "arrival")


class CrashedError(BaseException):
    """What a controller dies of."""


class Controller(RuleBasedStateMachine):
    """One campaign, its controllers one after the other, and the people beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory(prefix="machine-")
        self.folder = Path(self.place.name)
        self.campaign: Campaign | None = None
        self.left = 0
        self.halted_with: set[str] | None = None
        self.unsettled: dict[str, int] = {}

    @initialize(manner=st.sampled_from(MANNERS), lanes=st.sampled_from([1, 2]))
    def begin(self, manner: str, lanes: int) -> None:
        self.manner, self.lanes = manner, lanes

    def opened(self) -> Campaign:
        if self.campaign is None:
            self.campaign = campaign_in(self.folder, self.manner, lanes=self.lanes, experiments=EXPERIMENTS)
            ledger: Any = self.campaign._ledger
            lanes: Any = self.campaign._lanes
            ledger.append_all = self.mortal(ledger.append_all)
            lanes.start = self.mortal(lanes.start)
            lanes.next = self.mortal(lanes.next)
        return self.campaign

    def mortal(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """A step that may be the last, right before it or right after it."""

        def taken(*args: Any) -> Any:  # noqa: ANN401 - whatever the step takes
            self.pass_point()
            result = step(*args)
            self.pass_point()
            return result

        return taken

    def pass_point(self) -> None:
        if self.left:
            self.left -= 1
            if not self.left:
                raise CrashedError

    def crash(self) -> None:
        if self.campaign is not None:
            self.campaign.close()
            self.campaign = None

    @rule()
    def propose(self) -> None:
        campaign = self.opened()
        if len(campaign.state) < EXPERIMENTS:
            campaign._propose("lane")

    @rule()
    def decide(self) -> None:
        campaign = self.opened()
        waiting = [e for e in campaign.state.pending if e.decision is None]
        if waiting:
            campaign._review(waiting[0])

    @rule()
    def dispatch(self) -> None:
        campaign = self.opened()
        campaign.step(most=max(0, EXPERIMENTS - len(campaign.state)))

    @rule(points=st.integers(1, 14))
    def crash_while_it_dispatches(self, points: int) -> None:
        campaign, self.left = self.opened(), points
        try:
            campaign.step(most=max(0, EXPERIMENTS - len(campaign.state)))
        except CrashedError:
            self.crash()
        finally:
            self.left = 0

    @rule()
    def die_at_rest(self) -> None:
        self.crash()

    @rule()
    def trip_an_interlock(self) -> None:
        campaign = self.opened()
        if campaign.state.halt is None and len(campaign.state):
            halt = Halt(lane="lane-1", instrument="acts", reason="door: it is open")
            campaign._append(Entry("halt", halt.body()))
            # What another lane had begun before may still come to its act.
            lanes: Any = campaign._lanes
            begun = {e.intents[-1].key for e in campaign.state.pending if lanes.carries(e.id)}
            self.halted_with = begun | set(acts(self.folder))

    @precondition(lambda self: self.halted_with is not None)
    @rule()
    def resume(self) -> None:
        self.opened().resume(by="Ada", because="shut the door")
        self.halted_with = None

    @rule(verdict=st.sampled_from(["measured", "failed", "never"]))
    def settle(self, verdict: Any) -> None:  # noqa: ANN401 - one of three
        campaign = self.opened()
        unknown = [e for e in campaign.state if e.unsettled]
        # A person looks: what was done is never said to be never begun.
        for e in unknown[:1]:
            done = e.intents[-1].key in acts(self.folder)
            said = "failed" if verdict == "never" and done else verdict
            values = {"y": 1.0} if said == "measured" else None
            failed = "infeasible" if said == "failed" else None
            campaign.settle(e.id, said, values, by="Ada", failed=failed)

    @invariant()
    def at_most_one_act_for_each_key_and_each_with_an_intent(self) -> None:
        assert faults(self.folder) == []

    @invariant()
    def nothing_starts_while_it_is_halted(self) -> None:
        if self.halted_with is not None:
            assert set(acts(self.folder)) <= self.halted_with

    @invariant()
    def each_sample_is_used_for_one_result(self) -> None:
        if self.campaign is None:
            return
        done = Counter(key.rpartition("/")[0] for key in acts(self.folder))
        again = {e.id for e in self.campaign.state if len(e.intents) > 1}
        settled = {e.id for e in self.campaign.state if any(s.verdict == "never" for s in e.settled)}
        # No failure here is of a kind that is retried, so that only a person's word makes a second attempt.
        assert again <= settled
        assert all(n == 1 or key.rpartition("/")[2] in settled for key, n in done.items())

    def teardown(self) -> None:
        self.crash()
        if self.folder.joinpath("ledger.sqlite").exists() and hasattr(self, "manner"):
            self.halted_with = None
            campaign = self.opened()
            if campaign.state.halt is not None:
                campaign.resume(by="Ada", because="the end")
            campaign.run()
            # Whatever came between: nothing is left without its outcome, and nothing was done twice.
            assert not campaign.state.pending
            assert faults(self.folder) == []
            self.crash()
        self.place.cleanup()


Controller.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=14,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestController = Controller.TestCase


def test_the_instrument_of_these_tests_would_show_a_second_act(tmp_path: Path) -> None:
    with campaign_in(tmp_path, "askable", experiments=1) as campaign:
        campaign.run()
        [experiment] = campaign.state
        line = (tmp_path / "acts.log").read_text()
        (tmp_path / "acts.log").write_text(line * 2)
        assert faults(tmp_path) == [f"{experiment.intents[0].key} was done 2 times"]
        (tmp_path / "acts.log").write_text(line.replace("/1", "/7"))
        assert "was done without an intent" in faults(tmp_path)[0]
    assert Acts(tmp_path, "mute").ask("any").state == "unknown"
