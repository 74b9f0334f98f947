"""Who says yes to a proposal: a rule that keeps the lab's hard limits, until a person is asked."""

from labctl.proposal import Decision, Proposal
from labctl.space import Space
from labctl_drivers.limits import Limits


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
