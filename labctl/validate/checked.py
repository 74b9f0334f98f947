"""A study that was validated: what the models found, with the names of the study, and all of it as JSON."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labctl.law import WrittenLaw
from labctl.study import Study

if TYPE_CHECKING:
    from labctl_models.validation.folds import Split
    from labctl_models.validation.race import Entry
    from labctl_models.validation.scores import Scores
    from labctl_models.validation.summary import Report
    from labctl_models.validation.validate import Validation

REFUSED = "lookup table"


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant of a law, as mean and standard deviation.

    Attributes:
        name: as the law calls it.
        unit: "" where nobody said.
        alone: by least squares, as if the law missed nothing but noise.
        beside: learnt together with a Gaussian process of what the law misses; None where that was not
            fitted.
    """

    name: str
    unit: str
    alone: tuple[float, float]
    beside: tuple[float, float] | None


@dataclass(frozen=True, eq=False)
class Checked:
    """How far a model of a study can be trusted.

    Attributes:
        study: what was validated.
        rows: numbers of its n rows that have an outcome; every row number of ``found`` counts these.
        found: what the models say.
        law: the user's, where there is one.
        constants: of the law.
        budget_s: processor seconds that were allowed.
        seed: of everything that is drawn.
        code: version that did it.
        notes: what was left out or assumed.
    """

    study: Study
    rows: NDArray[np.intp]
    found: "Validation"
    law: WrittenLaw | None
    constants: tuple[Constant, ...]
    budget_s: float
    seed: int
    code: str
    notes: tuple[str, ...]

    @property
    def refused(self) -> bool:
        """Whether the answer is no: the model is a lookup table, or the budget did not show otherwise."""
        return self.found.verdict.level == REFUSED

    @property
    def needed_s(self) -> float | None:
        """The budget to ask for, where it was too small to decide; None where it was not."""
        return self.found.verdict.needed_s

    @property
    def level(self) -> str:
        """The verdict's level; "undecided" where a lookup table is all that a small budget could show."""
        return "undecided" if self.refused and self.needed_s is not None else self.found.verdict.level

    @property
    def reason(self) -> str:
        """Why, and with a budget that was too small, which one to give."""
        why = self.found.verdict.reason
        if self.needed_s is None:
            return why
        return f"undecided: the budget was too small; give --budget {self.needed_s:.0f}. {why}"

    @property
    def best(self) -> "Report | None":
        """The report of the best candidate."""
        return next((r for r in self.found.candidates if r.name == self.found.best), None)

    def report(self, name: str) -> "Report":
        """The report of the candidate of that name."""
        return next(r for r in self.found.candidates if r.name == name)

    def entry(self, name: str | None) -> "Entry | None":
        """Every held-out prediction of the candidate of that name."""
        return next((e for e in self.found.entries if e.name == name), None)

    def as_json(self) -> dict[str, Any]:
        """Everything but the predictions, in plain types; what has no value is null."""
        study, found = self.study, self.found
        verdict = found.verdict
        missed = {id(split) for split in found.missed}
        content = {
            "study": {
                "name": study.name,
                "source": study.source,
                "goal": study.goal,
                "called": study.called,
                "unit": study.unit,
                "outcome": study.outcome,
                "classes": found.classes,
                "rows": found.n,
                "features": found.d,
            },
            "verdict": self.level,
            "reason": self.reason,
            "undecided": verdict.undecided,
            "budget_needed_s": self.needed_s,
            "winner": verdict.winner,
            "evidence": verdict.evidence,
            "best": found.best,
            "candidates": [_candidate(r) for r in found.candidates],
            "splits": [_split(s, reached=s.accepted and id(s) not in missed) for s in found.splits],
            "stack_weights": found.stack_weights,
            "nested_error": found.nested_error,
            "calibration": found.calibration,
            "inflation": found.inflation,
            "leakage": found.leakage,
            "law": None
            if self.law is None
            else {"formula": self.law.text, "constants": [_constant(c) for c in self.constants]},
            "notes": self.notes,
            "budget_s": self.budget_s,
            "cpu_s": found.cpu_s,
            "seed": self.seed,
            "code": self.code,
        }
        plain = as_plain(content)
        assert isinstance(plain, dict)  # noqa: S101 - it was one
        return plain


def as_plain(value: object) -> object:
    """A value in the types of JSON: frozen values become objects, arrays lists, NaN and infinity null."""
    if is_dataclass(value):
        return {f.name: as_plain(getattr(value, f.name)) for f in fields(value)}
    match value:
        case bool() | str() | None:
            return value
        case int() | float() | np.number():
            return _plain_number(value)
        case np.ndarray() | Sequence():
            return [as_plain(v) for v in value]
        case Mapping():
            return {str(k): as_plain(v) for k, v in value.items()}
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _plain_number(value: Any) -> int | float | None:  # noqa: ANN401 - of Python or of numpy
    if isinstance(value, int | np.integer):
        return int(value)
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _candidate(report: "Report") -> dict[str, Any]:
    return {
        "name": report.name,
        "baseline": report.baseline,
        "status": report.status,
        "reason": report.reason,
        "cpu_s": report.cpu_s,
        "shuffled": _scores(report.shuffled),
        "loco": _scores(report.loco),
        "others": {kind: _scores(scores) for kind, scores in report.others.items()},
    }


def _scores(scores: "Scores | None") -> dict[str, Any]:
    if scores is None:
        return {}
    return {
        "splits": scores.splits,
        "error": scores.over_clusters,
        "error_by_k": scores.by_k,
        "error_pooled": scores.pooled,
        "worst_fold_error": scores.worst,
        "worst_fold": scores.worst_fold,
        **scores.numbers,
    }


def _split(split: "Split", *, reached: bool) -> dict[str, Any]:
    return {
        "kind": split.kind,
        "k": split.k,
        "seed": split.seed,
        "sanity": split.sanity,
        "accepted": split.accepted,
        "reason": split.reason,
        "reached": reached,
    }


def _constant(constant: Constant) -> dict[str, Any]:
    def belief(of: tuple[float, float] | None) -> dict[str, float] | None:
        return None if of is None else {"mean": of[0], "sd": of[1]}

    return {
        "name": constant.name,
        "unit": constant.unit,
        "alone": belief(constant.alone),
        "beside": belief(constant.beside),
    }
