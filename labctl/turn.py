"""Whose turn it is: which strategies are asked for the next experiment, and on what evidence."""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from labctl.config import CampaignConfig
from labctl.evidence import Evidence
from labctl.portfolio import Shares, shares
from labctl.registry import STRATEGIES
from labctl.state import CampaignState
from labctl.strategies.protocol import Strategy

_WHEN_NOTHING_FITS = ("gaps", "random")
"""Who chooses where a strategy finds nothing it may choose, such as no improvement within the domain."""
_IN_DOUBT = ("vetoed",)
"""Who chooses after those, where people may err: a recipe that nobody would make may be all that is left."""
_MAY_PASS = ("replicate", "vetoed")
"""Strategies that may find nothing to do without anything being wrong."""
_ARM_OF = {"space_filling": "initial", "random_start": "initial", "improve_by_cost": "improve"}


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn it is.

    Attributes:
        order: names of strategies; the first that finds a recipe has it.
        shares: the shares behind that order, where the evidence decides on them.
    """

    order: tuple[str, ...]
    shares: Shares | None = None


def turn(
    config: CampaignConfig,
    state: CampaignState,
    *,
    results: int,
    surprised: bool,
    seen: Callable[[], Evidence],
) -> Turn:
    """The start first, then surprises, then the arm that lags farthest behind its share of the budget.

    Args:
        config: of the campaign.
        state: of the campaign.
        results: how many usable results there are; an arm that needs more makes way for chance.
        surprised: whether a surprising result waits to be measured again.
        seen: gathers the evidence, which is only asked for where it decides.
    """
    plan, counts = config.model.strategy, turns_of(state)
    doubt = config.model.advice.doubt if config.model.advice.vetoes else 0.0
    last = (*_WHEN_NOTHING_FITS, *(_IN_DOUBT if doubt else ()))
    if counts.get("initial", 0) < plan.initial:
        start = "space_filling" if plan.start == "space_filling" else "random_start"
        return Turn((start, *last))
    found = None
    if plan.arms is not None:
        told = _summable(plan.arms)
        weights = {arm: (1.0 - doubt) * w / sum(told.values()) for arm, w in told.items()}
        weights["vetoed"] = doubt
        spent = sum(counts.get(arm, 0) for arm in weights)
        due = {arm: share * (spent + 1) for arm, share in weights.items() if share > 0}
    else:
        floors = {"random": plan.floors.random, "replicate": plan.floors.replicate, "vetoed": doubt}
        found = shares(seen(), floors)
        due, counts = _due(state, found)
    by_lag = sorted(due, key=lambda arm: counts.get(arm, 0) - due[arm])
    if config.model.fidelities:
        by_lag = ["improve_by_cost" if arm == "improve" else arm for arm in by_lag]
    ready = [name if results >= load(name).needs_results else "random" for name in by_lag]
    # Where nothing can be measured again, or no vetoed recipe is left, the next arm has its turn.
    first = ready[: next(i for i, arm in enumerate((*ready, "")) if arm not in _MAY_PASS) + 1]
    order = ("replicate", *first) if surprised else first
    return Turn(tuple(dict.fromkeys((*order, *last))), found)


def _summable(weights: Mapping[str, float]) -> Mapping[str, float]:
    """The same weights, as parts of the largest where their sum is too large for a number."""
    if math.isfinite(sum(weights.values())):
        return weights
    most = max(weights.values())
    return {arm: weight / most for arm, weight in weights.items()}


def turns_of(state: CampaignState) -> Mapping[str, int]:
    """How many experiments each strategy has proposed; the start counts as one, whatever its layout.

    A reading by a cheaper fidelity is no turn: who reads one is still due to measure at the target. Nor is
    what was never begun.
    """
    counting = (e.proposal for e in state if e.proposal.fidelity is None and not e.never_begun)
    counts = Counter(proposal.strategy or proposal.arm for proposal in counting)
    for layout, name in _ARM_OF.items():
        if layout in counts:
            counts[name] += counts.pop(layout)
    return counts


def _due(state: CampaignState, now: Shares) -> tuple[dict[str, float], Mapping[str, int]]:
    """What each arm should have had by now, by the shares written at each turn, and what it has had."""
    due, had = dict(now.of), Counter[str]()
    for experiment in state:
        proposal = experiment.proposal
        if proposal.shares is None or proposal.fidelity is not None or experiment.never_begun:
            continue
        name = proposal.strategy or proposal.arm
        had[_ARM_OF.get(name, name)] += 1
        for arm, share in proposal.shares.items():
            due[arm] = due.get(arm, 0.0) + share
    return due, had


@cache
def load(name: str) -> Strategy:
    """The strategy with this name."""
    module, _, attribute = STRATEGIES[name].partition(":")
    strategy: Strategy = getattr(import_module(module), attribute)()
    return strategy
