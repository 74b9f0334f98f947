"""Which arm is to choose, and how often: shares of the budget that move with what a campaign has shown."""

from collections.abc import Mapping
from dataclasses import dataclass

from labctl.evidence import Evidence
from labctl.plural import counted

QUIET: Mapping[str, float] = {"improve": 9.0, "explore": 0.25, "novelty": 0.25}
"""Weights of a campaign without a worry; random and replicate come on top, by their floors."""
_FEW = 10
_LIVELY, _HOPELESS = 0.1, 0.01
"""Chances of a better result from which on a choice is worth its turn, and up to which it hardly is."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How the next experiments are to be shared among the arms, and why.

    Attributes:
        of: share of each arm; they add up to 1, and each floor is kept.
        because: the evidence in a sentence.
    """

    of: Mapping[str, float]
    because: str


def shares(seen: Evidence, floors: Mapping[str, float]) -> Shares:
    """Shares by evidence.

    Five things move them, each in the direction of the doubt that it raises:

    - the verdict: a surrogate that only interpolates is asked less and fed from outside its domain more; one
      that is a lookup table is hardly asked at all;
    - stagnation: where what was chosen for improvement had hardly a chance of it, the turn costs little and
      goes to what is unlike everything known; a long wait alone is no sign of it, since records are rare in
      any search. For several goals, of which no chance is written down, the wait has to do;
    - surprise: results that the surrogate called unlikely, predictions that had to be widened, and a chance
      of improvement that was promised again and again and never came, say that there is something it does
      not know, so that more goes where it knows least;
    - failures: where many of the last experiments made no sample, what seemed to improve did not;
    - coverage: as long as most of what could be proposed lies outside the results' domain, gaps are filled.

    Args:
        seen: the evidence.
        floors: least share of an arm, whatever the evidence says; together below 1.
    """
    weights = dict(QUIET)
    reasons: list[str] = []
    _by_verdict(seen, weights, reasons)
    _by_stagnation(seen, weights, reasons)
    _by_surprise(seen, weights, reasons)
    _by_failures(seen, weights, reasons)
    _by_coverage(seen, weights, reasons)
    kept = {arm: floor for arm, floor in floors.items() if floor > 0}
    rest = 1.0 - sum(kept.values())
    total = sum(weights.values())
    of = {arm: rest * weight / total for arm, weight in weights.items()}
    for arm, floor in kept.items():
        of[arm] = of.get(arm, 0.0) + floor
    said = ", ".join(f"{arm} {share:.0%}" for arm, share in of.items() if share >= 0.005)  # noqa: PLR2004 - 0 %
    return Shares(of, f"{said}: {'; '.join(reasons) or 'nothing speaks against the surrogate so far'}")


def _by_verdict(seen: Evidence, weights: dict[str, float], reasons: list[str]) -> None:
    if seen.verdict == "interpolation only":
        weights["improve"] *= 0.9
        weights["explore"] += 0.75
        reasons.append("the surrogate is good only between measured recipes")
    elif seen.verdict == "lookup table":
        weights["improve"] *= 0.5
        weights["explore"] += 0.75
        weights["gaps"] = weights.get("gaps", 0.0) + 0.75
        weights["novelty"] += 0.5
        reasons.append("the surrogate is a lookup table, so little rests on it")
    elif seen.verdict == "trusted":
        reasons.append("the surrogate is trusted")


def _by_stagnation(seen: Evidence, weights: dict[str, float], reasons: list[str]) -> None:
    if seen.promise is not None:
        pressure = _pressure(-seen.promise, -_LIVELY, -_HOPELESS) if seen.since_better else 0.0
        why = f"the last choices had a chance of {seen.promise:.1%} of something better"
    else:
        why = f"nothing better for {counted(seen.since_better, 'result')}"
        pressure = _pressure(seen.since_better, 2 * seen.patience, 4 * seen.patience)
    if pressure > 0:
        weights["improve"] *= 1.0 - 0.35 * pressure
        weights["novelty"] += 2.0 * pressure
        weights["explore"] += 0.5 * pressure
        reasons.append(why)


def _by_surprise(seen: Evidence, weights: dict[str, float], reasons: list[str]) -> None:
    # One surprise in five results, or predictions twice as wide as the surrogate says, is as much as counts.
    share = seen.surprises / max(seen.results, 20)
    let_down = _pressure(-seen.let_down, -0.2, -0.02)
    pressure = max(_pressure(share, 0.0, 0.2), _pressure(seen.widened, 1.0, 2.0), let_down)
    if pressure > 0:
        weights["explore"] += pressure
        said = [f"{counted(seen.surprises, 'surprise')} not refuted"] if seen.surprises else []
        said += [f"predictions widened {seen.widened:.2g} times"] if seen.widened > 1.0 else []
        said += ["improvement was promised and did not come"] if let_down > 0 else []
        reasons.append(" and ".join(said))


def _by_failures(seen: Evidence, weights: dict[str, float], reasons: list[str]) -> None:
    # A few early failures are not yet a share.
    pressure = _pressure(seen.failed / max(seen.last, _FEW), 0.2, 0.7)
    if pressure > 0:
        weights["improve"] *= 1.0 - 0.5 * pressure
        weights["explore"] += pressure
        reasons.append(f"{seen.failed} of the last {counted(seen.last, 'experiment')} made no sample")


def _by_coverage(seen: Evidence, weights: dict[str, float], reasons: list[str]) -> None:
    if seen.covered is None:
        return
    pressure = _pressure(1.0 - seen.covered, 0.5, 1.0)
    if pressure > 0:
        weights["gaps"] = weights.get("gaps", 0.0) + 0.5 * pressure
        reasons.append(f"{seen.covered:.0%} of what could be done lies near a result")


def _pressure(value: float, none: float, full: float) -> float:
    """0 up to ``none``, 1 from ``full`` on, and even in between."""
    return min(1.0, max(0.0, (value - none) / (full - none)))
