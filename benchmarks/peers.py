"""P1 to P5 against the peers: the same runs in stores of one size, and each takes its turn in each round."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import recording
import workload
from clock import timed
from context import Bench
from coprocess import HERE, Coprocess, Failed
from environments import MLFLOW, MLMD, MLMD_AS_SHIPPED, Peer
from result import Result
from stores import PART, Stores, checkpoint, same

TARGETS: dict[str, dict[Peer, float]] = {
    "log": {MLMD: 1.0, MLFLOW: 25.0},
    "bulk": {MLMD: 1.3},
    "lookup": {MLMD: 1.6},
    "lineage": {MLMD: 3.5},
    # Asked for at 100,000 runs; there a peer is slower still.
    "search": {MLMD: 100.0, MLFLOW: 100.0},
}

ABILITIES = {
    MLFLOW: ("log", "run_by_name", "search"),
    MLMD: ("log", "bulk", "run_by_name", "dataset_by_name", "search", "lineage"),
    MLMD_AS_SHIPPED: ("log", "bulk"),
}

DEPTH = 6
PAGES = (1, 50)

PATIENCE = 10_000
"""Stores of more runs are asked in fewer rounds: there a peer takes minutes for an answer."""

FIRST = 30_000_000
"""Runs that are logged one by one are numbered from here."""


@dataclass(frozen=True)
class Contest:
    """Our store, and the peers' processes with theirs."""

    bench: Bench
    stores: Stores
    sides: dict[Peer, Coprocess]

    @property
    def rounds(self) -> int:
        """How often each side is asked."""
        return self.bench.effort.rounds if self.stores.size <= PATIENCE else 3

    @property
    def part(self) -> int:
        """Runs that a side loads before the next has its turn."""
        return min(PART, self.stores.size)

    def turns(
        self,
        group: str,
        name: str,
        work: str,
        ours: Callable[[int], tuple[float, Any]],
        asked: Callable[[Peer, int], tuple[int, dict[str, Any]]],
    ) -> None:
        """Let each side work in each round; `ours` returns seconds for one piece of work, and its answer.

        `asked` returns how many pieces a peer does in a round, and what it is asked for.
        """
        rounds: dict[Peer, list[tuple[float, float]]] = {}
        notes: dict[Peer, str] = {}
        is_rate = group in ("log", "bulk")
        able = {peer: side for peer, side in self.sides.items() if work in ABILITIES[peer]}
        turns = self.stores.size // self.part if group == "bulk" else self.rounds
        for turn in range(turns):
            seconds, answer = ours(turn)
            for peer, side in list(able.items()):
                pieces, question = asked(peer, turn)
                try:
                    found = side.ask(work, **question)
                except Failed as error:
                    self.bench.leave_out(peer.name, error)
                    del able[peer], self.sides[peer]
                    continue
                theirs = found["seconds"] / pieces
                if answer is not None:
                    same(f"{name}, {peer.name}", answer[: len(found["answer"])], found["answer"])
                pair = (1 / seconds, 1 / theirs) if is_rate else (seconds * 1e3, theirs * 1e3)
                rounds.setdefault(peer, []).append(pair)
                notes[peer] = found.get("way", "")
        for peer, found_rounds in rounds.items():
            unit = "/s" if is_rate else "ms"
            target = TARGETS[group].get(peer)
            size = self.stores.size
            self.bench.add(
                Result(group, name, size, unit, found_rounds, target, notes[peer], against=peer.name)
            )


def compare(bench: Bench, size: int) -> None:
    """Measure what the peers can do too, on stores of a size."""
    with ExitStack() as stack:
        stores = Stores(bench.folder, size, bench.effort.width, "-peers")
        stack.callback(stores.remove)
        stack.enter_context(stores)
        sides, about = {}, {}
        for peer in ABILITIES:
            python = bench.python(peer)
            if python is None:
                continue
            command = [python, HERE / peer.script, *peer.arguments]
            side = stack.enter_context(Coprocess(command, bench.folder / "peers.log"))
            try:
                about[peer] = side.ask("open", path=str(_file(bench, peer)), width=bench.effort.width)
                if "bulk" not in ABILITIES[peer]:
                    side.ask("fill", first=1, count=size)
            except Failed as error:
                bench.leave_out(peer.name, error)
            else:
                sides[peer] = side
        contest = Contest(bench, stores, sides)
        bulk(contest)
        stores.settle()
        for peer in sides:
            checkpoint(_file(bench, peer))
            grown = (
                sum(path.stat().st_size for path in bench.folder.glob(f"{_file(bench, peer).name}*")) // size
            )
            said = "{version}, journal mode {journal}".format(**about[peer])
            bench.found.notes.append(f"{peer.name} {said}: {grown:,} bytes a run at {size:,}")
        for group, work in (("lookup", lookup), ("search", search), ("lineage", lineage), ("log", log)):
            if bench.wants(group):
                work(contest)


def _file(bench: Bench, peer: Peer) -> Path:
    return bench.folder / f"{peer.name.replace(' ', '-')}.db"


def bulk(contest: Contest) -> None:
    """Load the stores, 1,000 runs a transaction."""

    part = contest.part

    def ours(turn: int) -> tuple[float, None]:
        return contest.stores.fill_ours(turn * part + 1, part) / part, None

    def asked(_: Peer, turn: int) -> tuple[int, dict[str, Any]]:
        return part, {"first": turn * part + 1, "count": part}

    contest.turns("bulk", f"log_runs, {part} a batch", "bulk", ours, asked)


def lookup(contest: Contest) -> None:
    """Look up runs and datasets by name."""
    pipe, bench = contest.stores.reading, contest.bench
    for name, work, find, of in (
        ("run by name", "run_by_name", pipe.lookup_run, workload.run_name),
        ("dataset by name", "dataset_by_name", pipe.lookup_dataset, lambda i: f"dataset_{i}"),
    ):
        most = contest.stores.size if work == "run_by_name" else bench.effort.width - 1
        wanted = [
            [of(i) for i in bench.random.choices(range(1, most + 1), k=100)]
            for _ in range(bench.effort.rounds)
        ]

        def ours(turn: int, find: Any = find, wanted: Any = wanted) -> tuple[float, list[str]]:
            found: list[str] = []
            seconds = timed(lambda: found.extend(find(name).name for name in wanted[turn]))
            return seconds / len(wanted[turn]), found

        def asked(peer: Peer, turn: int, wanted: Any = wanted) -> tuple[int, dict[str, Any]]:
            names = wanted[turn][:5] if peer is MLFLOW else wanted[turn]
            return len(names), {"names": names}

        contest.turns("lookup", name, work, ours, asked)


def search(contest: Contest) -> None:
    """Ask for the best runs with a parameter."""
    pipe = contest.stores.reading
    for limit in PAGES:

        def page(limit: int = limit) -> Any:
            return pipe.search("run", f"params.depth = {DEPTH}", order_by="metrics.acc desc", limit=limit)

        def ours(_: int, page: Any = page) -> tuple[float, list[float]]:
            return timed(lambda: [page() for _ in range(20)]) / 20, [run.metrics["acc"] for run in page()]

        question = {"depth": DEPTH, "limit": limit}
        name = f"best {limit} of the runs where param ="
        contest.turns("search", name, "search", ours, lambda *_, question=question: (1, question))


def lineage(contest: Contest) -> None:
    """Walk down from a dataset."""
    pipe = contest.stores.reading
    for shape in contest.bench.effort.shapes:
        dataset = recording.make_lineage(pipe, shape)
        repeats = max(1, 1_000 // shape.nodes)

        def walk(dataset: Any = dataset) -> int:
            return len([node.text for node in pipe.downstream(dataset)])

        def ours(_: int, walk: Any = walk, repeats: int = repeats) -> tuple[float, None]:
            return timed(lambda: [walk() for _ in range(repeats)]) / repeats, None

        question = {"label": shape.label, "repeats": min(repeats, 10)}
        contest.turns(
            "lineage",
            f"downstream, {shape.nodes:,} nodes",
            "lineage",
            ours,
            lambda *_, question=question: (1, question),
        )


def log(contest: Contest) -> None:
    """Log run after run, durably, references given as entities."""
    chunk = contest.bench.effort.chunk

    def ours(turn: int) -> tuple[float, None]:
        return contest.stores.log_ours(FIRST + turn * chunk, chunk) / chunk, None

    def asked(peer: Peer, turn: int) -> tuple[int, dict[str, Any]]:
        count = chunk // 5 if peer is MLFLOW else chunk
        return count, {"first": FIRST + turn * chunk, "count": count}

    contest.turns("log", "log_run, durable", "log", ours, asked)
