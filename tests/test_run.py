"""Runs while they go on."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from collections.abc import Iterator
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arangopipe import (
    ActiveRun,
    ArangoPipe,
    ArangopipeWarning,
    Conflict,
    InvalidInput,
    NotFound,
    StoreUnavailable,
    connect,
    outbox,
)
from arangopipe.model.graph import Batch, Change
from arangopipe.store import open_store
from arangopipe.store.sql import SQLiteStore
from places import ENGINES, empty_store


@pytest.fixture(params=ENGINES)
def pipe(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ArangoPipe]:
    with empty_store(request, request.param, tmp_path) as url, connect(url, capture=False) as opened:
        yield opened


class Flaky(SQLiteStore):
    """A store that cannot be reached for the next few writes, or loses the answer to them."""

    down = 0
    lost = 0

    def write(self, batch: Batch, patience: float | None = None) -> Change:
        if self.down:
            self.down -= 1
            raise StoreUnavailable("the network is down")
        change = super().write(batch, patience)
        if self.lost:
            self.lost -= 1
            raise StoreUnavailable("the answer was lost")
        return change


@pytest.fixture
def flaky(tmp_path: Path) -> Iterator[ArangoPipe]:
    with Flaky(f"sqlite:///{tmp_path / 'flaky.db'}") as store:
        yield ArangoPipe(store, capture=False)


def changes(pipe: ArangoPipe) -> int:
    return len(list(pipe.store.changes()))


def values(pipe: ArangoPipe, run: Any, name: str) -> list[tuple[int, float | str]]:
    return [(point.step, point.value) for point in pipe.metric_points(run, name)]


def log_and_raise(run: ActiveRun, error: BaseException | None) -> None:
    with run:
        run.log_metric("loss", 1.0, step=0)
        if error is not None:
            raise error


# --- the block -----------------------------------------------------------------------------------


def test_a_run_is_running_in_its_block_and_finished_after_it(pipe: ArangoPipe) -> None:
    data = pipe.register_dataset("d")
    before = changes(pipe)
    with pipe.start_run(dataset=data, tag="t", name="n", seed=7, pipeline="P") as run:
        there = pipe.lookup_run(run.id)
        assert (there.status, there.tag, there.name, there.seed, there.end) == (
            ("running", "t", "n", 7, None)
        )
        assert there["pipeline"] == "P"
        assert run.id in pipe.downstream(data)
        assert (run.status, run.id) == ("running", f"run/{run.key}")
        assert "status='running'" in repr(run)
        run.log_params({"alpha": 1.0, "deep": {"x": [1]}})
        run.log_param("alpha", 2.0)
        run.log_fitted({"coef": np.array([1.5])})
        run.log_optimizer({"lr": 0.1})
        run.log_optimizer({"steps": 3})
        run.log_metrics({"rmse": 54.2, "matrix": [[1, 2]]})
        run.set_tag("team", "a")
        run.set_tags({"team": "b", "x": 1})
    ended = pipe.lookup_run(run.id)
    assert ended == run.close()
    assert ended.status == run.status == "finished"
    assert ended.start is not None
    assert ended.end is not None
    assert ended.start <= ended.end
    assert ended.params == {"alpha": 2.0, "deep": {"x": [1]}}
    assert (ended.fitted, ended.optimizer) == ({"coef": [1.5]}, {"lr": 0.1, "steps": 3})
    assert ended.metrics == {"rmse": 54.2, "matrix": [[1, 2]]}
    assert ended.tags == {"team": "b", "x": 1}
    assert changes(pipe) == before + 2


def test_an_empty_run_has_its_params_and_metrics_too(pipe: ArangoPipe) -> None:
    with pipe.start_run() as run:
        pass
    assert pipe.lookup_modelparams(run).params == {}
    assert pipe.lookup_devperf(run).metrics == {}
    assert {edge.kind for edge in pipe.edges(run)} == {"run_modelparams", "run_devperf"}


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (ValueError("bad"), "failed", "bad"),
        (KeyboardInterrupt(), "killed", ""),
        (SystemExit(3), "killed", "3"),
        (SystemExit(0), "finished", None),
        (SystemExit(), "finished", None),
        (GeneratorExit(), "failed", ""),
    ],
)
def test_an_exception_ends_the_run_and_goes_on_unchanged(
    pipe: ArangoPipe, error: BaseException, status: str, message: str | None
) -> None:
    run = pipe.start_run()
    with pytest.raises(type(error)) as caught:
        log_and_raise(run, error)
    assert caught.value is error
    ended = pipe.lookup_run(run.id)
    assert ended.status == status
    assert values(pipe, run, "loss") == [(0, 1.0)]
    if message is None:
        assert ended.error is None
    else:
        assert ended.error is not None
        assert (ended.error["type"], ended.error["message"]) == (type(error).__name__, message)
        assert "log_and_raise" in ended.error["traceback"]


def test_an_error_that_cannot_be_read_is_recorded_all_the_same(pipe: ArangoPipe) -> None:
    class Unreadable(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    run = pipe.start_run()
    with pytest.raises(Unreadable):
        log_and_raise(run, Unreadable())
    error = pipe.lookup_run(run).error
    assert error is not None
    assert "Unreadable" in error["type"]
    assert "could not be read" in error["message"]


def test_a_run_may_be_closed_by_hand(pipe: ArangoPipe) -> None:
    run = pipe.start_run(start="2026-11-23T09:00:00Z")
    for wrong in ({"status": "done"}, {"status": "running"}, {"end": "2026-11-23T08:00:00Z"}):
        with pytest.raises(InvalidInput):
            run.close(**wrong)
    ended = run.close("failed", "out of memory", end="2026-11-23T10:00:00Z")
    assert (ended.status, ended.error) == ("failed", {"message": "out of memory"})
    assert ended.end == datetime(2026, 11, 23, 10, tzinfo=timezone.utc)
    before = changes(pipe)
    assert run.close() == ended
    assert changes(pipe) == before
    with pipe.start_run() as other:
        other.close("killed")
    assert pipe.lookup_run(other).status == "killed"


def test_logging_to_a_run_that_has_ended_raises(pipe: ArangoPipe) -> None:
    with pipe.start_run() as run:
        run.log_metric("loss", 1.0, step=0)
    for late in (
        lambda: run.log_metric("loss", 1.0, step=1),
        lambda: run.log_metrics({"loss": 1.0}),
        lambda: run.log_metric("new", "text"),
        lambda: run.log_param("a", 1),
        lambda: run.set_tag("a", 1),
    ):
        with pytest.raises(Conflict, match="has ended"):
            late()
    run.flush()
    assert values(pipe, run, "loss") == [(0, 1.0)]


def test_references_are_resolved_as_the_run_starts(pipe: ArangoPipe) -> None:
    with pytest.raises(NotFound, match="no dataset is called 'x'"):
        pipe.start_run(dataset="x")
    with pytest.raises(InvalidInput):
        pipe.start_run(rate=math.nan)
    assert pipe.count("run") == 0
    assert outbox.watched() == []


def test_nested_runs_know_their_parent(pipe: ArangoPipe) -> None:
    pipe.admin.register_project("p")
    with pipe.start_run(project="p", name="sweep") as outer:
        for number in range(2):
            with outer.start_run(name=f"trial {number}") as inner:
                inner.log_param("i", number)
        with pytest.raises(ValueError, match="bad"), outer.start_run() as failing:
            raise ValueError("bad")
    trial = pipe.lookup_run("trial 1", as_of=None)
    assert (trial.parent, trial.project, trial.params) == (outer.id, "p", {"i": 1})
    nested = {edge.source for edge in pipe.edges(outer, ["run_parent"])}
    assert nested == {pipe.lookup_run(f"trial {number}").id for number in range(2)} | {failing.id}
    assert pipe.lookup_run(failing).status == "failed"
    assert pipe.lookup_run(outer).status == "finished"
    assert pipe.upstream(trial).of_kind("run") == (pipe.lookup_run(trial).node,)


# --- metrics -------------------------------------------------------------------------------------


def test_points_keep_step_and_time_and_the_last_is_the_metric(pipe: ArangoPipe) -> None:
    when = datetime(2026, 11, 23, tzinfo=timezone.utc)
    with pipe.start_run() as run:
        for step in (0, 2, 1):
            run.log_metric("loss", 1.0 / (step + 1), step=step)
        run.log_metric("loss", 9.0, step=2)
        run.log_metric("when", 1.0, step=0, time=when)
        run.log_metrics({"a": 1, "b": np.float32(0.5)}, step=np.int64(3))
    assert values(pipe, run, "loss") == [(0, 1.0), (1, 0.5), (2, 1 / 3), (2, 9.0)]
    assert pipe.metric_points(run, "when")[0].time == 1_795_392_000_000_000
    assert values(pipe, run, "b") == [(3, 0.5)]
    assert values(pipe, run, "none") == []
    assert pipe.lookup_run(run).metrics == {"loss": 9.0, "when": 1.0, "a": 1, "b": 0.5}
    assert pipe.count("run", "metrics.loss = 9 and metrics.loss.min < 0.4") == 1


def test_a_value_without_step_is_the_only_one_until_the_next(pipe: ArangoPipe) -> None:
    with pipe.start_run() as run:
        run.log_metric("once", 1)
        run.log_metric("twice", 1.0)
        run.flush()
        run.log_metric("twice", 2.0)
        run.log_metric("twice", 3.0)
        run.log_metric("late", 5.0, step=7)
        run.log_metric("late", 6.0)
    assert values(pipe, run, "once") == []
    assert values(pipe, run, "twice") == [(0, 1.0), (1, 2.0), (2, 3.0)]
    assert values(pipe, run, "late") == [(7, 5.0), (8, 6.0)]
    assert pipe.lookup_run(run).metrics == {"once": 1, "twice": 3.0, "late": 6.0}
    assert pipe.count("run", "metrics.twice = 3 and metrics.once = 1") == 1


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (1, 1),
        (1.5, 1.5),
        (np.float64(2.5), 2.5),
        (np.int32(3), 3),
        (np.array(4.5), 4.5),
        (np.array([5.5]), 5.5),
        (Decimal("0.5"), 0.5),
        (True, True),
        (np.bool_(True), True),
        ("text", "text"),
        (None, None),
        ([1, 2], [1, 2]),
        (np.array([1, 2]), [1, 2]),
        ({"a": math.nan}, {"a": "NaN"}),
        (10**400, 10**400),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_metrics_may_be_anything(pipe: ArangoPipe, value: Any, kept: Any) -> None:
    with pipe.start_run(strict=True) as run:
        run.log_metric("m", value)
    found = pipe.lookup_run(run).metrics["m"]
    assert found == kept
    assert type(found) is type(kept)


def test_metrics_that_are_not_finite_are_recorded(pipe: ArangoPipe) -> None:
    with pipe.start_run(strict=True) as run:
        for step, value in enumerate([1.0, math.inf, -math.inf, math.nan]):
            run.log_metric("loss", value, step=step)
        run.log_metric("plain", math.nan)
    assert values(pipe, run, "loss") == [(0, 1.0), (1, "Infinity"), (2, "-Infinity"), (3, "NaN")]
    found = pipe.lookup_run(run).metrics
    assert math.isnan(found["loss"])
    assert math.isnan(found["plain"])


def test_what_is_logged_is_taken_as_it_is_then(pipe: ArangoPipe) -> None:
    loss, params = np.array(1.0), {"layers": [1]}
    with pipe.start_run() as run:
        for step in range(3):
            run.log_metric("loss", loss, step=step)
            loss += 1
        run.log_params(params)
        params["layers"].append(2)
    assert values(pipe, run, "loss") == [(0, 1.0), (1, 2.0), (2, 3.0)]
    assert pipe.lookup_run(run).params == {"layers": [1]}


# --- values that cannot be recorded --------------------------------------------------------------


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def tolist(self) -> list[int]:
        raise RuntimeError("no list")


CYCLE: list[Any] = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    ("method", "arguments", "kept"),
    [
        ("log_params", ({"x": math.nan},), {"x": "NaN"}),
        ("log_params", ({"x": b"ab"},), {"x": "b'ab'"}),
        ("log_params", ({"x": Broken()},), {"x": "<Broken>"}),
        ("log_params", ({"x": CYCLE},), {"x": "[[...]]"}),
        ("log_params", ({"x": {(1, 2): 3}},), {"x": "{(1, 2): 3}"}),
        ("log_params", ({"_x": 1},), {"x": 1}),
        ("log_params", ({"": 1},), {"unnamed": 1}),
        ("log_params", ({"a\ud800": 1},), {"a\\ud800": 1}),
        ("log_params", (5,), {"unnamed": 5}),
        ("log_metric", ("x", b"ab"), {"x": "b'ab'"}),
        ("log_metric", ("x", Broken()), {"x": "<Broken>"}),
        ("log_metric", ("_x", 1.0), {"x": 1.0}),
        ("log_metric", ("x", "high", 3), {"x": "high"}),
        ("log_metric", ("x", 1.0, "three"), {"x": 1.0}),
        ("log_metric", ("x", 1.0, 2**70), {"x": 1.0}),
        ("log_metric", ("x", 1.0, None, "noon"), {"x": 1.0}),
        ("log_metrics", ([1],), {"unnamed": [1]}),
    ],
)
def test_a_bad_value_is_kept_with_one_warning_or_refused_by_a_strict_run(
    pipe: ArangoPipe, method: str, arguments: tuple[Any, ...], kept: dict[str, Any]
) -> None:
    with pipe.start_run() as run:
        with pytest.warns(ArangopipeWarning) as told:
            getattr(run, method)(*arguments)
        assert len(told) == 1
        assert told[0].filename == __file__
        getattr(run, method)(*arguments)
    found = pipe.lookup_run(run)
    assert (found.params if method == "log_params" else found.metrics) == kept
    with pytest.raises((InvalidInput, RuntimeError)), pipe.start_run(strict=True) as strict:
        getattr(strict, method)(*arguments)
    assert pipe.lookup_run(strict).status == "failed"


def test_names_that_are_no_text_become_text(pipe: ArangoPipe) -> None:
    with pipe.start_run(strict=True) as run:
        run.log_params({1: "a", None: 2})
        run.log_metric(["x"], 1.0)  # type: ignore[arg-type]
    found = pipe.lookup_run(run)
    assert found.params == {"1": "a", "None": 2}
    assert found.metrics == {"['x']": 1.0}


def test_a_metric_that_is_text_in_between_has_the_value_logged_last(pipe: ArangoPipe) -> None:
    with pipe.start_run() as run:
        run.log_metric("a", 1.0)
        run.log_metric("a", "broken")
        run.log_metric("b", 1.0)
        run.log_metric("b", "broken")
        run.log_metric("b", 2.0)
    assert pipe.lookup_run(run).metrics == {"a": "broken", "b": 2.0}


def test_params_called_fitted_and_optimizer(pipe: ArangoPipe) -> None:
    with pipe.start_run() as run:
        run.log_params({"optimizer": "adam"})
    assert pipe.lookup_run(run).params == {"optimizer": "adam"}
    with pipe.start_run() as run:
        run.log_params({"optimizer": "adam"})
        with pytest.warns(ArangopipeWarning, match="a param has it"):
            run.log_optimizer({"lr": 1})
    found = pipe.lookup_run(run)
    assert (found.params, found.optimizer) == ({"optimizer_": "adam"}, {"lr": 1})
    with pipe.start_run() as run:
        run.log_fitted({"b": 1})
        with pytest.warns(ArangopipeWarning, match="log_fitted has it"):
            run.log_params({"fitted": "x"})
    found = pipe.lookup_run(run)
    assert (found.params, found.fitted) == ({"fitted_": "x"}, {"b": 1})
    with pipe.start_run(strict=True) as run:
        run.log_fitted({"b": 1})
        with pytest.raises(InvalidInput, match="fitted"):
            run.log_params({"fitted": "x"})


# --- artifacts -----------------------------------------------------------------------------------


def test_artifacts_are_references_with_checksum(pipe: ArangoPipe, tmp_path: Path) -> None:
    path = tmp_path / "model file.bin"
    path.write_bytes(b"x" * 3_000_000)
    with pipe.start_run() as run:
        one = run.log_artifact(path, step=3)
        run.log_artifact(str(tmp_path), "folder")
        run.log_artifact("s3://bucket/dir/model.pkl")
        run.log_artifact(path.as_uri(), "again")
        with pytest.warns(ArangopipeWarning, match="cannot be read"):
            run.log_artifact(tmp_path / "gone")
        for nowhere in ("a\0b", 7):
            with pytest.warns(ArangopipeWarning, match="cannot be read"):
                run.log_artifact(nowhere)  # type: ignore[arg-type]
    assert one == {
        "name": "model file.bin",
        "uri": path.as_uri(),
        "checksum": f"sha256:{hashlib.sha256(b'x' * 3_000_000).hexdigest()}",
        "bytes": 3_000_000,
        "step": 3,
    }
    found = pipe.lookup_run(run).artifacts
    assert found[0] == one
    assert found[1] == {"name": "folder", "uri": tmp_path.as_uri()}
    assert found[2] == {"name": "model.pkl", "uri": "s3://bucket/dir/model.pkl"}
    assert found[3]["checksum"] == one["checksum"]
    assert found[4] == {"name": "gone", "uri": str(tmp_path / "gone")}
    assert [item["uri"] for item in found[5:]] == ["a\0b", "7"]
    assert path.read_bytes() == b"x" * 3_000_000
    with pipe.start_run(strict=True) as run, pytest.raises(InvalidInput, match="cannot be read"):
        run.log_artifact(tmp_path / "gone")
    assert pipe.log_run(artifacts=[path]).artifacts[0]["checksum"] == one["checksum"]


# --- writing -------------------------------------------------------------------------------------


def test_what_is_logged_shows_after_a_flush(pipe: ArangoPipe) -> None:
    with pipe.start_run() as run:
        run.log_params({"a": 1})
        run.log_metric("loss", 1.0, step=0)
        run.log_metric("rmse", 5.0)
        run.set_tag("x", 1)
        assert values(pipe, run, "loss") == []
        run.flush()
        found = pipe.lookup_run(run)
        assert (found.params, found.metrics, found.tags) == ({"a": 1}, {"rmse": 5.0}, {"x": 1})
        assert found.status == "running"
        assert values(pipe, run, "loss") == [(0, 1.0)]
        before = changes(pipe)
        run.flush()
        assert changes(pipe) == before
        run.log_metric("loss", 2.0, step=1)
        run.log_param("b", 2)
    assert pipe.lookup_run(run).params == {"a": 1, "b": 2}
    assert values(pipe, run, "loss") == [(0, 1.0), (1, 2.0)]


def test_the_flusher_writes_in_the_background(pipe: ArangoPipe, monkeypatch: pytest.MonkeyPatch) -> None:
    def arrived(count: int) -> bool:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if len(values(pipe, run, "loss")) >= count:
                return True
            time.sleep(0.01)
        return False

    with pipe.start_run() as run:
        for step in range(outbox.POINTS):
            run.log_metric("loss", 1.0, step=step)
        assert arrived(outbox.POINTS)
    monkeypatch.setattr(outbox, "SECONDS", 0.01)
    pipe.outbox.wake()
    with pipe.start_run() as run:
        run.log_metric("loss", 1.0, step=0)
        assert arrived(1)
    assert outbox.watched() == []


def test_a_strict_run_raises_what_the_store_could_not_take_and_writes_it_later_once(
    flaky: ArangoPipe,
) -> None:
    store = flaky.store
    assert isinstance(store, Flaky)
    with flaky.start_run(strict=True) as run:
        run.log_metric("loss", 1.0, step=0)
        store.down = 1
        with pytest.raises(StoreUnavailable):
            run.flush()
        run.log_metric("loss", 2.0, step=1)
        store.lost = 1
        with pytest.raises(StoreUnavailable):
            run.flush()
        run.log_metric("loss", 3.0, step=2)
        run.log_param("a", 1)
    assert values(flaky, run, "loss") == [(0, 1.0), (1, 2.0), (2, 3.0)]
    found = flaky.lookup_run(run)
    assert (found.status, found.params, found.metrics) == ("finished", {"a": 1}, {"loss": 3.0})


def test_a_strict_run_that_the_store_fails_at_the_end_can_be_closed_again(flaky: ArangoPipe) -> None:
    store = flaky.store
    assert isinstance(store, Flaky)
    for down, lost in ((1, 0), (0, 1)):
        run = flaky.start_run(strict=True)
        run.flush()
        store.down, store.lost = down, lost
        with pytest.raises(StoreUnavailable):
            log_and_raise(run, None)
        assert run.close().status == "finished"
        assert values(flaky, run, "loss") == [(0, 1.0)]
    assert outbox.watched() == []


def test_what_others_write_meanwhile_is_kept(pipe: ArangoPipe) -> None:
    with pipe.start_run(tags={"a": 1}) as run:
        pipe.annotate(run, note="x")
        run.set_tag("b", 2)
        run.flush()
        pipe.annotate(run, note="y")
        run.log_param("p", 1)
        run.flush()
        pipe.annotate(f"modelparams/{run.key}", late=True)
        run.log_param("q", 2)
    found = pipe.lookup_run(run)
    assert (found["note"], found.tags, found.status) == ("y", {"a": 1, "b": 2}, "finished")
    assert found.params == {"p": 1, "q": 2, "late": True}


def test_a_run_that_was_deleted_cannot_end(pipe: ArangoPipe) -> None:
    strict, run = pipe.start_run(strict=True), pipe.start_run()
    pipe.admin.delete(strict)
    with pytest.raises(NotFound, match=r"deleted|not there"):
        strict.close()
    with pytest.warns(ArangopipeWarning, match="not there"):
        strict._close_after(None)
    pipe.admin.delete(run)
    run.close()  # said already
    assert outbox.watched() == []
    assert pipe.count("run") == 0


def test_threads_may_log_to_one_run(pipe: ArangoPipe) -> None:
    def work(number: int) -> None:
        for step in range(500):
            run.log_metric(f"m{number}", float(step), step=step)
            run.log_metric("all", float(step), step=step)
            if step % 100 == 0:
                run.flush()
        run.set_tag(f"t{number}", number)
        run.log_optimizer({f"o{number}": number})

    with pipe.start_run() as run:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for number in range(4):
        assert values(pipe, run, f"m{number}") == [(step, float(step)) for step in range(500)]
    assert len(values(pipe, run, "all")) == 2_000
    found = pipe.lookup_run(run)
    assert found.tags == {f"t{number}": number for number in range(4)}
    assert found.optimizer == {f"o{number}": number for number in range(4)}


def test_closing_the_pipe_ends_its_runs(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with connect(url, capture=False) as pipe:
        good = pipe.start_run()
        good.log_metric("loss", 1.0, step=0)
    pipe = connect(url, capture=False)
    bad = pipe.start_run()
    pipe.__exit__(ValueError, ValueError("mine"), None)
    with connect(url) as pipe:
        assert pipe.lookup_run(good).status == "finished"
        assert values(pipe, good, "loss") == [(0, 1.0)]
        assert pipe.lookup_run(bad).status == "failed"
    with open_store("memory://") as store:
        with ArangoPipe(store, capture=False) as pipe:
            run = pipe.start_run()
        assert run.close().status == "finished"


# --- processes -----------------------------------------------------------------------------------


def script(tmp_path: Path, text: str, expect: int = 0) -> str:
    """Run a script that has `pipe` on ``store.db`` and return what it prints."""
    head = f"""
        import os, sys, warnings
        import arangopipe
        pipe = arangopipe.connect("sqlite:///{tmp_path / "store.db"}", capture=False)
    """
    source = textwrap.dedent(head) + textwrap.dedent(text)
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=120)
    assert done.returncode == expect, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("ending", "status", "code"),
    [
        ("", "finished", 0),
        ("raise ValueError('bad')", "failed", 1),
        ("sys.exit(3)", "finished", 3),
    ],
)
def test_a_run_left_open_is_ended_as_the_process_exits(
    tmp_path: Path, ending: str, status: str, code: int
) -> None:
    text = f"""
        run = pipe.start_run()
        run.log_metric("loss", 1.0, step=0)
        print(run.id, flush=True)
        {ending}
    """
    run = script(tmp_path, text, code).strip()
    with connect(f"sqlite:///{tmp_path / 'store.db'}") as pipe:
        found = pipe.lookup_run(run)
        assert found.status == status
        assert values(pipe, run, "loss") == [(0, 1.0)]
        if status == "failed":
            assert found.error is not None
            assert found.error["message"] == "bad"


def test_a_forked_child_leaves_the_run_to_its_parent(tmp_path: Path) -> None:
    text = """
        warnings.simplefilter("ignore", DeprecationWarning)
        with pipe.start_run() as run:
            run.log_metric("loss", 1.0, step=0)
            child = os.fork()
            if not child:
                with warnings.catch_warnings(record=True) as told:
                    warnings.simplefilter("always")
                    run.log_metric("loss", 2.0, step=1)
                    run.log_metric("loss", 3.0, step=2)
                    run.log_param("a", 1)
                    run.flush()
                assert len(told) == 1 and "process that started it" in str(told[0].message), told
                with pipe.start_run(name="the child's own") as own:
                    own.log_metric("loss", 4.0, step=0)
                sys.exit(0)
            _, status = os.waitpid(child, 0)
            assert status == 0
            assert pipe.lookup_run(run).status == "running"
            run.log_metric("loss", 5.0, step=3)
        print(run.id)
    """
    run = script(tmp_path, text).strip()
    with connect(f"sqlite:///{tmp_path / 'store.db'}") as pipe:
        assert values(pipe, run, "loss") == [(0, 1.0), (3, 5.0)]
        found = pipe.lookup_run(run)
        assert (found.status, found.params) == ("finished", {})
        child = pipe.lookup_run("the child's own")
        assert child.status == "finished"
        assert values(pipe, child, "loss") == [(0, 4.0)]


def test_a_killed_process_leaves_what_was_flushed(tmp_path: Path) -> None:
    text = """
        run = pipe.start_run()
        run.log_params({"a": 1})
        run.log_metric("loss", 1.0, step=0)
        run.flush()
        run.log_metric("loss", 2.0, step=1)
        print(run.id, flush=True)
        os.kill(os.getpid(), 9)
    """
    run = script(tmp_path, text, -9).strip()
    with connect(f"sqlite:///{tmp_path / 'store.db'}") as pipe:
        found = pipe.lookup_run(run)
        assert (found.status, found.params) == ("running", {"a": 1})
        assert values(pipe, run, "loss") == [(0, 1.0)]


def test_logging_a_value_is_a_cheap_call() -> None:
    with connect("memory://", capture=False) as pipe, pipe.start_run() as run:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            run.log_metric("loss", 1.0, step=0)
        before = changes(pipe)
        for step in range(outbox.POINTS - 10):
            run.log_metric("loss", 1.0, step=step)
        assert changes(pipe) == before
        assert json.dumps(run._drafts._series.last) == "{}"
