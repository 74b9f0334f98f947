"""The card of a fitted model: what it is, so that every proposal can name the model that made it."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Hyperparameter: TypeAlias = "float | tuple[float, ...]"


@cache
def library_versions(names: tuple[str, ...]) -> dict[str, str]:
    """Installed versions of the named distributions; one that is missing reads "absent"."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


@dataclass(frozen=True, slots=True)
class Card:
    """What one fit was made of and what came out.

    Attributes:
        kind: The surrogate's name, such as "gp-matern52".
        hyperparameters: Each a number, or a tuple of numbers (one per column of X).
        n: Number of measurements fitted.
        d: Number of columns.
        log_marginal_likelihood: Natural log of the evidence at these hyperparameters.
        log_posterior: The same plus the log densities of the priors: what the fit maximised.
        remarks: One sentence for each thing that did not go the ordinary way, empty when all did.
        versions: Library name -> version, of the libraries that decide the numbers.
        seconds: Processor time of the fit; no part of the hash, since no two runs agree on it.
    """

    kind: str
    hyperparameters: Mapping[str, Hyperparameter]
    n: int
    d: int
    log_marginal_likelihood: float
    log_posterior: float
    remarks: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    seconds: float = field(default=0.0, compare=False)

    def __post_init__(self) -> None:
        """Turn arrays and NumPy scalars into plain numbers, so that the card is JSON and cannot change."""
        plain = {name: _plain(value) for name, value in self.hyperparameters.items()}
        object.__setattr__(self, "hyperparameters", plain)
        object.__setattr__(self, "versions", dict(self.versions))

    def as_json(self) -> dict[str, object]:
        """The card as a plain dict of JSON values; a number that is not finite becomes None."""
        return {
            "kind": self.kind,
            "hyperparameters": {name: _json(value) for name, value in self.hyperparameters.items()},
            "n": self.n,
            "d": self.d,
            "log_marginal_likelihood": _json(self.log_marginal_likelihood),
            "log_posterior": _json(self.log_posterior),
            "remarks": list(self.remarks),
            "versions": dict(self.versions),
            "seconds": _json(self.seconds),
        }

    def hash(self) -> str:
        """SHA-256 (hexadecimal) of the canonical JSON of everything except `seconds`.

        Canonical: keys sorted, no spaces, ASCII, floats in their shortest exact form (Python's repr).
        """
        body = self.as_json()
        del body["seconds"]
        text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode("ascii")).hexdigest()


def _plain(value: float | Sequence[float]) -> Hyperparameter:
    try:
        return tuple(float(v) for v in value)  # type: ignore[union-attr]  # the except clause is for numbers
    except TypeError:
        return float(value)  # type: ignore[arg-type]  # not iterable, hence a number


def _json(value: Hyperparameter) -> float | list[float | None] | None:
    if isinstance(value, tuple):
        return [v if math.isfinite(v) else None for v in value]
    value = float(value)
    return value if math.isfinite(value) else None
