"""Expected growth of the dominated volume, against botorch, Monte Carlo and arithmetic."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_models.acquisition.hypervolume import (
    boxes,
    dominated_volume,
    log_expected_growth,
    log_expected_growth_slopes,
    pareto,
    reference_point,
)
from labctl_models.acquisition.score import Growth
from labctl_models.surrogates.gp import GaussianProcess


@given(st.integers(2, 4), st.integers(1, 12), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_free_boxes_and_the_dominated_volume_fill_a_box_exactly(m: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    Y = np.round(rng.uniform(0.0, 1.0, (n, m)), 1)  # ties in single goals
    reference, top = np.full(m, -0.1), 1.1
    free = boxes(pareto(Y), reference)
    sides = np.minimum(free.upper, top) - free.lower
    assert (sides >= 0.0).all()
    assert sides.prod(axis=1).sum() + dominated_volume(Y, reference) == pytest.approx(1.2**m)


@pytest.mark.parametrize("m", [2, 3, 4])
def test_the_dominated_volume_is_botorchs(m: int) -> None:
    torch = pytest.importorskip("torch")
    from botorch.utils.multi_objective.hypervolume import Hypervolume  # noqa: PLC0415 - slow to import

    Y = np.random.default_rng(m).normal(size=(20, m))
    reference = reference_point(Y)
    exact = Hypervolume(torch.tensor(reference)).compute(torch.tensor(pareto(Y).copy()))
    assert dominated_volume(Y, reference) == pytest.approx(exact)


def test_the_growth_is_botorchs_expected_hypervolume_improvement() -> None:
    torch = pytest.importorskip("torch")
    from botorch.acquisition.multi_objective.analytic import ExpectedHypervolumeImprovement  # noqa: PLC0415
    from botorch.models.model_list_gp_regression import ModelListGP  # noqa: PLC0415
    from botorch.utils.multi_objective.box_decompositions import NondominatedPartitioning  # noqa: PLC0415

    rng = np.random.default_rng(3)
    X = rng.uniform(size=(12, 2))
    Y = np.column_stack([np.sin(4 * X[:, 0]) + X[:, 1], np.cos(4 * X[:, 0])]) + 0.05 * rng.normal(
        size=(12, 2)
    )
    fitted = [GaussianProcess().fit(X, y, seed=0) for y in Y.T]
    reference, places = reference_point(Y), rng.uniform(size=(20, 2))
    theirs = ExpectedHypervolumeImprovement(
        ModelListGP(*(f.to_botorch() for f in fitted)),
        ref_point=reference.tolist(),
        partitioning=NondominatedPartitioning(torch.tensor(reference), torch.tensor(pareto(Y).copy())),
    )
    exact = theirs(torch.tensor(places)[:, None, :]).detach().numpy()
    ours = np.exp(Growth(fitted, boxes(pareto(Y), reference)).log(places))
    # Theirs is no logarithm and loses its digits in the far tail.
    np.testing.assert_allclose(ours, exact, rtol=1e-5, atol=1e-12)
    assert ours.argmax() == exact.argmax()


def test_the_growth_of_three_goals_is_its_mean_over_draws() -> None:
    rng = np.random.default_rng(4)
    Y = rng.normal(size=(10, 3))
    reference = reference_point(Y)
    front = pareto(Y)
    mean, sd = np.array([0.5, 0.8, 0.2]), np.array([0.6, 0.4, 0.7])
    before = dominated_volume(front, reference)
    draws = rng.normal(mean, sd, (4000, 3))
    grown = np.array([dominated_volume(np.vstack([front, y]), reference) - before for y in draws])
    found = np.exp(
        log_expected_growth(
            [mean[:1], mean[1:2], mean[2:]], [sd[:1], sd[1:2], sd[2:]], boxes(front, reference)
        )
    )
    assert abs(found[0] - grown.mean()) < 4.0 * grown.std() / np.sqrt(len(grown))


@pytest.mark.parametrize("m", [2, 3])
def test_slopes_are_those_of_the_value(m: int) -> None:
    rng = np.random.default_rng(m)
    Y, q, step = rng.normal(size=(9, m)), 6, 1e-6
    free = boxes(pareto(Y), reference_point(Y))
    means, sds = list(rng.normal(size=(m, q))), list(rng.uniform(0.2, 1.0, (m, q)))
    _, by_mean, by_sd = log_expected_growth_slopes(means, sds, free)
    for goal in range(m):
        for parts, slopes in ((means, by_mean), (sds, by_sd)):
            kept = parts[goal].copy()
            parts[goal] = kept + step
            up = log_expected_growth(means, sds, free)
            parts[goal] = kept - step
            down = log_expected_growth(means, sds, free)
            parts[goal] = kept
            np.testing.assert_allclose(slopes[goal], (up - down) / (2 * step), rtol=1e-5, atol=1e-7)


def test_far_below_the_front_it_still_ranks() -> None:
    free = boxes(np.array([[1.0, 1.0]]), np.zeros(2))
    far, near = log_expected_growth([np.array([-30.0, -20.0])] * 2, [np.full(2, 0.5)] * 2, free)
    assert -np.inf < far < near < -1000.0


def test_what_is_dominated_and_what_repeats_is_no_part_of_the_front() -> None:
    Y = np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 1.0], [2.0, 1.0], [0.0, 2.0]])
    assert pareto(Y).tolist() == [[2.0, 1.0], [1.0, 2.0]]


def test_more_goals_than_boxes_can_serve_are_refused() -> None:
    with pytest.raises(ValueError, match="up to 4 goals"):
        boxes(np.zeros((1, 5)), np.full(5, -1.0))


@pytest.mark.parametrize("sd", [0.0, 5e-324, 1e-300, 1.0, 1e150])
def test_goals_of_very_different_size_have_growths_and_slopes_that_are_numbers(sd: float) -> None:
    means = np.array([1e20, 1e-300, 0.0, 1e150, -1e150])
    for front in (
        [[1e-300, 1e20], [1e20, 1e-300], [0.0, 5.0]],
        [[1e150, -1e150], [-1e150, 1e150], [0.0, 0.0]],
    ):
        worths = np.array(front)
        free = boxes(worths, reference_point(worths))
        goals, sds = [means, means[::-1].copy()], [np.full(5, sd)] * 2
        value, by_mean, by_sd = log_expected_growth_slopes(goals, sds, free)
        assert not np.isnan(value).any()
        assert (value < np.inf).all()
        assert all(np.isfinite(slope).all() for slope in (*by_mean, *by_sd))
