"""P10: how long the server takes for each page in stores of each size, and what a page weighs."""

from __future__ import annotations

import dataclasses
import shutil
import statistics
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import team
from context import Bench
from coprocess import HERE, Coprocess, Failed
from environments import MLFLOW_SERVER
from result import COUNTING, Result
from stores import checkpoint

import arangopipe
import served
from arangopipe.store import open_store
from visits import Asked, Visitor

ALLOWED_KB = 300.0
BARE = "/health"
"""What the same server answers without looking into the store."""

RUNS = 5
"""Runs that are compared."""

LIMIT = 50
SEARCH = {"kind": "run", "q": "params.depth = 6 and metrics.acc > 0.5", "order": "metrics.acc desc"}
PEER_FILTER = "params.depth = '6' and metrics.acc > 0.5"
Rounds = dict[tuple[str, int], list[tuple[float, float]]]
"""By what was asked for and the size of the store: milliseconds of it, and of a bare answer."""


@dataclasses.dataclass(frozen=True)
class Page:
    """Where a page is, and what it asks for once it is there."""

    path: str
    parts: dict[str, str] = dataclasses.field(default_factory=dict)
    counting: dict[str, str] = dataclasses.field(default_factory=dict)
    """Parts that count what grows with the store."""


@dataclasses.dataclass(frozen=True)
class Side:
    """A server on the store of one size."""

    size: int
    visitor: Visitor
    pages: dict[str, Page]

    def asked(self) -> dict[str, str]:
        """Return all that is timed, by its name."""
        found = {}
        for name, page in self.pages.items():
            found[name] = page.path
            found |= {f"{name}, {part}": path for part, path in page.parts.items()}
            found |= {f"{COUNTING}{name}, {part}": path for part, path in page.counting.items()}
        return found


def pages(bench: Bench, sizes: Sequence[int], kept: Path | None, peers_at: int) -> None:
    """Measure the pages of stores of each size, then beside what a peer's page asks its server for."""
    stores = {size: _store(bench, size, kept) for size in sizes}
    found = {size: _pages(bench, path, size) for size, path in stores.items()}
    firsts: Rounds = defaultdict(list)
    for start in range(bench.effort.visits):
        with ExitStack() as stack:
            sides = []
            for size, path in stores.items():
                bench.tell(f"pages: a server on {size:,} runs")
                server = stack.enter_context(served.ours(f"sqlite:///{path}", bench.folder / "http.log"))
                visitor = Visitor(server.port, server.clock)
                stack.callback(visitor.close)
                sides.append(Side(size, visitor, found[size]))
                for name, asked in sides[-1].asked().items():
                    firsts[name, size].append(_pair(visitor, asked))
            if start == bench.effort.visits - 1:
                bench.tell("pages, each store in turn")
                _report(bench, _in_turns(bench, sides), firsts)
                _weigh(bench, sides[-1])
                _against_peer(bench, [side for side in sides if side.size == peers_at], stack)


def _store(bench: Bench, size: int, kept: Path | None) -> Path:
    """Load a store, or go on with one that is kept; of that a copy is returned."""
    path = (kept or bench.folder) / f"team-{size}.db"
    for done in team.load(path, size, bench.effort.width):
        bench.tell(f"pages: load {done:,} of {size:,} runs")
    checkpoint(path)
    return Path(shutil.copy(path, bench.folder)) if kept else path


def _pages(bench: Bench, path: Path, size: int) -> dict[str, Page]:
    """Record what is not bulk, and return the pages that are looked at."""
    shape = bench.effort.shapes[-1]
    with open_store(f"sqlite:///{path}") as store:
        loaded = store.head().number
    dataset = team.live(path, size, bench.effort.width, shape)
    with arangopipe.connect(f"sqlite:///{path}") as pipe:
        newest = [run.key for run in pipe.search("run", limit=RUNS)]
        model = pipe.lookup_model("model_0", project="project_00").key
        used = pipe.lookup_dataset("dataset_0").key
    run, compared = newest[0], urlencode({"run": newest}, doseq=True)
    search = {name: SEARCH[name] for name in ("kind", "q")}
    return {
        "home": Page("/", counting={"counts": "/home/counts"}),
        "all runs": Page("/search"),
        "search": Page(
            f"/search?{urlencode(SEARCH)}",
            {"names": "/search/attributes?kind=run"},
            {"facets": f"/search/facets?{urlencode(search)}"},
        ),
        "search as of a change": Page(f"/search?{urlencode({'q': SEARCH['q'], 'as_of': loaded})}"),
        "find": Page("/find/names?text=dataset_1"),
        "run": Page(f"/entity/run/{run}", {"curves": f"/entity/run/{run}/points.json"}),
        "dataset of many runs": Page(f"/entity/datasets/{used}"),
        "lineage of a run": Page(f"/lineage/run/{run}"),
        "lineage of a model": Page(f"/lineage/models/{model}"),
        f"lineage, {shape.nodes:,} nodes": Page(f"/lineage/datasets/{dataset.key}?depth=all"),
        f"compare {RUNS} runs": Page(
            f"/compare?{compared}",
            {"plots": f"/compare/values.json?{compared}", "curves": f"/compare/points.json?{compared}"},
        ),
        "question": Page(
            "/questions/leaderboard",
            {"names": "/questions/leaderboard/names"},
            {"answer": "/questions/leaderboard/answer?metric=acc&task=bench"},
        ),
        "deployments": Page(
            "/deployments", {"serving": "/deployments/serving?tag=prod-0", "impact": "/deployments/impact"}
        ),
        "audit": Page("/audit"),
        "administration": Page("/admin/deployments"),
    }


def _pair(visitor: Visitor, *asked: Asked) -> tuple[float, float]:
    seconds = visitor.timed(*asked)
    return seconds * 1e3, visitor.timed(BARE) * 1e3


def _in_turns(bench: Bench, sides: Sequence[Side]) -> Rounds:
    """Ask for everything that costs as much each time, the stores in turn; the first round was before."""
    found: Rounds = defaultdict(list)
    names = [name for name in sides[0].asked() if not name.startswith(COUNTING)]
    for turn in range(bench.effort.rounds):
        for name in names:
            for side in sides[:: 1 if turn % 2 else -1]:
                found[name, side.size].append(_pair(side.visitor, side.asked()[name]))
    return found


def _report(bench: Bench, found: Rounds, firsts: Rounds) -> None:
    """Keep what was found; what counts is kept by the server for a minute, so only its first time is told."""
    for (name, size), first in firsts.items():
        rounds = found.get((name, size), first)
        took = statistics.median(ours for ours, _ in first)
        note = f"by hand: {BARE}; " + (f"first {took:,.0f} ms" if rounds is not first else "first time")
        bench.add(Result("pages", name, size, "ms", rounds, None, note))


def _weigh(bench: Bench, side: Side) -> None:
    for name, page in side.pages.items():
        weight = side.visitor.weight(page.path, *page.parts.values(), *page.counting.values())
        note = f"most that is allowed; sent with gzip {weight.sent / 1e3:,.0f} kB"
        if weight.charts:
            note += f"; charts {weight.charts / 1e3:,.0f} kB, sent {weight.charts_sent / 1e3:,.0f} kB"
        bench.add(
            Result("pages", f"weight of {name}", None, "kB", [(weight.unpacked / 1e3, ALLOWED_KB)], 1.0, note)
        )


def _against_peer(bench: Bench, sides: Sequence[Side], stack: ExitStack) -> None:
    """Measure pages beside what a peer's page asks its server for: its scripts are not run."""
    if not sides or (python := bench.python(MLFLOW_SERVER)) is None:
        return
    (side,) = sides
    bench.tell("pages, and the peer's server")
    peer = stack.enter_context(Coprocess([python, HERE / MLFLOW_SERVER.script], bench.folder / "peers.log"))
    try:
        peer.ask("open", path=str(bench.folder / "peer-pages.db"), width=bench.effort.width)
        peer.ask("fill", first=1, count=side.size)
        place = peer.ask("place")
        visitor = Visitor(place["port"])
        stack.callback(visitor.close)
        for name, asked in _peer_pages(place).items():
            rounds = []
            for _ in range(bench.effort.rounds + 1):
                ours = side.visitor.timed(side.pages[name].path) * 1e3
                rounds.append((ours, visitor.timed(*asked) * 1e3))
            note = f"index.html and {len(asked) - 1} calls of its page, one after the other; no script is run"
            bench.add(
                Result("pages", name, side.size, "ms", rounds[1:], None, note, against=MLFLOW_SERVER.name)
            )
        theirs = visitor.weight("/")
        pair = side.visitor.weight(side.pages["search"].path).sent / 1e3, theirs.sent / 1e3
        note = "search, as sent; of theirs only what index.html names"
        bench.add(Result("pages", "weight", None, "kB", [pair], None, note, against=MLFLOW_SERVER.name))
    except (Failed, OSError) as error:
        bench.leave_out(MLFLOW_SERVER.name, error)


def _peer_pages(place: dict[str, Any]) -> dict[str, tuple[Asked, ...]]:
    """Return what the pages of MLflow ask for that show the same."""
    api = "/ajax-api/2.0/mlflow"
    experiment = f"{api}/experiments/get?experiment_id={place['experiment']}"
    listed = urlencode({"max_results": 25, "order_by": "last_update_time DESC", "view_type": "ACTIVE_ONLY"})
    table = {
        "experiment_ids": [place["experiment"]],
        "filter": PEER_FILTER,
        "run_view_type": "ACTIVE_ONLY",
        "max_results": LIMIT,
        "order_by": ["metrics.`acc` DESC"],
    }
    return {
        "home": ("/", f"{api}/experiments/search?{listed}"),
        "search": ("/", experiment, (f"{api}/runs/search", table)),
        "run": ("/", experiment, f"{api}/runs/get?run_id={place['run']}"),
    }
