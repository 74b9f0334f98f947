"""Questions to an instrument that have a time limit, for whoever must not wait for an answer for ever."""

from labctl_drivers.patience import Patience, within
from labctl_drivers.protocol import Answer, ExperimentFailed, FailureKind, Instrument, Recipe
from labctl_drivers.verdict import sentence

UNANSWERED = "ask"
"""The stage of what is recorded where an instrument did not answer, which is not its own word."""


def ask(instrument: Instrument, key: str, patience: Patience | None = None) -> Answer:
    """Ask what became of an attempt; whatever is no answer is ``unknown``, so that nobody starts it again."""
    limit_s = (patience or Patience()).answer_s
    try:
        answer: object = within(limit_s, "its answer", lambda: instrument.ask(key))
    except BaseException as error:  # noqa: BLE001 - whatever it is, nobody knows what became of the attempt
        return _unknown(f"{instrument.name} could not be asked: {sentence(error)}")
    return answer if isinstance(answer, Answer) else _unknown(f"{instrument.name} gave no answer")


def check(instrument: Instrument, recipe: Recipe, patience: Patience | None = None) -> str | None:
    """Ask why a recipe cannot be started now; an instrument that gives no answer cannot start it."""
    limit_s = (patience or Patience()).answer_s
    try:
        return within(limit_s, "its check", lambda: instrument.check(recipe))
    except BaseException as error:  # noqa: BLE001 - whatever it is, the recipe was not found startable
        return f"{instrument.name} could not be asked: {sentence(error)}"


def _unknown(message: str) -> Answer:
    return Answer("unknown", failure=ExperimentFailed(FailureKind.UNKNOWN, message, stage=UNANSWERED))
