"""How many cells of a space each arm visits at the same budget, among recipes and among outcomes.

Run with one thread: OMP_NUM_THREADS=1 python benchmarks/novelty.py [--cases made fullerenes]
A made space of four continuous parameters and two outcomes, whose truth is known, comes first; then tables.
Recipes are parted into 64 cells of about equal content, outcomes into equal boxes between the least and the
greatest that any recipe gives; only cells that a recipe reaches count. What counts is the true outcome (of a
table: the mean reading), so that noise fills no cell. All arms share the start, drawn at random.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labctl.config import CampaignConfig, CampaignModel, load_config
from labctl.datasets import found, load_card
from labctl.ledger import Ledger
from labctl.proposal import Outcome, canonical_json
from labctl.replay.past import past_of
from labctl.space import Space, sample
from labctl.state import experiment_id, fold
from labctl.strategy import propose
from labctl_models.novelty.cells import Grid, Tessellation, coverage, elites, qd_score
from labctl_models.novelty.neighbours import default_neighbours, novelty
from labctl_models.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl_models.surrogates.protocol import Array

CONFIGS = Path(__file__).parents[1] / "configs"
ARMS = ("random", "improve", "novelty", "outcome_novelty", "learned_novelty", "cells")
INITIAL, CELLS = 8, 64
NOISE = 0.05


@dataclass(frozen=True, slots=True)
class Case:
    """A space to be covered.

    Attributes:
        name: for people.
        config: of a campaign on it.
        space: with its pool, where it has one.
        truth: true outcomes (n x p) of recipes (n x d, unit cube), the goal first.
        read: outcomes as measured.
        reachable: recipes (q x d) of which at least one lies in each cell that counts.
        bins: outcome boxes along each objective.
    """

    name: str
    config: CampaignConfig
    space: Space
    truth: Callable[[Array], Array]
    read: Callable[[Array, np.random.Generator], Array]
    reachable: Array
    bins: int


def made() -> Case:
    """Two hills of different width and a slope; and a colour that turns with other parameters."""
    parameters = {n: {"kind": "continuous", "unit": "mm", "low": 0, "high": 1} for n in "abcd"}
    goals = {"hill": {"goal": "maximize", "unit": "mm"}, "colour": {"goal": "observe", "unit": "mm"}}
    config = _config("made", parameters, goals)

    def truth(X: Array) -> Array:
        broad = np.exp(-((X - 0.7) ** 2).sum(axis=1) / 0.3)
        narrow = np.exp(-((X - np.array([0.2, 0.25, 0.8, 0.3])) ** 2).sum(axis=1) / 0.05)
        colour = np.sin(2 * np.pi * X[:, 0]) * X[:, 1] + X[:, 2] ** 2
        return np.column_stack([broad + 1.3 * narrow - 0.2 * X[:, 3], colour])

    def read(X: Array, rng: np.random.Generator) -> Array:
        return truth(X) + rng.normal(0.0, NOISE, (len(X), 2))

    reachable = config.space.encode(sample(config.space, 20_000, np.random.default_rng(0)))
    return Case("made, 4 parameters, 2 outcomes", config, config.space, truth, read, reachable, 8)


def of_table(name: str) -> Case | None:
    """A table that was measured, or None where it is not here."""
    if found(load_card(name)) is None:
        return None
    replayed = load_config(CONFIGS / f"{name}.yaml")
    past = past_of(replayed.path, canonical_json(replayed.as_json()))
    space, X = past.bench.space, past.bench.space.pool.X
    at = {x.tobytes(): row for row, x in enumerate(X)}
    known = [[v for v in answers if v is not None] for answers in past.answers]
    parameters = replayed.as_json()["parameters"]
    goal, _ = replayed.goal
    config = _config(name, parameters, {goal: replayed.as_json()["objectives"][goal]})

    def truth(asked: Array) -> Array:
        return np.array([[np.mean(known[at[x.tobytes()]])] for x in asked])

    def read(asked: Array, rng: np.random.Generator) -> Array:
        return np.array([[rng.choice(known[at[x.tobytes()]])] for x in asked])

    return Case(f"{name}, {len(X)} recipes", config, space, truth, read, X, 20)


def _config(name: str, parameters: dict[str, Any], objectives: dict[str, Any]) -> CampaignConfig:
    content = {
        "campaign": name,
        "parameters": parameters,
        "objectives": objectives,
        "instrument": {"kind": "hand"},
    }
    return CampaignConfig(Path(f"{name}.yaml"), CampaignModel.model_validate(content))


def with_arm(config: CampaignConfig, arm: str) -> CampaignConfig:
    strategy = config.model.strategy.model_copy(
        update={"initial": INITIAL, "start": "random", "arms": {arm: 1.0}, "replicates": 0.0}
    )
    return CampaignConfig(config.path, config.model.model_copy(update={"strategy": strategy}))


def visited(case: Case, arm: str, seed: int, experiments: int) -> Array:
    """The recipes (n x d) that a campaign of one arm asks for, each answered at once."""
    config, objectives = with_arm(case.config, arm), list(case.config.model.objectives)
    rng, chosen = np.random.default_rng([seed, 1]), []
    with Ledger.write(None) as ledger:
        first = {"config": config.as_json(), "seed": seed, "table": None, "token": "t", "code": "c"}
        state = fold([ledger.append("campaign", first)])
        for number in range(1, experiments + 1):
            proposed = propose(
                config, case.space, state, seed=seed, allowed=lambda _: True, predict_always=False
            )
            if proposed is None:
                break
            x, name = case.space.encode([proposed.proposal.recipe]), experiment_id(number)
            chosen.append(x[0])
            values = dict(zip(objectives, case.read(x, rng)[0].tolist(), strict=True))
            outcome = Outcome(status="measured", values=values, source="benchmark")
            said = {"verdict": "approved", "by": "rule"}
            events = [
                ledger.append("proposal", proposed.proposal.body(), experiment=name, attempt=0),
                ledger.append("decision", said, experiment=name, attempt=0),
                ledger.append("outcome", outcome.body(), experiment=name, attempt=1),
            ]
            state = state.extend(events)
    return np.array(chosen)


def by_mean_alone(case: Case, start: Array, seed: int, experiments: int) -> Array:
    """For comparison: always the greatest mean distance to the nearest recipes, from the same start."""
    rng, done = np.random.default_rng([seed, 2]), start
    pool = case.space.pool
    while len(done) < experiments:
        X = pool.X if pool is not None else case.space.encode(sample(case.space, 2048, rng))
        distance = novelty(X, done, k=default_neighbours(len(done))).distance
        if pool is not None:
            distance[(X[:, None] == done[None]).all(axis=2).any(axis=1)] = -1.0
        done = np.vstack([done, X[int(distance.argmax())]])
    return done


def told(figures: Array) -> str:
    """Median and quartiles over the seeds."""
    low, middle, high = np.quantile(figures, [0.25, 0.5, 0.75])
    return f"{middle:6.1%} ({low:.1%}-{high:.1%})"


def compared(case: Case, seeds: int, experiments: int, arms: tuple[str, ...]) -> None:
    recipes = Tessellation.over(case.reachable[:4096], CELLS, seed=0)
    true = case.truth(case.reachable)
    boxes = Grid.over(true, case.bins)
    reach = recipes.cell(case.reachable), boxes.cell(true)
    sign = case.config.sign
    print(f"\n{case.name}; {experiments} experiments of which {INITIAL} are the start, {seeds} seeds")
    print(
        f"{len(np.unique(reach[0]))} recipe cells and {len(np.unique(reach[1]))} outcome cells are reachable"
    )
    print(f"{'arm':16}  recipe cells           outcome cells          QD-score  wins over random      CPU s")
    chance: tuple[Array, Array] | None = None
    starts: list[Array] = []
    for arm in (*arms, "mean distance"):
        began, rows = time.process_time(), []
        for seed in range(seeds):
            if arm == "mean distance":
                X = by_mean_alone(case, starts[seed], seed, experiments)
            else:
                X = visited(case, arm, seed, experiments)
            Y = case.truth(X)
            kept = elites(recipes.cell(X), sign * Y[:, 0])
            score = qd_score(kept, float((sign * true[:, 0]).min()))
            rows.append((coverage(recipes.cell(X), reach[0]), coverage(boxes.cell(Y), reach[1]), score))
            if arm == arms[0]:
                starts.append(X[:INITIAL])
        in_recipes, in_outcomes, scores = np.array(rows).T
        chance = chance or (in_recipes, in_outcomes)
        wins = "/".join(
            str(int((a > b).sum())) for a, b in zip((in_recipes, in_outcomes), chance, strict=True)
        )
        each = (time.process_time() - began) / (seeds * max(1, experiments - INITIAL))
        print(
            f"{arm:16}  {told(in_recipes):21}  {told(in_outcomes):21}  {np.median(scores):8.2f}  "
            f"{wins + f' of {seeds}':20}  {each:.3f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--experiments", type=int, default=40)
    parser.add_argument("--cases", nargs="*", default=["made", "fullerenes", "crossed_barrel"])
    parser.add_argument("--arms", nargs="*", default=list(ARMS))
    given = parser.parse_args()
    with one_thread():
        for name in given.cases:
            case = made() if name == "made" else of_table(name)
            if case is None:
                print(f"\n{name}: skipped, the table is not here (`labctl datasets path {name}` says more)")
                continue
            compared(case, given.seeds, given.experiments, tuple(given.arms))


if __name__ == "__main__":
    main()
