"""Chemical formulas as numbers in the unit interval, for spaces that have a formula parameter."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labctl.errors import RequestError

_DIGITS = 9
"""Of the share of an element, to which two compositions are compared."""


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
    """Why this text is no chemical formula, or None; the reader of formulas that models use is the judge."""
    from labctl_models.formulas import amounts_of  # noqa: PLC0415 - only spaces with formulas need it

    try:
        amounts_of(formula)
    except ValueError as error:
        _, _, reason = (str(error).splitlines() or [""])[0].partition(f"{formula!r}, ")
        reason = reason.removeprefix("is no chemical formula: ") or "unreadable"
        return f"{formula!r} is no chemical formula ({reason})"
    return None


def refuse_no_formulas(formulas: Sequence[str], *, file: Path | str, key: str) -> None:
    """Refuse a list in which one is no formula.

    Raises:
        RequestError: names the first, with the file and the key it stands under.
    """
    for i, formula in enumerate(formulas):
        problem = formula_problem(formula)
        if problem is not None:
            raise RequestError(f"{problem}; mend or remove it", file=file, key=f"{key}.{i}")


def refuse_twins(formulas: Sequence[str], *, file: Path | str, key: str) -> None:
    """Refuse a list of choices in which two formulas are one composition, such as FeNi and NiFe.

    Models see a formula by its composition alone, so that one of the two would never be proposed. Rows of a
    table may be twins, since each is there to be looked up.

    Raises:
        RequestError: names the first two, with the file and the key they stand under.
    """
    from labctl_models.formulas import amounts_of  # noqa: PLC0415 - only spaces with formulas need it

    seen: dict[tuple[tuple[int, float], ...], str] = {}
    for i, formula in enumerate(formulas):
        amounts = amounts_of(formula)
        total = sum(amounts.values())
        shares = tuple(sorted((element, round(n / total, _DIGITS)) for element, n in amounts.items()))
        if shares in seen:
            raise RequestError(
                f"{seen[shares]} and {formula} are one composition to the models; keep one of them, and tell "
                "variants apart by a parameter of their own, such as the phase",
                file=file,
                key=f"{key}.{i}",
            )
        seen[shares] = formula
