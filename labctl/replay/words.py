"""What a comparison found, in a table and in sentences."""

from collections.abc import Mapping
from typing import Any

from labctl.replay.statistics import FEWEST_SEEDS
from labctl.report.look import FAILURES, number, pretty_unit
from labctl_drivers.protocol import FailureKind

Results = Mapping[str, Any]


def verdict(results: Results) -> list[str]:
    """Which strategy is ahead and by how much, one honest sentence for each of the others."""
    return [_verdict(results, pair) for pair in results["differences"]] or [
        "One strategy alone cannot be ahead; name two or more to compare."
    ]


def in_short(results: Results) -> list[str]:
    """What random search would have needed for the median best of each other strategy: one line each.

    A level that was reached in the common start is no strategy's merit, and is said to be none.
    """
    said = []
    for level in results["levels"]:
        name, chance = level["strategy"], level["random_exactly"]["expected"]
        if name in (None, "random"):
            continue
        found = needed(level["needed"][name])
        median = level["needed"][name]["median"]
        if median is not None and median <= results["start"]["experiments"]:
            said.append(
                f"What {name} found in the end came within the first {results['start']['experiments']} "
                "experiments, which are the same for every strategy."
            )
        elif chance is None:
            said.append(f"Random search never finds what {name} found in {found} experiments.")
        else:
            said.append(
                f"Random search needs {chance:.0f} experiments on average for what {name} found in {found}."
            )
    said += [
        _too_few(pair)
        if pair["best"]["seeds"] < FEWEST_SEEDS
        else f"{len(results['seeds'])} seeds do not show that {pair['first']} and {pair['second']} differ."
        for pair in results["differences"]
        if pair["best"] and not pair["best"]["shown"] and not pair["top_share"]["shown"]
    ]
    return said


def sentences(results: Results) -> list[str]:
    """The findings in the order in which a person asks for them; the verdict comes last."""
    said = [_start(results), *(_found(results, name) for name in results["strategies"])]
    said += [_as_random(results, level) for level in results["levels"] if _worth_telling(results, level)]
    return [*said, *verdict(results)]


def with_unit(value: float | None, results: Results) -> str:
    """A value of the goal as people write it."""
    if value is None:
        return "nothing"
    unit = pretty_unit(results["goal"]["unit"])
    return f"{number(value)}{' ' + unit if unit else ''}"


def failures(failed: Mapping[str, int], runs: int) -> str:
    """How many experiments of a run failed on average, by kind."""
    parts = [f"{count / runs:.1f} {FAILURES[FailureKind(kind)][2]}" for kind, count in failed.items()]
    return ", ".join(parts) or "none"


def share(value: float) -> str:
    """A share in percent."""
    return f"{100 * value:.0f} %".replace("-", "−")


def needed(entry: Mapping[str, Any]) -> str:
    """By when half of the runs had reached a level, or that they had not."""
    return f">{entry['within']}" if entry["median"] is None else str(entry["median"])


def table(results: Results) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table that the terminal and the page show."""
    n = results["experiments"]
    head = [
        "strategy",
        f"best after {n}: median (quartiles)",
        f"of the best {share(results['pool']['top']['share'])} of recipes, found",
        "failed in a run",
        "inside 95 %",
        "CPU s a choice",
    ]
    rows = []
    for name, s in results["strategies"].items():
        best, top, c = s["final"]["best"], s["final"]["top_share"], s["calibration"]
        quartiles = (
            f"{with_unit(best['lower_quartile'], results)} to {with_unit(best['upper_quartile'], results)}"
        )
        rows.append(
            [
                name,
                f"{with_unit(best['median'], results)} ({quartiles})",
                f"{share(top['median'])} ({share(top['lower_quartile'])} to {share(top['upper_quartile'])})",
                failures(s["failed"], len(results["seeds"])),
                f"{share(c['within_95'])} of {c['n']}" if c else "predicts nothing",
                f"{results['timing']['cpu_seconds_per_suggestion'][name]:.3f}",
            ]
        )
    return head, rows


def levels(results: Results) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table of experiments needed."""
    names = list(results["strategies"])
    head = ["experiments until", "value", *names, "random, exactly"]
    rows = []
    for level in results["levels"]:
        chance = level["random_exactly"]
        exact = "never" if chance["expected"] is None else f"{chance['expected']:.0f}"
        reached = [
            f"{needed(level['needed'][name])} ({level['needed'][name]['reached']} of {len(results['seeds'])})"
            for name in names
        ]
        rows.append([level["what"], with_unit(level["value"], results), *reached, exact])
    return head, rows


def _start(results: Results) -> str:
    pool, start = results["pool"], results["start"]
    how = "drawn at random" if start["layout"] == "random" else "laid out over the space"
    kind = "single reading" if results["replicates"] == "draw" else "mean of replicates"
    return (
        f"{len(results['seeds'])} seeds, {results['experiments']} experiments each, of which the first "
        f"{start['experiments']} are {how}, the same for every strategy. {_recipes(pool)}; its best {kind} "
        f"is {with_unit(pool['best_reading'], results)}."
    )


def _recipes(pool: Mapping[str, Any]) -> str:
    """How many recipes the rows of the table are."""
    rows, recipes = pool["answers"], pool["recipes"]
    if rows == recipes:
        return f"The table holds {recipes} recipes"
    return f"The table's {rows} rows are {recipes} recipes, since some were measured more than once"


def _found(results: Results, name: str) -> str:
    final = results["strategies"][name]["final"]
    chance = results["random_share"][-1]
    mean = final["table_mean_of_best_recipe"]
    luck = (
        ""
        if mean is None or results["replicates"] == "mean"
        else (f" (the recipes behind it have a mean of {with_unit(mean, results)} in the table)")
    )
    return (
        f"{name}: median best {with_unit(final['best']['median'], results)}{luck}, and "
        f"{share(final['top_share']['mean'])} of the best {results['pool']['top']['recipes']} recipes on "
        f"average, where pure chance finds {share(chance)} (exactly)."
    )


def _worth_telling(results: Results, level: Mapping[str, Any]) -> bool:
    return level["strategy"] not in (None, "random") or (
        level["strategy"] == "random" and len(results["strategies"]) == 1
    )


def _as_random(results: Results, level: Mapping[str, Any]) -> str:
    chance, value = level["random_exactly"], with_unit(level["value"], results)
    if chance["expected"] is None:
        return (
            f"No single answer of the table is {level['what']} ({value}), so random search never gets there."
        )
    own = level["needed"].get(level["strategy"])
    sentence = (
        f"Random search needs {chance['expected']:.0f} experiments on average for a reading {level['what']} "
        f"({value}): {chance['good']:.4g} of {results['pool']['recipes']} recipes give one, and this "
        "is exact for drawing without replacement"
    )
    if chance["never"] > 0.005:  # noqa: PLR2004 - less is not worth a sentence
        sentence += (
            f" (if they get one: in {share(chance['never'])} of searches the replicates drawn give none)"
        )
    if own is not None:
        sentence += f"; {level['strategy']} needed {needed(own)}"
    simulated = level["needed"].get("random")
    if simulated is not None and level["strategy"] != "random":
        sentence += (
            f", and of the {simulated['runs']} random runs {simulated['reached']} got there within "
            f"{simulated['within']}"
        )
    return f"{sentence}."


def _verdict(results: Results, pair: Mapping[str, Any]) -> str:
    first, second, best, top = pair["first"], pair["second"], pair["best"], pair["top_share"]
    seeds = len(results["seeds"])
    if best is None:
        return f"No seed gave both {first} and {second} a reading, so nothing can be said."
    if best["seeds"] < FEWEST_SEEDS:
        return _too_few(pair)
    compared = (
        (best, with_unit, f"in the best reading after {results['experiments']} experiments"),
        (
            top,
            lambda v, _: share(v),
            f"in the share of the best {results['pool']['top']['recipes']} recipes found",
        ),
    )
    ahead, behind, level = [], [], []
    for difference, text, where in compared:
        low, mean, high = (text(abs(difference[key]), results) for key in ("low", "mean", "high"))
        if not difference["shown"]:
            low, mean, high = (text(difference[key], results) for key in ("low", "mean", "high"))
            level.append(f"{where} ({mean}, {low} to {high})")
        elif difference["mean"] > 0:
            ahead.append(f"by {mean} ({low} to {high}) {where}")
        else:
            behind.append(f"by {mean} ({high} to {low}) {where}")
    clauses = [f"{first} is ahead of {second} {', and '.join(ahead)}"] if ahead else []
    clauses += [f"{first} is behind {second} {', and '.join(behind)}"] if behind else []
    if level:
        between = f"{'between' if clauses else 'Between'} {first} and {second}"
        clauses.append(
            f"{between} there is no difference {', and '.join(level)} "
            "that this table and these seeds can show"
        )
    said = "; ".join(clauses)
    left_out = pair["seeds_without_a_reading"]
    note = f" ({left_out} of {seeds} seeds gave one of them no reading and are left out)" if left_out else ""
    return f"{said} (means of {best['seeds']} paired seeds with 95 % bootstrap intervals){note}."


def _too_few(pair: Mapping[str, Any]) -> str:
    """That so few seeds cannot tell, whatever they happened to give."""
    n, between = pair["best"]["seeds"], f"{pair['first']} and {pair['second']}"
    if n == 1:
        return f"One seed shows no spread, so nothing can be said of {between}; use {FEWEST_SEEDS} or more."
    return f"{n} seeds are too few to say whether {between} differ; use {FEWEST_SEEDS} or more."
