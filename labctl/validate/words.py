"""What a validation found, in sentences for somebody who never heard of held-out clusters."""

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from labctl.report.look import number, pretty_unit
from labctl.validate.checked import Checked

if TYPE_CHECKING:
    from labctl_models.validation.leakage import Leakage
    from labctl_models.validation.race import Step

NAMES = {
    "mean": "predicting the mean",
    "nearest": "copying the nearest recipe",
    "ridge": "ridge regression",
    "gp-isotropic": "Gaussian process, one length",
    "gp-ard": "Gaussian process, a length per feature",
    "gp-mechanistic": "Gaussian process about your law",
    "extra-trees": "extra trees",
    "random-forest": "random forest",
    "logistic-ridge": "logistic regression",
    "stack": "weighted mix of the others",
}
_NAMED = re.compile(rf"\b({'|'.join(name for name in NAMES if name not in ('mean', 'nearest'))})\b")
_KINDS = {
    "shuffled": "at random",
    "loco": "whole clusters",
    "kernel-loco": "clusters of curved shape",
    "ordered": "later from earlier",
    "chemical-system": "chemical system",
    "element": "element",
    "periodic-group": "group of the periodic table",
    "period": "period of the periodic table",
}
_NOTICEABLE = 0.3
_SURE = 0.01


def name_of(candidate: str, *, classes: bool = False) -> str:
    """A candidate in plain words."""
    if classes and candidate == "mean":
        return "naming the commonest class"
    return NAMES.get(candidate, candidate)


def kind_of(kind: str) -> str:
    """What is held out in a kind of split, in plain words."""
    return _KINDS.get(kind, kind.removeprefix("group: "))


def headline(checked: Checked) -> str:
    """The verdict in one sentence."""
    verdict = checked.found.verdict
    undecided, nothing = verdict.undecided, _knowing_nothing(checked)
    if verdict.level == "trusted":
        return "Trust this model, also in regions that it has not seen."
    if checked.needed_s is not None:
        return _too_short(checked, checked.needed_s)
    if verdict.level == "interpolation only":
        beyond = f"; beyond them it is not shown to beat {nothing}" if undecided else ", not beyond them"
        return f"Trust this model between measured recipes{beyond}."
    if "skill_shuffled" not in verdict.evidence:
        return "No model could be judged."
    return _no_better(learnt=learnt(checked), undecided=undecided, nothing=nothing)


def _no_better(*, learnt: bool, undecided: bool, nothing: str) -> str:
    """The verdict in one sentence where every model is a lookup table."""
    if undecided:
        return f"No model is shown to beat {'copying the nearest recipe' if learnt else nothing}."
    if learnt:
        return "Do not trust this model: it does no better than a lookup table."
    return "There is no model to trust: the outcome cannot be predicted from these columns."


def _too_short(checked: Checked, needed_s: float) -> str:
    """The verdict in one sentence where the budget was too small for one."""
    remedy = f"give --budget {needed_s:.0f}"
    if checked.refused:
        return f"The budget was too small to judge every model; {remedy}."
    return (
        "Trust this model between measured recipes; whether also beyond them, this budget was too small to "
        f"say: {remedy}."
    )


def level(checked: Checked) -> str:
    """The verdict's level, and whether more rows or time might change it."""
    undecided = checked.found.verdict.undecided and checked.level != "undecided"
    return f"{checked.level}, undecided" if undecided else checked.level


def reason(checked: Checked) -> str:
    """Why, with the models' plain names."""
    return named(checked.reason)


def named(text: str) -> str:
    """A sentence of the models with their plain names."""
    return _NAMED.sub(lambda match: NAMES[match[0]], text)


def _knowing_nothing(checked: Checked) -> str:
    return name_of("mean", classes=bool(checked.found.classes))


def learnt(checked: Checked) -> bool:
    """Whether any model beats the mean at least on shuffled folds."""
    e = checked.found.verdict.evidence
    return any(
        e.get(gain, math.nan) > 2 * e.get(f"{gain}_se", math.inf)
        for gain in ("gain_over_mean_shuffled", "gain_best_shuffled")
    )


def error_name(checked: Checked) -> str:
    """What an error is here, for an axis."""
    if checked.found.classes:
        return "share named wrongly, every class counting the same"
    unit = pretty_unit(checked.study.unit)
    return f"typical error of {checked.study.goal_in_words}" + (f" ({unit})" if unit else "")


def with_unit(checked: Checked, value: float) -> str:
    """An error as a person reads it."""
    if not math.isfinite(value):
        return "–"
    if checked.found.classes:
        return f"{100 * value:.0f} %"
    unit = pretty_unit(checked.study.unit)
    return f"{number(float(f'{value:.3g}'))}{' ' + unit if unit else ''}"


def at_a_glance(checked: Checked) -> str:
    """What the errors of the best candidate mean, in one or two sentences."""
    e = checked.found.verdict.evidence
    if "skill_shuffled" not in e:
        short = checked.needed_s is not None
        return "No candidate was judged within the budget." if short else "Every candidate failed."
    near, far = e["skill_shuffled"], e["skill_loco"]
    base = _knowing_nothing(checked)
    if near <= 0 and checked.needed_s is not None:
        return f"Of the models that were judged, the best removes none of the error that {base} makes."
    if near <= 0:
        return f"Even between measured recipes it removes none of the error that {base} makes."
    told = f"Between measured recipes it removes {_percent(near)} of the error that {base} makes"
    return f"{told}{_told_beyond(checked, near, far)}"


def _told_beyond(checked: Checked, near: float, far: float) -> str:
    """How a sentence on the skill between measured recipes goes on about the skill beyond them."""
    if not regions(checked):
        why = "could be" if checked.needed_s is None else "was, within the budget,"
        return f". No region {why} held out, so what it does beyond them is not known."
    if far <= 0:
        return "; in a region that it has not seen, none of it."
    if far >= near:
        return (
            f"; in a region that it has not seen, {_percent(far)}. That whole clusters are no harder "
            f"than random rows is no sign of skill: among {checked.found.n} rows it can be chance, or the "
            "clusters hardly differ in their outcomes."
        )
    lost = 1 - far / near
    share = "most" if lost > 0.5 else "part" if lost > 0.2 else "little"  # noqa: PLR2004 - words for shares
    return (
        f"; in a region that it has not seen, {_percent(far)}. So {share} of its apparent skill "
        f"({_percent(lost)}) is interpolation."
    )


def by_number(checked: Checked) -> str:
    """Whether the answer hangs on the number of clusters: where the best model loses to a yardstick."""
    scores = {name: checked.report(name).loco for name in ("mean", "nearest")}
    best = checked.best
    mine = None if best is None or best.loco is None else best.loco.by_k
    if mine is None:
        return ""
    behind: dict[str, list[int]] = {}
    for name, yardstick in scores.items():
        ks = [k for k in mine if yardstick and k in yardstick.by_k and mine[k] >= yardstick.by_k[k]]
        if ks:
            behind[name_of(name, classes=bool(checked.found.classes))] = ks
    if not behind:
        return "The best model errs less than both yardsticks at every number of clusters."
    if all(len(ks) == len(mine) for ks in behind.values()):
        return f"The best model errs no less than {' or '.join(behind)} at any number of clusters."
    parts = [f"{what} at {_ks(ks, len(mine))}" for what, ks in behind.items()]
    return (
        f"The answer hangs on the number of clusters: the best model errs no less than {' and '.join(parts)}."
    )


def _ks(ks: Sequence[int], count: int) -> str:
    if len(ks) == count:
        return "all of them"
    return "k = " + ", ".join(map(str, ks))


def step(step: "Step") -> str:
    """What is being fitted, for a person who waits."""
    model = name_of(step.candidate)
    held = {
        "shuffled": f"{step.k} random folds held out in turn",
        "loco": f"{step.k} clusters held out in turn",
    }.get(step.kind, f"held out by {kind_of(step.kind)}")
    return f"{model}, {held}"


def regions(checked: Checked) -> bool:
    """Whether clusters could be held out."""
    best = checked.best
    return best is not None and best.loco is not None


def calibration(checked: Checked) -> str:
    """Whether the stated uncertainties are true, near and far."""
    parts = []
    for kind, where in (("shuffled", "between measured recipes"), ("loco", "in regions held out")):
        found = checked.found.calibration.get(kind)
        if found is not None:
            parts.append(f"{where} errors are {found.rms_z:.3g} times what the model states")
    if not parts:
        return ""
    inflation = checked.found.inflation
    advice = (
        f" Outside the data its standard deviations should be multiplied by {inflation:.3g}."
        if math.isfinite(inflation) and inflation > 1.05  # noqa: PLR2004 - less would not be noticed
        else ""
    )
    sentence = " and ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}; 1 would be honest.{advice} {intervals(checked)}".rstrip()


def intervals(checked: Checked) -> str:
    """How wide an interval must be to hold nine of ten held-out results, near and far."""
    found = checked.found.calibration
    widths = [
        f"± {with_unit(checked, found[kind].half_width_90)} {where}"
        for kind, where in (("shuffled", "between measured recipes"), ("loco", "in regions held out"))
        if kind in found and math.isfinite(found[kind].half_width_90)
    ]
    if not widths:
        return ""
    stated = " and within ".join(widths)
    return f"Whatever the model states, nine of ten results lay within {stated} (conformal)."


def leaks(checked: Checked) -> list[str]:
    """What the folds give away, a sentence for each finding."""
    said: list[str] = []
    found = checked.found.leakage
    near, far = found.get("shuffled"), found.get("loco")
    if near is not None:
        said.append(_memorised(near, far))
        if near.twins > 0:
            said.append(
                f"{_percent(near.twins)} of the rows held out at random have the very same recipe in "
                "training; for these the model is asked what it was told."
            )
        if near.near_twins > near.twins:
            said.append(
                f"{_percent(near.near_twins)} of them have a near twin in training, closer than almost any "
                "two rows of the table."
            )
        said += _ave(near, far)
    for leak, where in ((near, "at random"), (far, "by cluster")):
        if leak is not None and leak.smoothness > _NOTICEABLE:
            said.append(
                f"With rows held out {where}, errors grow with the distance to what is known (rank "
                f"correlation {leak.smoothness:.2f}): the model works like a lookup table with soft edges."
            )
    return said


def _memorised(near: "Leakage", far: "Leakage | None") -> str:
    one = near.memorisation[0]
    sure = "more" if one.p < _SURE else "no more"
    told = (
        f"Copying the nearest known row explains {_percent(max(0.0, one.skill))} of the variance of rows "
        f"held out at random, {sure} than with outcomes shuffled among the rows (permutation test, "
        f"p = {one.p:.2g})"
    )
    if far is None:
        return f"{told}."
    skill = far.memorisation[0].skill
    rest = f"{_percent(skill)}" if skill > 0 else "nothing: it is worse than the mean"
    return f"{told}, and with whole clusters held out {rest}."


def _ave(near: "Leakage", far: "Leakage | None") -> list[str]:
    if not math.isfinite(near.ave.value):
        return []
    beyond = f", with clusters held out {far.ave.value:+.2f}" if far and math.isfinite(far.ave.value) else ""
    told = (
        f"AVE bias with rows held out at random is {near.ave.value:+.2f} (parts {near.ave.actives:+.2f} and "
        f"{near.ave.inactives:+.2f}){beyond}: above 0 looking up neighbours is rewarded, about 0 is fair, "
        "below 0 it is punished."
    )
    return [told]


def next_steps(checked: Checked) -> list[str]:
    """What to do now."""
    level = checked.found.verdict.level
    steps = {
        "trusted": [
            "Let the model propose experiments, and go on recording its predictions before each result.",
            "Keep a share of the budget for a random arm: this page cannot see what all rows have in common.",
        ],
        "interpolation only": [
            "Use the model to rank recipes that lie between measured ones.",
            "Where it points outside the data, explore; do not believe an improvement it predicts there.",
            "Measure a few recipes in each region that it fails in; the table below names the worst cluster.",
        ],
    }.get(
        level,
        [
            "Do not rank candidates by this model. Choose experiments by explore, novelty or random arms.",
            "Look for what is missing: a setting that was not logged, a feature that matters, more rows.",
        ],
    )
    inflation = checked.found.inflation
    if math.isfinite(inflation) and inflation > 1.05:  # noqa: PLR2004 - as above
        steps = [*steps, f"Multiply its standard deviations by {inflation:.3g} outside the data."]
    if checked.refused and checked.needed_s is not None:
        steps = ["Until then choose experiments by explore, novelty or random arms."]
    elif checked.found.verdict.undecided and checked.needed_s is None:
        steps = ["Measure more before concluding: these rows cannot tell the gain from chance.", *steps]
    stopped = [r.name for r in checked.found.candidates if r.status == "stopped"]
    names = ", ".join(name_of(name) for name in stopped)
    if checked.needed_s is not None:
        unjudged = f" Too slow for this one and so not judged: {names}." if stopped else ""
        steps = [f"Validate again with --budget {checked.needed_s:.0f}.{unjudged}", *steps]
    elif stopped:
        steps = [f"Too slow for this budget and so not judged: {names}. Give more with --budget.", *steps]
    if checked.found.missed:
        missed = f"{len(checked.found.missed)} splits were not reached in {checked.budget_s:g} CPU s"
        steps = [*steps, f"{missed}; a larger --budget makes the standard errors smaller."]
    return steps


def refused_reasons(checked: Checked) -> list[tuple[str, int, Sequence[str]]]:
    """Reasons why splits were refused, how many, and which."""
    found: dict[str, list[str]] = {}
    for split in checked.found.splits:
        if not split.accepted:
            found.setdefault(split.reason, []).append(
                f"{kind_of(split.kind)}, k = {split.k}, seed {split.seed}"
            )
    return [(reason, len(names), names) for reason, names in found.items()]


def _percent(share: float) -> str:
    shown = 100 * share
    return f"{shown:.0f} %" if abs(shown) >= 1 or shown == 0 else f"{shown:.1f} %"
