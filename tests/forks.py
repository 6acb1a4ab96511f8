"""Programs that fork after they have connected; each ends with 0 if all went well.

They run on their own, ``forks.py <scenario> <url>``, so that a test never forks pytest with its threads.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator

import writers
from arangopipe import ArangoPipe, audit
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

    def give(self) -> None:
        os.write(self._write, b".")

    def wait(self) -> None:
        os.read(self._read, 1)


def log(pipe: ArangoPipe, key: str) -> str:
    return pipe.log_run(model="ridge", dataset="diabetes", key=key).id


def check(url: str, *ids: str) -> None:
    """All these runs are there for whoever opens the store anew, and the chain holds."""
    with open_store(url) as store:
        missing = [wanted for wanted, node in zip(ids, store.get(ids), strict=True) if node is None]
        assert not missing, f"acknowledged, and not there: {missing}"
        found = audit.verify(store)
        assert found.ok, str(found)


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

        def hold() -> None:
            with getattr(database, work)() as cursor:
                cursor.execute("SELECT count(*) FROM node").fetchone()
                is_inside.set()
                go_on.wait(1)

        thread = threading.Thread(target=hold)
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


def while_streaming(url: str) -> None:
    """Fork in the middle of a stream of changes; the parent's goes on."""
    with writers.connect(url) as pipe:
        log(pipe, "parent-1")
        changes = pipe.store.changes()
        first = next(changes)
        with forked(lambda: (log(pipe, "child"), None)[1]):
            log(pipe, "parent-2")
        assert [change.number for change in changes] == list(range(first.number + 1, 5))
    check(url, "run/parent-1", "run/parent-2", "run/child")


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


WORK = (both, parent_closes, child_closes, grandchild, inside_write, inside_read, while_streaming)
SCENARIOS = {work.__name__: work for work in (*WORK, again_and_again)}

if __name__ == "__main__":
    # Python 3.12 warns of any fork while there are threads.
    warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*fork")
    scenario, address = sys.argv[1:]
    SCENARIOS[scenario](address)
