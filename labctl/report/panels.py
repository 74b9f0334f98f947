"""Further panels of the still picture: the front, the shares of the arms, and how daring experiments were."""

from typing import TYPE_CHECKING, Any

from labctl.front import complete, value_in
from labctl.report.arms import COUSINS, ORDER, moves, shared
from labctl.report.beyond import draw_arrows
from labctl.report.daring import AGAINST, MIDDLE, QUARTERS, Daring
from labctl.report.figures import padded
from labctl.report.front import stairs, ways
from labctl.report.goals import judged_title, quantity
from labctl.report.key import BAND, FAINT, INK, MUTED, STAR
from labctl.report.look import ARMS, FAILED_LIGHT, Look
from labctl.scores import breaks_limits
from labctl.view import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from labctl.report.growth import Growth
    from labctl.state import Experiment

LIMIT: Any = {"color": FAILED_LIGHT, "linewidth": 1.6, "linestyle": (0, (6, 4)), "zorder": 1}
OUTLINE: Any = {"edgecolor": "white", "linewidth": 0.7}


def full(look: Look) -> dict[str, Any]:
    """How a result of an arm is drawn."""
    return {"color": look.light, **OUTLINE}


def hollow(look: Look) -> dict[str, Any]:
    """How one is drawn that breaks a limit on an outcome."""
    return {"facecolor": "none", "edgecolor": look.light, "linewidth": 1.5}


def results(axes: "Axes", view: View, places: "Sequence[tuple[Experiment, float, float]]") -> None:
    """Results at x and y, each marked by its arm, hollow where a limit on an outcome is broken."""
    for arm, look in ARMS.items():
        for breaks in (False, True):
            some = [
                (x, y)
                for e, x, y in places
                if e.proposal.arm == arm and breaks_limits(view.config, e) is breaks
            ]
            if some:
                style = hollow(look) if breaks else full(look)
                axes.scatter(
                    [x for x, _ in some], [y for _, y in some], s=42, marker=look.mark, zorder=3, **style
                )


def front(axes: "Axes", view: View) -> None:
    """Two goals: every result, hollow where a limit is broken, and what the front dominates."""
    config, state = view.config, view.state
    done = complete(config, state)
    (x, first), (y, second) = config.goals.items()
    names, sides = (x, y), (first, second)
    axes.set_title(f"{config.name}: best compromises so far", parse_math=False)
    axes.set_xlabel(judged_title(names[0], sides[0]), parse_math=False)
    axes.set_ylabel(judged_title(names[1], sides[1]), parse_math=False)
    at = {e.id: (first.judged(value_in(e, x, first)), second.judged(value_in(e, y, second))) for e in done}
    ranges = [padded([place[side] for place in at.values()], 0.09) for side in (0, 1)]
    axes.set(xlim=ranges[0], ylim=ranges[1])
    worst = [ends[0] if o.direction > 0 else ends[1] for ends, o in zip(ranges, sides, strict=True)]
    if corners := stairs([(at[c.experiment][0], at[c.experiment][1]) for c in view.summary.front]):
        outline = [(corners[0][0], worst[1]), *corners, (worst[0], corners[-1][1])]
        across, up = [[p[side] for p in (*outline, (worst[0], worst[1]))] for side in (0, 1)]
        axes.fill(across, up, color=BAND, linewidth=0, zorder=0.5)
        axes.plot(across[:-1], up[:-1], color=INK, linewidth=2, zorder=2)
    for line, o in zip((axes.axvline, axes.axhline), sides, strict=True):
        for limit in (o.at_least, o.at_most):
            if limit is not None and o.target is None:
                line(limit, **LIMIT)
    results(axes, view, [(e, *at[e.id]) for e in done])
    chosen = [at[c.experiment] for c in view.summary.front]
    gold: Any = {"s": 90, "color": STAR, "edgecolor": INK, "linewidth": 1.2, "zorder": 4}
    axes.scatter([p[0] for p in chosen], [p[1] for p in chosen], **gold)
    draw_arrows(axes, [(*at[e.id], ways(e, names, sides)) for e in done], INK)


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
            style: Any = {"s": 50, "color": look.light, "marker": look.mark, "zorder": 3}
            axes.scatter(numbers, shares, **style, **OUTLINE)


def shares(axes: "Axes", view: View) -> None:
    """The shares of the arms by evidence, stacked, with the largest moves numbered."""
    experiments = shared(view.state)
    axes.set_title("whose turn, by evidence")
    axes.set_xlabel("experiment   (numbers: new evidence, which the report tells)")
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
        axes.fill_between(x, base, top, zorder=2, **style)
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


def daring(axes: "Axes", found: "Sequence[Daring]") -> None:
    """From known to radical ideas, from expected to radical outcomes; rings are new bests."""
    axes.set_title("how daring, and what came of it")
    axes.set_xlabel("known idea  \N{RIGHTWARDS ARROW}  radical idea")
    axes.set_ylabel("expected outcome  \N{RIGHTWARDS ARROW}  radical outcome\n" + AGAINST)
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
    """Lines across the curve of the best so far: what the goal is to come close to, and its limits."""
    _, objective = view.config.goal
    gold: Any = {"color": STAR, "linewidth": 1.6, "linestyle": (0, (6, 4)), "zorder": 1}
    said = [(objective.target, "target", gold)]
    said += [(objective.at_least, "at least", LIMIT), (objective.at_most, "at most", LIMIT)]
    for value, words, look in said:
        if value is None:
            continue
        axes.axhline(value, **look)
        place: Any = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "bottom"}
        text = f"{words} {quantity(value, objective)}"
        axes.text(0.995, value, text, parse_math=False, color=look["color"], **place)
