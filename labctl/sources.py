"""The fidelities of a campaign as sources: what each may measure, what it costs and what it has cost."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labctl.budget import CostConfig
from labctl.config import CampaignConfig
from labctl.cost import attempts_cost
from labctl.space import Space
from labctl.state import CampaignState, Experiment
from labctl_drivers.protocol import Recipe

if TYPE_CHECKING:
    from labctl_models.fidelity.cost import CostModel

Offers = Callable[[str | None, Recipe], bool]


@dataclass(frozen=True, slots=True)
class Source:
    """One fidelity as a strategy sees it.

    Attributes:
        name: of the fidelity; None for the target, whose results count.
        cost: what the next measurement is expected to cost, learned from those made.
        spent: what all of them have cost so far.
        offers: whether it can measure a recipe at all.
        waited: how often it was asked since the target was last measured.
        silent: in how many attempts in a row it gave no reading.
        rested: how many results of the target came since it was last asked.
    """

    name: str | None
    cost: "CostModel"
    spent: float
    offers: Callable[[Recipe], bool]
    waited: int = 0
    silent: int = 0
    rested: int = 0


def sources(config: CampaignConfig, state: CampaignState, space: Space, offers: Offers) -> tuple[Source, ...]:
    """The cheaper fidelities in the file's order, and the target last; none where there are no others."""
    prices: Mapping[str | None, CostConfig | None] = {
        **{name: fidelity.instrument.cost for name, fidelity in config.model.fidelities.items()},
        None: config.model.instrument.cost,
    }
    if len(prices) == 1:
        return ()
    return tuple(
        _source(name, price, state, space, offers) for name, price in prices.items() if price is not None
    )


def _source(
    name: str | None, price: CostConfig, state: CampaignState, space: Space, offers: Offers
) -> Source:
    from labctl_models.fidelity.cost import CostModel  # noqa: PLC0415 - scipy is slow to import

    done = [e for e in state if e.proposal.fidelity == name]
    target = [e for e in state if e.proposal.fidelity is None and e.finished]
    last, latest = (max((e.number for e in part), default=0) for part in (target, done))
    costs = [(e, cost) for e in done if (cost := attempts_cost(price, e)) > 0]
    # An hour, as long as nobody has seen how long it takes.
    stated = price.each + price.hour
    model = CostModel(
        stated if stated > 0 else 1.0,
        space.encode([e.made for e, _ in costs]),
        np.array([cost for _, cost in costs], dtype=np.float64),
    )
    return Source(
        name,
        model,
        sum(cost for _, cost in costs),
        lambda recipe: offers(name, recipe),
        waited=sum(e.number > last for e in done),
        silent=_silent(done),
        rested=sum(e.number > latest for e in target),
    )


def _silent(done: list[Experiment]) -> int:
    """How many of the last attempts ended without a reading, one after the other."""
    ended = [e for e in done if e.finished]
    return next((n for n, e in enumerate(reversed(ended)) if e.status == "measured"), len(ended))
