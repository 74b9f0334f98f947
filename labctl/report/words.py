"""What the figures of a campaign say, in sentences."""

import math
from collections.abc import Mapping
from typing import Any

from labctl.evidence import level_in_words
from labctl.plural import counted
from labctl.proposal import Predicted, Stamp
from labctl.report.look import FAILURES, number, pretty_unit
from labctl.summary import Calibration, Summary
from labctl.surprises import Surprise
from labctl_drivers.protocol import FailureKind

FEWEST_SHARE = 5
"""With fewer results than this, a share in percent claims more than is known."""
FEWEST = 8
"""With fewer results than this, even a perfect model's share inside 95 % says next to nothing."""


def expected_inside(n: int) -> tuple[int, int]:
    """The counts, out of n, between which true 95 % intervals leave 95 % of all cases (binomial)."""
    share, below, low, high = 0.95, 0.0, n, n
    for k in range(n + 1):
        below += math.exp(
            math.lgamma(n + 1)
            - math.lgamma(k + 1)
            - math.lgamma(n - k + 1)
            + k * math.log(share)
            + (n - k) * math.log(1 - share)
        )
        if below > 0.025 and low == n:  # noqa: PLR2004 - half of the 5 % outside, on each side
            low = k
        if below >= 0.975:  # noqa: PLR2004 - the other half
            high = k
            break
    return low, high


_COUNTS = ("None", "One", "Two", "Three", "Four")


def _few_in_words(inside: int, n: int) -> str:
    where = "the 95 % interval written down before"
    if n == 1:
        return f"The one result with a prediction lay {'inside' if inside else 'outside'} {where} it."
    return f"{_COUNTS[inside]} of the {_COUNTS[n].lower()} results with a prediction lay inside {where} them."


def coverage_in_words(calibration: Calibration) -> str:
    """How many results lay where the model said they would."""
    inside = round(calibration.within_95 * calibration.n)
    if calibration.n < FEWEST_SHARE:
        return _few_in_words(inside, calibration.n)
    share = f"({inside / calibration.n:.0%})"
    return (
        f"{inside} of {calibration.n} results {share} lay inside the 95 % interval written down before them."
    )


def calibration_in_words(calibration: Calibration | None) -> str:
    """How far the predictions could be trusted."""
    if calibration is None:
        return (
            "No result yet had a prediction, so nothing can be said about how far the model can be trusted."
        )
    n = calibration.n
    inside = round(calibration.within_95 * n)
    counted = coverage_in_words(calibration)
    if n < FEWEST:
        return f"{counted} That is too few to judge the model by."
    low, high = expected_inside(n)
    honest = f"{low} to {high}" if low < high else f"{low}"
    if inside < low:
        verdict = (
            f"An honest model would have {honest}: this one was too sure of itself, with errors "
            f"{calibration.rms_z:.1f} times as large as it said."
        )
    elif inside > high or (inside == n and calibration.rms_z < 0.6):  # noqa: PLR2004 - intervals nearly twice too wide
        verdict = (
            f"It was more careful than it had to be: errors were {calibration.rms_z:.1f} times what it said."
        )
    else:
        verdict = (
            f"An honest model would have {honest}; errors were {calibration.rms_z:.2f} times what it said."
        )
    return f"{counted} {verdict}"


def failures_in_words(failed: dict[str, int]) -> str:
    """How many failed, by kind."""
    if not failed:
        return "none failed"
    parts = [
        f"{n} {FAILURES[FailureKind(kind)][2]}" for kind, n in sorted(failed.items(), key=lambda i: -i[1])
    ]
    return ", ".join(parts)


def progress_in_words(summary: Summary) -> str:
    """What the curve of the best so far shows."""
    if summary.best is None:
        return "Nothing has been measured yet." if not summary.failed else "No experiment gave a result."
    unit = pretty_unit(summary.best.unit)
    found = f"{number(summary.best.value)}{' ' + unit if unit else ''}"
    first = int(summary.best.experiment.removeprefix("e"))
    rivals = summary.best.rivals
    more = f" {counted(rivals, 'more result')} beyond the scale may be better still." if rivals else ""
    if summary.best.bound is not None:
        return f"The best single result, better than {found}, came with experiment {first}.{more}"
    return f"The best single measurement, {found}, came with experiment {first}.{more}"


_TRUST = {
    "trusted": "It predicts whole regions that were held out, not only the gaps between measured recipes.",
    "interpolation only": "It predicts between recipes that were measured, and nowhere else.",
    "lookup table": "It knows little more than the nearest recipe that was measured.",
}


def verdict_in_words(verdict: Mapping[str, Any] | None) -> tuple[str, str] | None:
    """What the campaign's last validation said of the surrogate: its verdict in plain words, and why."""
    if verdict is None:
        return None
    level = str(verdict["verdict"])
    results = f"By the last validation, on {verdict['n']} results: {level_in_words(verdict)}."
    return f"{results} {_TRUST.get(level, '')}".strip(), str(verdict["reason"])


_ANSWERS = {
    "waiting": "it has not been measured again yet",
    "agrees": "measured again, it came out so too: something new, or something nobody recorded",
    "disagrees": "measured again, it came out as predicted: the first reading was wrong",
}


def surprise_in_words(surprise: Surprise) -> str:
    """One surprising result, and what measuring it again has said."""
    side = "above" if surprise.z > 0 else "below"
    return (
        f"{number(abs(surprise.z))} standard deviations {side} its prediction; {_ANSWERS[surprise.replicate]}"
    )


def widened_in_words(factor: float) -> str:
    """Why the newest predictions are wider than the surrogate said; empty where they are not."""
    if factor <= 1:
        return ""
    return (
        f"Predictions are now written {number(factor)} times as wide as the surrogate says, because earlier "
        "ones missed more often than they allowed for."
    )


def domain_in_words(stamp: Stamp) -> str:
    """Where a recipe lay with respect to what had been measured before it."""
    where = {
        "inside": "inside the region that had been measured",
        "edge": "at the edge of the region that had been measured",
        "outside": "outside the region that had been measured",
    }[stamp.where]
    near = [
        f"nearest {what} {experiment}"
        for what, experiment in (("result", stamp.nearest_success), ("failure", stamp.nearest_failure))
        if experiment is not None
    ]
    return ", ".join([where, *near])


def expected(predicted: Predicted) -> str:
    """A prediction of one measurement, with one standard deviation."""
    return f"{number(predicted.mean)} ± {number(predicted.measurement_sd)}"
