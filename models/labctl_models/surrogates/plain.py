"""The card of the surrogates that have no likelihood of their own."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from labctl_models.card import Card, Hyperparameter, library_versions

if TYPE_CHECKING:
    from collections.abc import Mapping

LIBRARIES = ("numpy", "scipy", "scikit-learn")


def card_without_likelihood(
    kind: str,
    hyperparameters: Mapping[str, Hyperparameter],
    shape: tuple[int, int],
    *,
    began: float,
    remarks: tuple[str, ...] = (),
) -> Card:
    """The card of a model that has no marginal likelihood (NaN there); `began` is a time.process_time()."""
    return Card(
        kind=kind,
        hyperparameters=hyperparameters,
        n=shape[0],
        d=shape[1],
        log_marginal_likelihood=math.nan,
        log_posterior=math.nan,
        remarks=remarks,
        versions=library_versions(LIBRARIES),
        seconds=time.process_time() - began,
    )
