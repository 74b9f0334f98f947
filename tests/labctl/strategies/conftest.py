"""What a strategy sees of a campaign that was written event by event."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from labctl.advice import belief
from labctl.sources import sources
from labctl.space import Space
from labctl.strategies.knowledge import knowledge
from labctl.strategies.protocol import Situation
from labctl.strategies.surrogate import Surrogates
from labctl.view import View


@pytest.fixture
def situation_of() -> Callable[..., Situation]:
    """Give ``situation_of(view, space, allowed=...)``: the situation after a campaign's last event."""

    def build(view: View, space: Space | None = None, **changes: Any) -> Situation:  # noqa: ANN401 - fields
        config, over = view.config, view.config.space if space is None else space
        known = knowledge(view.state, over, list(config.model.objectives), list(config.goals))
        signs = {name: o.sign for name, o in config.model.objectives.items()}
        situation = Situation(
            space=over,
            objectives=config.model.objectives,
            knowledge=known,
            surrogates=Surrogates(known, signs, 0),
            goal=config.goal[0],
            sign=config.sign,
            allowed=lambda _recipe: True,
            rng=np.random.default_rng(0),
            seed=0,
            sources=sources(config, view.state, over, lambda _name, _recipe: True),
            advice=config.model.advice,
            belief=belief(config.model.advice, over, known.n),
        )
        return replace(situation, **changes)

    return build
