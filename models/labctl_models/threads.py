"""One BLAS thread for small matrices: quicker, and the same last bit on a laptop and on a cluster."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import scipy.linalg  # noqa: F401  SciPy carries a BLAS of its own, which must be loaded to be limited
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # ships no types

if TYPE_CHECKING:
    from collections.abc import Iterator


@cache
def _controller() -> ThreadpoolController:
    # Looking up the loaded libraries costs milliseconds; the answer does not change afterwards.
    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """Run the block with one BLAS thread and restore the former number, also after an error.

    Sums split over threads are added in another order, so the number of threads would otherwise show
    in the last digits of a prediction and thereby in the hash of its card.
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield
