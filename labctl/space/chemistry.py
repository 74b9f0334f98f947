"""Chemical formulas as numbers in the unit interval, for spaces that have a formula parameter."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@lru_cache(maxsize=16)
def scaled_features(formulas: tuple[str, ...]) -> NDArray[np.float64]:
    """Magpie features of the formulas, each scaled to 0..1 over this list; n x 132.

    A feature that no formula differs in becomes 0; one that is missing for an element takes the mean of
    the others, so that it says nothing.
    """
    from labctl_models.features import magpie  # noqa: PLC0415 - reads the element table only when needed

    raw: NDArray[np.float64] = magpie(formulas)
    missing = np.isnan(raw)
    if missing.any():
        counts = np.maximum((~missing).sum(axis=0), 1)
        means = np.where(missing, 0.0, raw).sum(axis=0) / counts
        raw = np.where(missing, means, raw)
    low, high = raw.min(axis=0), raw.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    scaled: NDArray[np.float64] = (raw - low) / span
    scaled.setflags(write=False)
    return scaled


def formula_problem(formula: str) -> str | None:
    """Why this text is no chemical formula, or None; pymatgen's Composition is the judge."""
    from pymatgen.core.composition import Composition  # noqa: PLC0415 - slow to import

    try:
        composition = Composition(formula)
    except (ValueError, KeyError, TypeError) as error:
        reason = (str(error).splitlines() or ["unreadable"])[0]
        return f"{formula!r} is no chemical formula ({reason})"
    if composition.num_atoms <= 0:
        return f"{formula!r} is no chemical formula: it holds no atoms"
    unknown = [str(e) for e in composition.elements if not hasattr(e, "Z")]
    if unknown:
        return f"{formula!r} is no chemical formula: {unknown[0]} is no element"
    return None
