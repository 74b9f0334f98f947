"""The space of recipes: what may be asked for, and the way between recipes and the unit cube."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from labctl import units
from labctl.space.constraints import Linear, Mixture, Sparse
from labctl.space.forbidden import Ban, Forbidden
from labctl.space.lawful import law_problems, settable
from labctl.space.parameters import NUMERIC, Continuous, Integer, Ordinal, Parameter, ends
from labctl.space.pool import Pool, distinct
from labctl.space.rules import Rule
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


@dataclass(frozen=True, slots=True)
class Group:
    """Amounts of which only a few may be above zero.

    Attributes:
        names: of the parameters.
        at_most: so many may be above zero; None for any number.
        least: what one that is above zero must be at least, in its own unit; empty for no such law.
        mixture: name of the mixture that says so, or None.
    """

    names: tuple[str, ...]
    at_most: int | None
    least: Mapping[str, float] = field(default_factory=dict)
    mixture: str | None = None


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
        sparse: groups of amounts of which only a few may be used.
        forbidden: combinations that must not be asked for.
        rules: comparisons of formulas that every recipe keeps.
        fixed: settings that every proposal has; recipes with others were measured, and still teach.
    """

    parameters: Mapping[str, Parameter]
    mixtures: Mapping[str, Mixture] = field(default_factory=dict)
    constraints: tuple[Linear, ...] = ()
    pool: Pool | None = None
    sparse: tuple[Sparse, ...] = ()
    forbidden: tuple[Forbidden, ...] = ()
    rules: tuple[Rule, ...] = ()
    fixed: Mapping[str, Setting] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Parameter names, in order."""
        return tuple(self.parameters)

    @cached_property
    def units(self) -> dict[str, str]:
        """Unit of every numeric parameter."""
        return {name: p.unit for name, p in self.parameters.items() if isinstance(p, NUMERIC)}

    def numeric(self, name: str) -> Continuous | Integer | Ordinal:
        """The numeric parameter with this name.

        Raises:
            ValueError: it is none.
        """
        parameter = self.parameters[name]
        if not isinstance(parameter, NUMERIC):
            raise ValueError(f"{name} is no number")  # noqa: TRY004 - the name is wrong, not a type
        return parameter

    @property
    def independent(self) -> bool:
        """Whether each parameter may take any of its values whatever the others are, and none is fixed."""
        return not (
            self.mixtures or self.constraints or self.sparse or self.forbidden or self.rules or self.fixed
        )

    @cached_property
    def bans(self) -> tuple[Ban, ...]:
        """The forbidden combinations, in the units of the parameters."""
        return tuple(Ban(forbidden, self.parameters) for forbidden in self.forbidden)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """All that says how many amounts may be used: mixtures with ``max_parts``, and ``sparse``."""
        found = [
            Group(m.parts, m.max_parts, mixture=name)
            for name, m in self.mixtures.items()
            if m.max_parts is not None
        ]
        for sparse in self.sparse:
            least = {} if sparse.least is None else dict.fromkeys(sparse.parameters, sparse.least)
            own = {name: v * self._factor(str(sparse.unit), self.units[name]) for name, v in least.items()}
            found.append(Group(sparse.parameters, sparse.at_most, own))
        return tuple(found)

    @staticmethod
    def _factor(source: str, target: str) -> float:
        conversion = units.factor(source, target)
        if conversion is None:
            raise ValueError(f"{source} cannot be converted into {target}")
        return conversion

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
        found += law_problems(self, recipe)
        if not found and self.pool is not None and self.pool.row_of(self.canonical(recipe)) is None:
            found.append("this recipe is not among the candidates")
        return tuple(found)

    @cached_property
    def weighted(self) -> tuple[tuple[Linear, dict[str, float]], ...]:
        """Each constraint with its weights for parameters in their own units."""
        return tuple((constraint, self.weights(constraint)) for constraint in self.constraints)

    def weights(self, constraint: Linear) -> dict[str, float]:
        """The constraint's weights for parameters in their own units."""
        found = {}
        for name, weight in constraint.terms.items():
            found[name] = weight * self._factor(self.units[name], constraint.unit)
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
        """Columns that may be moved continuously: those of continuous parameters that are not fixed."""
        moving = [n for n, p in self.parameters.items() if isinstance(p, Continuous) and n not in self.fixed]
        return np.array([self.slices[n].start for n in moving], dtype=np.intp)

    def over(self, parameters: Mapping[str, Parameter]) -> "Space":
        """The same laws over these parameters, such as formulas whose choices a table has given."""
        return replace(self, parameters=parameters)

    def askable(self, recipes: Sequence[Recipe]) -> NDArray[np.bool_]:
        """Which of n recipes without problems a pool may offer: n.

        Not those with numbers between two steps of an instrument, or other settings than the fixed ones.
        """
        columns = {n: [p.canonical(r[n]) for r in recipes] for n, p in self.parameters.items()}
        return settable(self, columns, len(recipes))

    def with_pool(self, columns: Mapping[str, Sequence[Setting]]) -> "Space":
        """The same space, restricted to the recipes in these columns.

        Repeats are dropped, and so is what must not be proposed: numbers between two steps of an
        instrument, forbidden combinations, broken rules, and other settings than the fixed ones.
        """
        tidy = distinct({n: [p.canonical(v) for v in columns[n]] for n, p in self.parameters.items()})
        keeps = settable(self, tidy, len(next(iter(tidy.values()), ())))
        if not keeps.all():
            tidy = {name: list(compress(values, keeps)) for name, values in tidy.items()}
        return replace(self, pool=Pool(tidy, self.encode_columns(tidy)))

    @cached_property
    def landmarks(self) -> tuple[Recipe, ...]:
        """A few lawful recipes, always the same; none where none is found."""
        from labctl.space.sampling import landmarks  # noqa: PLC0415 - it draws from this very space

        return landmarks(self)

    def nearest_lawful(self, row: Floats) -> Recipe | None:
        """The recipe that may be proposed nearest to a row of the unit cube (d,), or None if none is found.

        What is not a number stays as it is where that is possible. Numbers are rounded to what the
        instrument can set; where that breaks a law, the nearest lawful numbers are computed. Under rules,
        which may have any shape, the nearest that a search of the surroundings finds is given. One is found
        wherever :func:`~labctl.space.sampling.sample` finds any.
        """
        from labctl.space.nearest import nearest_lawful  # noqa: PLC0415 - it draws from this very space

        return nearest_lawful(self, row)
