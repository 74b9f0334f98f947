"""Whether a table holds enough to audit it: too little of it would make every finding chance."""

import numpy as np

from labctl.errors import RequestError
from labctl.plural import counted, verb
from labctl.study import Study

FEWEST_ROWS = 20
_HUGE = 1e100
_SAME = 1e-12


def refuse_too_little(study: Study) -> None:
    """Refuse a study of which nothing can be said that is not chance.

    Raises:
        RequestError: too few rows, none with a value, one value only, or a value beyond all measure.
    """
    what = "row" if study.arms is None else "experiment"
    if len(study.y) == 0:
        raise RequestError("nothing was done yet, so there is nothing to audit", file=study.source)
    _refuse_no_value(study, what)
    known = study.measured if study.failed is None else study.measured | study.failed
    n = int(known.sum())
    if n < FEWEST_ROWS:
        raise RequestError(
            f"has {counted(n, what)} with an outcome, and an audit needs {FEWEST_ROWS} to tell a flaw from "
            f"chance; {'add rows' if study.arms is None else 'run more'}",
            file=study.source,
        )
    _refuse_odd_values(study)


def _refuse_no_value(study: Study, what: str) -> None:
    if study.measured.any():
        return
    n = len(study.y)
    if study.failed is None or not study.failed.any():
        raise RequestError(
            f"no row has a value of {study.goal}; name another column with --target COL", file=study.source
        )
    every = f"the only {what}" if n == 1 else f"each of the {n:,} {what}s"
    raise RequestError(
        f"no value of {study.goal} is known, since {every} failed or is a bound; measure more, then audit",
        file=study.source,
    )


def _refuse_odd_values(study: Study) -> None:
    """Refuse a value that no instrument reads, and a quantity that does not vary."""
    goal, y = study.goal, study.y[study.measured]
    huge = np.flatnonzero(study.measured & (np.abs(study.y) > _HUGE))
    if huge.size:
        raise RequestError(
            f"{goal} is {study.y[huge[0]]:g} in {study.ids[huge[0]]}, which no instrument reads; correct it "
            "or leave it empty",
            file=study.source,
        )
    if study.outcome == "classification" or np.ptp(y) > _SAME * float(np.abs(y).max()):
        return
    rows = counted(len(y), "row")
    remedy = "name another column with --target COL" if study.arms is None else "see what was measured"
    raise RequestError(
        f"{goal} is {y[0]:g} in {verb(len(y), 'the only row', f'all {rows}')} with a value, so nothing "
        f"varies that could be explained; {remedy}",
        file=study.source,
    )
