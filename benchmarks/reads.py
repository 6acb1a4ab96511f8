"""P3, P4 and P5: look up, search and walk, against the best of several hand-written queries."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import recording
import workload
from clock import timed
from context import Bench
from result import Result
from stores import Stores, same

LOOKUP, SEARCH = 5.0, 2.0
LINEAGE = {"10": 2.5, "1k": 1.3, "10k": 1.3}

SEARCHES = {
    "param = and metric >, by metric": ("params.depth = 6 and metrics.acc > 0.5", "metrics.acc desc", 50),
    "rare param and metric >, by metric": ("params.fold = 500 and metrics.acc > 0.1", "metrics.acc desc", 50),
    "param =, best by metric": ("params.depth = 6", "metrics.acc desc", 1),
    "param =, newest first": ("params.depth = 6", None, 50),
    "rare param =, newest first": ("params.fold = 500", None, 50),
}
"""What is asked for, in which order, and how many of it."""


@dataclass(frozen=True)
class Read:
    """One question to the stores of one size: ours, and the hand-written forms of it."""

    size: int
    ours: Callable[[], Any]
    forms: dict[str, Callable[[], Any]]


def duel(bench: Bench, group: str, name: str, target: float, reads: Sequence[Read]) -> None:
    """Time ours and its hand-written forms in turn, at each size; the best form counts."""
    works: dict[tuple[int, str | None], Callable[[], Any]] = {}
    for read in reads:
        works[read.size, None] = read.ours
        works.update({(read.size, form): work for form, work in read.forms.items()})
    repeats = {
        key: max(1, min(1_000, int(bench.effort.seconds / max(timed(work), 1e-7))))
        for key, work in works.items()
    }
    rounds: list[dict[tuple[int, str | None], float]] = []
    for turn in range(bench.effort.rounds):
        spent = {}
        for key, work in list(works.items())[:: 1 if turn % 2 else -1]:
            count = repeats[key]
            spent[key] = timed(lambda: [work() for _ in range(count)]) / count * 1e3  # noqa: B023
        rounds.append(spent)
    for read in reads:
        medians = {form: statistics.median(spent[read.size, form] for spent in rounds) for form in read.forms}
        best = min(medians, key=lambda form: medians[form])
        pairs = [(spent[read.size, None], spent[read.size, best]) for spent in rounds]
        note = best if len(medians) > 1 else ""
        bench.add(Result(group, name, read.size, "ms", pairs, target, note))


def lookup(bench: Bench, several: Sequence[Stores]) -> None:
    """Look up datasets and runs by id and by name."""
    reads: dict[str, list[Read]] = {}
    for stores in several:
        pipe, reader = stores.reading, stores.reader
        numbers = bench.random.sample(range(1, stores.size + 1), min(1_000, stores.size))
        names = [workload.run_name(i) for i in numbers]
        datasets = [f"dataset_{i % bench.effort.width}" for i in numbers]
        run_ids = [f"run/{reader.run_by_name(name)[0][2]}" for name in names]
        dataset_ids = [f"datasets/{reader.by_name('datasets', name)[2]}" for name in datasets]
        sides: dict[str, tuple[Callable[[str], Any], Callable[[str], Any], list[str]]] = {
            "dataset by id": (pipe.lookup_dataset, reader.by_id, dataset_ids),
            "dataset by name": (
                pipe.lookup_dataset,
                lambda name, reader=reader: reader.by_name("datasets", name),
                datasets,
            ),
            "run by id": (pipe.lookup_run, reader.run_by_id, run_ids),
            "run by name": (pipe.lookup_run, reader.run_by_name, names),
        }
        for name, (ours, other, wanted) in sides.items():
            for one in wanted[:50]:
                same(f"{name} {one}", _entity(ours(one)), _rows(other(one)))
            ours_next, raw_next = itertools.cycle(wanted), itertools.cycle(wanted)
            read = Read(
                stores.size,
                lambda ours=ours, turn=ours_next: ours(next(turn)),
                {"select": lambda other=other, turn=raw_next: other(next(turn))},
            )
            reads.setdefault(name, []).append(read)
    for name, several_reads in reads.items():
        duel(bench, "lookup", name, LOOKUP, several_reads)


def search(bench: Bench, several: Sequence[Stores]) -> None:
    """Ask for first pages."""
    for name, (where, order, limit) in SEARCHES.items():
        reads = []
        for stores in several:
            pipe, reader = stores.reading, stores.reader
            read = Read(
                stores.size,
                lambda pipe=pipe, where=where, order=order, limit=limit: pipe.search(
                    "run", where, order_by=order, limit=limit
                ),
                {
                    form: lambda reader=reader, sql=sql: reader.search(sql)
                    for form, sql in reader.searches()[name].items()
                },
            )
            page = [(run.key, run.node.text, run.params_text, run.metrics_text) for run in read.ours()]
            for form, work in read.forms.items():
                same(f"{name} ({form}) at {stores.size:,}", page, work()[:limit])
            reads.append(read)
        duel(bench, "search", name, SEARCH, reads)


def lineage(bench: Bench, several: Sequence[Stores]) -> None:
    """Walk from datasets to all that came of them."""
    datasets = {
        (stores.size, shape): recording.make_lineage(stores.reading, shape)
        for stores in several
        for shape in bench.effort.shapes
    }
    for stores in several:
        stores.settle()
    for shape in bench.effort.shapes:
        reads = []
        for stores in several:
            reader, dataset = stores.reader, datasets[stores.size, shape]
            start = reader.id_of("datasets", dataset.key)
            read = Read(
                stores.size,
                lambda pipe=stores.reading, dataset=dataset: pipe.downstream(dataset),
                {
                    form: lambda reader=reader, sql=sql, start=start: reader.lineage(sql, start)
                    for form, sql in reader.lineages().items()
                },
            )
            words = reader.words()
            nodes = {(node.id, node.name, node.text) for node in read.ours()}
            same("nodes of a lineage", len(nodes), shape.nodes)
            for form, work in read.forms.items():
                rows = {(f"{words[kind]}/{key}", name or "", text) for _, kind, key, name, text in work()}
                same(f"lineage of {shape.nodes:,} nodes ({form})", nodes, rows)
            reads.append(read)
        duel(bench, "lineage", f"downstream, {shape.nodes:,} nodes", LINEAGE[shape.label], reads)


def _entity(entity: Any) -> list[Any]:
    node = entity.node
    shown = [node.key, node.name, node.version, node.project, node.revision, node.text]
    return shown + [getattr(entity, n) for n in ("params_text", "metrics_text") if hasattr(entity, n)]


def _rows(rows: Any) -> list[Any]:
    first, *owned = rows if isinstance(rows, list) else [rows]
    _, _, key, name, version, project, revision, text = first
    return [key, name or "", version or "", project, revision, text, *(row[7] for row in owned)]
