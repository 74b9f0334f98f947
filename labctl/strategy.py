"""Which arm, which surrogate, which candidates: from the state of a campaign to its next proposal."""

import importlib.metadata
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from labctl.config import CampaignConfig
from labctl.proposal import Arm, Proposal
from labctl.registry import STRATEGIES
from labctl.space import Space
from labctl.state import CampaignState
from labctl.strategies.knowledge import knowledge
from labctl.strategies.protocol import Choice, Situation, Strategy
from labctl.strategies.surrogate import Surrogates
from labctl_drivers.protocol import Recipe


@dataclass(frozen=True, slots=True)
class Proposed:
    """A proposal, and the cards of the surrogates behind its prediction.

    Attributes:
        proposal: for the ledger.
        cards: for the ledger, before the proposal: each with its hash and objective.
    """

    proposal: Proposal
    cards: tuple[dict[str, Any], ...]


def propose(
    config: CampaignConfig,
    space: Space,
    state: CampaignState,
    *,
    seed: int,
    allowed: Callable[[Recipe], bool],
    route: str = "lane",
    predict_always: bool = True,
    only: tuple[Recipe, str] | None = None,
) -> Proposed | None:
    """Choose the next experiment, or None if no candidate is left.

    A pure function: the same config, state and seed give the same proposal, but for the computing time.

    Args:
        config: of the campaign.
        space: with the rows of its pool, where it has one.
        state: folded from the ledger.
        seed: of the campaign.
        allowed: whether a recipe keeps the lab's hard limits.
        route: who will carry it out, ``lane`` or ``hand``.
        predict_always: also fit a surrogate where the arm needs none, so that its result can be compared
            with a prediction.
        only: a person's own recipe and reason, which needs no choosing.
    """
    started = time.process_time()
    objectives = list(config.model.objectives)
    goal, _ = config.goal
    known = knowledge(state, space, objectives, goal)
    signs = {name: config.sign if name == goal else 1.0 for name in objectives}
    surrogates = Surrogates(known, signs, seed)
    number = len(state) + 1
    name = _next_strategy(config, state, known.n)
    situation = Situation(
        space=space,
        knowledge=known,
        surrogates=surrogates,
        goal=goal,
        sign=config.sign,
        allowed=allowed,
        rng=np.random.default_rng([seed, number]),
        seed=seed,
        done=_count(state)[_ARM_OF.get(name, name)],
        initial=config.model.strategy.initial,
        neighbours=config.model.strategy.neighbours,
    )
    if only is not None:
        return _written(Choice(*only), "expert", situation, started, route=route, predict=True)
    strategy = load(name)
    choice = strategy.choose(situation)
    if choice is None:
        return None
    return _written(choice, strategy.arm, situation, started, route=route, predict=predict_always)


@cache
def load(name: str) -> Strategy:
    """The strategy with this name."""
    module, _, attribute = STRATEGIES[name].partition(":")
    strategy: Strategy = getattr(import_module(module), attribute)()
    return strategy


@cache
def code_version() -> str:
    """The version of labctl that is running."""
    try:
        return f"labctl {importlib.metadata.version('labctl-sdl')}"
    except importlib.metadata.PackageNotFoundError:
        return "labctl (not installed)"


_ARM_OF = {"space_filling": "initial", "random_start": "initial"}


def _count(state: CampaignState) -> Mapping[str, int]:
    counts: dict[str, int] = dict.fromkeys(("initial", "improve", "novelty", "random"), 0)
    for experiment in state:
        arm = experiment.proposal.arm
        counts[arm] = counts.get(arm, 0) + 1
    return counts


def _next_strategy(config: CampaignConfig, state: CampaignState, results: int) -> str:
    """The start first, then the arm that lags farthest behind its share of the budget.

    An arm that needs results before there are any makes way for chance.
    """
    plan, counts = config.model.strategy, _count(state)
    if counts["initial"] < plan.initial:
        return "space_filling" if plan.start == "space_filling" else "random_start"
    total = sum(plan.arms.values())
    spent = sum(counts[arm] for arm in plan.arms)
    lag = {arm: share / total * (spent + 1) - counts[arm] for arm, share in plan.arms.items() if share > 0}
    name = max(lag, key=lambda arm: lag[arm])
    return name if results >= load(name).needs_results else "random"


def _written(
    choice: Choice, arm: Arm, situation: Situation, started: float, *, route: str, predict: bool
) -> Proposed:
    """The choice as the ledger keeps it, with its prediction."""
    surrogates, space = situation.surrogates, situation.space
    predictions, cards, hashes = {}, [], dict[str, str]()
    rests_on_it = choice.acquisition == "log_expected_improvement"
    if surrogates.ready and (rests_on_it or (predict and surrogates.trustworthy)):
        predictions = surrogates.predict(space.encode([choice.recipe]))[0]
        for objective in predictions:
            card = surrogates.of(objective).card
            cards.append({"hash": card.hash(), "objective": objective, "card": card.as_json()})
            hashes[objective] = card.hash()
    proposal = Proposal(
        recipe=dict(choice.recipe),
        arm=arm,
        because=choice.because,
        predictions=predictions,
        acquisition=choice.acquisition,
        value=choice.value,
        alternatives=tuple(choice.alternatives),
        surrogate=hashes.get(situation.goal),
        data=situation.knowledge.data,
        code=code_version(),
        seed=situation.seed,
        route="hand" if route == "hand" else "lane",
        cpu_seconds=round(time.process_time() - started, 6),
    )
    return Proposed(proposal, tuple(cards))
