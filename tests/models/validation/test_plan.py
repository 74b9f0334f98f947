"""Which splits are made, in what order they are run, and what stands beside them."""

import numpy as np
import pytest

from labctl_models.design import sobol
from labctl_models.surrogates.protocol import Array
from labctl_models.validation.plan import extra_splits, planned
from labctl_models.validation.splits import neighbours


def blobs() -> Array:
    rng = np.random.default_rng(0)
    return 20.0 * rng.standard_normal((12, 3))[np.arange(120) % 12] + rng.standard_normal((120, 3))


def test_the_first_rung_spans_the_numbers_of_clusters() -> None:
    X = blobs()
    plan = planned(X, neighbours(X), ks=range(2, 11), seeds=(0, 1), seed=0)
    kinds = [[(split.kind, split.k, split.seed) for split in rung] for rung in plan.rungs]
    assert kinds[0][0] == ("shuffled", 5, 0)
    ks = [split.k for split in plan.regions if split.seed == 0]
    first = [k for _, k, _ in kinds[0][1:]]
    assert sorted(first) == [ks[0], ks[len(ks) // 2], ks[-1]]
    assert first == sorted(first, key=lambda k: abs(k - 6)), "a short race judges by some six clusters"
    run = [split for rung in plan.rungs for split in rung]
    assert len(set(run)) == len(run)
    assert all(split.accepted for split in run)
    assert {split for split in plan.made if split.accepted} == set(run)


def test_without_regions_shuffled_folds_are_all_there_is() -> None:
    X = sobol(80, 10, 0)
    plan = planned(X, neighbours(X), ks=range(5, 9), seeds=(0,), seed=0)
    assert plan.regions == ()
    assert {split.kind for rung in plan.rungs for split in rung} == {"shuffled"}
    assert [split.kind for split in plan.looked_into] == ["shuffled"]
    assert plan.why_none


def test_other_kinds_are_made_of_what_there_is() -> None:
    X = blobs()
    formulas = ["Fe2O3", "CoO", "NiS", "ZnS"] * 30
    made = extra_splits(
        X, neighbours(X), groups={"lab": list("ABC") * 40}, order=list(range(120)), formulas=formulas
    )
    # Four systems are fewer than five folds, so there is no split by system.
    assert [split.kind for split in made] == [
        *("group: lab", "ordered", "element", "periodic-group", "period"),
        *["kernel-loco"] * 3,
    ]
    with pytest.raises(ValueError, match="formula 1"):
        extra_splits(X, neighbours(X), formulas=["?"] * 120)
