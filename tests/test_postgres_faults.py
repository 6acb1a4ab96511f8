"""What can go wrong with a PostgreSQL server: nothing acknowledged is lost or doubled, and work goes on."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import psycopg
import pytest

import forks
import writers
from arangopipe import ArangopipeWarning, StoreUnavailable, audit
from arangopipe.model.graph import Batch, Node, Put
from arangopipe.model.ids import uuid7
from arangopipe.store import open_store
from arangopipe.store.base import Store
from arangopipe.store.sql import postgres, session
from proxies import Proxy
from servers import NOBODY, Server

pytestmark = [pytest.mark.slow, pytest.mark.fault, pytest.mark.xdist_group("postgres faults")]

WRITERS = 8
THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
TURNS = 10 if THOROUGH else 2


@pytest.fixture(scope="module")
def durable() -> Iterator[Server]:
    """A server that writes to the disk as one in production does."""
    with Server(18, durable=True) as server:
        yield server


@pytest.fixture
def url(durable: Server) -> Iterator[str]:
    with durable.database() as name:
        address = durable.url(name)
        open_store(address).close()
        yield address


class Writers:
    """Processes that write until told to stop, each run until it is acknowledged."""

    def __init__(self, context: ForkServerContext, url: str, count: int = WRITERS) -> None:
        self._lines = []
        self._processes = []
        for _ in range(count):
            mine, theirs = context.Pipe()
            process = context.Process(target=writers.write_until_told, args=(url, theirs), daemon=True)
            process.start()
            theirs.close()
            self._lines.append(mine)
            self._processes.append(process)
        for line in self._lines:
            assert line.recv() == "ready"

    def stop(self) -> list[writers.Told]:
        for line in self._lines:
            line.send("stop")
        told = [line.recv() for line in self._lines]
        for process in self._processes:
            process.join(writers.SECONDS)
            assert process.exitcode == 0
        return told


def check_acknowledged(url: str, told: list[writers.Told]) -> int:
    """Every run that was acknowledged is there once, with the change that was named, and the chain holds."""
    runs = {key: number for one in told for key, number in one.runs.items()}
    with open_store(url) as store:
        nodes = store.get([f"run/{key}" for key in runs])
        assert [node.revision if node else None for node in nodes] == list(runs.values())
        assert store.count("run") == {None: len(runs)}
        assert all(len(store.points(f"run/{key}")["loss"]) == 1 for key in runs)
        checked = audit.verify(store)
        assert checked.ok, str(checked)
    return len(runs)


def write_one(store: Store, patience: float | None = None) -> None:
    store.write(Batch(uuid7(), (Put(Node("run", uuid7())),)), patience)


def since(moment: float) -> float:
    return time.monotonic() - moment


# --- the server goes away and comes back -----------------------------------------------------------


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_the_server_is_restarted_under_eight_writers(
    server: ForkServerContext, durable: Server, url: str, mode: str
) -> None:
    working = Writers(server, url)
    for _ in range(TURNS):
        time.sleep(0.5)
        durable.restart(mode)
    time.sleep(0.5)
    told = working.stop()
    assert check_acknowledged(url, told) > WRITERS
    assert {wrong for one in told for wrong in one.complaints if "CREATE DATABASE" in wrong} == set()


def test_a_server_that_is_down_says_so_and_is_found_again(durable: Server, url: str) -> None:
    with open_store(url) as store:
        write_one(store)
        durable.stop()
        try:
            began = time.monotonic()
            with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{durable.port}"):
                write_one(store, patience=0.5)
            with pytest.raises(StoreUnavailable):
                store.head()
            with pytest.raises(StoreUnavailable):
                open_store(url)
            assert since(began) < 30
        finally:
            durable.start()
        write_one(store)
        assert store.count("run") == {None: 2}


def test_runs_logged_while_the_server_is_down_arrive_once(durable: Server, url: str) -> None:
    with writers.connect(url) as pipe:
        keys = [writers.log_offline(pipe, 1)]
        durable.stop("immediate")
        try:
            with pytest.warns(ArangopipeWarning, match="waits in the spool"):
                keys += [writers.log_offline(pipe, number) for number in (3, 5)]
        finally:
            durable.start()
        keys.append(writers.log_offline(pipe, 7))
    with writers.connect(url) as pipe:
        assert sorted(run.key for run in pipe.search("run")) == sorted(keys)
        assert audit.verify(pipe.store).ok


# --- connections are cut ---------------------------------------------------------------------------


def test_connections_are_terminated_under_eight_writers(
    server: ForkServerContext, durable: Server, url: str
) -> None:
    working = Writers(server, url)
    ended = 0
    for _ in range(10 * TURNS):
        time.sleep(0.1)
        rows = durable.sql(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname like 'test%' and pid <> pg_backend_pid() order by random() limit 4"
        )
        ended += len(rows)
    told = working.stop()
    assert ended > 0
    check_acknowledged(url, told)


def test_sockets_are_cut_under_eight_writers(server: ForkServerContext, durable: Server, url: str) -> None:
    with Proxy(durable.port) as proxy:
        working = Writers(server, url.replace(str(durable.port), str(proxy.port)))
        cut = 0
        for _ in range(10 * TURNS):
            time.sleep(0.1)
            cut += proxy.cut()
        told = working.stop()
    assert cut > 0
    check_acknowledged(url, told)


def test_a_reader_whose_connection_was_cut_while_idle_notices_nothing(durable: Server, url: str) -> None:
    with Proxy(durable.port) as proxy, open_store(url.replace(str(durable.port), str(proxy.port))) as store:
        write_one(store)
        for _ in range(3):
            assert proxy.cut() > 0
            assert store.count("run") == {None: 1}


def test_a_server_that_hangs_is_given_up_by_writes_and_reads(
    durable: Server, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "READ_SECONDS", 0.5)
    with Proxy(durable.port) as proxy, open_store(url.replace(str(durable.port), str(proxy.port))) as store:
        write_one(store)
        list(store.columns("run", ["x"]))
        began = time.monotonic()
        proxy.stop()
        with pytest.raises(StoreUnavailable, match="has not answered for"):
            write_one(store, patience=0.5)
        proxy.go_on()
        write_one(store)
        proxy.stop()
        with pytest.raises(StoreUnavailable, match=r"has not answered for 0\.5 s"):
            list(store.columns("run", ["x"]))
        assert since(began) < 30
        proxy.go_on()
        assert store.count("run") == {None: 2}


def test_a_server_that_falls_silent_in_the_midst_of_a_statement_is_given_up(
    durable: Server, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "ANSWER_SECONDS", 0.2)
    with Proxy(durable.port) as proxy:
        address = url.replace(str(durable.port), str(proxy.port))
        with open_store(f"{address}?timeout=0.3") as store:
            write_one(store)
            head, columns = store.head, lambda: list(store.columns("run", ["x"]))
            for ask in (head, columns, lambda: store.write(large_batch(), patience=0.1)):
                with monkeypatch.context() as patch:
                    # To begin is answered at once: the silence comes later.
                    patch.setattr(session.Session, "_named", silent_from_now(proxy))
                    with pytest.raises(StoreUnavailable, match=r"has not answered for 0\.5 s"):
                        ask()
                proxy.go_on()
                proxy.cut()
            write_one(store)
            assert store.count("run") == {None: 2}
            assert audit.verify(store).ok


def large_batch() -> Batch:
    return Batch(uuid7(), tuple(Put(Node("run", uuid7())) for _ in range(3)))


def silent_from_now(proxy: Proxy) -> Callable[..., None]:
    def unnamed(self: object, statement: object) -> None:
        proxy.stop()

    return unnamed


def test_what_takes_too_long_is_ended_by_the_server(url: str) -> None:
    with open_store(f"{url}?timeout=0.3") as store, psycopg.connect(url) as other:
        write_one(store)
        other.execute("lock table arangopipe.change in access exclusive mode")
        with pytest.raises(StoreUnavailable, match=r"timeout=SECONDS"):
            store.head()
        other.rollback()
        assert store.head().number == 1  # type: ignore[union-attr]


def test_a_writer_that_was_stopped_lets_others_write(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = session.LOCK.replace(f"{session.IDLE_SECONDS}s", "300ms")
    monkeypatch.setattr(session, "LOCK", words)
    with open_store(url) as store, open_store(url) as other:
        with store._database._pool.lent(1) as stopped:  # type: ignore[attr-defined]
            stopped.begin("BEGIN", 1)
            write_one(other, patience=30)
            with pytest.raises(psycopg.Error, match="idle"):
                stopped.execute("SELECT 1")
        assert store.count("run") == {None: 1}


# --- others are in the way -------------------------------------------------------------------------


def test_a_lock_that_someone_holds_is_waited_for_and_named(durable: Server, url: str) -> None:
    with open_store(url) as store, psycopg.connect(url) as other:
        other.execute("lock table arangopipe.head in access exclusive mode")
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="lock"):
            write_one(store, patience=0.5)
        assert 0.4 < since(began) < 20
        timer = threading.Timer(0.5, other.rollback)
        timer.start()
        write_one(store, patience=30)
        timer.join()
        assert store.count("run") == {None: 1}


def test_a_server_without_free_connections_says_so(url: str, durable: Server) -> None:
    allowed = durable.sql("show max_connections")[0][0]
    with contextlib.ExitStack() as others:
        with contextlib.suppress(psycopg.OperationalError):
            for _ in range(int(allowed)):
                others.enter_context(psycopg.connect(url))
        with pytest.raises(StoreUnavailable, match="connection"), open_store(url) as store:
            write_one(store, patience=0.5)
    with open_store(url) as store:
        write_one(store)


def test_more_threads_than_the_pool_has_connections_wait_for_each_other(url: str) -> None:
    with open_store(f"{url}?connections=2") as store:
        writers.in_threads(16, lambda: [write_one(store) for _ in range(5)])
        assert store.count("run") == {None: 80}


def test_connections_that_are_all_reading_are_named(url: str) -> None:
    with open_store(f"{url}?connections=2") as store:
        write_one(store)
        reading = [store.columns("run", ["x"]) for _ in range(2)]
        for stream in reading:
            next(stream)
        with pytest.raises(StoreUnavailable, match="all 2 connections of this process"):
            write_one(store, patience=0.5)
        assert [list(stream) for stream in reading] == [[], []]
        write_one(store)
        assert store.count("run") == {None: 2}


# --- no room ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of a few megabytes, for whoever may mount one."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,uid={NOBODY},gid={NOBODY}", "tmpfs", str(folder)],
        check=False,
    )
    if done.returncode:
        pytest.skip("a full disk needs a small file system, and this user may not mount one")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill_up(store: Store, patience: float | None = None) -> int:
    """Write until there is no room; return how many runs were acknowledged."""
    for written in range(1_000):
        text = '{"x":"' + os.urandom(20_000).hex() + '"}'
        try:
            store.write(Batch(uuid7(), (Put(Node("run", uuid7(), text=text)),)), patience)
        except StoreUnavailable as refused:
            # Without room for its log a server stops.
            if (
                re.search("no room|disk|space" + "|reached|crashed" * (patience is not None), str(refused))
                is None
            ):
                raise
            return written
    raise AssertionError("there was always room")


@pytest.mark.allowed_skip
@pytest.mark.skipif(
    os.geteuid() != 0, reason="a full disk needs a small file system: only root may mount one"
)
def test_a_full_disk_is_said_and_writing_goes_on_when_there_is_room(durable: Server) -> None:
    with small_disk(durable.folder / "small", 24) as disk:
        durable.sql(f"create tablespace small location '{disk}'")
        try:
            durable.sql("create database full_disk tablespace small")
            with open_store(durable.url("full_disk")) as store:
                write_one(store)
                filler = disk / "filler"
                with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                    while True:
                        file.write(bytes(4096))
                written = fill_up(store)
                assert store.count("run") == {None: written + 1}
                filler.unlink()
                write_one(store)
                assert audit.verify(store).ok
        finally:
            durable.sql("drop database if exists full_disk with (force)")
            durable.sql("drop tablespace small")


@pytest.mark.allowed_skip
@pytest.mark.skipif(not THOROUGH or os.geteuid() != 0, reason="a part of make test-all, for root")
def test_a_full_disk_of_the_log_stops_the_server_and_loses_nothing() -> None:
    with Server(18, durable=True) as server, small_disk(server.folder / "wal", 200) as disk:
        url = server.url("postgres")
        with open_store(url) as store:
            write_one(store)
            server.stop()
            log = server.data / "pg_wal"
            subprocess.run(["cp", "-a", f"{log}/.", str(disk)], check=True)
            shutil.rmtree(log)
            log.symlink_to(disk)
            server.start()
            write_one(store)
            filler = disk / "filler"
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            written = fill_up(store, patience=1)
            server.stop("immediate")
            filler.unlink()
            server.start()
            write_one(store)
            assert store.count("run") == {None: written + 3}
            assert audit.verify(store).ok


# --- processes that fork ---------------------------------------------------------------------------


@pytest.mark.parametrize("work", [work.__name__ for work in forks.ALONE])
def test_a_connected_process_may_fork(url: str, work: str) -> None:
    writers.prepare(url)
    command = [sys.executable, "-W", "error", str(Path(forks.__file__)), work, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# --- a replica takes over --------------------------------------------------------------------------


@pytest.mark.allowed_skip
@pytest.mark.skipif(not THOROUGH, reason="a part of make test-all")
def test_a_replica_takes_over_under_eight_writers(
    server: ForkServerContext, capsys: pytest.CaptureFixture[str]
) -> None:
    with Server(18, durable=True) as primary, primary.replica() as replica:
        # Only now: the replica, which has copied the settings, shall wait for nobody once it is alone.
        primary.configure({"synchronous_standby_names": "*", "synchronous_commit": "on"})
        primary.reload()
        primary.sql("create database ml")
        hosts = f"{primary.address},{replica.address}"
        url = f"postgresql://postgres@{hosts}/ml?target_session_attrs=read-write"
        open_store(url).close()
        working = Writers(server, url)
        time.sleep(3)
        began = time.monotonic()
        primary.stop("immediate")
        replica.promote()
        promoted = since(began)
        time.sleep(3)
        told = working.stop()
        complaints = sum(len(one.complaints) for one in told)
        acknowledged = check_acknowledged(replica.url("ml"), told)
        with open_store(replica.url("ml")) as store:
            times = [change.time for change in store.changes()]
        pause = max(later - earlier for earlier, later in itertools.pairwise(times)).total_seconds()
    with capsys.disabled():
        print(
            f"\npromoted in {promoted:.2f} s under {WRITERS} writers: {acknowledged} runs acknowledged"
            f", 0 lost, 0 doubled; no write for {pause:.2f} s; {complaints} writes tried again"
        )
