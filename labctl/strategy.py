"""Which arm, which surrogate, which candidates: from the state of a campaign to its next proposal."""

import importlib.metadata
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from labctl.advice import belief
from labctl.config import CampaignConfig
from labctl.evidence import Evidence, evidence, standing
from labctl.ground import ground
from labctl.portfolio import Shares
from labctl.proposal import Arm, Predicted, Proposal, recipe_key
from labctl.sources import Offers, sources
from labctl.space import Space
from labctl.state import CampaignState
from labctl.strategies.knowledge import knowledge
from labctl.strategies.protocol import Choice, Situation
from labctl.strategies.surrogate import Surrogates, kind_for
from labctl.surprises import Surprise, surprises
from labctl.turn import load, turn, turns_of
from labctl.widening import widening
from labctl_drivers.limits import Limits
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
    offers: Offers = lambda _fidelity, _recipe: True,
    limits: Limits | None = None,
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
        offers: whether a fidelity, by its name, can measure a recipe at all.
        limits: of the lab, to draw recipes within them; ``allowed`` has the last word.
    """
    started = time.process_time()
    objectives = list(config.model.objectives)
    goal, _ = config.goal
    known = knowledge(state, space, objectives, list(config.goals))
    signs = {name: objective.sign for name, objective in config.model.objectives.items()}
    chosen = (state.verdict or {}).get("surrogate", "gp-ard")
    pool = 0 if space.pool is None else len(space.pool)
    surrogates = Surrogates(known, signs, seed, kind=kind_for(str(chosen), pool, known.n))
    number = len(state) + 1
    surprising, widened, stood = surprises(config, state), widening(config, state), ground(space, state)
    again = _to_repeat(config, state, surprising, repeatable)

    def seen() -> Evidence:
        return evidence(config, state, space, ground=stood, surprises=surprising, widened=widened, seed=seed)

    situation = Situation(
        space=space,
        objectives=config.model.objectives,
        knowledge=known,
        surrogates=surrogates,
        goal=goal,
        sign=config.sign,
        allowed=allowed,
        rng=np.random.default_rng([seed, number]),
        seed=seed,
        done=turns_of(state).get("initial", 0),
        initial=config.model.strategy.initial,
        neighbours=config.model.strategy.neighbours,
        surprises=again,
        doubted=tuple(s for s in surprising if s.replicate != "agrees"),
        repeatable=repeatable,
        sources=sources(config, state, space, offers),
        advice=config.model.advice,
        belief=belief(config.model.advice, space, len(known.X_labelled)),
        ground=stood,
        verdict=standing(state),
        plugged=config.model.strategy.plugged,
        folder=config.path.parent,
        experiments=state,
        limits=limits,
    )
    if only is not None:
        expert = _Written("expert", None, None, widened, route, predict=True)
        return expert.proposed(Choice(*only), situation, started)
    now = turn(config, state, results=known.n, surprised=bool(again), seen=seen)
    for name in now.order:
        strategy = load(name)
        choice = strategy.choose(situation)
        if choice is not None:
            written = _Written(strategy.arm, name, now.shares, widened, route, predict=predict_always)
            return written.proposed(choice, situation, started)
    return None


@cache
def code_version() -> str:
    """The version of labctl that is running."""
    try:
        return f"labctl {importlib.metadata.version('labctl-sdl')}"
    except importlib.metadata.PackageNotFoundError:
        return "labctl (not installed)"


def _to_repeat(
    config: CampaignConfig,
    state: CampaignState,
    surprising: Sequence[Surprise],
    repeatable: Callable[[Recipe], bool],
) -> tuple[Surprise, ...]:
    """Surprising results to be measured again, as far as the campaign's share for replicates goes."""
    spent = sum(e.proposal.arm == "replicate" for e in state)
    if spent + 1 > config.model.strategy.replicates * (len(state) + 1):
        return ()
    under_way = {recipe_key(e.proposal.recipe) for e in state.pending}
    return tuple(
        s
        for s in surprising
        if s.replicate == "waiting" and recipe_key(s.recipe) not in under_way and repeatable(s.recipe)
    )


_RESTS_ON_IT = (
    "log_expected",
    "log_chance",
    "predicted_sd",
    "stein_novelty",
    "learned_novelty",
    "upper_confidence",
    "thompson",
    "log_knowledge",
)
"""How the names of scores begin that rest on a prediction, which is then written down with them."""
_HARDLY_IN_QUESTION = 0.95
"""From this chance of a sample on, the reason of a proposal does not mention it."""
_OF_FEW = {2: 6.48, 3: 2.20, 4: 1.62}
"""How much wider a 95 % interval is whose scale was estimated from so few results: Student's t with one
degree of freedom less, over the normal's 1.96. From five on the surrogate's own record decides."""


@dataclass(frozen=True, slots=True)
class _Written:
    """How a choice is written down."""

    arm: Arm
    strategy: str | None
    shares: Shares | None
    widened: float
    route: str
    predict: bool

    def proposed(self, choice: Choice, situation: Situation, started: float) -> Proposed:
        """The choice as the ledger keeps it, with its prediction and where it lies."""
        surrogates, space = situation.surrogates, situation.space
        predictions: dict[str, Predicted] = {}
        cards: list[dict[str, Any]] = []
        rests_on_it = (choice.acquisition or "").startswith(_RESTS_ON_IT)
        if choice.predictions is not None:
            predictions = dict(choice.predictions)
        elif surrogates.ready and (rests_on_it or (self.predict and surrogates.trustworthy)):
            predictions = surrogates.predict(space.encode([choice.recipe]))[0]
            for objective in predictions:
                card = surrogates.of(objective).card
                cards.append({"hash": card.hash(), "objective": objective, "card": card.as_json()})
        main = next((str(c["hash"]) for c in cards if c["objective"] == situation.goal), None)
        stood = situation.ground
        chance = surrogates.chance(space.encode([choice.recipe]))
        proposal = Proposal(
            recipe=dict(choice.recipe),
            arm=self.arm,
            fidelity=choice.fidelity,
            because=choice.because if chance is None else self._with_chance(choice.because, float(chance[0])),
            strategy=self.strategy,
            shares=None if self.shares is None else {n: round(v, 6) for n, v in self.shares.of.items()},
            evidence=None if self.shares is None else self.shares.because,
            domain=None if stood is None else stood.stamp(choice.recipe),
            predictions={
                name: self._wide(p, len(situation.knowledge.results[name].y))
                for name, p in predictions.items()
            },
            acquisition=choice.acquisition,
            value=choice.value,
            alternatives=tuple(choice.alternatives),
            feasibility=None if chance is None else float(chance[0]),
            surrogate=main,
            data=situation.knowledge.data,
            code=code_version(),
            seed=situation.seed,
            route="hand" if self.route == "hand" else "lane",
            cpu_seconds=round(time.process_time() - started, 6),
        )
        return Proposed(proposal, tuple(cards))

    def _with_chance(self, because: str, chance: float) -> str:
        """The reason with the chance of a sample, where that is in question and no person chose."""
        if self.arm == "expert" or chance >= _HARDLY_IN_QUESTION:
            return because
        return f"{because}; {chance:.0%} chance of a sample"

    def _wide(self, predicted: Predicted, results: int) -> Predicted:
        factor = max(self.widened, 1.0)
        spread = factor * _OF_FEW.get(results, 1.0)
        return predicted.model_copy(
            update={
                "sd": predicted.sd * spread,
                "noise_sd": predicted.noise_sd * spread,
                "widened": round(factor, 6),
            }
        )
