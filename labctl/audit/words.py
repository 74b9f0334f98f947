"""What an audit says in sentences: the verdict, and what each check asks in a stranger's words."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from labctl.plural import counted, verb

if TYPE_CHECKING:
    from labctl_models.audit.finding import Finding
    from labctl_models.audit.hidden import Screen

Trust = Literal["do not rely on it", "use with care", "nothing stands against it"]

HIGH, MEDIUM = 0.7, 0.4

AREAS: Mapping[str, str] = {
    "domain": "Where the table lies",
    "selection": "What was written down",
    "labels": "The values themselves",
    "metadata": "What was noted beside them",
    "duplicates": "Rows that repeat each other",
    "anomalies": "Surprises",
    "hidden": "Hidden variables",
    "predictions": "Predictions made before",
}

_QUESTIONS: Mapping[str, str] = {
    "residuals": "What can a model of the recipes not explain?",
    "domain.coverage": "Do the recipes that were tried lie near those that may be proposed?",
    "domain.leverage": "Do candidates lie where even a straight-line model would extrapolate?",
    "domain.likeness": "Are the recipes that were tried a fair sample of the candidates?",
    "domain.diversity": "Are the rows as different from each other as their number suggests?",
    "selection.success_share": "Does the table hold more successes than happen?",
    "selection.rate_unknown": "Does anybody know how often recipes succeed?",
    "selection.no_failures": "Were failures written down at all?",
    "selection.popularity": "Are a few choices tried again and again?",
    "labels.threshold": "Do labels hang on where a lab drew its line?",
    "labels.conflicts": "Do rows of the same recipe contradict each other?",
    "labels.copied_rows": "Are measurements in the table twice?",
    "labels.zeros": "Does an exact zero stand for something else?",
    "labels.computed": "Does a column say the outcome again?",
    "labels.known_zeros": "Are there zeros that already count as failures?",
    "labels.rounding": "Were readings rounded by hand?",
    "labels.units": "Are there values in another unit than the rest?",
    "metadata.completeness": "Which fields were left empty?",
    "metadata.missingness": "Do gaps in a field go with the outcome?",
    "metadata.cohort_effect": "Do labs, batches or publications differ in what the model cannot explain?",
    "metadata.cohort_from_recipe": "Did every lab, batch or publication try its own recipes?",
    "duplicates.twins": "How much of a random test part has a model seen before?",
    "anomalies.outcomes": "Which results should be measured again before they are believed?",
    "hidden.screen": "Does something that was noted, but that no model uses, explain the errors?",
    "predictions.calibration": "Were predictions that were written before their results sure of too much?",
}


_WHAT_IT_MEANS: Mapping[str, str] = {
    "domain": "A model of this table would have to guess for much of what it will be asked",
    "selection": "This table shows what people chose to try and to report, not what happens",
    "labels": "Not every value in this table can be taken as it stands",
    "metadata": "Rows of this table hang together in ways that no recipe shows",
    "duplicates": "A score from a random split of this table would test memory, not prediction",
    "anomalies": "Some results in this table should be measured again before they are believed",
    "hidden": "Something that no recipe sets decides part of the outcome",
    "predictions": "The surrogate of this campaign has been too sure of itself",
}


_HOW_TO_ASK: Mapping[str, str] = {
    "domain.coverage": "name a table of recipes that could be made next with --candidates POOL.csv",
    "domain.leverage": "name a table of recipes that could be made next with --candidates POOL.csv",
    "domain.likeness": "name a table of recipes that could be made next with --candidates POOL.csv",
    "selection.success_share": "state the rate with --true-rate, or measure it with a random arm",
}
OF_THE_POOL = ("domain.coverage", "domain.leverage", "domain.likeness")
"""Checks that compare a table with candidates."""


def not_asked(check: str, reason: str, why_no_pool: str) -> str:
    """Why a check could say nothing, and how to ask for it where that is in a person's hands.

    Args:
        check: its name.
        reason: as the check gives it.
        why_no_pool: why the table has no candidates; empty where it has some.
    """
    if check in OF_THE_POOL:
        if not why_no_pool:
            return reason
        reason = f"there are no candidates to compare the table with: {why_no_pool}"
    how = _HOW_TO_ASK.get(check)
    # Where every row is a success, a rate would not help.
    return reason if how is None or reason.startswith("only ") else f"{reason}; {how}"


def checked(name: str) -> str:
    """The question that a check asks."""
    return _QUESTIONS.get(name, name)


def verdict(findings: Sequence["Finding"], fine: int) -> tuple[Trust, str]:
    """How far the table can be trusted, in a word and in a sentence; the worst finding first."""
    high = [f for f in findings if f.severity >= HIGH]
    medium = [f for f in findings if HIGH > f.severity >= MEDIUM]
    grave = [*high, *medium]
    if grave:
        others = len(grave) - 1
        more = f" {counted(others, 'further flaw')} {verb(others, 'matters', 'matter')}." if others else ""
        level: Trust = "do not rely on it" if high else "use with care"
        return level, f"{_WHAT_IT_MEANS[grave[0].area]}. {grave[0].title}.{more}"
    below = len(findings)
    small = (
        f", and {counted(below, 'small remark')} {verb(below, 'stands', 'stand')} below" if findings else ""
    )
    told = f"{counted(fine, 'check')} found no flaw{small}"
    return "nothing stands against it", f"Nothing that was looked at stands against using this table. {told}."


def power_in_words(screen: "Screen") -> str:
    """What the hidden-variable screen could and could not have seen."""
    visible = (
        f"An influence that shifts the result by {screen.visible:.2g} times the model's usual error would be "
        "noticed in four of five cases"
        if screen.visible < 10.0  # noqa: PLR2004 - larger ones are not computed
        else "Not even a very strong influence would be noticed reliably"
    )
    return (
        f"{counted(len(screen.fields), 'field')} looked at in {screen.n} rows. {visible}; one as large as "
        f"the usual error has a chance of {screen.power:.0%} to be found, one half as large "
        f"{screen.power_half:.0%}. What nobody noted cannot be found at all."
    )


_OF_WHAT: Mapping[str, str] = {
    "domain.coverage": "of the candidates lie near the rows",
    "domain.leverage": "of the candidates",
    "domain.likeness": "of pairs told apart",
    "domain.diversity": "of the recipes it could be worth",
    "selection.success_share": "successes",
    "selection.rate_unknown": "successes",
    "selection.no_failures": "such rows",
    "selection.popularity": "of the rows",
    "selection.popularity:element": "of the mentions",
    "labels.threshold": "of the labels flip",
    "labels.conflicts": "recipes",
    "labels.copied_rows": "rows",
    "labels.zeros": "values",
    "labels.known_zeros": "values",
    "labels.rounding": "of the values",
    "labels.units": "values",
    "metadata.completeness": "of the cells are filled",
    "metadata.missingness": "of these rows fail",
    "metadata.cohort_effect": "of what is unexplained",
    "metadata.cohort_from_recipe": "told right",
    "duplicates.twins": "of a random test part",
    "anomalies.outcomes": "rows",
    "hidden.screen": "strength, from 0 to 1",
    "predictions.calibration": "of the results",
}
"""What the number of a finding counts; one that is not here has no number worth a look."""


def of_what(finding: "Finding") -> str:
    """What the number of a finding counts; empty where it says no more than the title does."""
    if finding.id.startswith("metadata.missingness:") and not finding.id.endswith(":failure"):
        return ""
    if finding.id == "metadata.completeness" and finding.expected is None:
        return ""
    check = finding.id.split(":", maxsplit=1)[0]
    return _OF_WHAT.get(finding.id) or _OF_WHAT.get(check, "")


def spelled(recipe: str, *, named: bool = False) -> str:
    """A recipe's key as people write it: its settings only, or with their names where there are several."""
    try:
        settings = json.loads(recipe)
    except ValueError:
        return recipe
    if not isinstance(settings, dict):
        return recipe
    shown = {n: v if isinstance(v, str) else f"{v:.4g}" for n, v in settings.items()}
    if named and len(shown) > 1:
        return ", ".join(f"{name} {value}" for name, value in shown.items())
    return ", ".join(shown.values())
