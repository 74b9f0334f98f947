"""How soon the best of a historical table is found: labctl, chance, plain BoTorch, and BayBE.

OMP_NUM_THREADS=1 LABCTL_DATA=... python benchmarks/find_the_best.py --python baybe=ENV/bin/python

Everybody has the same table, the same five random experiments to begin with for each seed, the same budget,
and chooses among the recipes of the table, none twice; each is answered by the mean of its replicates. A peer
runs in a Python of its own (benchmarks/peers) and is told one answer at a time; all are used as they come.
Runs are kept in the file that --results names, and what is there is not run again, so that an interrupted
comparison goes on. Begin a new file after a change of the code.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from peers.process import Peer, PeerError
from sought import Sought, sought
from standing import show

from labctl.config import CampaignConfig, load_config
from labctl.datasets import found, load_card
from labctl.proposal import canonical_json
from labctl.replay.past import Past, past_of
from labctl.replay.runs import BY_EVIDENCE, run_one
from labctl.strategy import code_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
TABLES = {"crossed_barrel": "crossed_barrel", "fullerenes": "fullerenes", "photo_wf3": "mixture"}
"""By table, the ready campaign over it."""
OURS = {"labctl improve": "improve", "labctl evidence": BY_EVIDENCE}
PEERS = {"botorch": "botorch_ask.py", "baybe": "baybe_ask.py"}
START, BUDGET = 5, 60


@dataclass(frozen=True)
class Search:
    """One search: a strategy on a table with a seed.

    Attributes:
        rows: of the pool, in the order they were tried.
        cpu_seconds: of each choice after the start.
        versions: of what searched.
    """

    table: str
    who: str
    seed: int
    budget: int
    rows: list[int]
    cpu_seconds: list[float]
    versions: dict[str, str]


@dataclass(frozen=True)
class Kept:
    """The searches that were done, one in each line of a file.

    Attributes:
        file: which need not exist yet.
    """

    file: Path

    def searches(self) -> dict[tuple[str, str, int], Search]:
        """By table, strategy and seed; without lines that were cut short and other budgets."""
        done = {}
        for line in self.file.read_text().splitlines() if self.file.exists() else ():
            try:
                search = Search(**json.loads(line))
            except json.JSONDecodeError:
                continue
            if search.budget == BUDGET:
                done[search.table, search.who, search.seed] = search
        return done

    def add(self, search: Search) -> None:
        """Append one, as a line of its own even if the last was cut short."""
        whole = not self.file.exists() or self.file.read_bytes()[-1:] in {b"", b"\n"}
        with self.file.open("a") as file:
            file.write(f"{'' if whole else chr(10)}{json.dumps(asdict(search))}\n")


@dataclass(frozen=True)
class Table:
    """A table to search, under the rules that hold for everybody."""

    name: str
    config: CampaignConfig

    @property
    def content(self) -> str:
        """The campaign as JSON."""
        return canonical_json(self.config.as_json())

    @property
    def past(self) -> Past:
        """What the table answers."""
        return past_of(self.config.path, self.content)

    def ours(self, who: str, seed: int) -> Search:
        """A search of labctl's own loop."""
        run = run_one(self.config.path, self.content, OURS[who], seed, BUDGET)
        versions = {"labctl": code_version().removeprefix("labctl ")}
        return Search(self.name, who, seed, BUDGET, list(run.recipes), list(run.cpu_seconds), versions)

    def start(self, seed: int) -> list[int]:
        """The rows that every search with this seed begins with."""
        return list(run_one(self.config.path, self.content, "random", seed, START).recipes)

    def peers(self, who: str, peer: Peer, seed: int) -> Search:
        """A search of a peer, which is told only what it asked for."""
        past, pool = self.past, self.past.bench.space.pool
        columns = {name: [float(v) for v in values] for name, values in pool.columns.items()}  # type: ignore[union-attr]
        versions = peer.begin(columns, maximise=self.config.direction > 0, seed=seed)
        rows, seconds = self.start(seed), []
        for row in rows:
            peer.tell(row, float(past.worth[row]))
        while len(rows) < BUDGET:
            row, spent = peer.ask()
            if row in rows:
                raise PeerError(f"it chose row {row} once more")
            peer.tell(row, float(past.worth[row]))
            rows.append(row)
            seconds.append(spent)
        return Search(self.name, who, seed, BUDGET, rows, seconds, versions)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--table", choices=TABLES, action="append", help="all of them unless given")
    parser.add_argument("--who", choices=[*OURS, *PEERS], action="append", help="run these only; show all")
    parser.add_argument(
        "--python", action="append", default=[], metavar="PEER=PATH", help="that has this peer"
    )
    parser.add_argument("--results", type=Path, default=Path("find_the_best.jsonl"))
    given = parser.parse_args()
    kept, remarks = Kept(given.results), []
    named = [pair.partition("=") for pair in given.python]
    if any(peer not in PEERS or not python for peer, _, python in named):
        parser.error(f"--python takes PEER=PATH, where PEER is one of {', '.join(PEERS)}")
    pythons = {"botorch": sys.executable, **{peer: python for peer, _, python in named}}
    tables = []
    for name in given.table or TABLES:
        if found(load_card(name)) is None:
            remarks.append(f"{name}: not here; `labctl datasets path {name}` says how to get it")
        else:
            tables.append(Table(name, as_agreed(load_config(CONFIGS / f"{TABLES[name]}.yaml"))))
    for who in given.who or [*OURS, *PEERS]:
        try:
            for search in missing(who, tables, range(given.seeds), pythons, kept):
                kept.add(search)
                print(f"\r{who}: {search.table}, seed {search.seed}  ", end="", file=sys.stderr, flush=True)
        except PeerError as error:
            remarks.append(f"{who}: {error}")
        print(file=sys.stderr)
    done = kept.searches()
    for table in tables:
        of = {
            who: [done.get((table.name, who, seed)) for seed in range(given.seeds)] for who in (*OURS, *PEERS)
        }
        whole = {who: [s for s in some if s] for who, some in of.items() if all(some)}
        remarks += [f"{who} on {table.name}: not all seeds are done" for who in of if who not in whole]
        if not whole:
            continue
        what: Sought = sought(table.past, BUDGET, table.config.goal[1].unit)
        show(table.name, what, {w: [s.rows for s in some] for w, some in whole.items()}, tuple(OURS), START)
        print("\nCPU seconds a suggestion, without the validations that labctl evidence adds:\n")
        for who, some in whole.items():
            every = [second for search in some for second in search.cpu_seconds]
            print(f"- {who}: {sum(every) / len(every):.3f} ({versions_of(some)})")
    print("".join(f"\nLeft out: {remark}." for remark in remarks))
    return 0


def as_agreed(config: CampaignConfig) -> CampaignConfig:
    """The campaign under the rules of this comparison: answered by means, from a random start."""
    model = config.model
    changed = model.model_copy(
        update={
            "instrument": model.instrument.model_copy(update={"replicates": "mean"}),
            "strategy": model.strategy.model_copy(update={"initial": START, "start": "random"}),
        }
    )
    return CampaignConfig(config.path, changed)


def missing(
    who: str, tables: list[Table], seeds: range, pythons: Mapping[str, str], kept: Kept
) -> Iterator[Search]:
    """Do the searches of one strategy that have not been done."""
    done = kept.searches()
    todo = [(table, seed) for table in tables for seed in seeds if (table.name, who, seed) not in done]
    if not todo:
        return
    if who in OURS:
        yield from (table.ours(who, seed) for table, seed in todo)
        return
    if who not in pythons:
        raise PeerError(
            f"it needs a Python of its own with benchmarks/peers/{who}.txt; name it with --python {who}=PATH"
        )
    with Peer(PEERS[who], pythons[who]) as peer:
        yield from (table.peers(who, peer, seed) for table, seed in todo)


def versions_of(searches: list[Search]) -> str:
    """The versions that searched, each once."""
    each = dict.fromkeys(", ".join(f"{k} {v}" for k, v in search.versions.items()) for search in searches)
    return "; or ".join(each)


if __name__ == "__main__":
    sys.exit(main())
