"""Laws of shares, turns, stop rules and vetoes, whatever the campaign has seen."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rpds import HashTrieMap

from labctl.advice import veto_of
from labctl.budget import StopRule
from labctl.config import CampaignConfig, CampaignModel
from labctl.evidence import Evidence
from labctl.portfolio import shares
from labctl.proposal import Decision, Outcome, Proposal
from labctl.registry import ARMS
from labctl.state import CampaignState, Experiment, experiment_id
from labctl.stopping import why_to_stop
from labctl.strategy import propose
from labctl.turn import turn

quick = settings(max_examples=60, deadline=None)
# An optimiser from outside has to be named; tests of it stand beside the strategy.
OWN_ARMS = tuple(arm for arm in ARMS if arm != "plugged")
FILE: dict[str, Any] = {
    "campaign": "laws",
    "parameters": {
        "x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 10},
        "s": {"kind": "categorical", "choices": ["a", "b", "c"]},
    },
    "objectives": {"y": {"goal": "maximize", "unit": "mm"}},
    "instrument": {"kind": "hand"},
}


def config(**told: object) -> CampaignConfig:
    return CampaignConfig(Path("laws.yaml"), CampaignModel.model_validate({**FILE, **told}))


def state_of(done: list[tuple[Proposal, Outcome | None]]) -> CampaignState:
    """A state as folding these would give it, without the hashing."""
    experiments: HashTrieMap[int, Experiment] = HashTrieMap()
    for number, (proposal, outcome) in enumerate(done, start=1):
        experiment = Experiment(
            id=experiment_id(number),
            number=number,
            proposal=proposal,
            proposed_at="2024-01-01T00:00:00+00:00",
            proposed_seq=2 * number,
            ended_seq=2 * number + 1,
            decision=Decision(verdict="approved", by="rule"),
            outcomes=() if outcome is None else (outcome,),
        )
        experiments = experiments.insert(number, experiment)
    return CampaignState(experiments=experiments)


def asked(x: float = 1.0, s: str = "a", **told: Any) -> Proposal:  # noqa: ANN401 - fields
    usual = {"arm": "random", "because": "asked", "data": "0", "code": "labctl 0", "seed": 0}
    return Proposal.model_validate({"recipe": {"x": x, "s": s}, **usual, **told})


def came(y: float | None) -> Outcome:
    if y is None:
        return Outcome.model_validate({"status": "failed", "kind": "infeasible", "source": "hand"})
    return Outcome(status="measured", values={"y": y}, source="hand")


seen = st.builds(
    Evidence,
    results=st.integers(0, 10_000),
    verdict=st.sampled_from([None, "trusted", "interpolation only", "lookup table"]),
    since_better=st.integers(0, 10_000),
    patience=st.integers(8, 3_000),
    surprises=st.integers(0, 100),
    widened=st.floats(1.0, 1e6),
    covered=st.one_of(st.none(), st.floats(0.0, 1.0)),
)
floors = st.fixed_dictionaries(
    {"random": st.floats(0, 0.5), "replicate": st.floats(0, 0.3), "vetoed": st.floats(0, 0.19)}
)


@settings(max_examples=300, deadline=None)
@given(seen, floors)
def test_shares_add_up_to_one_and_keep_their_floors(evidence: Evidence, least: dict[str, float]) -> None:
    found = shares(evidence, least)
    assert sum(found.of.values()) == pytest.approx(1, abs=1e-12)
    assert all(share >= 0 for share in found.of.values())
    assert all(found.of.get(arm, 0.0) >= floor for arm, floor in least.items())
    # Whatever is in doubt, nothing that is asked for by default is closed.
    assert all(found.of[arm] > 0 for arm in ("improve", "explore", "novelty"))
    assert found.because


weights = st.dictionaries(st.sampled_from(OWN_ARMS), st.integers(0, 20), min_size=1, max_size=8).filter(
    lambda arms: sum(arms.values()) > 0
)


@quick
@given(weights, st.booleans())
def test_fixed_arms_are_never_far_from_their_share(arms: dict[str, int], doubted: bool) -> None:  # noqa: FBT001 - drawn
    vetoes = [{"when": {"s": "c"}, "because": "no"}] if doubted else []
    told = config(strategy={"initial": 1, "arms": arms}, advice={"vetoes": vetoes, "doubt": 0.1})
    kept = 0.9 if doubted else 1.0
    share = {name: kept * weight / sum(arms.values()) for name, weight in arms.items() if weight}
    share |= {"vetoed": 0.1} if doubted else {}
    # After each turn every arm's lag adds up to nothing, and whoever lagged most had the turn. So no arm is
    # ahead by a whole turn, and none lags more than 1/2 + 1/3 + ... + 1/k behind: by one at most of three.
    most = sum(1 / n for n in range(2, len(share) + 1))
    done: list[tuple[Proposal, Outcome | None]] = [(asked(strategy="space_filling"), None)]
    had = dict.fromkeys(share, 0)
    for n in range(1, 41):
        order = turn(told, state_of(done), results=99, surprised=False, seen=_never).order
        had[order[0]] += 1
        done.append((asked(strategy=order[0]), None))
        for name, part in share.items():
            assert -1 < n * part - had[name] <= most + 1e-9, (name, n)


def _never() -> Evidence:
    raise AssertionError("fixed arms need no evidence")


results = st.lists(st.one_of(st.none(), st.floats(-100, 100)), min_size=1, max_size=25)


def ends(rule: StopRule, ys: list[float | None]) -> bool:
    told = config(stop=[rule.model_dump(exclude_none=True)], budget={"failures_in_a_row": None})
    return why_to_stop(told, state_of([(asked(), came(y)) for y in ys]), 10_000) is not None


@quick
@given(results, st.integers(1, 10))
def test_what_ends_an_impatient_campaign_is_found_earlier(ys: list[float | None], most: int) -> None:
    if ends(StopRule(stagnation=most + 1), ys):
        assert ends(StopRule(stagnation=most), ys)
    # Nothing that is no better than what is known can bring it back to life; anything better does.
    known = [y for y in ys if y is not None]
    if known and ends(StopRule(stagnation=most), ys):
        assert ends(StopRule(stagnation=most), [*ys, min(known), None])
        assert not ends(StopRule(stagnation=most), [*ys, max(known) + 1.0])


@quick
@given(results, st.floats(0, 0.9), st.integers(2, 10))
def test_who_bears_more_failures_goes_on_longer(ys: list[float | None], rate: float, last: int) -> None:
    patient, impatient = StopRule(failure_rate=rate + 0.05, last=last), StopRule(failure_rate=rate, last=last)
    if ends(patient, ys):
        assert ends(impatient, ys)
        worse: list[float | None] = [*ys[:-1], None]
        assert ends(patient, worse)
    both = StopRule(failure_rate=rate, last=last, stagnation=2)
    assert ends(both, ys) == (ends(impatient, ys) and ends(StopRule(stagnation=2), ys))
    if ends(StopRule(failure_rate=rate, last=last, experiments=len(ys) + 1), ys):
        raise AssertionError("it ended before it was due")


@quick
@given(results, st.integers(1, 40))
def test_a_larger_budget_never_ends_sooner(ys: list[float | None], budget: int) -> None:
    told, state = config(budget={"failures_in_a_row": None}), state_of([(asked(), came(y)) for y in ys])
    assert (why_to_stop(told, state, budget) is not None) == (len(ys) >= budget)


vetoes = st.lists(
    st.one_of(
        st.sampled_from(["a", "b", "c"]).map(lambda s: {"when": {"s": s}, "because": "said so"}),
        st.floats(1.0, 9.0).map(lambda x: {"when": {"x": {"above": x, "unit": "mm"}}, "because": "too much"}),
        st.tuples(st.sampled_from(["a", "b"]), st.floats(1.0, 9.0)).map(
            lambda t: {"when": {"s": t[0], "x": {"below": t[1], "unit": "mm"}}, "because": "both"}
        ),
    ),
    max_size=3,
)


@settings(max_examples=40, deadline=None)
@given(vetoes, st.sampled_from([None, *OWN_ARMS]), st.integers(0, 6), st.integers(0, 2**31))
def test_nothing_is_proposed_against_a_veto_but_to_measure_it(
    against: list[dict[str, Any]], arm: str | None, results: int, seed: int
) -> None:
    # Vetoes on everything are refused before anything is proposed.
    assume(len({v["when"]["s"] for v in against if v["when"].keys() == {"s"}}) < 3)
    strategy: dict[str, Any] = {"initial": 1, **({} if arm is None else {"arms": {arm: 1}})}
    told = config(strategy=strategy, advice={"vetoes": against, "doubt": 0.3})
    # Results where vetoes speak against the recipe too, the best among them.
    done: list[tuple[Proposal, Outcome | None]] = [
        (asked(x=1.5 * i, s="abc"[i % 3], arm="expert"), came(2.0 * i)) for i in range(results)
    ]
    for _ in range(3):
        proposed = propose(told, told.space, state_of(done), seed=seed, allowed=lambda _recipe: True)
        if proposed is None:
            return
        proposal = proposed.proposal
        reason = veto_of(told.model.advice, told.model.parameters, proposal.recipe)
        assert (reason is not None) == (proposal.strategy == "vetoed"), proposal.because
        assert reason is None or reason in proposal.because
        done.append((proposal, came(float(len(done)))))
