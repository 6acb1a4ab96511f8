"""Programs that fork after they have connected; each ends with 0 if all went well.

They run on their own, ``forks.py <scenario> <url>``, so that a test never forks pytest with its threads.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import writers
from arangopipe import ArangoPipe, StoreUnavailable, audit
from arangopipe.store import open_store
from arangopipe.store.sql import sqlite


@contextlib.contextmanager
def forked(work: Callable[[], None]) -> Iterator[None]:
    """Do something in a child meanwhile; it has to end well."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    yield
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "the child failed"


class Signal:
    """What parent and child tell each other."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()

    def give(self, word: bytes = b".") -> None:
        os.write(self._write, word)

    def wait(self) -> bytes:
        return os.read(self._read, 1)


class Words:
    """What a child says before it ends."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()

    def say(self, word: str) -> None:
        os.write(self._write, f"{word}\n".encode())

    def heard(self) -> list[str]:
        os.close(self._write)
        with os.fdopen(self._read) as said:
            return said.read().split()


def log(pipe: ArangoPipe, key: str) -> str:
    return pipe.log_run(model="ridge", dataset="diabetes", key=key).id


def check(url: str, *ids: str) -> None:
    """All these runs are there for whoever opens the store anew, and the chain holds."""
    with open_store(url) as store:
        missing = [wanted for wanted, node in zip(ids, store.get(ids), strict=True) if node is None]
        assert not missing, f"acknowledged, and not there: {missing}"
        found = audit.verify(store)
        assert found.ok, str(found)


def use_elsewhere(url: str) -> None:
    """Let another program open the store, and close it as the last one that it can see."""
    program = "import sys, arangopipe; arangopipe.connect(sys.argv[1]).close()"
    subprocess.run([sys.executable, "-c", program, url], check=True)


def both(url: str) -> None:
    """Parent and child write and read at the same time."""
    with writers.connect(url) as pipe:
        first = log(pipe, "parent-0")

        def child() -> None:
            assert pipe.store.get([first])[0] is not None
            for number in range(20):
                log(pipe, f"child-{number}")
            assert pipe.store.get(["run/child-19"])[0] is not None

        with forked(child):
            for number in range(1, 20):
                log(pipe, f"parent-{number}")
        ids = [f"run/{who}-{number}" for who in ("parent", "child") for number in range(20)]
        assert all(pipe.store.get(ids))
    check(url, *ids)


def parent_closes(url: str) -> None:
    """The child goes on after its parent has closed the store and another program has used it."""
    wrote, closed = Signal(), Signal()
    pipe = writers.connect(url)
    log(pipe, "parent")

    def child() -> None:
        log(pipe, "child-1")
        wrote.give()
        closed.wait()
        log(pipe, "child-2")
        assert all(pipe.store.get(["run/parent", "run/child-1", "run/child-2"]))

    with forked(child):
        wrote.wait()
        pipe.close()
        use_elsewhere(url)
        closed.give()
    check(url, "run/parent", "run/child-1", "run/child-2")


def child_closes(url: str) -> None:
    """The parent goes on after its child has closed the store."""
    with writers.connect(url) as pipe:
        log(pipe, "parent-1")

        def child() -> None:
            log(pipe, "child")
            pipe.close()

        with forked(child):
            pass
        log(pipe, "parent-2")
        check(url, "run/parent-1", "run/child", "run/parent-2")
        assert all(pipe.store.get(["run/parent-1", "run/child", "run/parent-2"]))


def grandchild(url: str) -> None:
    """A child forks again."""
    with writers.connect(url) as pipe:

        def child() -> None:
            log(pipe, "child-1")
            with forked(lambda: (log(pipe, "grandchild"), None)[1]):
                log(pipe, "child-2")

        with forked(child):
            log(pipe, "parent")
    check(url, "run/parent", "run/child-1", "run/child-2", "run/grandchild")


def inside(url: str, work: str) -> None:
    """Fork while another thread is inside a transaction."""
    sqlite.BUSY_SECONDS = 5.0
    is_inside, go_on = threading.Event(), threading.Event()
    with writers.connect(url) as pipe:
        database = pipe.store._database  # type: ignore[attr-defined]

        def hold(cursor: Any) -> None:
            cursor.execute("SELECT count(*) FROM node").fetchone()
            is_inside.set()
            go_on.wait(1)

        def read() -> None:
            with database.read() as cursor:
                hold(cursor)

        thread = threading.Thread(target=read if work == "read" else lambda: database.write(hold))
        thread.start()
        is_inside.wait()

        def child() -> None:
            log(pipe, "child")
            assert pipe.store.get(["run/child"])[0] is not None

        with forked(child):
            go_on.set()
            thread.join()
            log(pipe, "parent")
    check(url, "run/parent", "run/child")


def inside_write(url: str) -> None:
    inside(url, "write")


def inside_read(url: str) -> None:
    inside(url, "read")


def log_or_refuse(pipe: ArangoPipe, key: str, acknowledged: Words) -> None:
    """Log a run and say so; a store that refuses must say that the fork is why."""
    try:
        acknowledged.say(log(pipe, key))
    except StoreUnavailable as error:
        if "forked" not in str(error):
            raise


def while_streaming(url: str) -> None:
    """Fork in the middle of a stream of changes; the parent's goes on."""
    acknowledged = Words()
    with writers.connect(url) as pipe:
        log(pipe, "parent-1")
        changes = pipe.store.changes()
        first = next(changes)
        with forked(lambda: log_or_refuse(pipe, "child", acknowledged)):
            log(pipe, "parent-2")
        numbers = [first.number, *(change.number for change in changes)]
        assert numbers == list(range(1, len(numbers) + 1))
    check(url, "run/parent-1", "run/parent-2", *acknowledged.heard())


def streaming_parent_closes(url: str) -> None:
    """Fork in the middle of a stream; the child goes on after its parent has closed the store."""
    acknowledged, wrote, closed = Words(), Signal(), Signal()
    pipe = writers.connect(url)
    log(pipe, "parent")
    changes = pipe.store.changes()
    next(changes)

    def child() -> None:
        log_or_refuse(pipe, "child-1", acknowledged)
        wrote.give()
        closed.wait()
        log_or_refuse(pipe, "child-2", acknowledged)

    with forked(child):
        wrote.wait()
        list(changes)
        pipe.close()
        use_elsewhere(url)
        closed.give()
    check(url, "run/parent", *acknowledged.heard())


def streaming_parent_exits(url: str) -> None:
    """The same, and the parent has ended."""
    acknowledged, ended = Words(), Signal()

    def parent() -> None:
        pipe = writers.connect(url)
        log(pipe, "parent")
        changes = pipe.store.changes()
        next(changes)
        me = os.getpid()
        if os.fork() == 0:
            with contextlib.suppress(Exception):
                log_or_refuse(pipe, "child-1", acknowledged)
                while os.getppid() == me:
                    time.sleep(0.01)
                use_elsewhere(url)
                log_or_refuse(pipe, "child-2", acknowledged)
                ended.give(b"+")
            ended.give(b"-")
            os._exit(0)

    with forked(parent):
        pass
    assert ended.wait() == b"+", "the child failed"
    check(url, "run/parent", *acknowledged.heard())


def nested_reads(url: str) -> None:
    """Fork while another thread, in the middle of a stream, is about to read something else."""
    sqlite.BUSY_SECONDS = 5.0
    streaming, over = threading.Event(), threading.Event()
    began = time.monotonic()
    with writers.connect(url) as pipe:
        for number in range(3):
            log(pipe, f"parent-{number}")

        def read() -> None:
            while not over.is_set():
                for _ in pipe.store.changes():
                    streaming.set()
                    time.sleep(0.01)
                    pipe.store.get(["run/parent-0"])

        thread = threading.Thread(target=read)
        thread.start()
        streaming.wait()
        try:
            for number in range(3):
                with forked(lambda number=number: (log(pipe, f"child-{number}"), None)[1]):  # type: ignore[misc]
                    pass
        finally:
            over.set()
            thread.join()
    assert time.monotonic() - began < 5, "the thread and the fork waited for each other"
    check(url, *(f"run/child-{number}" for number in range(3)))


def again_and_again(url: str) -> None:
    """Fork often while threads write and read."""
    sqlite.BUSY_SECONDS = 10.0
    ids: list[str] = []
    over = threading.Event()
    with writers.connect(url) as pipe:

        def write() -> None:
            number = 0
            while not over.is_set():
                number += 1
                ids.append(log(pipe, f"parent-{number}"))

        def read() -> None:
            while not over.is_set():
                pipe.store.search("run")

        threads = [threading.Thread(target=work) for work in (write, read)]
        for thread in threads:
            thread.start()
        try:
            for number in range(20):
                with forked(lambda number=number: (log(pipe, f"child-{number}"), None)[1]):  # type: ignore[misc]
                    ids.append(f"run/child-{number}")
        finally:
            over.set()
            for thread in threads:
                thread.join()
    check(url, *ids)


ALONE = (both, parent_closes, child_closes, grandchild)
STREAMING = (while_streaming, streaming_parent_closes, streaming_parent_exits)
WITH_THREADS = (inside_write, inside_read, nested_reads, again_and_again)
SCENARIOS = {work.__name__: work for work in (*ALONE, *STREAMING, *WITH_THREADS)}

if __name__ == "__main__":
    # Python 3.12 warns of any fork while there are threads.
    warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*fork")
    scenario, address = sys.argv[1:]
    SCENARIOS[scenario](address)
