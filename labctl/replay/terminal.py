"""A comparison on a terminal of 80 columns: the key sentence, two narrow tables, and the sentences behind."""

import shutil
import textwrap
from collections.abc import Iterable

from labctl.replay.words import Results, in_short, needed, sentences, share
from labctl.report.look import number, pretty_unit

WIDTH = 80
"""No line of words is wider, however wide the terminal."""


def show(results: Results) -> None:
    """The comparison on stdout, the key sentence first."""
    from rich.console import Console  # noqa: PLC0415 - tests of the words need no terminal
    from rich.table import Table  # noqa: PLC0415

    console = Console(highlight=False, markup=False, width=line_width())
    say = [*in_short(results), ""]
    for head, rows in (by_strategy(results), by_level(results)):
        for line in wrapped(say):
            console.print(line, soft_wrap=True)
        shown = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for i, column in enumerate(head):
            shown.add_column(column, overflow="fold", justify="right" if i else "left")
        for row in rows:
            shown.add_row(*row)
        console.print(shown)
        say = [""]
    for line in wrapped(["", *sentences(results)]):
        console.print(line, soft_wrap=True)


def line_width() -> int:
    """Columns for words and tables: those of the terminal, at most 80."""
    return min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns)


def wrapped(paragraphs: Iterable[str]) -> list[str]:
    """Paragraphs in lines that a terminal shows whole; a long path stays in one piece."""
    width = line_width()
    return [
        line
        for text in paragraphs
        for line in textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]
    ]


def by_strategy(results: Results) -> tuple[list[str], list[list[str]]]:
    """Header and rows: what each strategy had found in the end, in medians over its runs."""
    unit = pretty_unit(results["goal"]["unit"])
    head = [
        "strategy",
        f"best{f' ({unit})' if unit else ''}",
        "quartiles",
        f"top {share(results['pool']['top']['share'])} found",
        "failed",
        "in 95 %",
        "CPU s",
    ]
    rows = []
    for name, found in results["strategies"].items():
        best, top, c = found["final"]["best"], found["final"]["top_share"], found["calibration"]
        ends = (best["lower_quartile"], best["upper_quartile"])
        rows.append(
            [
                name,
                _number(best["median"]),
                " to ".join(_number(end) for end in ends),
                share(top["median"]),
                f"{sum(found['failed'].values()) / len(results['seeds']):.1f}",
                share(c["within_95"]) if c else "",
                f"{results['timing']['cpu_seconds_per_suggestion'][name]:.2f}",
            ]
        )
    return head, rows


def by_level(results: Results) -> tuple[list[str], list[list[str]]]:
    """Header and rows: experiments until a result as good as each level; a value stands there once."""
    names = list(results["strategies"])
    head = ["experiments until", "value", *names, "by chance"]
    rows: dict[tuple[str, ...], list[str]] = {}
    for level in results["levels"]:
        chance = level["random_exactly"]["expected"]
        figures = (
            _number(level["value"]),
            *(needed(level["needed"][name]) for name in names),
            "never" if chance is None else f"{chance:.0f}",
        )
        rows.setdefault(figures, []).append(_short(level["what"]))
    return head, [[" = ".join(what), *figures] for figures, what in rows.items()]


def _short(what: str) -> str:
    """What a level is, without what every row would repeat."""
    return (
        what.removeprefix("as good as ")
        .removeprefix("the ")
        .removesuffix(" of recipes")
        .replace(" reading", "")
    )


def _number(value: float | None) -> str:
    return "nothing" if value is None else number(value)
