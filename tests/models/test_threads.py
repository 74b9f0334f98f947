"""The limit on BLAS threads holds inside the block only."""

import numpy as np  # noqa: F401  its BLAS is what is limited
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from labctl_models.threads import one_thread


def blas_threads() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_one_thread_inside_and_the_former_number_after() -> None:
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        assert before
        with one_thread():
            assert set(blas_threads()) == {1}
        assert blas_threads() == before


def test_an_error_restores_the_number_too() -> None:
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        with pytest.raises(RuntimeError, match="on purpose"), one_thread():
            raise RuntimeError("on purpose")
        assert blas_threads() == before
