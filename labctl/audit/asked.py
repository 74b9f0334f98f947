"""What a person tells an audit that no table can know."""

from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from labctl.errors import RequestError


@dataclass(frozen=True, slots=True)
class Asked:
    """What the audit is told beside the study.

    Attributes:
        true_rate: share of successes among recipes drawn from the whole domain.
        success: the class that counts as success.
        label_values: name of the column from which labels were made by a threshold.
        label_range: lowest and highest threshold in use, in that column's unit.
        label_sd: standard deviation of that column, in its unit.
        candidates: a table of recipes that could be made next.
    """

    true_rate: float | None = None
    success: str | None = None
    label_values: str | None = None
    label_range: tuple[float, float] | None = None
    label_sd: float | None = None
    candidates: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what makes no sense before anything is read.

        Raises:
            RequestError: in one sentence with the option.
        """
        if self.true_rate is not None and not 0.0 < self.true_rate < 1.0:
            raise RequestError(
                f"is {self.true_rate:g}; give a share between 0 and 1, such as 0.05", key="--true-rate"
            )
        if (self.label_values is None) != (self.label_range is None):
            raise RequestError(
                "--label-values COL and --label-range LO HI belong together; give both",
            )
        if self.label_range is not None and not all(map(isfinite, self.label_range)):
            low, high = self.label_range
            raise RequestError(f"goes from {low:g} to {high:g}; give two finite numbers", key="--label-range")
        if self.label_range is not None and not self.label_range[0] < self.label_range[1]:
            low, high = self.label_range
            raise RequestError(f"goes from {low:g} to {high:g}; give the smaller first", key="--label-range")
        if self.label_sd is not None and not 0.0 < self.label_sd < float("inf"):
            raise RequestError(f"is {self.label_sd:g}; give a standard deviation above 0", key="--label-sd")
        if self.label_sd is not None and self.label_values is None:
            raise RequestError("needs --label-values COL and --label-range LO HI", key="--label-sd")
