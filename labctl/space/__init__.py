"""Spaces of recipes: parameters, laws between them, finite pools, and the way into the unit cube."""

from labctl.space.constraints import Linear, Mixture, Sparse
from labctl.space.forbidden import Condition, Forbidden
from labctl.space.parameters import Categorical, Continuous, Formula, Integer, Ordinal, Parameter
from labctl.space.pool import Pool
from labctl.space.rules import Rule
from labctl.space.sampling import NoRecipeError, sample
from labctl.space.space import LinearSystem, Space

__all__ = [
    "Categorical",
    "Condition",
    "Continuous",
    "Forbidden",
    "Formula",
    "Integer",
    "Linear",
    "LinearSystem",
    "Mixture",
    "NoRecipeError",
    "Ordinal",
    "Parameter",
    "Pool",
    "Rule",
    "Space",
    "Sparse",
    "sample",
]
