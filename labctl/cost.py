"""What experiments cost, and what another one would: by the attempt, by the hour, by what they use up."""

import math

from labctl.budget import CostConfig, seconds_in
from labctl.config import CampaignConfig
from labctl.proposal import NOT_STARTED, Outcome
from labctl.state import CampaignState, Experiment
from labctl_drivers.protocol import Recipe


def cost_of(config: CampaignConfig, experiment: Experiment) -> float:
    """What all attempts of an experiment have cost so far, failed ones included; 0 without a price."""
    fidelity = experiment.proposal.fidelity
    instrument = config.model.instrument if fidelity is None else config.model.fidelities[fidelity].instrument
    return 0.0 if instrument.cost is None else attempts_cost(instrument.cost, experiment)


def attempts_cost(price: CostConfig, experiment: Experiment) -> float:
    """What all attempts of an experiment have cost so far at this price."""
    return sum(attempt_cost(price, experiment.made, outcome) for outcome in experiment.outcomes)


def attempt_cost(price: CostConfig, recipe: Recipe, outcome: Outcome) -> float:
    """What one attempt cost."""
    if outcome.stage in NOT_STARTED:
        return 0.0
    return recipe_cost(price, recipe) + price.hour * (outcome.seconds or 0.0) / 3600.0


def recipe_cost(price: CostConfig, recipe: Recipe) -> float:
    """What one attempt at a recipe costs, but for the time that it takes."""
    return price.each + sum(each * float(recipe[name]) for name, each in price.of.items() if name in recipe)


def spent(config: CampaignConfig, state: CampaignState) -> float:
    """What the campaign has cost so far."""
    return sum(cost_of(config, e) for e in state)


def next_cost(config: CampaignConfig, state: CampaignState) -> float:
    """What another experiment at the target will cost: as those so far did on average; 0 without a price.

    Before the first it is the price of an attempt.
    """
    price = config.model.instrument.cost
    if price is None:
        return 0.0
    paid = [c for e in state if e.proposal.fidelity is None and (c := attempts_cost(price, e)) > 0]
    return sum(paid) / len(paid) if paid else price.each


def awaited(config: CampaignConfig, state: CampaignState) -> float:
    """What the experiments will cost that wait for an outcome or for another attempt, each by its recipe."""
    waiting, timed = state.pending, _Timed(config, state)
    return sum(timed.cost(e.proposal.fidelity, e.proposal.recipe, alone=False) for e in waiting)


class Purse:
    """Says which recipes the rest of the cost budget pays for, and remembers the cheapest that it did not.

    What waits for its outcome is held against the budget as if it had been paid.
    """

    def __init__(self, config: CampaignConfig | None = None, state: CampaignState | None = None) -> None:
        """Count once what is left; without a budget everything fits."""
        most = None if config is None else config.model.budget.cost
        self._cheapest = math.inf
        if most is None or config is None or state is None:
            self._budget = None
            return
        self._budget = most
        self._timed, self._alone = _Timed(config, state), not state.unfinished
        self._used = spent(config, state) + awaited(config, state)

    def pays(self, recipe: Recipe, fidelity: str | None = None) -> bool:
        """Whether what is left pays for an attempt at this recipe, by this fidelity."""
        if self._budget is None:
            return True
        cost = self._timed.cost(fidelity, recipe, alone=self._alone)
        if self._used + cost <= self._budget * (1.0 + ROUNDING):
            return True
        self._cheapest = min(self._cheapest, cost)
        return False

    def why_nothing_fits(self) -> str | None:
        """Why nothing that was found could be paid for, in one sentence; None where nothing was refused."""
        if self._budget is None or self._cheapest == math.inf:
            return None
        if self._used == 0:
            return (
                f"the budget of {self._budget:g} pays for none of the recipes that were found: the cheapest "
                f"would cost {self._cheapest:.4g}"
            )
        return (
            f"the budget of {self._budget:g} is spent: {self._used:.4g} is spent or taken by what waits for "
            f"a result, and the next experiment would cost {self._cheapest:.4g}"
        )


class _Timed:
    """What recipes cost, with the time that attempts took so far where an hour has a price."""

    def __init__(self, config: CampaignConfig, state: CampaignState) -> None:
        self._config = config
        self._hours = {name: _hours(config, state, name) for name in (None, *config.model.fidelities)}

    def cost(self, fidelity: str | None, recipe: Recipe, *, alone: bool) -> float:
        """What an attempt costs; before one was timed, one beside others takes its time limit."""
        instrument = self._config.instrument(fidelity)
        price = instrument.cost
        if price is None:
            return 0.0
        hours = self._hours[fidelity]
        if hours is None:
            hours = 0.0 if alone or not price.hour else seconds_in(instrument.time_limit) / 3600.0
        return recipe_cost(price, recipe) + price.hour * hours


def _hours(config: CampaignConfig, state: CampaignState, fidelity: str | None) -> float | None:
    """How long an attempt took on average, in hours; None where no hour has a price, or none was timed."""
    price = config.instrument(fidelity).cost
    if price is None or not price.hour:
        return None
    outcomes = (o for e in state if e.proposal.fidelity == fidelity for o in e.outcomes)
    seconds = [o.seconds for o in outcomes if o.seconds is not None and o.stage not in NOT_STARTED]
    return sum(seconds) / len(seconds) / 3600.0 if seconds else None


ROUNDING = 1e-9
"""Costs that add up to the budget but for rounding still fit."""
