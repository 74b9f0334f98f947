"""The space of recipes: what may be asked for, and the way between recipes and the unit cube."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from labctl import units
from labctl.space.constraints import TOLERANCE, Linear, Mixture
from labctl.space.parameters import NUMERIC, Continuous, Parameter, ends
from labctl.space.pool import Pool, distinct
from labctl_drivers.protocol import Recipe, Setting

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LinearSystem:
    """Linear laws over columns of the unit cube: ``A_eq x = b_eq`` and ``A_ub x <= b_ub``.

    Shapes: A is m x d, b is m. Only laws whose every column is linear in the parameter are here.
    """

    A_eq: Floats
    b_eq: Floats
    A_ub: Floats
    b_ub: Floats


@dataclass(frozen=True)
class Space:
    """Parameters with their laws, or a finite pool of recipes.

    Rows of the unit cube have one column for a number, one a choice for a category, and 132 for a
    formula, in the order of ``parameters``.

    Attributes:
        parameters: by name, in the order in which columns stand.
        mixtures: by name.
        constraints: in the order given.
        pool: the only recipes that may be chosen, or None where any that obeys the laws may.
    """

    parameters: Mapping[str, Parameter]
    mixtures: Mapping[str, Mixture] = field(default_factory=dict)
    constraints: tuple[Linear, ...] = ()
    pool: Pool | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Parameter names, in order."""
        return tuple(self.parameters)

    @cached_property
    def units(self) -> dict[str, str]:
        """Unit of every numeric parameter."""
        return {name: p.unit for name, p in self.parameters.items() if isinstance(p, NUMERIC)}

    @cached_property
    def slices(self) -> dict[str, slice]:
        """The columns of each parameter."""
        found, start = {}, 0
        for name, parameter in self.parameters.items():
            found[name] = slice(start, start + parameter.width)
            start += parameter.width
        return found

    @property
    def width(self) -> int:
        """Number d of columns in the unit cube."""
        return sum(p.width for p in self.parameters.values())

    def encode(self, recipes: Sequence[Recipe]) -> Floats:
        """Recipes to rows of the unit cube, n to n x d."""
        return self.encode_columns({name: [r[name] for r in recipes] for name in self.parameters})

    def encode_columns(self, columns: Mapping[str, Sequence[Setting]]) -> Floats:
        """Columns of values to rows of the unit cube, n to n x d."""
        if not next(iter(columns.values()), ()):
            return np.empty((0, self.width))
        return np.hstack([p.encode(columns[name]) for name, p in self.parameters.items()])

    def decode(self, X: Floats) -> list[Recipe]:
        """Rows of the unit cube to the nearest recipes that their parameters allow, n x d to n."""
        columns = [p.decode(X[:, self.slices[name]]) for name, p in self.parameters.items()]
        return [dict(zip(self.parameters, row, strict=True)) for row in zip(*columns, strict=True)]

    def canonical(self, recipe: Recipe) -> Recipe:
        """The recipe in the one form it is kept in: all parameters, in order, with plain types."""
        return {name: p.canonical(recipe[name]) for name, p in self.parameters.items()}

    def problems(self, recipe: Recipe) -> tuple[str, ...]:
        """Why this recipe is none of this space's, in sentences; empty if it is one."""
        missing = [name for name in self.parameters if name not in recipe]
        strays = [name for name in recipe if name not in self.parameters]
        found = [f"{name} is missing" for name in missing]
        found += [f"{name} is no parameter here (they are {', '.join(self.parameters)})" for name in strays]
        found += [
            f"{name}: {problem}"
            for name, p in self.parameters.items()
            if name in recipe and (problem := p.problem(recipe[name]))
        ]
        if found:
            return tuple(found)
        found += self._law_problems(recipe)
        if not found and self.pool is not None and self.pool.row_of(self.canonical(recipe)) is None:
            found.append("this recipe is not among the candidates")
        return tuple(found)

    def _law_problems(self, recipe: Recipe) -> list[str]:
        found = []
        for name, mixture in self.mixtures.items():
            parts = [float(recipe[part]) for part in mixture.parts]
            if abs(sum(parts) - mixture.total) > max(TOLERANCE * mixture.total, mixture.tolerance):
                found.append(
                    f"{name}: the parts add up to {sum(parts):g}, not {mixture.total:g} {mixture.unit}"
                )
            used = sum(part > TOLERANCE * mixture.total for part in parts)
            if mixture.max_parts is not None and used > mixture.max_parts:
                found.append(f"{name}: {used} parts are above zero, and at most {mixture.max_parts} may be")
        for constraint, weights in self._weighted:
            terms = [w * float(recipe[name]) for name, w in weights.items()]
            for relation, number in constraint.sides():
                slack = TOLERANCE * max(abs(number), *(abs(t) for t in terms))
                off = sum(terms) - number
                if (
                    (relation == "<=" and off > slack)
                    or (relation == ">=" and off < -slack)
                    or (relation == "=" and abs(off) > slack)
                ):
                    shown = " + ".join(f"{w:g} {name}" for name, w in constraint.terms.items())
                    found.append(
                        f"{shown} is {sum(terms):g}, but must be {relation} {number:g} {constraint.unit}"
                    )
        return found

    @cached_property
    def _weighted(self) -> tuple[tuple[Linear, dict[str, float]], ...]:
        return tuple((constraint, self.weights(constraint)) for constraint in self.constraints)

    def weights(self, constraint: Linear) -> dict[str, float]:
        """The constraint's weights for parameters in their own units."""
        found = {}
        for name, weight in constraint.terms.items():
            conversion = units.factor(self.units[name], constraint.unit)
            if conversion is None:
                raise ValueError(f"{name} in {self.units[name]} cannot be added in {constraint.unit}")
            found[name] = weight * conversion
        return found

    @cached_property
    def linear_system(self) -> LinearSystem:
        """Mixtures and constraints over the columns of the unit cube.

        Laws that touch a parameter with ``scale: log`` are not linear there and are left to
        :meth:`problems`.
        """
        rows: dict[str, list[tuple[Floats, float]]] = {"=": [], "<=": []}
        laws: list[tuple[dict[str, float], str, float]] = [
            (dict.fromkeys(m.parts, 1.0), "=", m.total) for m in self.mixtures.values()
        ]
        for constraint in self.constraints:
            weights = self.weights(constraint)
            laws += [(weights, relation, number) for relation, number in constraint.sides()]
        for weights, relation, number in laws:
            law = self._in_cube(weights, number)
            if law is None:
                continue
            row, rest = law
            rows["=" if relation == "=" else "<="].append((-row, -rest) if relation == ">=" else law)
        stacked = {
            relation: (
                np.array([row for row, _ in found]).reshape(-1, self.width),
                np.array([rest for _, rest in found]),
            )
            for relation, found in rows.items()
        }
        return LinearSystem(*stacked["="], *stacked["<="])

    def _in_cube(self, weights: Mapping[str, float], number: float) -> tuple[Floats, float] | None:
        row, rest = np.zeros(self.width), number
        for name, weight in weights.items():
            parameter = self.parameters[name]
            if isinstance(parameter, Continuous) and parameter.scale == "log":
                return None
            low, high = ends(parameter)  # type: ignore[arg-type] # only numbers are in a law
            row[self.slices[name].start] = weight * (high - low)
            rest -= weight * low
        return row, rest

    @cached_property
    def free_columns(self) -> NDArray[np.intp]:
        """Columns that may be moved continuously: those of continuous parameters."""
        return np.array(
            [self.slices[n].start for n, p in self.parameters.items() if isinstance(p, Continuous)],
            dtype=np.intp,
        )

    def with_pool(self, columns: Mapping[str, Sequence[Setting]]) -> "Space":
        """The same space, restricted to the recipes in these columns (repeats are dropped)."""
        tidy = distinct({n: [p.canonical(v) for v in columns[n]] for n, p in self.parameters.items()})
        return Space(self.parameters, self.mixtures, self.constraints, Pool(tidy, self.encode_columns(tidy)))
