"""The contract of a strategy: from what is known to recipes, each with its reason."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from labctl.advice import Advice, veto_of, vetoed
from labctl.config import PluggedConfig
from labctl.ground import Ground
from labctl.objective import Objective
from labctl.proposal import Alternative, Arm, Predicted
from labctl.sources import Source
from labctl.space import Space
from labctl.space.hard_limits import within_limits
from labctl.space.narrowed import Room
from labctl.state import Experiment
from labctl.strategies.knowledge import Knowledge
from labctl.strategies.surrogate import Surrogates
from labctl.surprises import Surprise
from labctl_drivers.limits import Limits
from labctl_drivers.protocol import Recipe

if TYPE_CHECKING:
    from labctl_models.acquisition.score import Score


@dataclass(frozen=True)
class Situation:
    """All that a strategy may look at.

    Attributes:
        space: what may be asked for.
        objectives: what is wanted of each measured quantity.
        knowledge: results, failures and recipes under way, as arrays.
        surrogates: fitted to the results on first use; one for each objective.
        goal: name of the first objective that is optimised.
        sign: -1 where it is to be minimised, else +1.
        allowed: whether a recipe keeps the lab's hard limits.
        rng: the only source of chance.
        seed: of the campaign, for what must be the same in every step.
        done: how many experiments of the start have been proposed so far.
        initial: how many experiments the start has in all.
        neighbours: how many known recipes novelty is measured against.
        surprises: results to be measured again, most surprising first.
        repeatable: whether measuring a recipe again can say anything new.
        ground: the domain of the measured recipes, once there are enough.
        verdict: on the surrogate: trusted, interpolation only or lookup table; None before the first.
        belief: of people, where good recipes lie; it fades as results come in.
        sources: the fidelities, the one that counts last; empty where there is only that.
        advice: what people know, vetoes among it.
        doubted: surprising results that no replicate agrees with yet, whether they may be repeated or not.
        plugged: the optimiser from outside, where the campaign file names one; ``folder`` is that file's.
        experiments: all that was proposed, in order, for an optimiser that keeps its own account.
        limits: of the lab, so that recipes are drawn within them; ``allowed`` has the last word.
    """

    space: Space
    objectives: Mapping[str, Objective]
    knowledge: Knowledge
    surrogates: Surrogates
    goal: str
    sign: float
    allowed: Callable[[Recipe], bool]
    rng: np.random.Generator
    seed: int
    done: int = 0
    initial: int = 1
    neighbours: int = 15
    surprises: Sequence[Surprise] = ()
    repeatable: Callable[[Recipe], bool] = lambda _recipe: True
    ground: Ground | None = None
    verdict: str | None = None
    belief: "Score | None" = None
    sources: Sequence[Source] = ()
    advice: Advice = Advice()  # noqa: RUF009 - frozen
    doubted: Sequence[Surprise] = ()
    plugged: PluggedConfig | None = None
    folder: Path | None = None
    experiments: Iterable[Experiment] = ()
    limits: Limits | None = None

    @cached_property
    def reach(self) -> Room:
        """Where the lab's hard limits let recipes lie; the whole space where they are no narrower."""
        return within_limits(self.space, self.limits)

    @cached_property
    def advised(self) -> Room:
        """What of that no veto speaks against."""
        return self.reach.without(self.advice.vetoes)

    def veto(self, recipe: Recipe) -> str | None:
        """What the first veto against a recipe says, or None."""
        return veto_of(self.advice, self.space.parameters, recipe)

    def vetoed(self, recipes: Sequence[Recipe]) -> NDArray[np.bool_]:
        """Which of the recipes some veto speaks against."""
        named = {name for veto in self.advice.vetoes for name in veto.when}
        columns = {name: [recipe[name] for recipe in recipes] for name in named}
        return vetoed(self.advice, self.space.parameters, columns, len(recipes))

    def within_trust(self, X: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which rows of X (n x d) may be chosen by predicted improvement alone, under the verdict.

        All of them where the surrogate is trusted or was not judged yet; where it is good between the
        measured recipes only, those that do not lie outside their domain.
        """
        if self.verdict in (None, "trusted") or self.ground is None:
            return np.ones(len(X), dtype=bool)
        return self.ground.inside(X)


@dataclass(frozen=True, slots=True)
class Choice:
    """One recipe that a strategy chose.

    Attributes:
        recipe: in canonical form.
        because: the reason in one sentence with its numbers.
        acquisition: name of the score that ranked the candidates, or None where chance did.
        value: its value for this recipe.
        alternatives: the strongest candidates not chosen.
        fidelity: by which cheaper fidelity to measure it; None for the one that counts.
        predictions: in place of the surrogates' own, where another model stands behind the choice.
    """

    recipe: Recipe
    because: str
    acquisition: str | None = None
    value: float | None = None
    alternatives: Sequence[Alternative] = field(default=())
    fidelity: str | None = None
    predictions: Mapping[str, Predicted] | None = None


class Strategy(Protocol):
    """A way to choose the next experiment.

    A strategy is one class in one file of this folder, named in ``labctl.registry.STRATEGIES``. It has no
    state and no memory: ``choose`` is a pure function of the situation, so that the same ledger and seed
    always give the same choice. It must return a recipe that the space has no problem with, that is
    allowed, that no veto speaks against, and that was not tried (``situation.knowledge.tried``), or None if
    there is none left.

    Attributes:
        arm: what its proposals are called in the ledger.
        needs_results: how many measured results it needs before it can choose.
    """

    arm: Arm
    needs_results: int

    def choose(self, situation: Situation) -> Choice | None:
        """Choose one recipe, or None if no candidate is left."""
        ...
