"""A law as a person writes it, such as ``s0 + k / sqrt(d)``: text that is read, and never run as code."""

from labctl.law.config import ConstantConfig, LawConfig
from labctl.law.parse import read_law
from labctl.law.recipes import RecipesConfig
from labctl.law.rule import read_rule
from labctl.law.written import WrittenLaw

__all__ = ["ConstantConfig", "LawConfig", "RecipesConfig", "WrittenLaw", "read_law", "read_rule"]
