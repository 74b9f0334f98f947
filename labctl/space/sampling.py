"""Draws recipes that keep the laws of a space, without ever building a product of its parameters."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from labctl.errors import RequestError
from labctl.space.draws import free_draw, lawful_rows, plain_draw
from labctl.space.exact import Numbers
from labctl.space.rounding import rounded
from labctl.space.search import seek, spread
from labctl.space.space import Space
from labctl.space.tangents import along_tangents
from labctl.space.walk import walk
from labctl_drivers.protocol import Recipe

Floats = NDArray[np.float64]

_ROUNDS = 60
"""How often a batch is drawn freely before other ways are tried."""
_PATIENCE = 64
"""After so many free draws of which fewer than one in twenty was lawful, other ways are tried."""
_RARE = 20
_FREE_DRAWS = 4096
"""Free draws that are made in any case where no sum must be met, and so many more for each recipe wanted."""
_FREE_DRAWS_EACH = 40
_LARGEST_BATCH = 16_384
_ROUNDED = 8
"""How often a batch of rounded recipes is drawn."""
_CORNERS = 16
"""Corners of the polytope that walks start between, so that a long thin one is covered."""
_BENT = 8
"""Recipes from which rules are followed by their tangents, at some programmes each."""
_LANDMARKS = 24
"""Lawful recipes that are kept at hand."""
_MOST_REPAIRED = 32
"""Recipes that are found by a mixed-integer programme of their own, at some milliseconds each."""


class NoRecipeError(RequestError):
    """The laws leave no recipe, or so few that none could be drawn."""


def sample(space: Space, n: int, rng: np.random.Generator) -> list[Recipe]:
    """Draw n recipes at random: uniformly over the pool, or over what the laws allow.

    Where no sum must be met, recipes are drawn freely and the lawful ones kept. Continuous parameters under
    linear laws are drawn by a hit-and-run walk over their polytope; a mixture with ``max_parts`` first draws
    which parts are used, each subset being as likely as any other. Where whole numbers, levels, steps or
    logarithmic scales make that fail, all numbers are drawn from the laws' polytope in their own scale and
    rounded; where that fails too, the lawful recipes nearest to such draws are computed. Where rules or
    forbidden combinations leave little, the first lawful recipes are looked for along the tangents of the
    rules, then by descent, and the others by walks that start from those. Every recipe is lawful after it was
    rounded to what the instrument can set.

    Raises:
        NoRecipeError: the laws leave nothing to draw, or nothing that was found.
    """
    if space.pool is not None:
        rows = rng.choice(len(space.pool), size=n, replace=n > len(space.pool))
        return [space.pool.recipe(int(row)) for row in rows]
    if space.independent:
        return [space.canonical(r) for r in space.decode(plain_draw(space, n, rng))]
    found: list[Recipe] = []
    for recipes in _ways(space, n, found, rng):
        found += recipes[: n - len(found)]
        if len(found) == n:
            return found
    if not found:
        raise NoRecipeError(f"no recipe was found that obeys all of them; loosen {_laws_of(space)}")
    return found


def landmarks(space: Space) -> tuple[Recipe, ...]:
    """A few lawful recipes, always the same; none where none is found."""
    try:
        return tuple(sample(space, _LANDMARKS, np.random.default_rng(0)))
    except NoRecipeError:
        return ()


def _ways(space: Space, n: int, found: list[Recipe], rng: np.random.Generator) -> Iterator[list[Recipe]]:
    """Batches of lawful recipes, by one way after the other; ``found`` grows by what was taken."""
    system = space.linear_system
    sums = bool(space.mixtures or space.constraints)
    if not len(system.A_eq):
        yield from _freely(space, n, found, rng)
    if sums:
        yield from _walked(space, n, found, rng)
        yield from _from_all_numbers(space, n, found, rng)
    starts: list[Recipe] = []
    if sums or space.groups or space.bans:
        for repaired in _repaired(space, n - len(found), rng):
            if repaired is None:
                if not (starts or found):
                    return  # the laws exclude each other, whatever the rules say
                break
            starts.append(repaired)
            yield _lawful(space, space.encode([repaired]))
    if not found and space.rules:
        yield _along_rules(space, starts[:_BENT], rng)
    if not found:
        yield seek(space, starts, rng)
    if found:
        yield spread(space, found, n - len(found), rng)


def _lawful(space: Space, X: Floats) -> list[Recipe]:
    return [recipe for recipe in rounded(space, X) if recipe is not None]


def _freely(space: Space, n: int, found: list[Recipe], rng: np.random.Generator) -> Iterator[list[Recipe]]:
    """Draw with no regard to the laws, and keep what is lawful."""
    left, drawn = _FREE_DRAWS + _FREE_DRAWS_EACH * n, 0
    batch = max(n, _PATIENCE)
    only_sums = not (space.rules or space.bans)
    while drawn < left:
        batch = min(batch, _LARGEST_BATCH, left - drawn)
        yield _lawful(space, free_draw(space, batch, rng).X)
        drawn += batch
        if only_sums and len(found) * _RARE < drawn:
            return
        batch = max(int(1.2 * (n - len(found)) * drawn / max(len(found), 1)), _PATIENCE)


def _walked(space: Space, n: int, found: list[Recipe], rng: np.random.Generator) -> Iterator[list[Recipe]]:
    """Walk over the polytope of the linear laws, and keep what is lawful after rounding."""
    before, drawn = len(found), 0
    for _ in range(_ROUNDS):
        batch = max(n - len(found), 8)
        for rows in lawful_rows(space, free_draw(space, batch, rng), rng):
            yield _lawful(space, rows)
        drawn += batch
        if drawn >= _PATIENCE and (len(found) - before) * _RARE < drawn:
            return


def _from_all_numbers(
    space: Space, n: int, found: list[Recipe], rng: np.random.Generator
) -> Iterator[list[Recipe]]:
    """Walk over the polytope of all numbers in their own scale, and round."""
    numbers = Numbers(space)
    laws, moving = numbers.system, numbers.moving
    for _ in range(_ROUNDED):
        before, wanted = len(found), max(n - len(found), 8)
        drawn = free_draw(space, wanted, rng)
        drafts = space.decode(drawn.X)
        held = numbers.columns(drafts[0])
        points = walk(
            laws.A_eq[:, moving],
            laws.b_eq - laws.A_eq[:, ~moving] @ held[~moving],
            laws.A_ub[:, moving],
            laws.b_ub - laws.A_ub[:, ~moving] @ held[~moving],
            lower=np.zeros(int(moving.sum())),
            n=wanted,
            rng=rng,
            corners=_CORNERS,
        )
        if points is None:
            return
        columns = np.tile(held, (wanted, 1))
        columns[:, moving] = points
        drafts = [numbers.put(draft, row, snap=False) for draft, row in zip(drafts, columns, strict=True)]
        X = space.encode(drafts)
        yield _lawful(space, X)
        for rows in lawful_rows(space, drawn.__class__(X, drawn.idle, drawn.lower), rng):
            yield _lawful(space, rows)
        if len(found) == before:
            return


def _repaired(space: Space, n: int, rng: np.random.Generator) -> Iterable[Recipe | None]:
    """Recipes nearest to draws, but for rules; None where the laws exclude each other."""
    numbers = Numbers(space)
    for _ in range(min(n, _MOST_REPAIRED)):
        draft = {**space.decode(plain_draw(space, 1, rng))[0], **space.fixed}
        yield numbers.nearest(rng.random(len(numbers.names)), draft)


def _along_rules(space: Space, starts: list[Recipe], rng: np.random.Generator) -> list[Recipe]:
    """The lawful recipes nearest to ones that keep all laws but the rules."""
    numbers = Numbers(space)
    drafts = starts or space.decode(free_draw(space, _BENT, rng).X)
    found = (along_tangents(space, numbers, draft, draft) for draft in drafts)
    return [recipe for recipe in found if recipe is not None]


def _laws_of(space: Space) -> str:
    """The kinds of law that a space has, for a sentence."""
    kinds = {
        "a constraint": space.constraints,
        "a mixture": space.mixtures,
        "at_most_nonzero": space.sparse,
        "a rule": space.rules,
        "what is forbidden": space.forbidden,
        "what is fixed": space.fixed,
    }
    return " or ".join(kind for kind, laws in kinds.items() if laws)
