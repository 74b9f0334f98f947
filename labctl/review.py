"""Who says yes to a proposal: a rule that keeps the lab's hard limits, until a person is asked."""

from collections.abc import Mapping
from dataclasses import dataclass

from labctl.proposal import Decision, Proposal
from labctl.space import Space
from labctl.state import CampaignState
from labctl_drivers.limits import Limits
from labctl_drivers.protocol import Recipe


@dataclass(slots=True)
class Keeper:
    """Says which recipes keep the lab's hard limits, and remembers why the first one did not.

    Attributes:
        limits: of the lab; None where it has none.
        units: of the recipes' numbers.
        refusal: the first thing that was not allowed.
    """

    limits: Limits | None
    units: Mapping[str, str]
    refusal: str | None = None

    def allows(self, recipe: Recipe) -> bool:
        """Whether a recipe keeps the limits."""
        violations = () if self.limits is None else self.limits.violations(recipe, self.units)
        if violations and self.refusal is None:
            self.refusal = violations[0]
        return not violations


def by_rule(proposal: Proposal, space: Space, limits: Limits | None) -> Decision:
    """Approve a proposal that the space has no problem with and that keeps the hard limits.

    The limits are asked again here, long after the proposal was made, because either may have changed.
    """
    violations = () if limits is None else limits.violations(proposal.recipe, space.units)
    if violations:
        return Decision(verdict="rejected", by="limits", reason="; ".join(violations))
    problems = space.problems(proposal.recipe)
    if problems:
        return Decision(verdict="rejected", by="space", reason="; ".join(problems))
    return Decision(verdict="approved", by="rule", reason="within the space and the hard limits")


def why_none_is_left(
    space: Space, state: CampaignState, keeper: Keeper, *, vetoes: bool = False
) -> tuple[str, str]:
    """Status and reason for a campaign that has no recipe left to propose.

    Args:
        space: of the campaign.
        state: of the campaign.
        keeper: that was asked for the last proposal.
        vetoes: whether there are recipes that people speak against.
    """
    if keeper.limits is None or keeper.refusal is None:
        if not len(state):
            loosen = "advice.vetoes or the laws" if vetoes else "the laws"
            return "exhausted", f"no recipe was found that may be proposed; loosen {loosen} of the campaign"
        return "exhausted", f"every candidate{' that no veto speaks against' if vetoes else ''} was tried"
    if space.pool is not None and len(state):
        return "exhausted", f"every candidate that {keeper.limits.path.name} allows was tried"
    return "halted", f"the lab's hard limits in {keeper.limits.path} leave no recipe ({keeper.refusal})"
