"""Measure Arangopipe against hand-written SQL on the same tables, and against its peers, in one run.

All sides take turns, so that a noisy machine disturbs all of them, and so do the stores of all sizes.
What is printed are medians of the rounds. The sides must give the same answers: a difference ends the
run with an error. No timing ever does.
"""

from __future__ import annotations

import argparse
import gc
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, closing
from datetime import datetime, timezone
from pathlib import Path

import over_http
import peers
import reads
import starts
import training
import webpages
import writes
from clock import count_processor_time
from context import QUICK, Bench, Effort
from coprocess import Failed
from report import show
from result import GROUPS, machine
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from stores import Mismatch, Stores, make_seed

import places
import writers

SIZES = (1_000, 10_000, 100_000)
PEERS_AT = 10_000
OVER_TWINS = ("log", "bulk", "lookup", "lineage", "search", "start")
"""Groups that need a store of each size, and the same written by hand."""


def measure(bench: Bench, sizes: Sequence[int], kept: Path | None, peers_at: int) -> None:
    """Measure everything that was asked for."""
    bench.say("things to refer to")
    seed = make_seed(bench.folder, bench.effort.width)
    twins = sizes if any(bench.wants(group) for group in OVER_TWINS) else ()
    with ExitStack() as stack:
        for size in twins:
            bench.say(f"load {size:,} runs")
            load(bench, size, seed, kept)
        empty, *filled = [
            stack.enter_context(Stores(bench.folder, size, bench.effort.width)) for size in (0, *twins)
        ]
        for group, work in (("lookup", reads.lookup), ("search", reads.search)):
            bench.say(group)
            if bench.wants(group):
                work(bench, filled)
        bench.say("log")
        if bench.wants("log"):
            writes.log(bench, [empty, *filled])
        bench.say("compare what was written")
        for stores in (empty, *filled):
            stores.compare()
        bench.say("lineage")
        if bench.wants("lineage"):
            reads.lineage(bench, filled)
    bench.say("pages")
    if bench.wants("pages"):
        webpages.pages(bench, sizes, kept, peers_at)
    bench.say("peers")
    if peers_at and any(bench.wants(group) for group in peers.TARGETS):
        peers.compare(bench, peers_at)
    bench.say("writers")
    if bench.wants("writers"):
        writers.writers(bench)
    bench.say("http")
    if bench.wants("http"):
        over_http.http(bench)
    bench.say("start")
    if bench.wants("start"):
        starts.start(bench, {stores.size: stores.ours for stores in filled})
    bench.say("training")
    if bench.wants("training"):
        training.training(bench)
    bench.say("stores")
    if bench.wants("stores"):
        places.stores(bench)


def load(bench: Bench, size: int, seed: Path, kept: Path | None) -> None:
    """Load the stores of a size; those that are kept are only ever copied once they are full."""
    with Stores(kept or bench.folder, size, bench.effort.width) as stores:
        writes.bulk(bench, stores, seed)
    if kept:
        for path in (stores.ours, stores.raw):
            shutil.copy(path, bench.folder / path.name)


def check_kept(kept: Path, seed: Path, width: int) -> None:
    """End the program if stores were kept from another schema."""
    schemas = []
    for path in (make_seed(kept, width), seed):
        with closing(sqlite3.connect(path)) as connection:
            schemas.append(connection.execute("SELECT sql FROM sqlite_master ORDER BY 1").fetchall())
    if schemas[0] != schemas[1]:
        sys.exit(f"the stores in {kept} have another schema than this Arangopipe makes: delete that folder")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute: 1,000 runs, few rounds, no peers")
    parser.add_argument("--only", metavar="GROUPS", help=f"some of {','.join(GROUPS)}")
    parser.add_argument("--sizes", metavar="N,N", help="runs in the stores: 1000,10000,100000")
    parser.add_argument("--peers-at", type=int, metavar="N", help="runs in peers' stores: 10000; 0: none")
    parser.add_argument(
        "--cpu",
        action="store_true",
        help="count processor time, not time passed: for a busy machine; waiting for the disk is free then",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round to a file")
    parser.add_argument("--page", type=Path, metavar="FILE", help="bring the figures in a page up to date")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep loaded stores, and use them again")
    parser.add_argument("--work", type=Path, metavar="DIR", help="where the other files are while it runs")
    given = parser.parse_args()
    given.groups = given.only.split(",") if given.only else list(GROUPS)
    if unknown := sorted(set(given.groups) - set(GROUPS)):
        parser.error(f"no group is called {', '.join(unknown)}: {', '.join(GROUPS)}")
    default = SIZES[:1] if given.quick else SIZES
    given.sizes = sorted({int(size) for size in given.sizes.split(",")}) if given.sizes else default
    if min(given.sizes) < 100:
        parser.error("--sizes takes numbers of runs, at least 100")
    if given.peers_at is None:
        given.peers_at = 0 if given.quick else PEERS_AT
    return given


def main() -> int:
    """Run from the command line."""
    given = _arguments()
    for name in [name for name in os.environ if name.startswith("ARANGOPIPE_")]:
        del os.environ[name]
    if given.cpu:
        count_processor_time()
    # What has been imported need not be looked through by each of the many collections of garbage.
    gc.freeze()
    console, errors = Console(), Console(stderr=True)
    with ExitStack() as stack:
        if given.work:
            given.work.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.TemporaryDirectory(
            prefix="arangopipe-bench-", dir=given.work, ignore_cleanup_errors=True
        )
        folder = Path(stack.enter_context(temporary))
        os.environ["ARANGOPIPE_HOME"] = str(folder / "home")
        effort = QUICK if given.quick else Effort()
        if given.keep:
            given.keep.mkdir(parents=True, exist_ok=True)
            check_kept(given.keep.resolve(), make_seed(folder, effort.width), effort.width)
            given.keep = given.keep.resolve()
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        progress = stack.enter_context(Progress(*columns, console=errors, transient=True))
        bench = Bench(folder, given.groups, given.peers_at > 0, effort, progress, len(given.sizes) + 12)
        found = bench.found
        found.machine = {"date": f"{datetime.now(timezone.utc):%Y-%m-%d}", **machine(folder)}
        found.machine["clock"] = "processor time" if given.cpu else "time passed"
        try:
            measure(bench, given.sizes, given.keep, given.peers_at)
        except (Mismatch, Failed) as error:
            what = "the answers differ" if isinstance(error, Mismatch) else "our own side failed"
            errors.print(f"{what}: {error}", style="red", markup=False)
            return 1
        finally:
            progress.stop()
    show(found, console if console.is_terminal else Console(width=180))
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(found.to_json())
    if given.page:
        # It loads matplotlib, which does not belong to the memory that is measured.
        import page

        page.update(given.page, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
