"""From rows of the unit cube to recipes that an instrument can set, with every sum met after rounding."""

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from labctl.space.constraints import Mixture
from labctl.space.lawful import proposable
from labctl.space.parameters import Continuous, ends
from labctl_drivers.protocol import Recipe, Setting

if TYPE_CHECKING:
    from labctl.space.space import Space

Floats: TypeAlias = NDArray[np.float64]
Table: TypeAlias = dict[str, "list[Setting] | NDArray[Any]"]
_TRACE = 1e-9
"""Of a total or a range: less of a part is a rounding error and no part."""
_MOST_MOVES = 200


def rounded(space: "Space", X: Floats) -> list[Recipe | None]:
    """The recipes that rows of the unit cube (n x d) round to; None where that breaks a law.

    Each number becomes the nearest that can be set, and fixed parameters take their setting. The parts of
    a mixture are then moved by as little as makes them add up: in whole steps where all move in steps,
    else by the largest part that does not.
    """
    columns = settle(space, X)
    lawful = proposable(space, columns, len(X))
    values = [list(columns[name]) for name in space.parameters]
    return [
        dict(zip(space.parameters, row, strict=True)) if kept else None
        for kept, row in zip(lawful, zip(*values, strict=True), strict=True)
    ]


def settle(space: "Space", X: Floats) -> Table:
    """The settings that rows of the unit cube (n x d) round to, as columns of plain values."""
    columns: Table = {}
    for name, parameter in space.parameters.items():
        if name in space.fixed:
            columns[name] = [parameter.canonical(space.fixed[name])] * len(X)
        else:
            columns[name] = parameter.decode(X[:, space.slices[name]])
    for name, parameter in space.parameters.items():
        if isinstance(parameter, Continuous) and parameter.grid is None and name not in space.fixed:
            columns[name] = _without_traces(parameter, columns[name])
    for mixture in space.mixtures.values():
        _add_up(space, mixture, X, columns)
    return columns


def _without_traces(parameter: Continuous, column: "list[Setting] | NDArray[Any]") -> list[Setting]:
    """The column with what is a rounding error away from an end put onto it; an end is often zero."""
    x = np.array(column, dtype=np.float64)
    trace = _TRACE * (parameter.high - parameter.low)
    x[x - parameter.low <= trace] = parameter.low
    x[parameter.high - x <= trace] = parameter.high
    found: list[Setting] = x.tolist()
    return found


def _add_up(space: "Space", mixture: Mixture, X: Floats, columns: Table) -> None:
    """Move the parts of a mixture, in each row by as little as makes them add up."""
    free = [part for part in mixture.parts if part not in space.fixed]
    grids = [space.numeric(part).grid for part in free]  # type: ignore[union-attr] # parts are continuous
    parts = {part: np.array(columns[part], dtype=np.float64) for part in mixture.parts}
    if all(grid is not None for grid in grids):
        wishes = {part: _wish(space, part, X) for part in free}
        _step_up(space, mixture, wishes, parts)
    else:
        smooth = [part for part, grid in zip(free, grids, strict=True) if grid is None]
        values = np.stack([parts[part] for part in smooth], axis=1)
        values[np.abs(values) < _TRACE * mixture.total] = 0.0
        rows, largest = np.arange(len(values)), values.argmax(axis=1)
        values[rows, largest] = 0.0
        others = sum(parts[part] for part in mixture.parts if part not in smooth)
        rest = mixture.total - others - values.sum(axis=1)
        bounds = np.array([ends(space.numeric(part)) for part in smooth])
        low, high = bounds[largest].T
        # A bound may be missed by the last bit only; what misses it by more stays, and is found unlawful.
        near = np.clip(rest, low, high)
        values[rows, largest] = np.where(np.abs(near - rest) <= _TRACE * mixture.total, near, rest)
        parts |= {part: values[:, i] for i, part in enumerate(smooth)}
    for part in free:
        columns[part] = parts[part].tolist()


def _wish(space: "Space", part: str, X: Floats) -> Floats:
    """What the rows ask for before rounding."""
    low, high = ends(space.numeric(part))
    column: Floats = low + X[:, space.slices[part].start] * (high - low)
    return column


def _step_up(space: "Space", mixture: Mixture, wishes: dict[str, Floats], parts: dict[str, Floats]) -> None:
    """Move the parts in whole steps, in each row those whose rounding went the wrong way first."""
    grids = {part: grid for part in wishes if (grid := space.numeric(part).grid) is not None}  # type: ignore[union-attr] # parts are continuous
    scale = max(grid.scale for grid in grids.values()) if grids else 1
    steps = {part: grid.step * (scale // grid.scale) for part, grid in grids.items()}
    limited = {name for group in space.groups for name in group.names}
    held = sum(parts[part] for part in mixture.parts if part not in grids)
    goal = np.rint((mixture.total - held) * scale).astype(np.int64)
    places = {part: grid.places(parts[part]) for part, grid in grids.items()}
    units = {
        part: (grid.first * (scale // grid.scale)) + places[part] * steps[part]
        for part, grid in grids.items()
    }
    over = np.asarray(goal - sum(units.values()))
    order = sorted(grids, key=lambda part: -steps[part])
    for row in np.flatnonzero(over):
        left = int(over[row])
        room = {part: int(places[part][row]) for part in order}
        for _ in range(_MOST_MOVES):
            way = 1 if left > 0 else -1
            able = [
                part
                for part in order
                if steps[part] <= abs(left)
                and 0 <= room[part] + way <= grids[part].last
                and (part not in limited or parts[part][row] != 0.0)
            ]
            if not able:
                break
            widest = [part for part in able if steps[part] == steps[able[0]]]
            part = max(
                widest,
                key=lambda p: way * (wishes[p][row] - float(grids[p].values(room[p]))),
            )
            n = max(1, abs(left) // (steps[part] * len(widest)))
            n = min(n, grids[part].last - room[part] if way > 0 else room[part])
            room[part] += way * n
            left -= way * n * steps[part]
            if left == 0:
                break
        for part in order:
            parts[part][row] = float(grids[part].values(room[part]))
