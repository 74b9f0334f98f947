"""The key of the still picture: one line below all panels, so that it hides no result."""

import math
from typing import TYPE_CHECKING, Any

from labctl.report.arms import COUSINS, shared
from labctl.report.goals import limits_in_words
from labctl.report.look import ARMS
from labctl.scores import breaks_limits, results
from labctl.view import View

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

INK, MUTED, FAINT, STAR, BAND = "#16191d", "#5d6670", "#e4e7e6", "#e0a100", "#e9f2f8"
_PER_LETTER = 0.088
"""Inches that a letter of the key takes, and the same for a mark with its room."""
_PER_MARK = 0.55


def explain(figure: "Figure", view: View, *, arrows: bool, cheap: bool, turns: bool, rings: bool) -> None:
    """Say below the panels what each mark means that stands in them.

    Args:
        figure: with its panels.
        view: of the campaign.
        arrows: whether results beyond a scale are drawn.
        cheap: whether readings of cheaper fidelities are.
        turns: whether the shares of the arms are.
        rings: whether new bests are ringed.
    """
    several = len(view.config.goals) > 1
    marks: list[Line2D | Patch] = [*_arms(view, turns=turns), *(_cousins(view) if turns else ())]
    if any(breaks_limits(view.config, e) for e in results(view.config, view.state)):
        hollow: Any = {"markerfacecolor": "none", "markeredgecolor": MUTED, "markeredgewidth": 1.5}
        marks.append(_mark("o", f"breaks a limit ({limits_in_words(view.config)})", **hollow))
    if arrows:
        marks.append(
            _mark("$↑$", "beyond the scale, and which way", color=INK, markersize=9, markeredgewidth=0.3)
        )
    if cheap:
        said = f"cheaper reading ({', '.join(view.config.model.fidelities)})"
        marks.append(_mark("o", said, color=MUTED, markersize=3.5, alpha=0.6, markeredgewidth=0))
    if several and view.summary.front:
        marks.append(_mark("o", "on the front", color=STAR, markeredgecolor=INK, markersize=9))
    if rings:
        ring: Any = {"markerfacecolor": "none", "markeredgecolor": STAR, "markeredgewidth": 2}
        marks.append(_mark("o", "made the front grow" if several else "new best", markersize=12, **ring))
    if marks:
        width = sum(_PER_MARK + _PER_LETTER * len(str(m.get_label())) for m in marks)
        rows = math.ceil(width / figure.get_figwidth())
        look: Any = {"ncols": math.ceil(len(marks) / rows), "frameon": False, "fontsize": 11}
        legend = figure.legend(handles=marks, loc="outside lower center", **look)
        for text in legend.get_texts():
            text.set_parse_math(False)


def _arms(view: View, *, turns: bool) -> "list[Line2D]":
    chosen = {e.proposal.arm for e in results(view.config, view.state)}
    chosen |= {arm for arm in ARMS if turns and arm in _shared(view)}
    return [
        _mark(look.mark, arm, color=look.light, markeredgecolor="white", markeredgewidth=0.7)
        for arm, look in ARMS.items()
        if arm in chosen
    ]


def _cousins(view: View) -> "list[Patch]":
    """Strategies that have a share of their own and the colour of an arm: hatched."""
    from matplotlib.patches import Patch  # noqa: PLC0415 - slow to import

    look: Any = {"facecolor": "white", "hatch": "////", "linewidth": 0}
    return [
        Patch(label=name, edgecolor=ARMS[COUSINS[name]].light if name in COUSINS else FAINT, **look)
        for name in sorted(_shared(view) - set(ARMS))
    ]


def _shared(view: View) -> set[str]:
    return {name for e in shared(view.state) for name in e.proposal.shares or {}}


def _mark(marker: str, label: str, **look: Any) -> "Line2D":  # noqa: ANN401 - matplotlib's own keys
    from matplotlib.lines import Line2D  # noqa: PLC0415 - slow to import

    return Line2D([], [], linestyle="none", marker=marker, label=label, **{"markersize": 7.5, **look})
