"""P10: how long the server takes for each page in stores of each size, and what a page weighs."""

from __future__ import annotations

import dataclasses
import statistics
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlencode

import recording
import workload
from context import Bench
from coprocess import HERE, Coprocess, Failed
from environments import MLFLOW_SERVER
from result import COUNTING, Result
from stores import OPTIONS, Stores

import arangopipe
import served
from visits import Asked, Visitor

ALLOWED_KB = 300.0
BARE = "/health"
"""What the same server answers without looking into the store."""

RUNS = 5
"""Runs that are compared."""

LIMIT = 50
SEARCH = {"kind": "run", "q": "params.depth = 6 and metrics.acc > 0.5", "order": "metrics.acc desc"}
PEER_FILTER = "params.depth = '6' and metrics.acc > 0.5"
SHAPE = dataclasses.replace(workload.SHAPES[1], label="pages")
"""A lineage of about a thousand nodes, and what is deployed, in the stores of all sizes."""

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


def pages(bench: Bench, several: Sequence[Stores], peers_at: int) -> None:
    """Measure the pages of stores of each size, then beside what a peer's page asks its server for."""
    found = {stores.size: _pages(stores) for stores in several}
    firsts: Rounds = defaultdict(list)
    for start in range(bench.effort.visits):
        with ExitStack() as stack:
            sides = []
            for stores in several:
                bench.tell(f"pages: a server on {stores.size:,} runs")
                url = f"sqlite:///{stores.ours}"
                server = stack.enter_context(served.ours(url, bench.folder / "http.log"))
                visitor = Visitor(server.port, server.clock)
                stack.callback(visitor.close)
                sides.append(Side(stores.size, visitor, found[stores.size]))
                for name, path in sides[-1].asked().items():
                    firsts[name, stores.size].append(_pair(visitor, path))
            if start == bench.effort.visits - 1:
                bench.tell("pages, each store in turn")
                _report(bench, _in_turns(bench, sides), firsts)
                _weigh(bench, sides[-1])
                _against_peer(bench, [side for side in sides if side.size == peers_at], stack)


def _pages(stores: Stores) -> dict[str, Page]:
    """Record a lineage with deployments, and return the pages that are looked at."""
    with arangopipe.connect(f"sqlite:///{stores.ours}", **OPTIONS) as pipe:
        newest = [run.key for run in pipe.search("run", limit=RUNS)]
        dataset = recording.make_lineage(pipe, SHAPE)
    run, compared = newest[0], urlencode({"run": newest}, doseq=True)
    search = {name: SEARCH[name] for name in ("kind", "q")}
    return {
        "home": Page("/", counting={"counts": "/home/counts"}),
        "search": Page(
            f"/search?{urlencode(SEARCH)}",
            {"names": "/search/attributes?kind=run"},
            {"facets": f"/search/facets?{urlencode(search)}"},
        ),
        "run": Page(f"/entity/run/{run}", {"curves": f"/entity/run/{run}/points.json"}),
        "lineage of a run": Page(f"/lineage/run/{run}"),
        f"lineage, {SHAPE.nodes:,} nodes": Page(f"/lineage/datasets/{dataset.key}?depth=all"),
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
            "/deployments",
            {
                "serving": f"/deployments/serving?tag=lineage_{SHAPE.label}_0",
                "impact": "/deployments/impact",
            },
        ),
        "audit": Page("/audit"),
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
