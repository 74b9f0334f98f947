"""Which arm, which surrogate, which candidates: from the state of a campaign to its next proposal."""

import importlib.metadata
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from labctl.config import CampaignConfig
from labctl.ground import ground
from labctl.proposal import Arm, Predicted, Proposal, recipe_key
from labctl.registry import STRATEGIES
from labctl.space import Space
from labctl.state import CampaignState
from labctl.strategies.knowledge import knowledge
from labctl.strategies.protocol import Choice, Situation, Strategy
from labctl.strategies.surrogate import Surrogates
from labctl.surprises import Surprise, surprises
from labctl.widening import widening
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
    repeatable: Callable[[Recipe], bool] = lambda _recipe: True,
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
        repeatable: whether measuring a recipe again can say anything new.
    """
    started = time.process_time()
    objectives = list(config.model.objectives)
    goal, _ = config.goal
    known = knowledge(state, space, objectives, goal)
    signs = {name: config.sign if name == goal else 1.0 for name in objectives}
    chosen = (state.verdict or {}).get("surrogate", "gp-ard")
    surrogates = Surrogates(known, signs, seed, kind=str(chosen))
    number = len(state) + 1
    again = _to_repeat(config, state, repeatable)
    name = _next_strategy(config, state, known.n, again)
    verdict = None if state.verdict is None else str(state.verdict["verdict"])
    situation = Situation(
        space=space,
        knowledge=known,
        surrogates=surrogates,
        goal=goal,
        sign=config.sign,
        allowed=allowed,
        rng=np.random.default_rng([seed, number]),
        seed=seed,
        done=_count(state).get(_ARM_OF.get(name, name), 0),
        initial=config.model.strategy.initial,
        neighbours=config.model.strategy.neighbours,
        surprises=again,
        ground=ground(space, state),
        verdict=verdict,
    )
    widened = widening(config, state)
    if only is not None:
        expert = _Written("expert", None, widened, route, predict=True)
        return expert.proposed(Choice(*only), situation, started)
    for attempt in (name, *_WHEN_NOTHING_FITS):
        strategy = load(attempt)
        choice = strategy.choose(situation)
        if choice is not None:
            written = _Written(strategy.arm, attempt, widened, route, predict=predict_always)
            return written.proposed(choice, situation, started)
    return None


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


_WHEN_NOTHING_FITS = ("gaps", "random")
"""Who chooses where a strategy finds nothing it may choose, such as no improvement within the domain."""
_ARM_OF = {"space_filling": "initial", "random_start": "initial"}


def _count(state: CampaignState) -> Mapping[str, int]:
    """How many experiments each strategy has proposed; the start counts as one, whatever its layout."""
    counts: dict[str, int] = {}
    for experiment in state:
        name = experiment.proposal.strategy or experiment.proposal.arm
        name = _ARM_OF.get(name, name)
        counts[name] = counts.get(name, 0) + 1
    return counts


def _to_repeat(
    config: CampaignConfig, state: CampaignState, repeatable: Callable[[Recipe], bool]
) -> tuple[Surprise, ...]:
    """Surprising results to be measured again, as far as the campaign's share for replicates goes."""
    spent = sum(e.proposal.arm == "replicate" for e in state)
    if spent + 1 > config.model.strategy.replicates * (len(state) + 1):
        return ()
    under_way = {recipe_key(e.proposal.recipe) for e in state.pending}
    return tuple(
        s
        for s in surprises(config, state)
        if s.replicate == "waiting" and recipe_key(s.recipe) not in under_way and repeatable(s.recipe)
    )


def _next_strategy(
    config: CampaignConfig, state: CampaignState, results: int, again: Sequence[Surprise]
) -> str:
    """The start first, then surprises, then the arm that lags farthest behind its share of the budget.

    An arm that needs results before there are any makes way for chance.
    """
    plan, counts = config.model.strategy, _count(state)
    if counts.get("initial", 0) < plan.initial:
        return "space_filling" if plan.start == "space_filling" else "random_start"
    if again:
        return "replicate"
    total = sum(plan.arms.values())
    spent = sum(counts.get(arm, 0) for arm in plan.arms)
    lag = {
        arm: share / total * (spent + 1) - counts.get(arm, 0) for arm, share in plan.arms.items() if share > 0
    }
    name = max(lag, key=lambda arm: lag[arm])
    return name if results >= load(name).needs_results else "random"


@dataclass(frozen=True, slots=True)
class _Written:
    """How a choice is written down."""

    arm: Arm
    strategy: str | None
    widened: float
    route: str
    predict: bool

    def proposed(self, choice: Choice, situation: Situation, started: float) -> Proposed:
        """The choice as the ledger keeps it, with its prediction and where it lies."""
        surrogates, space = situation.surrogates, situation.space
        predictions: dict[str, Predicted] = {}
        cards: list[dict[str, Any]] = []
        rests_on_it = choice.acquisition in ("log_expected_improvement", "predicted_sd")
        if surrogates.ready and (rests_on_it or (self.predict and surrogates.trustworthy)):
            predictions = surrogates.predict(space.encode([choice.recipe]))[0]
            for objective in predictions:
                card = surrogates.of(objective).card
                cards.append({"hash": card.hash(), "objective": objective, "card": card.as_json()})
        main = next((str(c["hash"]) for c in cards if c["objective"] == situation.goal), None)
        stood = situation.ground
        proposal = Proposal(
            recipe=dict(choice.recipe),
            arm=self.arm,
            because=choice.because,
            strategy=self.strategy,
            domain=None if stood is None else stood.stamp(choice.recipe),
            predictions={name: self._wide(p) for name, p in predictions.items()},
            acquisition=choice.acquisition,
            value=choice.value,
            alternatives=tuple(choice.alternatives),
            surrogate=main,
            data=situation.knowledge.data,
            code=code_version(),
            seed=situation.seed,
            route="hand" if self.route == "hand" else "lane",
            cpu_seconds=round(time.process_time() - started, 6),
        )
        return Proposed(proposal, tuple(cards))

    def _wide(self, predicted: Predicted) -> Predicted:
        factor = max(self.widened, 1.0)
        return predicted.model_copy(
            update={
                "sd": predicted.sd * factor,
                "noise_sd": predicted.noise_sd * factor,
                "widened": round(factor, 6),
            }
        )
