"""Bundles, backups and copies: what comes out of a file is what went in, or an error that says why not."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import arangopipe
from arangopipe import audit, bundle
from arangopipe.bundle.format import Bundle
from arangopipe.errors import Conflict, InvalidInput, NotFound, SchemaMismatch, StoreUnavailable
from arangopipe.store import open_store
from arangopipe.store.abilities import Maintenance
from arangopipe.store.base import Store
from arangopipe.testing.build import every, named, points, run, write
from filled import DATA, SECRET, fill, fill_secret, read_all
from places import ENGINES, empty_store
from worlds import canonical


@pytest.fixture(params=ENGINES)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store with rows of every sort, erased ones too."""
    (tmp_path / "source").mkdir()
    with empty_store(request, request.param, tmp_path / "source") as url, open_store(url) as store:
        fill(store)
        fill_secret(store)
        secret = [node for node in every(store, "datasets") if node.name == SECRET]
        assert isinstance(store, Maintenance)
        store.erase(["run/secret", secret[0].id], "dpo", "asked to")
        yield store


@pytest.fixture(params=ENGINES)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    (tmp_path / "target").mkdir()
    with empty_store(request, request.param, tmp_path / "target") as url, open_store(url) as store:
        yield store


def answers(store: Store) -> Any:
    """Return all that a store answers, but for the order of rows within a change."""
    found = read_all(store)
    found["changes"] = [
        change._replace(entries=tuple(sorted(change.entries, key=repr))) for change in found["changes"]
    ]
    return found


def give(store: Store, path: Path, **more: Any) -> bundle.Imported:
    return bundle.import_bundle(store, path, actor="mover", **more)


# --- as it is ------------------------------------------------------------------------------------


def test_an_empty_store_takes_over_all_as_it_was(source: Store, target: Store, tmp_path: Path) -> None:
    path = tmp_path / "all.bundle"
    done = bundle.export(source, path)
    assert (done.changes, done.whole, done.bytes) == (23, True, path.stat().st_size)
    assert SECRET not in gzip.decompress(path.read_bytes()).decode()
    result = give(target, path)
    assert (result.verbatim, result.new, result.known) == (True, 23, 0)
    assert answers(target) == answers(source)
    assert audit.verify(target) == audit.verify(source)
    again = give(target, path)
    assert (again.verbatim, again.new, again.known) == (True, 0, 23)
    assert [name.name for name in tmp_path.iterdir() if name.name.startswith(".")] == []


def test_a_later_bundle_goes_on_where_the_first_ended(source: Store, target: Store, tmp_path: Path) -> None:
    bundle.export(source, tmp_path / "first", until=9)
    assert give(target, tmp_path / "first").new == 9
    bundle.export(source, tmp_path / "second")
    result = give(target, tmp_path / "second")
    assert (result.verbatim, result.new, result.known) == (True, 14, 9)
    assert answers(target) == answers(source)
    assert give(target, tmp_path / "first").known == 9


def test_an_empty_store_is_a_bundle_too(target: Store, tmp_path: Path) -> None:
    with open_store("memory://") as empty:
        assert bundle.export(empty, tmp_path / "empty").changes == 0
    assert give(target, tmp_path / "empty").new == 0
    assert target.head() is None


# --- merged --------------------------------------------------------------------------------------


def test_a_store_with_changes_of_its_own_merges(source: Store, target: Store, tmp_path: Path) -> None:
    write(target, named("models", "own"))
    bundle.export(source, tmp_path / "all.bundle")
    result = give(target, tmp_path / "all.bundle")
    assert (result.verbatim, result.new, result.known) == (False, 23, 0)
    assert audit.verify(target).ok
    mine = [node for node in canonical(target)["nodes"] if node.name != "own"]
    assert mine == canonical(source)["nodes"]
    assert canonical(target)["edges"] == canonical(source)["edges"]
    assert canonical(target)["points"] == canonical(source)["points"]
    first = next(target.changes(1))
    (original,) = source.changes(limit=1)
    assert first.batch == original.batch
    assert (first.actor, first.action, first.origin and first.origin.actor) == ("mover", "test", "admin")
    before = list(target.changes())
    again = give(target, tmp_path / "all.bundle")
    assert (again.new, again.known) == (0, 23)
    assert list(target.changes()) == before


def test_a_change_from_the_future_is_refused(target: Store, tmp_path: Path) -> None:
    write(target, named("models", "own"))
    with open_store("memory://") as other:
        write(other, named("models", "theirs"))
        bundle.export(other, tmp_path / "b")
    lines = gzip.decompress((tmp_path / "b").read_bytes()).decode().splitlines()
    change = json.loads(lines[1])
    change["time"] = "2199-01-01T00:00:00.000000Z"
    rewrite(tmp_path / "b", [lines[0], json.dumps(change)])
    with pytest.raises(InvalidInput, match="ahead of this machine's clock"):
        give(target, tmp_path / "b")
    assert target.head() == next(target.changes())


# --- parts ---------------------------------------------------------------------------------------


def fill_projects(store: Store) -> None:
    with arangopipe.ArangoPipeAdmin(store, actor="ann") as admin:
        for name in ("heart", "lung"):
            admin.register_project(name)
    for name in ("heart", "lung"):
        pipe = arangopipe.ArangoPipe(store, project=name, actor="ann")
        data = pipe.register_dataset("shared", exist_ok=True, rows=1)
        own = pipe.register_dataset(f"{name} data")
        features = pipe.register_featureset("base", dataset=own, project=name)
        model = pipe.register_model(f"{name} model")
        metrics = {"rmse": 1.0}
        kept = pipe.log_run(
            dataset=data, featureset=features, model=model, params={"a": 1}, metrics=metrics, capture=False
        )
        placed = pipe.admin.register_deployment(f"{name} live", run=kept)
        period = ("2026-01-01T00:00Z", "2026-01-02T00:00Z")
        pipe.log_serving_perf(placed, {"rmse": 2.0}, period=period)
        with pipe.start_run(model=model, dataset=own, capture=False) as active:
            active.log_metric("loss", 1.5, step=1)


def test_a_project_is_cut_out_with_what_it_depends_on(target: Store, tmp_path: Path) -> None:
    with open_store("memory://") as store:
        fill_projects(store)
        done = bundle.export(store, tmp_path / "heart", project="heart")
        assert (done.whole, done.project) == (False, "heart")
        with pytest.raises(NotFound, match="known: heart, lung"):
            bundle.export(store, tmp_path / "liver", project="liver")
        whole = canonical(store)
    write(target, named("models", "own"))
    assert give(target, tmp_path / "heart").verbatim is False
    found = canonical(target)
    names = {node.name for node in found["nodes"] if node.name}
    assert names == {"own", "heart", "shared", "heart data", "base", "heart model", "heart live"}
    kinds = [node.kind for node in found["nodes"]]
    counted = {"run": 2, "modelparams": 2, "devperf": 2, "servingperf": 1, "deployment": 1}
    assert {kind: kinds.count(kind) for kind in counted} == counted
    ids = {node.id for node in found["nodes"]}
    assert set(found["edges"]) == {e for e in whole["edges"] if {e.source, e.target} <= ids}
    assert [list(series) for series in found["points"].values()] in ([["loss"], []], [[], ["loss"]])
    assert audit.verify(target).ok


def test_a_span_of_time(source: Store, tmp_path: Path) -> None:
    changes = list(source.changes())
    done = bundle.export(source, tmp_path / "a", since=changes[4].time, until=changes[8].time)
    assert (done.first, done.last, done.changes, done.whole) == (5, 9, 5, False)
    found = [change.number for change in Bundle(tmp_path / "a").changes()]
    assert found == [5, 6, 7, 8, 9]
    assert bundle.export(source, tmp_path / "b", since=24).changes == 0


def test_a_part_without_what_came_before_is_refused(source: Store, target: Store, tmp_path: Path) -> None:
    bundle.export(source, tmp_path / "late", since=6)
    with pytest.raises(NotFound, match="import the bundle of earlier changes first"):
        give(target, tmp_path / "late")
    assert target.head() is None
    bundle.export(source, tmp_path / "early", until=5)
    write(target, named("models", "own"))
    give(target, tmp_path / "early")
    give(target, tmp_path / "late")
    assert audit.verify(target).ok


# --- files that are no good ----------------------------------------------------------------------


def rewrite(path: Path, lines: list[str]) -> None:
    """Write lines as a bundle whose footer is right."""
    from hashlib import sha256

    data = "".join(f"{line}\n" for line in lines).encode()
    footer = {"changes": len(lines) - 1, "entries": 0, "sha256": sha256(data).hexdigest()}
    path.write_bytes(gzip.compress(data + json.dumps({"footer": footer}).encode() + b"\n"))


def test_a_file_that_was_cut_short_is_refused(source: Store, tmp_path: Path) -> None:
    path = tmp_path / "all.bundle"
    bundle.export(source, path)
    data = path.read_bytes()
    for size in [*range(40), *range(40, len(data), len(data) // 60), len(data) - 1]:
        path.write_bytes(data[:size])
        with open_store("memory://") as store:
            with pytest.raises(InvalidInput, match=r"all\.bundle is (damaged|no bundle)"):
                give(store, path)
            assert store.head() is None


def test_a_file_that_was_altered_is_refused(source: Store, tmp_path: Path) -> None:
    path = tmp_path / "all.bundle"
    bundle.export(source, path)
    plain = gzip.decompress(path.read_bytes())
    rng = random.Random(7)
    for place in rng.sample(range(len(plain) - 1), 150):
        altered = bytearray(plain)
        altered[place] ^= 1 << rng.randrange(7)
        path.write_bytes(gzip.compress(bytes(altered)))
        with open_store("memory://") as store:
            with pytest.raises((InvalidInput, SchemaMismatch)):
                give(store, path)
            assert store.head() is None


def test_lines_that_are_no_changes_are_refused(source: Store, target: Store, tmp_path: Path) -> None:
    path = tmp_path / "all.bundle"
    bundle.export(source, path)
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()[:-1]
    for wrong in ("{}", "[]", "null", "x", '{"change": "x"}', lines[2].replace('"closed"', '"x"')[:-9]):
        rewrite(path, [lines[0], lines[1], wrong])
        with pytest.raises(InvalidInput, match="is damaged"):
            give(target, path)
    rewrite(path, [lines[0], lines[1], lines[3]])
    with pytest.raises(arangopipe.StoreError, match="does not follow"):
        give(target, path)


def test_files_that_are_no_bundles(target: Store, tmp_path: Path) -> None:
    path = tmp_path / "x"
    with pytest.raises(InvalidInput, match="there is no file"):
        give(target, path)
    for data in (b"", b"hello", gzip.compress(b""), gzip.compress(b"{}\n"), gzip.compress(b'{"format":1}')):
        path.write_bytes(data)
        with pytest.raises(InvalidInput, match=r"x is (no bundle|damaged)"):
            give(target, path)
    newer = gzip.compress(b'{"format":"arangopipe bundle","version":2}\n{"footer":{}}\n')
    path.write_bytes(newer)
    with pytest.raises(SchemaMismatch, match="pip install -U arangopipe"):
        give(target, path)
    with pytest.raises(StoreUnavailable):
        give(target, tmp_path)


def test_nothing_is_overwritten_unasked(source: Store, tmp_path: Path) -> None:
    path = tmp_path / "all.bundle"
    path.write_text("mine")
    with pytest.raises(InvalidInput, match="is there already"):
        bundle.export(source, path)
    assert path.read_text() == "mine"
    bundle.export(source, path, overwrite=True)
    Bundle(path).check()
    with pytest.raises(InvalidInput, match="no folder"):
        bundle.export(source, tmp_path / "no" / "x")


def test_a_failed_export_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store("memory://") as store:
        fill(store)

        def broken(*_: Any, **__: Any) -> Iterator[Any]:
            yield from list(type(store).changes(store, entries=True))[:3]
            raise RuntimeError("lost")

        monkeypatch.setattr(store, "changes", broken)
        with pytest.raises(RuntimeError):
            bundle.export(store, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


# --- large ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_memory_does_not_grow_with_the_store(tmp_path: Path) -> None:
    def peak(runs: int) -> tuple[int, int]:
        found = []
        with open_store(f"sqlite:///{tmp_path}/{runs}.db?durability=relaxed") as store:
            write(store, DATA)
            for start in range(0, runs, 10):
                write(store, *[run(f"{number:06}", note="x" * 1_500) for number in range(start, start + 10)])
            tracemalloc.start()
            bundle.export(store, tmp_path / f"{runs}.bundle")
            found.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        with open_store(f"sqlite:///{tmp_path}/{runs}-copy.db?durability=relaxed") as copy:
            tracemalloc.start()
            give(copy, tmp_path / f"{runs}.bundle")
            found.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        return found[0], found[1]

    peak(100)  # what is loaded once
    small, large = peak(3_000), peak(9_000)
    for less, more in zip(small, large, strict=True):
        assert more < 1.5 * less


# --- kill -9 -------------------------------------------------------------------------------------

IMPORT = """
import os, signal, sys
from arangopipe import bundle
from arangopipe.bundle import importing
from arangopipe.store import open_store
importing.CHUNK = 100
store = open_store(sys.argv[1])
left = int(sys.argv[3])

def dying(write):
    def once(*given):
        global left
        done = write(*given)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    return once

store.append, store.adopt = dying(store.append), dying(store.adopt)
print("ready", flush=True)
bundle.import_bundle(store, sys.argv[2], actor="mover")
"""


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.parametrize("own", [False, True], ids=["as it is", "merged"])
def test_killed_while_it_imports(tmp_path: Path, own: bool) -> None:
    with open_store("memory://") as store:
        write(store, DATA)
        for number in range(300):
            write(store, run(f"{number:06}"), points=[points(f"run/{number:06}", "loss", 1.0)])
        bundle.export(store, tmp_path / "all.bundle")
        expected = canonical(store)
    url = f"sqlite:///{tmp_path}/target.db"
    with open_store(url) as target:
        if own:
            write(target, named("models", "own"))
            expected["nodes"] = sorted([*expected["nodes"], *canonical(target)["nodes"]])
    rng = random.Random(3)
    partial = 0
    for attempt in range(8):
        # The first dies after it has written once, the others at any moment.
        writes = "0" if attempt else "1"
        command = [sys.executable, "-c", IMPORT, url, str(tmp_path / "all.bundle"), writes]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            if attempt:
                time.sleep(rng.uniform(0, 0.5))
                process.send_signal(signal.SIGKILL)
            process.wait()
        with open_store(url) as target:
            assert audit.verify(target).ok
            head = target.head()
            partial += 0 < (head.number if head else 0) < 301
            ids = [node.id for node in every(target, "run")]
            assert all(target.points(node_id) for node_id in ids)
    with open_store(url) as target:
        result = give(target, tmp_path / "all.bundle")
        assert result.new + result.known == 301
        assert canonical(target) == expected
        assert audit.verify(target).ok
    assert partial


# --- backups -------------------------------------------------------------------------------------

WRITE = """
import sys
import arangopipe
pipe = arangopipe.connect(sys.argv[1], actor="writer", capture=False)
number = 0
while True:
    run = pipe.log_run(name=f"{sys.argv[2]}-{number}", params={"number": number}, metrics={"rmse": 1.0})
    print(run.key, flush=True)
    number += 1
"""


@pytest.mark.fault
@pytest.mark.slow
def test_a_backup_while_others_write(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/runs.db"
    with open_store(url) as store:
        write(store, *[run(f"old-{number}", note="x" * 5_000) for number in range(2_000)])
        command = [sys.executable, "-c", WRITE, url]
        more: dict[str, Any] = {"stdout": subprocess.PIPE, "text": True}
        writers = [subprocess.Popen([*command, str(number)], **more) for number in range(2)]
        try:
            logged = [writer.stdout.readline().strip() for writer in writers for _ in range(5)]
            told: list[tuple[int, int | None]] = []
            done = bundle.backup(store, tmp_path / "b.db", progress=lambda *parts: told.append(parts))
            grown = store.head()
        finally:
            for writer in writers:
                writer.kill()
                writer.communicate()
    pages = [done for done, total in told if total == told[0][1]]
    assert pages == sorted(pages)
    assert (len(pages) > 2, pages[-1]) == (True, told[0][1])
    assert grown is not None
    assert grown.number > done.changes
    with open_store(f"sqlite:///{tmp_path}/b.db") as copy:
        assert audit.verify(copy).head == done.head
        assert None not in copy.get([f"run/{key}" for key in logged])
        assert None not in copy.get([f"modelparams/{key}" for key in logged])
    assert sorted(path.name for path in tmp_path.glob(".*")) == []


def test_restoring_keeps_what_was_there(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/runs.db"
    with open_store(url) as store:
        fill(store)
        bundle.backup(store, tmp_path / "b")
        before = read_all(store)
        write(store, named("models", "later"))
        with pytest.raises(InvalidInput, match="is there already"):
            bundle.backup(store, tmp_path / "b")
    with pytest.raises(InvalidInput, match="there is a store at"):
        bundle.restore(tmp_path / "b", url)
    done = bundle.restore(tmp_path / "b", url, force=True)
    with open_store(url) as store:
        assert read_all(store) == before
        write(store, named("models", "on"))
    assert done.kept is not None
    with open_store(f"sqlite:///{done.kept}") as old:
        assert [node.name for node in every(old, "models")] == ["later", "ridge"]
    with pytest.raises(InvalidInput, match="there is no file"):
        bundle.restore(tmp_path / "no", f"sqlite:///{tmp_path}/new.db")
    bundle.restore(tmp_path / "b", f"sqlite:///{tmp_path}/new.db")


def test_a_damaged_backup_is_not_restored(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/runs.db"
    with open_store(url) as store:
        fill(store)
        bundle.backup(store, tmp_path / "b")
    data = bytearray((tmp_path / "b").read_bytes())
    place = data.index(b"sklearn")
    data[place : place + 7] = b"sklaern"
    (tmp_path / "b").write_bytes(data)
    before = (tmp_path / "runs.db").read_bytes()
    with pytest.raises(arangopipe.StoreError, match="not intact"):
        bundle.restore(tmp_path / "b", url, force=True)
    assert (tmp_path / "runs.db").read_bytes() == before
    (tmp_path / "b").write_bytes(b"no database at all")
    with pytest.raises(arangopipe.StoreError, match="not a database"):
        bundle.restore(tmp_path / "b", url, force=True)
    assert (tmp_path / "runs.db").read_bytes() == before


# --- copies --------------------------------------------------------------------------------------


def test_a_copy_is_the_same_and_goes_on(source: Store, target: Store) -> None:
    if source.url == target.url:
        with pytest.raises(InvalidInput, match="name two"):
            bundle.copy(source, target, actor="mover")
        return
    done = bundle.copy(source, target, actor="mover")
    assert (done.verbatim, done.new, done.known) == (True, 23, 0)
    assert done.compared > 5
    assert answers(target) == answers(source)
    write(source, named("models", "later"))
    done = bundle.copy(source, target, actor="mover")
    assert (done.verbatim, done.new, done.known) == (True, 1, 23)
    write(target, named("models", "own"))
    done = bundle.copy(source, target, actor="mover")
    assert (done.verbatim, done.new, done.known) == (True, 0, 24)
    write(source, named("models", "more"))
    before = read_all(target)
    with pytest.raises(Conflict, match=r"holds changes that .* does not have.*--merge"):
        bundle.copy(source, target, actor="mover")
    assert read_all(target) == before
    done = bundle.copy(source, target, actor="mover", merge=True)
    assert (done.verbatim, done.new, done.known) == (False, 1, 24)
    assert audit.verify(target).ok
