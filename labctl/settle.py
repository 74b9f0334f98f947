"""What only a person can say: what became of a sample, and that a campaign may go on after it was halted."""

from collections.abc import Mapping
from typing import Literal

from labctl.config import CampaignConfig
from labctl.dispatch import refuse_wild
from labctl.errors import RequestError
from labctl.ledger import Entry
from labctl.proposal import NEVER, Interval, Outcome, Resume, Settled, writable
from labctl.record import checked_outcome
from labctl.state import CampaignState, Experiment
from labctl_drivers.protocol import FailureKind, Recipe

Verdict = Literal["measured", "failed", "never"]


def settled(
    config: CampaignConfig,
    experiment: Experiment,
    verdict: Verdict,
    values: Mapping[str, float],
    *,
    by: str,
    failed: str | None = None,
    message: str = "",
    actual: Recipe | None = None,
    bounds: Mapping[str, Interval] | None = None,
) -> list[Entry]:
    """The events by which a person settles an attempt; the outcome that nobody knew stays in the ledger.

    An attempt that is still under way by the ledger, because its controller died and its instrument answers
    no more, gets its unknown outcome first.

    Raises:
        RequestError: there is nothing to settle, or what was said does not fit together.
    """
    under_way = experiment.status == "running"
    if not under_way and not experiment.unsettled:
        raise RequestError(
            f"{experiment.id} is {experiment.status}, and only what ended as unknown can be settled",
            key="EXPERIMENT",
        )
    _check_name(by)
    attempt = max(len(experiment.intents), len(experiment.outcomes))
    if verdict == "never":
        if values or failed or actual or bounds:
            raise RequestError(
                "says that nothing was made, so there is nothing measured; give one", key="--as"
            )
        result = Outcome(
            status="failed",
            kind=FailureKind.ABORTED,
            stage=NEVER,
            message=message or "never begun, as a person found; it may be tried again",
            source=by,
        )
    else:
        if (verdict == "failed") != (failed is not None or bool(bounds)):
            how = "needs --failed KIND, which says how" if verdict == "failed" else "is no failure"
            raise RequestError(f"{verdict} {how}", key="--as")
        result = checked_outcome(
            config,
            values,
            asked=experiment.proposal.recipe,
            failed=failed,
            message=message,
            actual=actual or {},
            bounds=bounds or {},
            by=by,
        )
        if result.kind is FailureKind.UNKNOWN:
            raise RequestError("unknown is what it is already; say what became of the sample", key="--failed")
    refuse_wild(result)
    told = Settled(verdict=verdict, outcome=result, by=by)
    entries = [Entry("settled", told.body(), experiment.id, attempt)]
    if under_way:
        entries.insert(0, Entry("outcome", _unanswered(experiment).body(), experiment.id, attempt))
    return entries


def resumed(state: CampaignState, *, by: str, because: str) -> Resume:
    """What is written when a person lets a campaign go on.

    Raises:
        RequestError: nothing has halted it, or nobody says who and why.
    """
    if state.halt is None and not state.suspects:
        raise RequestError("nothing has halted this campaign; `labctl run` goes on with it")
    _check_name(by)
    if not because.strip():
        raise RequestError("say what was found and done, for those who read the record", key="--because")
    if because != writable(because):
        raise RequestError("holds half a character, which no file can hold; type it anew", key="--because")
    return Resume(by=by, because=because)


def _check_name(by: str) -> None:
    if not by.strip():
        raise RequestError("say who you are, for those who read the record", key="--by")
    if by != writable(by):
        raise RequestError("holds half a character, which no file can hold; type it anew", key="--by")


def _unanswered(experiment: Experiment) -> Outcome:
    return Outcome(
        status="failed",
        kind=FailureKind.UNKNOWN,
        stage="recover",
        message="settled by a person before the instrument was asked what became of it",
        source=experiment.intents[-1].instrument,
    )
