"""Tables of who found the best sooner: medians, and paired differences with the intervals they lie in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from labctl.replay.chance import random_search
from labctl.replay.statistics import Difference, paired_difference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from sought import Sought

    Floats = NDArray[np.float64]

CHANCE = "chance, exactly"


def show(
    name: str,
    sought: Sought,
    searches: Mapping[str, Sequence[Sequence[int]]],
    ours: Sequence[str],
    start: int,
) -> None:
    """Print how the strategies stand on one table.

    Args:
        name: of the table.
        sought: what counts.
        searches: by strategy, the rows it tried with each seed.
        ours: strategies that are compared with each of the others.
        start: experiments that all begin with.

    Raises:
        ValueError: they did not all begin with the same.
    """
    found = {who: np.array([sought.measure(rows) for rows in some]) for who, some in searches.items()}
    begun = [[tuple(rows[:start]) for rows in some] for some in searches.values()]
    if any(other != begun[0] for other in begun):
        raise ValueError("the strategies did not begin with the same experiments")
    chance = np.array([sought.chance(rows) for rows in begun[0]])
    print(f"\n### {name}\n")
    print(
        f"{len(sought.worth)} recipes, {len(chance)} seeds, {sought.budget} experiments, of which {start} are"
    )
    print("the start. Medians over the seeds:\n")
    medians = {
        **{
            who: [_number(sought, i, m) for i, m in enumerate(np.median(v, axis=0))]
            for who, v in found.items()
        },
        CHANCE: _by_chance(sought),
    }
    _table(sought.names, medians)
    others = {**{who: values for who, values in found.items() if who not in ours}, CHANCE: chance}
    for mine in (who for who in ours if who in found):
        print(f"\n{mine} minus the other, mean of the differences paired by seed and its 95 % interval:\n")
        differences = {
            who: [paired_difference(found[mine][:, i], values[:, i]) for i in range(values.shape[1])]
            for who, values in others.items()
        }
        cells = {
            who: [_interval(sought, i, d) for i, d in enumerate(each)] for who, each in differences.items()
        }
        _table(sought.names, cells)
        print(f"\n{_in_words(mine, sought, differences)}")


def _by_chance(sought: Sought) -> list[str]:
    """The median of a waiting time of chance alone, and the expectation of the rest, whatever the start."""
    n = len(sought.worth)
    chances = [np.isin(np.arange(n), list(best)).astype(float) for best in sought.best.values()]
    medians = [float(random_search(each).median or n) for each in chances]
    values = [*medians, *sought.chance([])[len(medians) :]]
    return [_number(sought, i, value) for i, value in enumerate(values)]


def _number(sought: Sought, i: int, value: float) -> str:
    if i < len(sought.best):
        return f"> {sought.budget}" if value > sought.budget else f"{value:g}"
    return f"{value:.1%}" if sought.more_is_better[i] else f"{value:.3g}"


def _interval(sought: Sought, i: int, difference: Difference) -> str:
    scale, form, unit = (100.0, "+.1f", " points") if sought.more_is_better[i] else (1.0, "+.3g", "")
    text = f"{scale * difference.mean:{form}}"
    if difference.low is not None and difference.high is not None:
        text += f" [{scale * difference.low:{form}}, {scale * difference.high:{form}}]"
    return f"**{text}{unit}**" if difference.shown else text + unit


def _in_words(mine: str, sought: Sought, differences: Mapping[str, Sequence[Difference]]) -> str:
    sentences = []
    for who, each in differences.items():
        ahead: list[str] = []
        behind: list[str] = []
        for what, more, difference in zip(sought.names, sought.more_is_better, each, strict=True):
            if difference.shown:
                (ahead if (difference.mean > 0) == more else behind).append(what)
        said = [f"is ahead in {'; '.join(ahead)}"] * bool(ahead) + [
            f"is BEHIND in {'; '.join(behind)}"
        ] * bool(behind)
        rest = len(each) - len(ahead) - len(behind)
        said += [f"shows no difference that this table could tell in {rest} of {len(each)} measures"] * bool(
            rest
        )
        sentences.append(f"Beside {who.removesuffix(', exactly')}, {mine} {', and '.join(said)}.")
    return "\n".join(sentences)


def _table(names: Sequence[str], columns: Mapping[str, Sequence[str]]) -> None:
    print(f"| | {' | '.join(columns)} |")
    print("|" + " --- |" * (1 + len(columns)))
    for name, *row in zip(names, *columns.values(), strict=True):
        print(f"| {name} | {' | '.join(row)} |")
