"""Further panels of the still picture: the front, the shares of the arms, and how daring experiments were."""

from typing import TYPE_CHECKING, Any

from labctl.report.arms import COUSINS, ORDER, moves, shared
from labctl.report.daring import MIDDLE, QUARTERS, Daring
from labctl.report.figures import padded
from labctl.report.front import stairs
from labctl.report.goals import broken, judged_title, quantity
from labctl.report.growth import Growth, complete, value_in
from labctl.report.look import ARMS, Look
from labctl.view import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

INK, MUTED, FAINT, STAR, BAND = "#16191d", "#5d6670", "#e4e7e6", "#e0a100", "#e9f2f8"
OUTLINE: Any = {"edgecolor": "white", "linewidth": 0.7}


def full(look: Look) -> dict[str, Any]:
    """How a result of an arm is drawn."""
    return {"color": look.light, **OUTLINE}


def hollow(look: Look) -> dict[str, Any]:
    """How one is drawn that breaks a limit on an outcome."""
    return {"facecolor": "none", "edgecolor": look.light, "linewidth": 1.5}


def explain_hollow(axes: "Axes", view: View) -> None:
    """One line in the key for all hollow marks, where there are any."""
    if any(broken(view.config, e.outcome) for e in view.state.measured):
        mark: Any = {"facecolor": "none", "edgecolor": MUTED, "linewidth": 1.5, "s": 42}
        axes.scatter([], [], label="breaks a limit", **mark)


def front(axes: "Axes", view: View) -> None:
    """Two goals: every result, hollow where a limit is broken, and what the front dominates."""
    config, state = view.config, view.state
    done = complete(config, state)
    names, sides = list(config.goals), list(config.goals.values())
    axes.set_title(f"{config.name}: best compromises so far", parse_math=False)
    axes.set_xlabel(judged_title(names[0], sides[0]), parse_math=False)
    axes.set_ylabel(judged_title(names[1], sides[1]), parse_math=False)
    at = {e.id: tuple(o.judged(value_in(e, n)) for n, o in config.goals.items()) for e in done}
    ranges = [padded([place[side] for place in at.values()], 0.09) for side in (0, 1)]
    axes.set(xlim=ranges[0], ylim=ranges[1])
    worst = [ends[0] if o.direction > 0 else ends[1] for ends, o in zip(ranges, sides, strict=True)]
    if corners := stairs([(at[c.experiment][0], at[c.experiment][1]) for c in view.summary.front]):
        outline = [(corners[0][0], worst[1]), *corners, (worst[0], corners[-1][1])]
        x, y = [[p[side] for p in (*outline, (worst[0], worst[1]))] for side in (0, 1)]
        axes.fill(x, y, color=BAND, linewidth=0, zorder=0.5)
        axes.plot(x[:-1], y[:-1], color=INK, linewidth=2, zorder=2)
    for arm, look in ARMS.items():
        for breaks in (False, True):
            some = [e for e in done if e.proposal.arm == arm and bool(broken(config, e.outcome)) is breaks]
            if not some:
                continue
            label = None if breaks else arm
            x, y = [at[e.id][0] for e in some], [at[e.id][1] for e in some]
            style = hollow(look) if breaks else full(look)
            axes.scatter(x, y, s=42, marker=look.mark, label=label, zorder=3, **style)
    explain_hollow(axes, view)
    chosen = [at[c.experiment] for c in view.summary.front]
    gold: Any = {"s": 90, "color": STAR, "edgecolor": INK, "linewidth": 1.2, "zorder": 4}
    axes.scatter([p[0] for p in chosen], [p[1] for p in chosen], **gold)
    axes.legend(loc="best", frameon=True, framealpha=0.9, edgecolor="none", fontsize=10.5)


def volume(axes: "Axes", view: View, grown: "Sequence[Growth]") -> None:
    """Three goals or more: the share of its box that the front dominates, result by result."""
    axes.set_title(f"{view.config.name}: how the front grew", parse_math=False)
    axes.set_xlabel("experiment")
    axes.set_ylabel("dominated share")
    axes.set_xlim(0.2, len(view.state) + 0.8)
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    x, y = [g.experiment.number for g in grown], [g.share for g in grown]
    axes.step([*x, len(view.state)], [*y, y[-1]], where="post", color=INK, linewidth=2, zorder=2)
    for arm, look in ARMS.items():
        some = [g for g in grown if g.grew and g.experiment.proposal.arm == arm]
        if some:
            numbers, shares = [g.experiment.number for g in some], [g.share for g in some]
            style: Any = {"s": 50, "color": look.light, "marker": look.mark, "label": arm, "zorder": 3}
            axes.scatter(numbers, shares, **style, **OUTLINE)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="lower right", frameon=True, framealpha=0.9, edgecolor="none", fontsize=10.5)


def shares(axes: "Axes", view: View) -> None:
    """The shares of the arms by evidence, stacked, with the largest moves numbered."""
    experiments = shared(view.state)
    axes.set_title("whose turn, by evidence")
    axes.set_xlabel("experiment")
    axes.set_ylabel("share of the budget")
    x = [e.number for e in experiments]
    named = {name for e in experiments for name in e.proposal.shares or {}}
    base = [0.0] * len(x)
    for name in (*(n for n in ORDER if n in named), *sorted(named - set(ORDER))):
        top = [b + (e.proposal.shares or {}).get(name, 0.0) for b, e in zip(base, experiments, strict=True)]
        look = (
            ARMS[COUSINS[name]] if name in COUSINS else next((k for a, k in ARMS.items() if a == name), None)
        )
        colour = FAINT if look is None else look.light
        style: Any = {"facecolor": colour, "edgecolor": "white", "linewidth": 0.8}
        if name in COUSINS:
            style = {"facecolor": "white", "edgecolor": colour, "linewidth": 0.0, "hatch": "///"}
        axes.fill_between(x, base, top, label=name, zorder=2, **style)
        base = top
    axes.set(xlim=(x[0] - 0.5, x[-1] + 0.5), ylim=(0, 1.1), yticks=[0, 0.25, 0.5, 0.75, 1])
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    for i, move in enumerate(moves(experiments), start=1):
        n = move.experiment.number
        axes.plot([n, n], [0, 1.03], color=INK, linewidth=1, linestyle=(0, (2, 3)), zorder=3)
        disc: Any = {"boxstyle": "circle,pad=0.25", "facecolor": INK, "edgecolor": "none"}
        axes.text(
            n, 1.06, str(i), color="white", fontsize=9, weight="bold", ha="center", va="center", bbox=disc
        )
    handles, labels = axes.get_legend_handles_labels()
    place: Any = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5), "frameon": False, "fontsize": 10.5}
    axes.legend(handles[::-1], labels[::-1], **place)


def daring(axes: "Axes", found: "Sequence[Daring]") -> None:
    """From known to radical ideas, from expected to radical outcomes; rings are new bests."""
    axes.set_title("how daring, and what came of it")
    axes.set_xlabel("known idea  \N{RIGHTWARDS ARROW}  radical idea")
    axes.set_ylabel("expected outcome  \N{RIGHTWARDS ARROW}  radical outcome")
    axes.grid(visible=False)
    low, high = -0.13, 1.14
    axes.set(xlim=(-0.05, 1.05), ylim=(low, high), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda share, _: f"{share:.0%}")
    for (idea, outcome), name in QUARTERS.items():
        x = (MIDDLE, 1.05) if idea else (-0.05, MIDDLE)
        y = (MIDDLE, high) if outcome else (low, MIDDLE)
        axes.fill_between(x, *y, color=BAND, alpha=(0.0, 0.4, 1.0)[idea + outcome], linewidth=0, zorder=0.5)
        n = sum(d.quarter == name for d in found)
        place: Any = {"ha": "right" if idea else "left", "va": "center", "color": MUTED, "fontsize": 11.5}
        axes.text(1.03 if idea else -0.03, 1.08 if outcome else -0.07, f"{name}  {n}", weight="bold", **place)
    line: Any = {"color": FAINT, "linewidth": 1.3, "zorder": 0.6}
    axes.axvline(MIDDLE, **line)
    axes.axhline(MIDDLE, **line)
    for arm, look in ARMS.items():
        some = [d for d in found if d.experiment.proposal.arm == arm]
        style: Any = {"s": 58, "color": look.light, "marker": look.mark, "zorder": 3}
        axes.scatter([d.idea for d in some], [d.outcome for d in some], **style, **OUTLINE)
    best = [d for d in found if d.better]
    ring: Any = {"s": 240, "facecolor": "none", "edgecolor": STAR, "linewidth": 2, "zorder": 4}
    axes.scatter([d.idea for d in best], [d.outcome for d in best], **ring)


def wished(axes: "Axes", view: View) -> None:
    """A line across the curve of the best so far where the goal is to come close to."""
    _, objective = view.config.goal
    if objective.target is not None:
        axes.axhline(objective.target, color=STAR, linewidth=1.6, linestyle=(0, (6, 4)), zorder=1)
        said = f"target {quantity(objective.target, objective)}"
        place: Any = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "bottom", "color": STAR}
        axes.text(0.995, objective.target, said, parse_math=False, **place)
