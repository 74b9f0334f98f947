"""What experiments cost, and what another one would: by the attempt, by the hour, by what they use up."""

from labctl.budget import CostConfig
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
    used = sum(each * float(recipe[name]) for name, each in price.of.items() if name in recipe)
    return price.each + price.hour * (outcome.seconds or 0.0) / 3600.0 + used


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
    """What the experiments that wait for their first outcome will cost, each as the next one would."""
    none_yet = [e for e in state.pending if not e.outcomes]
    own = sum(e.proposal.fidelity is None for e in none_yet)
    cheap = [
        config.model.fidelities[e.proposal.fidelity] for e in none_yet if e.proposal.fidelity is not None
    ]
    return own * next_cost(config, state) + sum(f.instrument.cost.each for f in cheap if f.instrument.cost)
