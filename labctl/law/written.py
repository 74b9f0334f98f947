"""A law that was read: its terms over parameters in their own units, or over a space's unit cube."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from labctl.law.terms import Floats, Term
from labctl.space import Space

if TYPE_CHECKING:
    from labctl_models.surrogates.basis import Law


@dataclass(frozen=True, eq=False)
class WrittenLaw:
    """A law y = Σ constant · term, each term a function of parameters in their own units.

    Attributes:
        text: as it was written.
        terms: by constant, in the order of the formula.
        parameters: the parameters that it needs.
        units: of the constants, where somebody said.
    """

    text: str
    terms: Mapping[str, Term]
    parameters: tuple[str, ...]
    units: Mapping[str, str] = field(default_factory=dict)

    @property
    def constants(self) -> tuple[str, ...]:
        """Names of the b constants."""
        return tuple(self.terms)

    def values(self, columns: Mapping[str, Floats], n: int) -> Floats:
        """The terms at n rows (n x b); ``columns`` holds every parameter (n,) in its own unit.

        Where a term is undefined, such as the root of a negative number, it is NaN or infinite.
        """
        with np.errstate(all="ignore"):
            found = [
                np.broadcast_to(np.asarray(t(columns), dtype=np.float64), n) for t in self.terms.values()
            ]
        return np.stack(found, axis=1)

    def over(self, space: Space) -> "Law":
        """The same over rows of the unit cube of a space, as surrogates take it."""
        from labctl_models.surrogates.basis import Law  # noqa: PLC0415 - reads scipy

        def basis(X: Floats) -> Floats:
            columns = {
                name: np.asarray(space.parameters[name].decode(X[:, space.slices[name]]), dtype=np.float64)
                for name in self.parameters
            }
            return self.values(columns, len(X))

        return Law(self.constants, basis)
