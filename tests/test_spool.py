"""The spool: what a store could not take is recorded later, in order, exactly once."""

from __future__ import annotations

import os
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import arangopipe
from arangopipe import (
    ArangoPipe,
    ArangopipeWarning,
    NotFound,
    StoreUnavailable,
    audit,
    connect,
    outbox,
)
from arangopipe.model import documents
from arangopipe.model.graph import Batch, Change, Edge, Node, Origin, Put
from arangopipe.model.ids import uuid7
from arangopipe.model.wire import batch_dict, batch_from
from arangopipe.spool import files as spool
from arangopipe.spool.overview import summary
from arangopipe.spool.replay import Replay
from arangopipe.store import open_store
from arangopipe.store.base import Store
from arangopipe.store.settings import absolute
from arangopipe.store.sql import SQLiteStore
from arangopipe.testing import strategies
from until import until

AWAY = "the network is down"


class Faulty(SQLiteStore):
    """A store whose next writes go as `plan` says: "ok", "down", "lost" (recorded, answer lost), "hang"."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.plan: list[str] = []
        self.otherwise = "ok"
        self.unreadable = False
        self.answer = threading.Event()

    def find(self, *where: Any, **more: Any) -> tuple[Node, ...]:
        if self.unreadable:
            raise StoreUnavailable(AWAY)
        return super().find(*where, **more)

    def write(self, batch: Batch, patience: float | None = None) -> Change:
        fate = self.plan.pop(0) if self.plan else self.otherwise
        if fate == "down":
            raise StoreUnavailable(AWAY)
        if fate == "bug":
            raise RuntimeError("a bug of the store")
        if fate == "hang":
            self.answer.wait(60)
        if fate == "hang and fail":
            self.answer.wait(60)
            raise StoreUnavailable(AWAY)
        change = super().write(batch, patience)
        if fate == "lost":
            raise StoreUnavailable("the answer was lost")
        return change


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Faulty]:
    with Faulty(url) as opened:
        yield opened


@pytest.fixture
def pipe(store: Faulty) -> ArangoPipe:
    return ArangoPipe(store, capture=False)


@contextmanager
def away(store: Faulty, unreadable: bool = False) -> Iterator[None]:
    """The store takes nothing meanwhile; that is said once."""
    store.otherwise, store.unreadable = "down", unreadable
    with pytest.warns(ArangopipeWarning) as told:
        yield
    store.otherwise, store.unreadable = "ok", False
    assert [str(warning.message) for warning in told] == [
        f"{AWAY}; what is recorded waits in the spool until the store is back (see 'arangopipe spool list')"
    ]


@contextmanager
def warned(match: str = "") -> Iterator[None]:
    """Something is said meanwhile, and only once."""
    with pytest.warns(ArangopipeWarning, match=match) as told:
        yield
    assert len(told) == 1


def waiting(url: str | None = None) -> list[str]:
    """The actions of the batches that wait, in order."""
    found = [line.entry.batch for file in spool.files(url) for line in file.lines()]
    return [batch.action for batch in found if batch is not None]


def reconnect(pipe: ArangoPipe) -> ArangoPipe:
    """The next connection, of which the first has let go of its spool."""
    pipe.outbox.close()
    again = connect(pipe.store.url, capture=False)
    until(lambda: not spool.files())  # after a while that goes on in the background
    return again


def retry(pipe: ArangoPipe) -> None:
    """Let the outbox try the store again now."""
    pipe.outbox._try_at = 0
    pipe.outbox._start()


def arrives(condition: Any) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


def values(pipe: ArangoPipe, run: Any, name: str) -> list[tuple[int, float | str]]:
    return [(point.step, point.value) for point in pipe.metric_points(run, name)]


def content(store: Store) -> dict[str, Any]:
    """All runs with what belongs to them, without what depends on the clock."""
    found: dict[str, Any] = {}
    for node in store.search("run", limit=10_000).items:
        params, metrics = store.get([f"modelparams/{node.key}", f"devperf/{node.key}"])
        document = {k: v for k, v in node.document.items() if k not in ("start", "end")}
        points = {
            name: [(point.step, point.value) for point in series]
            for name, series in store.points(node.id).items()
        }
        edges = sorted(edge.ref for edge in store.edges([node.id]))
        found[node.key] = (document, params and params.document, metrics and metrics.document, points, edges)
    return found


# --- the wire ------------------------------------------------------------------------------------

nodes = st.builds(
    Node,
    st.sampled_from(["run", "datasets"]),
    st.sampled_from(["a", "b"]),
    strategies.texts(),
    strategies.texts(),
    strategies.texts(),
    st.integers(0, 3),
    strategies.canonical_documents(),
)
edges = st.builds(
    Edge,
    st.sampled_from(["related", "run_datasets"]),
    strategies.texts(),
    strategies.texts(),
    st.integers(0, 3),
    strategies.canonical_documents(),
)
origins = st.builds(
    Origin,
    strategies.texts(),
    st.integers(0, 3),
    st.datetimes(timezones=st.just(timezone.utc)),
    strategies.texts(),
    strategies.canonical_documents(),
)
batches = st.builds(
    Batch,
    strategies.texts(),
    st.lists(st.builds(Put, nodes, st.sampled_from(["absent", "any", 0, 7])), max_size=3).map(tuple),
    st.lists(edges, max_size=3).map(tuple),
    st.lists(strategies.texts() | edges.map(lambda edge: edge.ref), max_size=3).map(tuple),
    st.lists(strategies.series(), max_size=3).map(tuple),
    strategies.texts(),
    strategies.texts(),
    strategies.texts(),
    st.lists(strategies.texts(), max_size=2).map(tuple),
    st.integers(0, 3),
    st.none() | origins,
)


@given(batches)
def test_a_batch_is_the_same_after_the_wire(batch: Batch) -> None:
    assert batch_from(batch_dict(batch)) == batch
    raw = spool.Entry("memory://", spool.times.now(), "why", batch).line()
    assert raw.count(b"\n") == 1
    assert spool.parsed(raw).batch == batch


@pytest.mark.parametrize("value", [None, [], {}, {"id": 1, "puts": 3}, {"id": "x", "puts": [{"node": {}}]}])
def test_what_is_no_batch_is_refused(value: Any) -> None:
    with pytest.raises(arangopipe.InvalidInput, match="no batch"):
        batch_from(value)


# --- runs that go on -----------------------------------------------------------------------------


def test_a_store_that_is_away_changes_nothing_for_the_training(pipe: ArangoPipe, store: Faulty) -> None:
    data = pipe.register_dataset("d")
    with away(store):
        with pipe.start_run(dataset=data, tag="t") as run:
            run.log_params({"alpha": 1.0})
            run.log_metric("loss", 1.0, step=0)
            run.flush()
            with run.start_run(name="inner") as inner:
                inner.log_metric("loss", 2.0, step=0)
            run.log_metric("loss", 0.5, step=1)
        ended = run.close()
        assert (ended.status, ended.params, ended.metrics) == ("finished", {"alpha": 1.0}, {"loss": 0.5})
        assert pipe.count("run") == 0
    assert waiting() == ["start run", "log to run", "start run", "end run", "end run"]
    with reconnect(pipe) as again:
        found = again.lookup_run(run)
        assert (found.document, found.params, found.metrics) == (
            (ended.document, ended.params, ended.metrics)
        )
        assert values(again, run, "loss") == [(0, 1.0), (1, 0.5)]
        assert again.lookup_run("inner").parent == run.id
        assert run.id in again.downstream(data)
        assert audit.verify(again.store).ok
        actions = [change.action for change in again.store.changes()]
    assert actions == [
        "register datasets", "start run", "log to run", "start run", "end run", "end run",
    ]  # fmt: skip


def test_the_users_own_error_goes_on_unchanged(pipe: ArangoPipe, store: Faulty) -> None:
    with away(store), pytest.raises(ValueError, match="mine"), pipe.start_run() as run:
        raise ValueError("mine")
    with reconnect(pipe) as again:
        found = again.lookup_run(run)
        assert found.status == "failed"
        assert found.error is not None
        assert found.error["message"] == "mine"


def test_a_store_that_goes_and_comes_back_gets_all_in_order(pipe: ArangoPipe, store: Faulty) -> None:
    with warned(), pipe.start_run() as run:
        for step in range(30):
            run.log_metric("loss", float(step), step=step)
            store.otherwise = "down" if 10 <= step < 20 else "ok"
            run.flush()
            run.set_tag("step", step)
    assert arrives(lambda: not spool.files())
    assert values(pipe, run, "loss") == [(step, float(step)) for step in range(30)]
    assert pipe.lookup_run(run).tags == {"step": 29}
    times = [point.time for point in pipe.metric_points(run, "loss")]
    assert times == sorted(times)


def test_a_write_whose_answer_was_lost_is_there_once(pipe: ArangoPipe, store: Faulty) -> None:
    store.plan = ["lost", "lost", "lost", "lost"]
    with warned(), pipe.start_run() as run:
        run.log_metric("loss", 1.0, step=0)
        run.flush()
        run.log_metric("loss", 2.0, step=1)
    with reconnect(pipe) as again:
        assert values(again, run, "loss") == [(0, 1.0), (1, 2.0)]
        assert len(list(again.store.changes())) == 3


@pytest.mark.parametrize("fate", ["hang", "hang and fail"])
def test_a_store_that_hangs_is_waited_for_in_bounds(
    pipe: ArangoPipe, store: Faulty, fate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "PATIENCE", 0.2)
    run = pipe.start_run()
    run.log_metric("loss", 1.0, step=0)
    store.plan = [fate]
    with pytest.warns(ArangopipeWarning, match="has not answered for 0 s"):
        run.flush()
    run.log_metric("loss", 2.0, step=1)
    began = time.monotonic()
    assert run.close().status == "finished"
    pipe.log_run(name="meanwhile")
    assert time.monotonic() - began < 30, "it waited for the store although it hangs"
    assert waiting() == ["log to run", "end run", "log run"]
    store.answer.set()
    assert arrives(lambda: not spool.files())
    assert values(pipe, run, "loss") == [(0, 1.0), (1, 2.0)]
    assert pipe.lookup_run(run).status == "finished"
    assert pipe.lookup_run("meanwhile").status == "finished"
    assert len(list(store.changes())) == 4


def test_another_store_is_not_held_up_by_one_that_hangs(
    pipe: ArangoPipe, store: Faulty, tmp_path: Path
) -> None:
    run = pipe.start_run()
    run.log_metric("loss", 1.0, step=0)
    store.plan = ["hang"]
    run.hand_over()
    with connect(f"sqlite:///{tmp_path}/other.db", capture=False) as other:
        with other.start_run() as quick:
            quick.log_metric("loss", 1.0, step=0)
        assert other.lookup_run(quick).status == "finished"
    store.answer.set()
    run.close()


def test_what_the_run_set_before_is_kept(pipe: ArangoPipe, store: Faulty) -> None:
    with pipe.start_run(tags={"a": 1}) as run:
        run.log_param("p", 1)
        run.flush()
        with away(store):
            run.log_param("q", 2)
            run.set_tag("b", 2)
            run.close()
    with reconnect(pipe) as again:
        found = again.lookup_run(run)
    assert (found.tags, found.params, found.status) == ({"a": 1, "b": 2}, {"p": 1, "q": 2}, "finished")


def test_annotations_made_before_the_replay_are_kept(pipe: ArangoPipe, store: Faulty) -> None:
    run = pipe.start_run()
    with away(store):
        run.log_param("q", 2)
        run.close()
        pipe.outbox.close()
        store.otherwise = "ok"
        pipe.annotate(run, note="x")
    with reconnect(pipe) as again:
        found = again.lookup_run(run)
    assert (found["note"], found.status, found.params) == ("x", "finished", {"q": 2})


def test_a_run_that_was_deleted_meanwhile_does_not_break_the_training(
    pipe: ArangoPipe, store: Faulty
) -> None:
    with warned("not there"), pipe.start_run() as run:
        run.log_param("a", 1)
        pipe.admin.delete(run)
        run.flush()
        run.log_param("b", 1)
    other = pipe.log_run(name="unrelated")
    assert pipe.lookup_run(other).name == "unrelated"
    assert waiting() == ["log to run", "end run"]
    assert [file.refused for file in spool.files()] == [True]
    with pytest.raises(AssertionError), reconnect(pipe):
        pass  # what was refused is only tried again when someone says so
    replay = Replay(store, again=True)
    assert all(replay.file(file) for file in spool.files())
    assert (replay.recorded, len(replay.reasons)) == (0, 2)
    assert "not there" in replay.reasons[0]
    assert replay.reasons[1] == f"it refers to {run.id}, which could not be recorded"
    assert waiting() == ["log to run", "end run"]


def test_a_bug_of_the_store_does_not_break_the_training(pipe: ArangoPipe, store: Faulty) -> None:
    run = pipe.start_run()
    store.plan = ["bug"]
    with warned("a bug of the store"), run:
        run.log_param("a", 1)
    replay = Replay(store, again=True)
    pipe.outbox.close()
    assert all(replay.file(file) for file in spool.files())
    assert pipe.lookup_run(run).params == {"a": 1}


def test_references_are_still_resolved_as_the_run_starts(pipe: ArangoPipe) -> None:
    with pytest.raises(NotFound):
        pipe.start_run(dataset="datasets/none")
    assert not spool.files()
    assert outbox.watched() == []


def test_a_spool_that_cannot_be_written_is_told_and_tried_again(
    pipe: ArangoPipe, store: Faulty, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    home = os.environ["ARANGOPIPE_HOME"]
    run = pipe.start_run()
    store.otherwise = "down"
    monkeypatch.setenv("ARANGOPIPE_HOME", str(tmp_path / "file"))
    with warned("cannot be kept in the spool either"):
        run.log_metric("loss", 1.0, step=0)
        run.flush()
        run.log_metric("loss", 2.0, step=1)
        assert run.close().status == "finished"
    with pytest.raises(StoreUnavailable, match=f"{AWAY}; it cannot be kept"):
        pipe.log_run()
    assert outbox.watched() == [run]
    monkeypatch.setenv("ARANGOPIPE_HOME", home)
    store.otherwise = "ok"
    run.close()
    assert values(pipe, run, "loss") == [(0, 1.0), (1, 2.0)]
    assert pipe.lookup_run(run).status == "finished"
    assert outbox.watched() == []


# --- whole actions -------------------------------------------------------------------------------


def test_whole_runs_and_serving_periods_wait_too(pipe: ArangoPipe, store: Faulty) -> None:
    pipe.log_run(tag="prod", key="served")
    live = pipe.admin.register_deployment("prod", active_from="2026-01-01")
    with away(store):
        run = pipe.log_run(name="one", params={"a": 1}, metrics={"rmse": 2.0})
        assert (run.name, run.params, run.metrics, run.revision) == ("one", {"a": 1}, {"rmse": 2.0}, 0)
        assert pipe.log_runs([{"name": "two"}, {"name": "three"}]) == 2
        perf = pipe.log_serving_perf(live, {"rmse": 3.0}, period=("2026-01-02", "2026-01-03"))
        assert perf["rmse"] == 3.0
        with pytest.raises(StoreUnavailable):
            pipe.register_dataset("d")
        with pytest.raises(StoreUnavailable):
            pipe.annotate(live, note="x")
    with reconnect(pipe) as again:
        assert {found.name for found in again.search("run")} == {"", "one", "two", "three"}
        assert (again.lookup_run("one").id, again.lookup_run("one").document) == (run.id, run.document)
        assert again.lookup_servingperf(perf.id)["rmse"] == 3.0
        assert perf.id in again.downstream(live)


def test_later_runs_go_behind_what_waits(pipe: ArangoPipe, store: Faulty) -> None:
    with away(store):
        parent = pipe.log_run(name="parent")
        store.otherwise = "ok"
        pipe.outbox._try_at = time.monotonic() + 1_000
        pipe.log_run(name="child", parent=parent)
    assert waiting() == ["log run", "log run"]
    retry(pipe)
    assert arrives(lambda: not spool.files())
    assert pipe.lookup_run("child").parent == parent.id


def test_a_closed_store_loses_nothing(url: str) -> None:
    with open_store(url) as store:
        pipe = ArangoPipe(store, capture=False)
    with warned("is closed"):
        run = pipe.log_run(name="late")
    with reconnect(pipe) as again:
        assert again.lookup_run("late").id == run.id


def test_a_store_in_memory_says_what_is_lost() -> None:
    pipe = connect("memory://", capture=False)
    run = pipe.start_run()
    pipe.store.close()
    with pytest.raises(StoreUnavailable):
        pipe.log_run()
    with warned("is lost: a store in memory has no spool"):
        run.close()
    assert not spool.files()


# --- registering offline -------------------------------------------------------------------------


def test_things_registered_offline_may_be_used_at_once(pipe: ArangoPipe, store: Faulty) -> None:
    known = pipe.register_dataset("known", rows=1)
    with away(store, unreadable=True):
        data = pipe.register_dataset("d", source="x", offline=True)
        same = pipe.register_dataset("known", rows=1, version="1", offline=True)
        features = pipe.register_featureset("f", dataset=data, offline=True)
        model = pipe.register_model("m", technique="ridge", offline=True)
        with pipe.start_run(dataset=[data, same], featureset=features, model=model) as run:
            run.log_metric("loss", 1.0, step=0)
    assert same.id == known.id
    with reconnect(pipe) as again:
        assert again.lookup_dataset("d").id == data.id
        assert run.id in again.downstream(data)
        assert {node.name for node in again.upstream(run)} == {"d", "known", "f", "m", ""}


def test_what_was_registered_offline_with_other_content_holds_back_what_refers_to_it(
    pipe: ArangoPipe, store: Faulty
) -> None:
    pipe.register_dataset("d", rows=1)
    with away(store, unreadable=True):
        other = pipe.register_dataset("d", rows=2, version="1", offline=True)
        pipe.log_run(name="on the other", dataset=other)
        free = pipe.log_run(name="free")
        pipe.outbox.close()
    with warned("2 batches in the spool could not be recorded: .*already there"):
        connect(store.url, capture=False).close()
    assert [found.id for found in pipe.search("run")] == [free.id]
    assert waiting() == ["register datasets", "log run"]


def test_a_registration_whose_answer_was_lost_is_there_once(pipe: ArangoPipe, store: Faulty) -> None:
    pipe.register_dataset("d", rows=1)
    store.plan = ["lost"]
    with warned("the answer was lost"):
        data = pipe.register_dataset("d", rows=2, exist_ok=True, offline=True)
    with reconnect(pipe) as again:
        assert [found.version for found in again.search("dataset")] == ["2", "1"]
        assert again.lookup_dataset("d").id == data.id


# --- offline -------------------------------------------------------------------------------------


def test_offline_no_store_is_contacted(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARANGOPIPE_OFFLINE", "1")
    with connect(url, project="p", capture=False) as pipe:
        data = pipe.register_dataset("d")
        model = pipe.register_model("m")
        with pipe.start_run(dataset=data, model=model) as run:
            run.log_metric("loss", 1.0, step=0)
        pipe.log_run(dataset=data, parent=run)
        with pytest.raises(StoreUnavailable, match=r"'d' cannot be looked up .* offline=True"):
            pipe.start_run(dataset="d")
        for read in (pipe.search, pipe.count):
            with pytest.raises(StoreUnavailable, match="ARANGOPIPE_OFFLINE"):
                read("run")
    assert not (tmp_path / "store.db").exists()
    assert waiting(url) == ["register datasets", "register models", "start run", "end run", "log run"]
    monkeypatch.delenv("ARANGOPIPE_OFFLINE")
    with open_store(url) as store:
        ArangoPipe(store).admin.register_project("p")
    with connect(url) as pipe:
        assert not spool.files()
        found = pipe.lookup_run(run)
        assert (found.status, found.project) == ("finished", "p")
        assert run.id in pipe.downstream(data)


def test_a_disabled_or_memory_store_needs_no_spool_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARANGOPIPE_OFFLINE", "1")
    with connect("memory://", capture=False) as pipe:
        assert pipe.lookup_run(pipe.log_run(name="x")).name == "x"
    assert not spool.folder().exists()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("sqlite:///runs.db", f"sqlite:///{Path.cwd()}/runs.db", True),
        ("sqlite:////a/b.db?durability=relaxed", "sqlite:////a/b.db", True),
        ("sqlite:////a/b%20c.db", "sqlite:////a/b c.db", True),
        ("sqlite:////a/b.db", "sqlite:////a/c.db", False),
        ("postgresql://u:secret@host/db?sslmode=require", "postgresql://host/db", True),
        ("https://host:80/x/", "https://host:80/x", True),
        ("https://host:80", "https://host:81", False),
    ],
)
def test_which_addresses_mean_the_same_store(one: str, other: str, same: bool) -> None:
    assert (spool.mark(one) == spool.mark(other)) is same
    assert "secret" not in absolute(one)


# --- files ---------------------------------------------------------------------------------------


def keep(count: int, url: str = "sqlite:////nowhere/runs.db") -> spool.File:
    """A file with so many runs, of a process that has ended."""
    writer = spool.Writer(url, uuid7())
    for number in range(count):
        node = Node("run", f"r{number}", text=documents.dump({"number": number}))
        writer.append(spool.Entry(url, spool.times.now(), "why", Batch(uuid7(), (Put(node),))))
    assert writer.file is not None
    file = writer.file
    writer.close()
    return file


def test_a_line_that_was_cut_off_is_ignored(url: str) -> None:
    file = keep(3, url)
    whole = file.path.read_bytes()
    for cut in (1, 10, 200):
        file.path.write_bytes(whole[:-cut])
        assert len(list(file.lines())) == 2
    with connect(url) as pipe:
        assert {found.key for found in pipe.search("run")} == {"r0", "r1"}
    assert not spool.files()


def test_a_damaged_line_stays_and_holds_nothing_up(url: str) -> None:
    file = keep(3, url)
    lines = file.path.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b'"number":1', b'"number":7')
    file.path.write_bytes(b"".join(lines))
    with warned("the line is damaged"), connect(url) as pipe:
        assert {found.key for found in pipe.search("run")} == {"r0", "r2"}
    (left,) = spool.files()
    assert left.refused
    assert left.path.read_bytes() == lines[1]


def test_a_write_that_fails_leaves_the_file_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    writer = spool.Writer("sqlite:////nowhere/runs.db", uuid7())
    entry = spool.Entry("sqlite:////nowhere/runs.db", spool.times.now(), "why", Batch(uuid7()))
    writer.append(entry)
    real = os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) > 20:
            return real(descriptor, data[:20])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            writer.append(entry)
    writer.append(entry)
    assert writer.file is not None
    assert [line.entry for line in writer.file.lines()] == [entry, entry]


def test_a_full_spool_drops_points_and_counts_them_but_keeps_runs(
    pipe: ArangoPipe, store: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARANGOPIPE_SPOOL_MB", "0.001")
    store.otherwise = "down"
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(2):
            with pipe.start_run(tags={"text": "x" * 500}) as run:
                for step in range(50):
                    run.log_metric("loss", 1.0, step=step)
                run.log_param("a", 1)
    said = [str(warning.message).partition(";")[0] for warning in told]
    assert said == [AWAY, "the spool is full: points of metrics are dropped (see ARANGOPIPE_SPOOL_MB)"]
    (file,) = spool.files()
    found = summary(file)
    assert (found.runs, found.points, found.dropped, found.in_use) == (2, 0, 100, True)
    store.otherwise = "ok"
    with reconnect(pipe) as again:
        ended = again.lookup_run(run)
        assert (ended.status, ended.params, ended.metrics) == ("finished", {"a": 1}, {"loss": 1.0})


@pytest.mark.parametrize("wrong", ["much", "nan", "inf"])
def test_a_wrong_limit_is_said_and_breaks_nothing(
    pipe: ArangoPipe, store: Faulty, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.setenv("ARANGOPIPE_SPOOL_MB", wrong)
    run = pipe.start_run()
    store.otherwise = "down"
    run.log_metric("loss", 1.0, step=0)
    with warned("ARANGOPIPE_SPOOL_MB"):
        run.close()
    monkeypatch.delenv("ARANGOPIPE_SPOOL_MB")
    store.otherwise = "ok"
    run.close()
    assert values(pipe, run, "loss") == [(0, 1.0)]


def test_a_spool_that_is_removed_meanwhile_stops_nobody(pipe: ArangoPipe, store: Faulty) -> None:
    with away(store):
        pipe.log_run(name="gone")
        for file in spool.files():
            file.path.unlink()
    retry(pipe)
    assert arrives(lambda: not pipe.outbox._away)
    assert pipe.lookup_run(pipe.log_run(name="next")).name == "next"


def test_a_replay_costs_one_listing_where_nothing_waits(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "Replay", None)
    with connect(url, capture=False) as pipe:
        pipe.log_run()
    assert not spool.folder().exists()


def test_only_the_store_that_is_connected_is_replayed(url: str, tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path}/other.db"
    keep(2, url)
    keep(3, other)
    with connect(url) as pipe:
        assert pipe.count("run") == 2
    assert len(waiting(other)) == 3


# --- any sequence of faults ----------------------------------------------------------------------

FATES = st.sampled_from(["ok", "ok", "down", "lost"])
STEPS = st.lists(
    st.sampled_from(["metric", "single", "param", "tag", "flush", "whole", "inner"]), max_size=12
)


def play(pipe: ArangoPipe, steps: list[str]) -> None:
    """Do the same whatever the store does; only names and numbers that count up are recorded."""
    with pipe.start_run(key="outer") as run:
        for number, step in enumerate(steps):
            if step == "metric":
                run.log_metric("loss", float(number), step=number)
            elif step == "single":
                run.log_metric("rmse", float(number))
            elif step == "param":
                run.log_param(f"p{number % 3}", number)
            elif step == "tag":
                run.set_tag("t", number)
            elif step == "flush":
                run.flush()
            elif step == "whole":
                pipe.log_run(key=f"whole-{number}", parent=run, params={"n": number})
            elif step == "inner":
                with run.start_run(key=f"inner-{number}") as inner:
                    inner.log_metric("loss", float(number), step=0)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(steps=STEPS, plan=st.lists(FATES, max_size=25))
def test_whatever_fails_the_store_ends_as_if_nothing_had(steps: list[str], plan: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARANGOPIPE_HOME", f"{folder}/home")
        with warnings.catch_warnings(), Faulty(f"sqlite:///{folder}/faulty.db") as store:
            warnings.simplefilter("ignore", ArangopipeWarning)
            store.plan = list(plan)
            pipe = ArangoPipe(store, capture=False)
            play(pipe, steps)
            store.plan = []
            with reconnect(pipe) as again, connect("memory://", capture=False) as sound:
                play(sound, steps)
                assert content(again.store) == content(sound.store)
                ids = [change.batch for change in again.store.changes()]
                assert len(ids) == len(set(ids))
                assert audit.verify(again.store).ok
