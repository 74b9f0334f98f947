"""Who says yes to a proposal: a rule that keeps the lab's hard limits, until a person is asked."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from labctl.errors import RequestError
from labctl.proposal import Decision, Proposal
from labctl.space import Space
from labctl.space.hard_limits import within_limits
from labctl.space.parameters import ends
from labctl.state import CampaignState
from labctl.strategies.candidates import DRAWS, drawn
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


def accepted(recipe: Recipe, space: Space, limits: Limits | None) -> Recipe:
    """A person's own recipe as the campaign writes it.

    Raises:
        RequestError: it is none of the space, or breaks a hard limit of the lab.
    """
    if problems := space.problems(recipe):
        raise RequestError(f"{problems[0]}; change the recipe")
    wanted = space.canonical(recipe)
    if limits is not None and (violations := limits.violations(wanted, space.units)):
        raise RequestError(f"breaks the lab's hard limits: {'; '.join(violations)}; change it", key="recipe")
    return wanted


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
    limits, tried = keeper.limits, len(state) > 0
    if limits is not None and (
        keeper.refusal is not None or within_limits(space, limits).strict is not space
    ):
        why = _why_limits_leave_none(space, keeper, limits, tried=tried)
        if why is not None:
            return "halted", f"the lab's hard limits in {limits.path} {why}"
        open_to = f" that {limits.path.name} allows{' and' if vetoes else ''}"
    else:
        open_to = " that" if vetoes else ""
    if not tried:
        loosen = "advice.vetoes or the laws" if vetoes else "the laws"
        return "exhausted", f"no recipe was found that may be proposed; loosen {loosen} of the campaign"
    return "exhausted", f"every candidate{open_to}{' no veto speaks against' if vetoes else ''} was tried"


def _why_limits_leave_none(space: Space, keeper: Keeper, limits: Limits, *, tried: bool) -> str | None:
    """That hard limits leave no recipe, or that none was found, with a reason; None where they allow some."""
    if space.pool is not None:
        return None if tried else f"leave no recipe ({keeper.refusal})"
    room = within_limits(space, limits).strict
    if room is None:
        return f"leave no recipe ({_proof(space, limits)})"
    if any(keeper.allows(recipe) for recipe in drawn(room, DRAWS, np.random.default_rng(0))):
        return None
    why = keeper.refusal or "with all that it forbids, and the laws of the campaign"
    return f"may leave a recipe, but none was found in {DRAWS:,} draws ({why})"


def _proof(space: Space, limits: Limits) -> str:
    """Which limit leaves nothing, in words."""
    for name, unit in space.units.items():
        low, high = ends(space.numeric(name))
        if name in space.fixed:
            low = high = float(space.fixed[name])
        why = limits.forbids_all(name, low, high, unit)
        if why is not None:
            return why
    return "what it allows and what it forbids, taken together"
