"""Hit-and-run walks inside a polytope: draws that keep linear laws, nearly uniform."""

import numpy as np
from numpy.typing import NDArray

from labctl.space.quiet import off_stdout

Floats = NDArray[np.float64]

_WALK_STEPS = 40
"""Hit-and-run steps between two draws; enough to forget the last one in the few dimensions of a recipe."""
_ROUNDING = 1e-9


def walk(
    A_eq: Floats,
    b_eq: Floats,
    A_ub: Floats,
    b_ub: Floats,
    *,
    lower: Floats,
    n: int,
    rng: np.random.Generator,
    corners: int = 0,
) -> Floats | None:
    """Draw from {A_eq x = b_eq, A_ub x <= b_ub, lower <= x <= 1}, nearly uniformly, n x d; None if empty.

    n independent hit-and-run walks (Smith 1984) inside the null space of the equalities, all started at
    the centre of the largest ball that fits (the Chebyshev centre, by a linear programme), or, with
    ``corners``, each between two of so many corners, since a walk never leaves the middle of a sliver.
    """
    from scipy.linalg import null_space  # noqa: PLC0415 - not every space needs it
    from scipy.optimize import linprog  # noqa: PLC0415

    d = A_eq.shape[1]
    if d == 0:
        fits = bool((np.abs(b_eq) <= _ROUNDING).all() and (b_ub >= -_ROUNDING).all())
        return np.empty((n, 0)) if fits else None
    walls = np.vstack([A_ub, np.eye(d), -np.eye(d)])
    limits = np.concatenate([b_ub, np.ones(d), -lower])
    inside = null_space(A_eq) if len(A_eq) else np.eye(d)
    reach = np.linalg.norm(walls @ inside, axis=1)
    with off_stdout():
        solution = linprog(
            np.concatenate([np.zeros(d), [-1.0]]),
            A_ub=np.hstack([walls, reach[:, None]]),
            b_ub=limits,
            A_eq=np.hstack([A_eq, np.zeros((len(A_eq), 1))]) if len(A_eq) else None,
            b_eq=b_eq if len(A_eq) else None,
            # A single point has no ball, and without a bound its radius would grow for ever.
            bounds=[(None, None)] * d + [(0, d)],
        )
    if not solution.success:
        return None
    x = np.tile(solution.x[:d], (n, 1))
    if len(A_eq):  # the programme meets an equality only to its own tolerance
        x += np.linalg.lstsq(A_eq, b_eq - A_eq @ x[0], rcond=None)[0]
    if corners and inside.shape[1]:
        ends = _corners(A_eq, b_eq, walls, limits, n=corners, rng=rng)
        ends = np.unique(np.vstack([x[:1], ends]).round(9), axis=0)
        first = rng.integers(len(ends), size=n)
        second = (first + rng.integers(1, max(len(ends), 2), size=n)) % len(ends)
        x = ends[first] + rng.random((n, 1)) * (ends[second] - ends[first])
    for _ in range(_WALK_STEPS if inside.shape[1] else 0):
        direction = rng.standard_normal((n, inside.shape[1])) @ inside.T
        slope, room = direction @ walls.T, np.maximum(limits - x @ walls.T, 0.0)
        ahead, behind = slope > _ROUNDING, slope < -_ROUNDING
        safe = np.where(ahead | behind, slope, 1.0)
        far = np.where(ahead, room / safe, np.inf).min(axis=1)
        near = np.where(behind, room / safe, -np.inf).max(axis=1)
        x += (near + rng.random(n) * (far - near))[:, None] * direction
    inside_the_cube: Floats = np.clip(x, lower, 1.0)
    return inside_the_cube


def _corners(
    A_eq: Floats, b_eq: Floats, walls: Floats, limits: Floats, *, n: int, rng: np.random.Generator
) -> Floats:
    """Corners of a polytope that is not empty, farthest out in n random directions; at most n x d."""
    from scipy.optimize import linprog  # noqa: PLC0415 - not every space needs it

    found = []
    for direction in rng.standard_normal((n, walls.shape[1])):
        with off_stdout():
            solution = linprog(
                direction,
                A_ub=walls,
                b_ub=limits,
                A_eq=A_eq if len(A_eq) else None,
                b_eq=b_eq if len(A_eq) else None,
                bounds=(None, None),
            )
        if solution.success:
            found.append(solution.x)
    return np.array(found).reshape(-1, walls.shape[1])
