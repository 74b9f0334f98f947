"""Campaign files with several goals, limits, costs and rules to end by: what contradicts itself is said."""

from pathlib import Path

import pytest

from labctl.config import load_config
from labctl.errors import RequestError

BASE = """\
campaign: bench
parameters:
  dose: {kind: continuous, unit: gram, low: 0, high: 10}
  steps: {kind: integer, unit: dimensionless, low: 1, high: 5}
  sieve: {kind: ordinal, unit: µm, levels: [20, 50, 100]}
  solvent: {kind: categorical, choices: [water, no, Äthanol]}
objectives:
  yield: {goal: maximize, unit: percent}
instrument: {kind: hand}
strategy: {initial: 3}
budget: {experiments: 5}
"""
BUDGET = "budget: {experiments: 5}"
HAND = "instrument: {kind: hand}"
FLOORS = """\
strategy: {floors: {random: 0.5, replicate: 0.2}}
advice: {doubt: 0.3, vetoes: [{when: {solvent: water}, because: x}]}
"""
SEVERAL = [
    (
        "{goal: maximize, unit: percent}",
        "{goal: target, unit: percent}",
        ":8: objectives.yield: goal: target and",
    ),
    (
        "{goal: maximize, unit: percent}",
        "{goal: observe, unit: percent}",
        "objectives: none has a goal; give at least one goal: maximize, minimize or target",
    ),
    (
        "{goal: maximize, unit: percent}",
        "{goal: maximize, unit: percent, at_least: 5, at_most: 4}",
        ":8: objectives.yield: at_least (5) must lie below at_most (4)",
    ),
    (
        "{goal: maximize, unit: percent}",
        "{goal: maximize, unit: percent, atleast: 5}",
        "did you mean at_least?",
    ),
    (BUDGET, "stop: [{stagnaton: 5}]", ":11: stop.0.stagnaton: no such key; did you mean stagnation?"),
    (BUDGET, "stop: [{experiments: 5}]", ":11: stop.0: needs stagnation, improvement_chance or failure_rate"),
    (BUDGET, "budget: {time: soon}", ":11: budget.time: 'soon' is no time"),
    (BUDGET, "budget: {cost: 5}", "budget.cost: needs instrument.cost"),
    (HAND, "instrument: {kind: hand, cost: {}}", ":9: instrument.cost: costs nothing"),
    (
        HAND,
        "instrument: {kind: hand, cost: {of: {solvent: 1}}}",
        "instrument.cost.of: solvent is no parameter",
    ),
    ("{initial: 3}", "{floors: {random: 0.5, novelty: 0.4}}", ":10: strategy.floors.novelty: no such key"),
    (
        "{initial: 3}",
        "{floors: {rndom: 0.1}}",
        ":10: strategy.floors.rndom: no such key; did you mean random?",
    ),
    (
        BUDGET,
        "advice: {prior: {dose: {nera: 1, within: 1}}}",
        "advice.prior.dose.nera: no such key; did you mean near",
    ),
    (
        BUDGET,
        "advice: {vetoes: [{when: {dose: {abov: 1, unit: gram}}, because: x}]}",
        "advice.vetoes.0.when.dose.abov: no such key; did you mean above?",
    ),
    (
        HAND,
        "instrument: {kind: hand, cost: {eahc: 1}}",
        "instrument.cost.eahc: no such key; did you mean each?",
    ),
    (
        BUDGET,
        "fidelities: {quick: {instrument: {kind: replay, dataste: x}}}",
        "fidelities.quick.instrument.dataste: no such key; did you mean dataset?",
    ),
    (
        BUDGET,
        "fidelities: {quick: {instrument: {kind: replay, dataset: x, cost: {eahc: 1}}}}",
        "fidelities.quick.instrument.cost.eahc: no such key; did you mean each?",
    ),
    (
        BUDGET,
        "budget: {target: {valeu: 1, unit: percent}}",
        "budget.target.valeu: no such key; did you mean value?",
    ),
    (
        "{goal: maximize, unit: percent}",
        "{goal: target, target: 1.0e+200, unit: percent}",
        ":8: objectives.yield.target: 1e+200 is larger than any reading",
    ),
    ("{initial: 3}", "{floors: {random: 0.6}}", ":10: strategy.floors.random: is 0.6"),
    (
        BUDGET,
        FLOORS,
        "strategy.floors: random and replicate, with advice.doubt, leave nothing to the other arms",
    ),
]


@pytest.mark.parametrize(("before", "after", "said"), SEVERAL)
def test_goals_rules_and_shares_that_make_no_sense_are_refused(
    tmp_path: Path, before: str, after: str, said: str
) -> None:
    path = tmp_path / "bench.yaml"
    text = BASE.replace("strategy: {initial: 3}\n", "") if after.startswith("strategy:") else BASE
    assert before in text
    path.write_text(text.replace(before, after), "utf-8")
    with pytest.raises(RequestError) as refused:
        load_config(path)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_chance_of_improvement_ends_campaigns_of_one_goal_only(tmp_path: Path) -> None:
    path = tmp_path / "bench.yaml"
    rule = "stop: [{stagnation: 5}, {improvement_chance: 0.1}]\n"
    path.write_text(BASE + rule, "utf-8")
    assert load_config(path).model.stop[1].improvement_chance == 0.1
    two = "  yield: {goal: maximize, unit: percent}\n"
    path.write_text(BASE.replace(two, f"{two}  price: {{goal: minimize, unit: percent}}\n") + rule, "utf-8")
    with pytest.raises(RequestError, match=r"stop\.1\.improvement_chance: serves one goal"):
        load_config(path)


def test_the_first_goal_leads_and_a_limit_needs_its_value(tmp_path: Path) -> None:
    path = tmp_path / "bench.yaml"
    more = (
        "  width: {goal: observe, unit: um, at_most: 5}\n  a: {goal: target, target: 3, unit: mm}\n"
        "  b: {goal: minimize, unit: mm}\n"
    )
    text = BASE.replace("  yield: {goal: maximize, unit: percent}\n", more)
    path.write_text(text, "utf-8")
    config = load_config(path)
    assert config.goal[0] == "a"
    assert list(config.goals) == ["a", "b"]
    assert list(config.limited) == ["width"]
    assert (config.sign, config.direction, config.worth(4)) == (1.0, -1.0, -1.0)
    assert config.keeps({"width": 5.0})
    assert not config.keeps({"a": 1.0})
