"""When a campaign ends: budget, target, and too many failures in a row; pure functions of its state."""

from labctl import units
from labctl.config import CampaignConfig
from labctl.scores import off_recipe_value, value_of
from labctl.state import CampaignState


def why_to_stop(config: CampaignConfig, state: CampaignState, budget: int) -> tuple[str, str] | None:
    """Status and reason if the campaign has ended, or None if more experiments may be done."""
    rules = config.model.budget
    done = sum(experiment.status != "rejected" for experiment in state)
    if done >= budget:
        return "finished", f"the budget of {budget} experiments is spent"
    if target_reached(config, state):
        return "finished", "the target is reached"
    failures = failures_in_a_row(state, config.goal[0])
    if rules.failures_in_a_row is not None and failures >= rules.failures_in_a_row:
        return "halted", f"{failures} experiments in a row failed; look at the instruments and the recipes"
    return None


def target_reached(config: CampaignConfig, state: CampaignState) -> bool:
    """Whether an experiment is as good as the budget's target."""
    target, (goal, objective) = config.model.budget.target, config.goal
    if target is None:
        return False
    wanted = target.value * (units.factor(target.unit, objective.unit) or 1.0)
    values = [value_of(experiment, goal) for experiment in state.measured]
    return any(config.sign * (value - wanted) >= 0 for value in values if value is not None)


def failures_in_a_row(state: CampaignState, goal: str) -> int:
    """How many of the last experiments failed without one result among them.

    What was made off recipe and measured all the same is a result of something else, and ends the row.
    """
    count = 0
    for number in range(len(state), 0, -1):
        experiment = state.experiments[number]
        if experiment.status == "measured" or off_recipe_value(experiment, goal) is not None:
            break
        count += experiment.status == "failed"
    return count
