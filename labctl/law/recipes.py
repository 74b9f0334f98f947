"""The part of a campaign's file that tells which recipes may be asked for: parameters and their laws."""

from collections.abc import Mapping

from pydantic import Field

from labctl.law.rule import read_rule
from labctl.space import Forbidden, Linear, Mixture, Parameter, Rule, Space, Sparse
from labctl.space.laws import check_constraint, check_fixed, check_forbidden, check_mixture, check_sparse
from labctl.space.parameters import Strict
from labctl_drivers.protocol import Setting


class RecipesConfig(Strict):
    """What may be varied, and what every recipe must keep."""

    parameters: dict[str, Parameter] = Field(min_length=1, max_length=1_000)
    mixtures: dict[str, Mixture] = Field(default_factory=dict, max_length=100)
    constraints: tuple[Linear, ...] = Field(default=(), max_length=200)
    at_most_nonzero: tuple[Sparse, ...] = Field(
        default=(), max_length=100, description="amounts of which only a few may be used"
    )
    forbidden: tuple[Forbidden, ...] = Field(
        default=(), max_length=200, description="settings that must not come together, each with its reason"
    )
    rules: tuple[str, ...] = Field(
        default=(),
        max_length=100,
        description="comparisons that every recipe keeps, in the parameters' units: flow_rate * time <= 20",
    )

    def check_laws(self, fixed: Mapping[str, Setting]) -> None:
        """See that the laws fit the parameters, and that what is fixed can be.

        Raises:
            ValueError: one sentence that begins with the key at fault.
        """
        for name, mixture in self.mixtures.items():
            check_mixture(name, mixture, self.parameters)
        for i, constraint in enumerate(self.constraints):
            check_constraint(f"constraints.{i}", constraint, self.parameters)
        for i, sparse in enumerate(self.at_most_nonzero):
            check_sparse(f"at_most_nonzero.{i}", sparse, self.parameters)
        for i, forbidden in enumerate(self.forbidden):
            check_forbidden(f"forbidden.{i}", forbidden, self.parameters)
        for i, text in enumerate(self.rules):
            try:
                read_rule(text, self.parameters)
            except ValueError as error:
                raise ValueError(f"rules.{i}: {error}") from None
        check_fixed("strategy.fixed", fixed, self.parameters)

    def space(self, fixed: Mapping[str, Setting]) -> Space:
        """The space of these recipes, of which proposals have some settings fixed."""
        return Space(
            self.parameters,
            self.mixtures,
            self.constraints,
            sparse=self.at_most_nonzero,
            forbidden=self.forbidden,
            rules=self._read_rules(),
            fixed={name: self.parameters[name].canonical(value) for name, value in fixed.items()},
        )

    def _read_rules(self) -> tuple[Rule, ...]:
        return tuple(read_rule(text, self.parameters) for text in self.rules)
