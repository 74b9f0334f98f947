"""What experiments cost: by the attempt, by the hour, and by what they use up."""

from labctl.budget import CostConfig
from labctl.config import CampaignConfig
from labctl.proposal import Outcome
from labctl.state import CampaignState, Experiment
from labctl_drivers.protocol import Recipe

_NOT_STARTED = "limits"
"""The stage of an outcome whose attempt was forbidden before anything moved."""


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
    if outcome.stage == _NOT_STARTED:
        return 0.0
    used = sum(each * float(recipe[name]) for name, each in price.of.items() if name in recipe)
    return price.each + price.hour * (outcome.seconds or 0.0) / 3600.0 + used


def spent(config: CampaignConfig, state: CampaignState) -> float:
    """What the campaign has cost so far."""
    return sum(cost_of(config, e) for e in state)
