"""The spool: what a store could not take is recorded later, in order, exactly once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import arangopipe
from arangopipe import (
    ArangoPipe,
    ArangopipeWarning,
    StoreUnavailable,
    audit,
    connect,
    outbox,
)
from arangopipe.model.graph import Batch, Change, Edge, Node, Put
from arangopipe.model.wire import batch_dict, batch_from
from arangopipe.spool import files as spool
from arangopipe.store.base import Store
from arangopipe.store.sql import SQLStore
from arangopipe.testing import strategies

AWAY = "the network is down"


class Faulty(SQLStore):
    """A store whose next writes go as `plan` says: "ok", "down", "lost" (recorded, answer lost), "hang"."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.plan: list[str] = []
        self.otherwise = "ok"
        self.answer = threading.Event()

    def write(self, batch: Batch) -> Change:
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
        change = super().write(batch)
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
def away(store: Faulty) -> Iterator[None]:
    """The store takes nothing meanwhile; that is said once."""
    store.otherwise = "down"
    with pytest.warns(ArangopipeWarning) as told:
        yield
    store.otherwise = "ok"
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
    assert not spool.files()
    return again


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
