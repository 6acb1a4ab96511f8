"""The spool under real faults: locks, full disks, read-only files, forks, and processes that are killed."""

from __future__ import annotations

import multiprocessing
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

import writers
from arangopipe import audit, connect, outbox
from arangopipe.keeper import ArangopipeWarning
from arangopipe.spool import files as spool
from arangopipe.store import open_store
from arangopipe.store.base import Store
from arangopipe.store.sql.locks import FileLock
from test_crash import Victim

pytestmark = [pytest.mark.slow, pytest.mark.fault, pytest.mark.xdist_group("spool")]

KILLS = 200 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 20
NOBODY = 65534

TRAIN = """
    import os, sys, warnings, arangopipe
    from arangopipe import outbox
    outbox.PATIENCE = 0.5
    pipe = arangopipe.connect({url!r}, capture=False)
    {before}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with pipe.start_run(key="first") as run:
            run.log_params({{"a": 1}})
            for step in range(10):
                run.log_metric("loss", 1 / (step + 1), step=step)
            run.flush()
            with run.start_run(key="inner") as inner:
                inner.log_metric("loss", 1.0, step=0)
        pipe.log_run(key="whole", metrics={{"rmse": 1.0}})
    print([str(warning.message) for warning in told])
    left = pipe.start_run(key="left-open")
    left.log_metric("loss", 1.0, step=0)
"""


def script(text: str) -> str:
    """Run a script and return what it says; it must end well."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def train(url: str, before: str = "") -> str:
    return script(TRAIN.format(url=url, before=before))


def check_trained(url: str) -> None:
    """All that `TRAIN` does is there, once."""
    with open_store(url) as store:
        keys = ["first", "inner", "whole", "left-open"]
        nodes = store.get([f"run/{key}" for key in keys])
        assert [node and node.document["status"] for node in nodes] == ["finished"] * 4
        assert [len(store.points(f"run/{key}").get("loss", ())) for key in keys] == [10, 1, 0, 1]
        check_once(store)


def check_once(store: Store) -> None:
    counts = Counter(change.batch for change in store.changes())
    assert set(counts.values()) <= {1}
    found = audit.verify(store)
    assert found.ok, str(found)


@pytest.fixture
def url(tmp_path: Path) -> str:
    address = f"sqlite:///{tmp_path}/store.db"
    with open_store(address):
        pass
    return address


def test_locked_by_another_program(url: str, tmp_path: Path) -> None:
    """Nobody waits for the minute that SQLite would."""
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        said = train(url)
        other.execute("ROLLBACK")
    assert said.count("has not answered for") == 1
    with connect(url):
        assert not spool.files()
    check_trained(url)


@pytest.mark.parametrize("how", ["by another program", "by a writer that hangs"])
def test_whoever_logs_a_run_at_once_does_not_wait_long_either(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    began = time.monotonic()
    with connect(url, capture=False) as pipe, ExitStack() as held:
        held.enter_context(monkeypatch.context()).setattr(outbox, "PATIENCE", 0.2)
        other = held.enter_context(closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)))
        if how == "by another program":
            other.execute("BEGIN IMMEDIATE")
        else:
            held.enter_context(FileLock(str(tmp_path / "store.db")).within(9.0))
        with pytest.warns(ArangopipeWarning, match="waits in the spool"):
            run = pipe.log_run(key="whole", metrics={"rmse": 1.0})
        assert (run.key, run.revision) == ("whole", 0)
        assert spool.files()
        assert time.monotonic() - began < 30, "it waited as long as the store does"
    with connect(url) as pipe:
        assert pipe.get("run/whole").revision == 1
        assert not spool.files()
        check_once(pipe.store)


def test_locked_for_a_while(url: str, tmp_path: Path) -> None:
    """What was given up is written by both ways, and is there once."""
    lock = f"""import sqlite3, threading
    other = sqlite3.connect({str(tmp_path / "store.db")!r}, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.8, other.execute, ["ROLLBACK"]).start()"""
    train(url, lock)
    with connect(url):
        assert not spool.files()
    check_trained(url)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "arangopipe-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only who may mount a small file system can fill it")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.allowed_skip
def test_a_full_disk(small_disk: Path) -> None:
    url = f"sqlite:///{small_disk}/store.db"
    with open_store(url):
        pass
    ballast = small_disk / "ballast"
    fill = f"""with open({str(ballast)!r}, "wb", buffering=0) as file:
        try:
            while file.write(b"x" * 512): pass
        except OSError: pass"""
    assert train(url, fill).count("the disk is full") == 1
    assert spool.files()
    ballast.unlink()
    with connect(url):
        assert not spool.files()
    check_trained(url)


def test_a_store_that_may_only_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where root runs the tests, the script becomes nobody, for whom permissions count."""
    become = f"""if os.geteuid() == 0:
        # Loads all modules while they can be read: nobody may not see what root installed.
        arangopipe.connect("sqlite:///{tmp_path}/warm.db").log_run()
        os.setgid({NOBODY})
        os.setuid({NOBODY})
    pipe = arangopipe.connect("sqlite:///{{folder}}/store.db", capture=False)"""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        monkeypatch.setenv("ARANGOPIPE_HOME", f"{folder}/home")
        (folder / "home").mkdir()
        (folder / "home").chmod(0o777)
        with open_store(url := f"sqlite:///{folder}/store.db"):
            pass
        folder.chmod(0o777)
        (folder / "store.db").chmod(0o444)
        said = train("memory://", become.format(folder=folder))
        assert said.count("cannot be written") == 1
        (folder / "store.db").chmod(0o644)
        with connect(url):
            assert not spool.files()
        check_trained(url)


def test_a_forked_child_has_a_spool_of_its_own(url: str) -> None:
    said = script(f"""
        import os, warnings
        warnings.simplefilter("ignore")
        import arangopipe
        os.environ["ARANGOPIPE_OFFLINE"] = "1"
        pipe = arangopipe.connect({url!r}, capture=False)
        run = pipe.start_run(key="parent")
        run.log_metric("loss", 1.0, step=0)
        run.flush()
        child = os.fork()
        if child == 0:
            pipe.log_run(key="child")
            raise SystemExit
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        run.log_metric("loss", 2.0, step=1)
        run.close()
        print(len(list((arangopipe.spool.files.folder()).iterdir())))
    """)
    assert said == "2\n"
    with connect(url) as pipe:
        assert not spool.files()
        assert {run.key for run in pipe.search("run")} == {"parent", "child"}
        assert [point.value for point in pipe.metric_points("run/parent", "loss")] == [1.0, 2.0]


# --- killed --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["writers"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        forkserver.ensure_running()
    return context


def problems(store: Store, keys: list[str]) -> list[str]:
    """What is not whole of these runs, which `writers.log_offline` logged."""
    found = []
    for key in keys:
        nodes = store.get([f"run/{key}", f"modelparams/{key}", f"devperf/{key}"])
        if None in nodes:
            found.append(f"{key}: {nodes}")
            continue
        run, params, metrics = (node.document for node in nodes if node is not None)
        numbers = {run["tags"]["number"], params["number"], metrics["number"]}
        points = [(point.step, point.value) for point in store.points(f"run/{key}").get("loss", ())]
        wanted = [] if run["tags"]["number"] % 2 else [(0, 0.5), (1, 0.25)]
        if len(numbers) != 1 or points != wanted or run["status"] != "finished":
            found.append(f"{key}: {numbers} {points} {run['status']}")
    return found


@pytest.mark.timeout(1_800)
def test_killed_while_spooling(server: ForkServerContext, url: str) -> None:
    home = os.environ["ARANGOPIPE_HOME"]
    rng = random.Random(KILLS)
    acknowledged: list[str] = []
    for _ in range(KILLS):
        victim = Victim(server, writers.spool_until_killed, home, url)
        acknowledged += victim.kill(rng.uniform(0.02, 0.2))
    assert acknowledged
    with connect(url) as pipe:
        while spool.files():
            pipe.outbox.catch_up()
        assert problems(pipe.store, acknowledged) == []
        check_once(pipe.store)


@pytest.mark.timeout(1_800)
def test_killed_while_replaying(server: ForkServerContext, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    home = os.environ["ARANGOPIPE_HOME"]
    monkeypatch.setenv("ARANGOPIPE_OFFLINE", "1")
    with connect(url, capture=False) as pipe:
        keys = [writers.log_offline(pipe, number) for number in range(20 * KILLS)]
    kept = sum(1 for file in spool.files() for _ in file.lines())
    rng = random.Random(KILLS)
    for _ in range(KILLS):
        if not spool.files():
            break
        Victim(server, writers.replay_until_killed, home, url).kill(rng.uniform(0, 0.1))
    with open_store(url) as store:
        before = len(list(store.changes()))
    assert before > 0
    racers = [Victim(server, writers.replay_until_killed, home, url) for _ in range(2)]
    for racer in racers:
        racer.kill(after=0)
    monkeypatch.delenv("ARANGOPIPE_OFFLINE")
    with connect(url) as pipe:
        while spool.files():
            pipe.outbox.catch_up()
        assert problems(pipe.store, keys) == []
        assert len(list(pipe.store.changes())) == kept
        check_once(pipe.store)
