"""Random spaces with random laws: no proposal breaks one, and none comes twice.

Each campaign is made around a recipe that keeps all its laws, so that something must be found; and each law
is told a second time in plain Python, which judges the proposals. ``LABCTL_SPACES=10000`` tries so many.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from labctl.config import CampaignConfig, CampaignModel
from labctl.ledger import Ledger
from labctl.proposal import Outcome, recipe_key
from labctl.space import sample
from labctl.state import experiment_id, fold
from labctl.strategies.initial import layout
from labctl.strategy import propose

Recipe = Mapping[str, Any]
Law = Callable[[Recipe], bool]

SPACES = int(os.environ.get("LABCTL_SPACES", "200"))


def _divided(above: float, below: float) -> float:
    """A quotient as the floating-point standard has it, where a division by zero is infinite or no number."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.float64(above) / np.float64(below))


STEPS = ("0.5", "0.25", "0.1", "0.05", "1", "2", "0.3")
RULES: tuple[tuple[str, Callable[[float, float], float]], ...] = (
    ("{a} * {b}", lambda a, b: a * b),
    ("{a} ** 2 + {b} ** 2", lambda a, b: a**2 + b**2),
    ("{a} - 2 * {b}", lambda a, b: a - 2 * b),
    ("{a} * {b} / (1 + {b})", lambda a, b: _divided(a * b, 1 + b)),
    ("abs({a} - {b})", lambda a, b: abs(a - b)),
)


@dataclass
class Made:
    """A campaign as a file would tell it, one recipe it allows, and its laws told once more by hand."""

    file: dict[str, Any]
    witness: dict[str, Any] = field(default_factory=dict)
    laws: dict[str, Law] = field(default_factory=dict)

    def broken(self, recipe: Recipe) -> list[str]:
        """The laws that a recipe breaks."""
        return [name for name, law in self.laws.items() if not law(recipe)]


@st.composite
def campaigns(draw: st.DrawFn) -> Made:
    """A campaign with every kind of parameter and law; what a drawn recipe keeps is asked of all others."""
    made = Made(
        {
            "campaign": "random",
            "parameters": {},
            "objectives": {"y": {"goal": "maximize", "unit": "dimensionless"}},
            "instrument": {"kind": "hand"},
            "strategy": {"initial": 3},
        }
    )
    for i in range(draw(st.integers(1, 4))):
        _parameter(draw, made, f"p{i}")
    amounts = [f"m{i}" for i in range(draw(st.sampled_from([0, 0, 2, 3, 4, 5])))]
    if amounts:
        _mixture(draw, made, amounts)
    for law in draw(st.lists(st.sampled_from([_sum, _few, _ban, _rule]), max_size=3)):
        law(draw, made)
    if draw(st.integers(0, 3)) == 0:
        name = draw(st.sampled_from(sorted(made.witness)))
        value = made.witness[name]
        made.file["strategy"]["fixed"] = {name: value}
        made.laws[f"fixed {name}"] = lambda r: bool(r[name] == value)
    return made


def _number(draw: st.DrawFn, low: int, high: int) -> Decimal:
    """A decimal with up to two digits behind the point."""
    return Decimal(draw(st.integers(100 * low, 100 * high))) / 100


def _continuous(draw: st.DrawFn, made: Made, name: str, low: Decimal, high: Decimal) -> None:
    """A number with or without steps, the witness among them."""
    told: dict[str, Any] = {"kind": "continuous", "unit": "gram", "low": float(low), "high": float(high)}
    share = Decimal(draw(st.integers(0, 1000))) / 1000
    value = low + (share * (high - low)).quantize(Decimal("0.001"))
    made.laws[f"range {name}"] = lambda r: bool(float(low) <= r[name] <= float(high))
    step = draw(st.sampled_from([None, None, *map(Decimal, STEPS)]))
    if step is not None and step < high - low:
        origin = low + draw(st.sampled_from([Decimal(0), Decimal(0), step / 2]))
        last = int((high - origin) / step)
        if last >= 1:
            value = origin + step * draw(st.integers(0, last))
            told |= {"step": float(step)} | ({} if origin == low else {"origin": float(origin)})
            made.laws[f"step {name}"] = lambda r: (Decimal(repr(r[name])) - origin) % step == 0
    made.file["parameters"][name] = told
    made.witness[name] = float(value)


def _parameter(draw: st.DrawFn, made: Made, name: str) -> None:
    kind = draw(st.sampled_from(["continuous", "continuous", "log", "integer", "ordinal", "categorical"]))
    told: dict[str, Any] = {"kind": kind, "unit": "gram"}
    if kind == "continuous":
        low = draw(st.sampled_from([Decimal(0), _number(draw, -5, 20)]))
        _continuous(draw, made, name, low, low + 1 + _number(draw, 0, 50))
        return
    if kind == "log":
        low = 1 + _number(draw, 0, 3)
        high = low * draw(st.integers(3, 1000))
        told |= {"kind": "continuous", "scale": "log", "low": float(low), "high": float(high)}
        made.witness[name] = float((low * high).sqrt())
        made.laws[f"range {name}"] = lambda r: bool(float(low) <= r[name] <= float(high))
    elif kind == "integer":
        first = draw(st.integers(-3, 5))
        last = first + draw(st.integers(1, 40))
        told |= {"low": first, "high": last}
        made.witness[name] = draw(st.integers(first, last))
        made.laws[f"range {name}"] = lambda r: isinstance(r[name], int) and first <= r[name] <= last
    elif kind == "ordinal":
        levels = sorted(draw(st.sets(st.integers(0, 60), min_size=2, max_size=6)))
        told |= {"levels": levels}
        made.witness[name] = float(draw(st.sampled_from(levels)))
        made.laws[f"levels {name}"] = lambda r: r[name] in levels
    else:
        choices = [f"c{i}" for i in range(draw(st.integers(2, 5)))]
        told = {"kind": kind, "choices": choices}
        made.witness[name] = draw(st.sampled_from(choices))
        made.laws[f"choices {name}"] = lambda r: r[name] in choices
    made.file["parameters"][name] = told


def _mixture(draw: st.DrawFn, made: Made, parts: list[str]) -> None:
    """Parts that add up to what those of the witness do, to the last digit where all move in steps."""
    for name in parts:
        _continuous(draw, made, name, Decimal(0), Decimal(draw(st.sampled_from([5, 20, 100]))))
    values = [Decimal(repr(made.witness[name])) for name in parts]
    if sum(values) <= 1:
        values[0] = Decimal(2)
        made.witness[parts[0]] = 2.0
        made.file["parameters"][parts[0]] |= {"step": 1.0}
        made.file["parameters"][parts[0]].pop("origin", None)
        made.laws[f"step {parts[0]}"] = lambda r: Decimal(repr(r[parts[0]])) % 1 == 0
    total = sum(values)
    told = {"parts": parts, "total": float(total), "unit": "gram"}
    used = sum(value > 0 for value in values)
    most = draw(st.integers(used, len(parts)))
    if draw(st.booleans()):
        told["max_parts"] = most
        made.laws["max_parts"] = lambda r: sum(r[name] > 0 for name in parts) <= most
    in_steps = all("step" in made.file["parameters"][name] for name in parts)

    def adds_up(recipe: Recipe) -> bool:
        got = sum(Decimal(repr(recipe[name])) for name in parts)
        return got == total if in_steps else abs(got - total) <= Decimal("1e-9") * total

    made.laws["mixture"] = adds_up
    made.file["mixtures"] = {"m": told}


def _numbers(made: Made) -> list[str]:
    return [name for name, p in made.file["parameters"].items() if p["kind"] != "categorical"]


def _sum(draw: st.DrawFn, made: Made) -> None:
    names = _numbers(made)
    if not names:
        return
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    terms = {name: draw(st.sampled_from([1.0, -1.0, 2.0, 0.5])) for name in chosen}
    at = float(sum(Decimal(repr(w)) * Decimal(repr(made.witness[n])) for n, w in terms.items()))
    size = 1e-9 * max(1.0, *(abs(w) * _reach(made, n) for n, w in terms.items()))
    room = draw(st.sampled_from([0.0, 0.5, 5.0]))
    told: dict[str, Any] = {"terms": terms, "unit": "gram"}
    smooth = all(
        made.file["parameters"][n]["kind"] == "continuous" and "scale" not in made.file["parameters"][n]
        for n in chosen
    )

    def value(recipe: Recipe) -> float:
        return float(sum(Decimal(repr(w)) * Decimal(repr(recipe[n])) for n, w in terms.items()))

    way = draw(st.sampled_from(["at_most", "at_least", "both", "equals"]))
    key = f"sum {len(made.laws)}"
    if way == "equals" and smooth:
        told["equals"] = at
        made.laws[key] = lambda r: abs(value(r) - at) <= size
    else:
        if way != "at_least":
            told["at_most"] = at + room
            made.laws[key + " above"] = lambda r: value(r) <= at + room + size
        if way in ("at_least", "both"):
            told["at_least"] = at - max(room, 0.25)
            made.laws[key + " below"] = lambda r: value(r) >= at - max(room, 0.25) - size
    made.file.setdefault("constraints", []).append(told)


def _reach(made: Made, name: str) -> float:
    told = made.file["parameters"][name]
    ends = told["levels"] if "levels" in told else [told["low"], told["high"]]
    return float(max(abs(end) for end in ends))


def _few(draw: st.DrawFn, made: Made) -> None:
    told = made.file["parameters"]
    names = [n for n in _numbers(made) if told[n].get("levels", [told[n].get("low")])[0] >= 0]
    if not names:
        return
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True))
    amounts = [made.witness[name] for name in chosen if made.witness[name] > 0]
    law: dict[str, Any] = {"parameters": chosen}
    most = max(1, len(amounts))
    if draw(st.booleans()) or not amounts:
        law["at_most"] = most
        made.laws[f"few {len(made.laws)}"] = lambda r: sum(r[name] > 0 for name in chosen) <= most
    if amounts and draw(st.booleans()):
        least = min(amounts) * draw(st.sampled_from([0.25, 0.9]))
        # One that cannot be so much is refused when the file is read.
        if all(least <= _most(made, name) for name in chosen):
            law |= {"least": least, "unit": "gram"}
            made.laws[f"least {len(made.laws)}"] = lambda r: all(r[n] == 0 or r[n] >= least for n in chosen)
    if len(law) > 1:
        made.file.setdefault("at_most_nonzero", []).append(law)


def _most(made: Made, name: str) -> float:
    """The largest number that may be asked for."""
    told = made.file["parameters"][name]
    if "levels" in told:
        return float(told["levels"][-1])
    if "step" not in told:
        return float(told["high"])
    step, origin = Decimal(repr(told["step"])), Decimal(repr(told.get("origin", told["low"])))
    return float(origin + step * int((Decimal(repr(told["high"])) - origin) / step))


def _ban(draw: st.DrawFn, made: Made) -> None:
    names = sorted(made.witness)
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))
    when: dict[str, Any] = {}
    met: list[Law] = []
    for i, name in enumerate(chosen):
        told, at = made.file["parameters"][name], made.witness[name]
        # The first condition is not met by the witness; the others may be.
        if told["kind"] == "categorical":
            others = [c for c in told["choices"] if c != at or i > 0]
            barred = draw(st.lists(st.sampled_from(others), min_size=1, unique=True))
            when[name] = barred if len(barred) > 1 else barred[0]
            met.append(lambda r, name=name, barred=barred: r[name] in barred)  # type: ignore[misc] # bound here
        elif draw(st.booleans()):
            at += _aside(told)
            when[name] = {"above": at, "unit": "gram"}
            met.append(lambda r, name=name, at=at: r[name] > at)  # type: ignore[misc] # bound here
        else:
            at -= _aside(told)
            when[name] = {"below": at, "unit": "gram"}
            met.append(lambda r, name=name, at=at: r[name] < at)  # type: ignore[misc] # bound here
    made.file.setdefault("forbidden", []).append({"when": when, "because": "it would spoil"})
    made.laws[f"forbidden {len(made.laws)}"] = lambda r: not all(condition(r) for condition in met)


def _aside(told: Mapping[str, Any]) -> float:
    """Room around a smooth number, since two bans must not leave a single point of it."""
    return 0.3 if told["kind"] == "continuous" and "step" not in told else 0.0


def _rule(draw: st.DrawFn, made: Made) -> None:
    names = _numbers(made)
    if not names:
        return
    a, b = draw(st.sampled_from(names)), draw(st.sampled_from(names))
    text, value = draw(st.sampled_from(RULES))
    at = value(float(made.witness[a]), float(made.witness[b]))
    if not np.isfinite(at):
        return
    room = draw(st.sampled_from([0.0, 0.1, 1.0])) * max(abs(at), 0.1)
    most = at + room + 1e-6 * abs(at)
    formula = text.format(a=a, b=b)
    key = f"rule {len(made.laws)}"
    if draw(st.booleans()):
        made.file.setdefault("rules", []).append(f"{formula} <= {most!r}")
        made.laws[key] = lambda r: value(float(r[a]), float(r[b])) <= most
    else:
        least = at - room - 1e-6 * abs(at)
        made.file.setdefault("rules", []).append(f"{least!r} <= {formula} or {formula} > {most + 1e3!r}")
        made.laws[key] = lambda r: (
            not least > value(float(r[a]), float(r[b])) or value(float(r[a]), float(r[b])) > (most + 1e3)
        )


def config_of(made: Made) -> CampaignConfig:
    return CampaignConfig(Path("random.yaml"), CampaignModel.model_validate(made.file))


many = settings(
    max_examples=SPACES,
    deadline=None,
    # A space that fails is small enough to read, and takes minutes to make smaller.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example],
)


@many
@given(campaigns(), st.integers(0, 2**32 - 1))
def test_every_proposal_keeps_every_law(made: Made, seed: int) -> None:
    assert made.broken(made.witness) == []
    space, rng = config_of(made).space, np.random.default_rng(seed)
    assert space.problems(made.witness) == ()
    drawn = sample(space, 12, rng)
    laid_out = layout(space, 1, seed)
    near = [space.nearest_lawful(row) for row in rng.random((2, space.width))]
    assert len(drawn) == 12
    assert laid_out
    for recipe in (*drawn, *laid_out, *near):
        assert recipe is not None
        assert made.broken(recipe) == [], recipe
        assert space.problems(recipe) == ()
        assert space.canonical(recipe) == recipe


@settings(many, max_examples=max(SPACES // 20, 10))
@given(campaigns(), st.sampled_from(["random", "gaps"]), st.integers(0, 2**32 - 1))
def test_a_campaign_proposes_lawful_recipes_and_none_twice(made: Made, arm: str, seed: int) -> None:
    made.file["strategy"] |= {"arms": {arm: 1}, "replicates": 0, "initial": 2}
    config = config_of(made)
    chosen: list[Recipe] = []
    with Ledger.write(None) as ledger:
        first = {"config": config.as_json(), "seed": seed, "table": None, "token": "t", "code": "c"}
        state = fold([ledger.append("campaign", first)])
        for number in range(1, 6):
            proposed = propose(config, config.space, state, seed=seed, allowed=lambda _: True)
            if proposed is None:
                break
            name = experiment_id(number)
            chosen.append(proposed.proposal.recipe)
            outcome = Outcome(status="measured", values={"y": float(number)}, source="test")
            yes = {"verdict": "approved", "by": "rule"}
            state = state.extend(
                [
                    ledger.append("proposal", proposed.proposal.body(), experiment=name, attempt=0),
                    ledger.append("decision", yes, experiment=name, attempt=0),
                    ledger.append("outcome", outcome.body(), experiment=name, attempt=1),
                ]
            )
    assert chosen
    assert all(made.broken(recipe) == [] for recipe in chosen)
    assert len({recipe_key(recipe) for recipe in chosen}) == len(chosen)
