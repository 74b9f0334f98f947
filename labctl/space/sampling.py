"""Draws recipes that obey the laws of a space, without ever building a product of its parameters."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from labctl.errors import RequestError
from labctl.space.exact import Numbers
from labctl.space.parameters import Continuous
from labctl.space.space import Space
from labctl_drivers.protocol import Recipe

Floats = NDArray[np.float64]

_ROUNDS = 60
"""How often a batch is drawn freely before other ways are tried."""
_PATIENCE = 64
"""After so many free draws of which fewer than one in twenty was lawful, other ways are tried."""
_RARE = 20
_ROUNDED = 8
"""How often a batch of rounded recipes is drawn."""
_CORNERS = 16
"""Corners of the polytope that walks start between, so that a long thin one is covered."""
_MOST_REPAIRED = 32
"""Recipes that are found by a mixed-integer programme of their own, at some milliseconds each."""
_WALK_STEPS = 40
"""Hit-and-run steps between two draws; enough to forget the last one in the few dimensions of a recipe."""


_ROUNDING = 1e-9


class NoRecipeError(RequestError):
    """The laws leave no recipe, or so few that none could be drawn."""


def sample(space: Space, n: int, rng: np.random.Generator) -> list[Recipe]:
    """Draw n recipes at random: uniformly over the pool, or over what the laws allow.

    Continuous parameters under linear laws are drawn by a hit-and-run walk over their polytope; a
    mixture with ``max_parts`` first draws which parts are used, each subset being as likely as any other.
    Where whole numbers, levels or logarithmic scales make that fail, all numbers are drawn from the laws'
    polytope in their own scale and rounded; where that fails too, the lawful recipes nearest to such draws
    are computed, and fewer than n may be given.

    Raises:
        NoRecipeError: the laws leave nothing to draw.
    """
    if space.pool is not None:
        rows = rng.choice(len(space.pool), size=n, replace=n > len(space.pool))
        return [space.pool.recipe(int(row)) for row in rows]
    if not space.mixtures and not space.constraints:
        return [space.canonical(r) for r in space.decode(_free_draw(space, n, rng))]
    found: list[Recipe] = []
    drawn = 0
    for _ in range(_ROUNDS):
        batch = max(n - len(found), 8)
        _add_lawful(space, found, _lawful_rows(space, _free_draw(space, batch, rng), rng), n)
        drawn += batch
        if len(found) == n or (drawn >= _PATIENCE and len(found) * _RARE < drawn):
            break
    if len(found) < n:
        _add_rounded(space, found, n, rng)
    if not found:
        raise NoRecipeError("no recipe was found that obeys all of them; loosen a constraint or a mixture")
    return found


def _add_lawful(space: Space, found: list[Recipe], rows: Iterable[Floats], n: int) -> None:
    """Add the lawful ones among these rows of the unit cube, until there are n."""
    for row in rows:
        recipe = space.canonical(_exact(space, space.decode(row[None, :])[0]))
        if not space.problems(recipe):
            found.append(recipe)
        if len(found) == n:
            return


def _add_rounded(space: Space, found: list[Recipe], n: int, rng: np.random.Generator) -> None:
    """Add recipes whose numbers were drawn from the polytope of all laws and rounded, or repaired."""
    numbers = Numbers(space)
    laws, k = numbers.system, len(numbers.names)
    for _ in range(_ROUNDED):
        before, wanted = len(found), max(n - len(found), 8)
        points = _walk(laws.A_eq, laws.b_eq, laws.A_ub, laws.b_ub, n=wanted, rng=rng, corners=_CORNERS)
        if points is None:
            break
        drafts = space.decode(_free_draw(space, wanted, rng))
        drafts = [numbers.put(draft, point) for draft, point in zip(drafts, points, strict=True)]
        for draft in drafts:
            recipe = space.canonical(_exact(space, draft))
            if not space.problems(recipe):
                found.append(recipe)
            if len(found) == n:
                return
        _add_lawful(space, found, _lawful_rows(space, space.encode(drafts), rng), n)
        if len(found) == n:
            return
        if len(found) == before:
            break
    for _ in range(min(n - len(found), _MOST_REPAIRED)):
        columns = numbers.nearest(rng.random(k))
        if columns is None:
            return
        recipe = numbers.put(space.decode(_free_draw(space, 1, rng))[0], columns)
        _add_lawful(space, found, space.encode([recipe]), n)


def _free_draw(space: Space, n: int, rng: np.random.Generator) -> Floats:
    """Uniform rows with no law between parameters; one-hot and formula columns decode to one choice."""
    columns = []
    for parameter in space.parameters.values():
        if parameter.width == 1:
            columns.append(rng.random((n, 1)))
        else:
            picks = rng.integers(len(parameter.choices), size=n)  # type: ignore[union-attr] # wider than one
            columns.append(parameter.encode([parameter.choices[i] for i in picks]))  # type: ignore[union-attr]
    return np.hstack(columns)


def _lawful_rows(space: Space, rows: Floats, rng: np.random.Generator) -> Iterator[Floats]:
    """These rows with continuous columns that obey the linear laws, as far as the other columns let them."""
    system, free = space.linear_system, space.free_columns
    groups: dict[tuple[bytes, bytes, bytes], list[int]] = {}
    walks: dict[tuple[bytes, bytes, bytes], tuple[NDArray[np.intp], Floats, Floats]] = {}
    for i, row in enumerate(rows):
        used = _used_columns(space, free, rng)
        idle = np.setdiff1d(free, used)
        row[idle] = _zero_level(space, idle)
        fixed = np.setdiff1d(np.arange(space.width), used)
        b_eq = system.b_eq - system.A_eq[:, fixed] @ row[fixed]
        b_ub = system.b_ub - system.A_ub[:, fixed] @ row[fixed]
        key = (used.tobytes(), b_eq.round(12).tobytes(), b_ub.round(12).tobytes())
        groups.setdefault(key, []).append(i)
        walks[key] = (used, b_eq, b_ub)
    empty = 0
    for tried, (key, members) in enumerate(groups.items()):
        if tried >= _PATIENCE and (tried - empty) * _RARE < tried:
            return  # each group costs a linear programme, and hardly any can be met
        used, b_eq, b_ub = walks[key]
        points = _walk(system.A_eq[:, used], b_eq, system.A_ub[:, used], b_ub, n=len(members), rng=rng)
        if points is not None:
            rows[np.ix_(np.array(members), used)] = points
            yield from rows[members]
        else:
            empty += 1


def _used_columns(space: Space, free: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """The continuous columns that are above zero in this draw, by each mixture's ``max_parts``."""
    idle: set[int] = set()
    for mixture in space.mixtures.values():
        if mixture.max_parts is None or mixture.max_parts == len(mixture.parts):
            continue
        may_rest = [p for p in mixture.parts if _low(space, p) <= 0.0]
        must = len(mixture.parts) - mixture.max_parts
        rest = rng.choice(may_rest, size=min(must, len(may_rest)), replace=False)
        idle |= {space.slices[str(p)].start for p in rest}
    return np.array([c for c in free if c not in idle], dtype=np.intp)


def _low(space: Space, name: str) -> float:
    parameter = space.parameters[name]
    return parameter.low if isinstance(parameter, Continuous) else 0.0


def _zero_level(space: Space, columns: NDArray[np.intp]) -> Floats:
    """Where zero lies in these columns of the unit cube."""
    name_of = {s.start: name for name, s in space.slices.items()}
    levels = [space.parameters[name_of[int(c)]].encode([0.0])[0, 0] for c in columns]
    return np.asarray(levels, dtype=np.float64)


def _walk(
    A_eq: Floats,
    b_eq: Floats,
    A_ub: Floats,
    b_ub: Floats,
    *,
    n: int,
    rng: np.random.Generator,
    corners: int = 0,
) -> Floats | None:
    """Draw from {A_eq x = b_eq, A_ub x <= b_ub, 0 <= x <= 1}, nearly uniformly, n x d; None if it is empty.

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
    limits = np.concatenate([b_ub, np.ones(d), np.zeros(d)])
    inside = null_space(A_eq) if len(A_eq) else np.eye(d)
    reach = np.linalg.norm(walls @ inside, axis=1)
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
    inside_the_cube: Floats = np.clip(x, 0.0, 1.0)
    return inside_the_cube


def _corners(
    A_eq: Floats, b_eq: Floats, walls: Floats, limits: Floats, *, n: int, rng: np.random.Generator
) -> Floats:
    """Corners of a polytope that is not empty, farthest out in n random directions; at most n x d."""
    from scipy.optimize import linprog  # noqa: PLC0415 - not every space needs it

    found = []
    for direction in rng.standard_normal((n, walls.shape[1])):
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


def _exact(space: Space, recipe: Recipe) -> Recipe:
    """Take the rounding error of each mixture out of its largest part, so that sums come out exactly."""
    tidy = dict(recipe)
    for mixture in space.mixtures.values():
        for part in mixture.parts:
            if abs(float(tidy[part])) < _ROUNDING * mixture.total:  # a rounding error is no part
                tidy[part] = 0.0
        largest = max(mixture.parts, key=lambda part: float(tidy[part]))
        others = sum(float(tidy[part]) for part in mixture.parts if part != largest)
        tidy[largest] = mixture.total - others
    return tidy
