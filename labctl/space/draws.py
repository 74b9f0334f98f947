"""Rows of the unit cube that keep the linear laws of a space, before anything is rounded."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labctl.space.parameters import NUMERIC, can_rest
from labctl.space.space import Group, Space
from labctl.space.walk import walk

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
_PATIENCE = 64
"""After so many polytopes of which fewer than one in twenty was not empty, no further is looked at."""
_RARE = 20
_ROUNDING = 1e-12
_OFTEN_ALL = 0.5
"""Share of the draws in which as many amounts are used as may be; in the others it is any number."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """n rows, of which some columns rest at zero and the others have a lowest value.

    Attributes:
        X: n x d, with what is fixed in its place and what rests at zero.
        idle: n x d, which columns rest.
        lower: n x d, where the others begin.
    """

    X: Floats
    idle: Mask
    lower: Floats


def plain_draw(space: Space, n: int, rng: np.random.Generator) -> Floats:
    """Uniform rows with no law between them, n x d; one-hot and formula columns decode to one choice."""
    columns = []
    for parameter in space.parameters.values():
        if parameter.width == 1:
            columns.append(rng.random((n, 1)))
        else:
            picks = rng.integers(len(parameter.choices), size=n)  # type: ignore[union-attr] # wider than one
            columns.append(parameter.encode([parameter.choices[i] for i in picks]))  # type: ignore[union-attr]
    return np.hstack(columns)


def free_draw(space: Space, n: int, rng: np.random.Generator) -> Drawn:
    """Draw n rows uniformly, with what is fixed, and with as many amounts at zero as groups ask for."""
    X = plain_draw(space, n, rng)
    idle, lower = np.zeros(X.shape, dtype=bool), np.zeros(X.shape)
    for group in space.groups:
        _rest(space, group, idle, lower, rng)
    if space.groups:
        X = np.where(idle, _zeros(space), lower + X * (1.0 - lower))
    for name, value in space.fixed.items():
        at = space.slices[name]
        X[:, at] = space.parameters[name].encode([value])
        idle[:, at] = False
    return Drawn(X, idle, lower)


def _rest(space: Space, group: Group, idle: Mask, lower: Floats, rng: np.random.Generator) -> None:
    """Draw which amounts of a group rest, each set of the same size being as likely as any other."""
    n = len(idle)
    may = [name for name in group.names if name not in space.fixed and can_rest(space.numeric(name))]
    always = len(group.names) - len(may)
    most = len(group.names) if group.at_most is None else group.at_most
    most = max(min(most - always, len(may)), 0)
    used = np.full(n, most)
    if group.mixture is None:
        used = np.where(rng.random(n) < _OFTEN_ALL, most, rng.integers(0, most + 1, size=n))
    order = rng.random((n, len(may))).argsort(axis=1).argsort(axis=1)
    for i, name in enumerate(may):
        idle[:, space.slices[name].start] |= order[:, i] >= used
    for name, least in group.least.items():
        at = space.slices[name].start
        begins = float(space.parameters[name].encode([least])[0, 0]) + _ROUNDING
        lower[:, at] = np.clip(np.maximum(lower[:, at], begins), 0.0, 1.0)


def _zeros(space: Space) -> Floats:
    """Where zero lies in each column of the unit cube; only used for amounts that can be zero."""
    zeros = np.zeros(space.width)
    for group in space.groups:
        for name in group.names:
            if can_rest(space.numeric(name)):
                zeros[space.slices[name].start] = space.parameters[name].encode([0.0])[0, 0]
    return zeros


def lawful_rows(space: Space, drawn: Drawn, rng: np.random.Generator) -> Iterator[Floats]:
    """These rows with continuous columns that keep the linear laws, batch by batch, each n x d.

    As far as the other columns let them: rows for which no such columns exist are left out.
    """
    system, free, X = space.linear_system, space.free_columns, drawn.X
    batches: dict[tuple[bytes, ...], list[int]] = {}
    for i, row in enumerate(X):
        used = free[~drawn.idle[i, free]]
        rest = np.setdiff1d(np.arange(space.width), used)
        sides = (system.A_eq[:, rest] @ row[rest], system.A_ub[:, rest] @ row[rest])
        key = (used.tobytes(), *(side.round(12).tobytes() for side in sides), drawn.lower[i, used].tobytes())
        batches.setdefault(key, []).append(i)
    empty = 0
    for tried, members in enumerate(batches.values()):
        if tried >= _PATIENCE and (tried - empty) * _RARE < tried:
            return  # each batch costs a linear programme, and hardly any can be met
        row, used = X[members[0]], free[~drawn.idle[members[0], free]]
        rest = np.setdiff1d(np.arange(space.width), used)
        points = walk(
            system.A_eq[:, used],
            system.b_eq - system.A_eq[:, rest] @ row[rest],
            system.A_ub[:, used],
            system.b_ub - system.A_ub[:, rest] @ row[rest],
            lower=drawn.lower[members[0], used],
            n=len(members),
            rng=rng,
        )
        if points is None:
            empty += 1
            continue
        rows = X[members]
        rows[:, used] = points
        yield rows


def discrete_columns(space: Space) -> list[slice]:
    """The columns of parameters that cannot be moved continuously, and are not fixed."""
    kinds = {name: p for name, p in space.parameters.items() if name not in space.fixed}
    moving = set(space.free_columns.tolist())
    return [
        space.slices[name]
        for name, p in kinds.items()
        if not (isinstance(p, NUMERIC) and space.slices[name].start in moving)
    ]
