"""Answers on the wire: what became of an attempt, as the text of one process variable and back."""

import json
from typing import Any

from labctl_drivers.memory import packed, unpacked
from labctl_drivers.protocol import Answer, ExperimentFailed, Reading

_STATES = ("never", "running", "done", "failed", "unknown")


def written(key: str, answer: Answer) -> str:
    """An answer about one key, as JSON in ASCII; NaN is written as NaN."""
    result = answer.reading if answer.reading is not None else answer.failure
    told = None if result is None else packed(result)
    return json.dumps({"key": key, "state": answer.state, "result": told}, separators=(",", ":"))


def read(text: str, key: str) -> Answer | None:
    """The answer about this key; None if the text is about another key, or about none.

    Raises:
        ValueError: the text is no answer.
    """
    if not text.strip("\0 "):
        return None
    told = _parsed(text)
    if told["key"] != key:
        return None
    try:
        result = None if told["result"] is None else unpacked(told["result"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"the furnace answered with what is no result: {text[:80]!r}") from error
    return Answer(
        told["state"],
        reading=result if isinstance(result, Reading) else None,
        failure=result if isinstance(result, ExperimentFailed) else None,
    )


def _parsed(text: str) -> dict[str, Any]:
    try:
        told = json.loads(text.rstrip("\0"))
    except ValueError as error:
        raise ValueError(f"the furnace answered with what is no JSON: {text[:80]!r}") from error
    if not isinstance(told, dict) or told.get("state") not in _STATES or not {"key", "result"} <= set(told):
        raise ValueError(f"the furnace answered with what is no answer: {text[:80]!r}")
    return told
