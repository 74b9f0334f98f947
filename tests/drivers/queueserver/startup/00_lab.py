"""What a lab's own machine has: a RunEngine whose documents are published, and one plan."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bluesky import RunEngine
from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp
from bluesky.callbacks.zmq import Publisher

RE = RunEngine({})
RE.subscribe(Publisher(os.environ["LAB_DOCUMENTS"], serializer=lambda doc: json.dumps(doc).encode()))


class SampleCracked(Exception):  # noqa: N818 - as a lab may call it
    """The sample did not survive."""


class Tester:
    """A hardness tester that reads whatever it is told."""

    name = "tester"
    parent = None

    def __init__(self) -> None:
        self.value = 0.0

    def read(self) -> dict[str, Any]:
        return {"tester_hardness": {"value": self.value, "timestamp": time.time()}}

    def describe(self) -> dict[str, Any]:
        return {"tester_hardness": {"source": "sim", "dtype": "number", "shape": [], "units": "HV"}}


tester = Tester()


def anneal(temp: float, hold: float, quench: str = "w", seconds: float = 0.0) -> Iterator[Any]:
    """Anneal one sample: 100 HV at 400 K, and 1 HV less for each kelvin beside it."""
    with Path(os.environ["LAB_ACTS"]).open("a", encoding="utf-8") as acts:
        acts.write(f"{temp:g} {hold:g} {quench}\n")

    @bpp.run_decorator(md={})
    def inner() -> Iterator[Any]:
        yield from bps.sleep(seconds)
        if temp > 900:
            raise SampleCracked("it is in two halves")
        if temp > 800:
            raise RuntimeError("infeasible: it cracked")
        if temp > 700:
            raise OSError("the furnace does not answer")
        tester.value = 100.0 - abs(temp - 400.0)
        yield from bps.create("primary")
        yield from bps.read(tester)
        yield from bps.save()

    yield from inner()
