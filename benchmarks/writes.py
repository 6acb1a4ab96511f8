"""P1 and P2: log run after run, and load many at once, against the same rows written by hand."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import raw
from context import Bench
from result import Result
from stores import BATCHES, Stores

ONE_BY_ONE, IN_BULK = 0.75, 0.7

LOGGING: dict[str, dict[str, bool]] = {
    "durable": {"durable": True, "capture": False, "by_name": False},
    "durable, with capture": {"durable": True, "capture": True, "by_name": False},
    "durable, references by name": {"durable": True, "capture": False, "by_name": True},
    "relaxed": {"durable": False, "capture": False, "by_name": False},
    "relaxed, with capture": {"durable": False, "capture": True, "by_name": False},
}

FIRST = 10_000_000
"""Runs that are logged one by one are numbered from here."""


def bulk(bench: Bench, stores: Stores, seed: Path) -> None:
    """Fill a store and its twin, batch by batch in turn; small ones several times."""
    rates: dict[int, list[tuple[float, float]]] = {batch: [] for batch in BATCHES}

    def load(into: Stores, turn: int) -> None:
        for part in into.load(turn):
            bench.tell(f"load {part.runs:,} of {into.size:,} runs")
            rates[part.batch].append((part.ours, part.raw))
            if into is stores:
                parts.append(asdict(part))

    parts = bench.found.loads.setdefault(stores.size, [])
    load(stores, 0)
    for repeat in range(1, min(bench.effort.repeats, bench.effort.repeats * 1_000 // stores.size)):
        with Stores(bench.folder, stores.size, bench.effort.width, f"-{repeat}") as again:
            load(again, repeat)
        again.remove()
    for batch, rounds in rates.items():
        if rounds:
            bench.add(Result("bulk", f"log_runs, {batch} a batch", stores.size, "/s", rounds, IN_BULK))
    grown = stores.settle() - seed.stat().st_size
    bench.found.bytes[stores.size] = {
        "per_run": round(grown / stores.size),
        "tables": raw.tables(stores.ours),
    }


def log(bench: Bench, several: Sequence[Stores]) -> None:
    """Log run after run, each variant in turn with the hand-written one, in each store."""
    rates: dict[tuple[str, int], list[tuple[float, float]]] = {
        (name, stores.size): [] for name in LOGGING for stores in several
    }
    first, chunk = FIRST, bench.effort.chunk
    # The first round warms up.
    for turn in range(bench.effort.rounds + 1):
        for (name, variant), stores in itertools.product(LOGGING.items(), several):
            pair = stores.log(first, chunk, **variant)
            first += chunk
            if turn:
                rates[name, stores.size].append(pair)
    for (name, size), rounds in rates.items():
        bench.add(Result("log", f"log_run, {name}", size, "/s", rounds, ONE_BY_ONE))
