"""Writers are killed at any moment: what they had acknowledged is there whole, and nothing by half."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

import writers
from arangopipe import audit
from arangopipe.model.graph import Node
from arangopipe.store import open_store
from arangopipe.store.base import Store

pytestmark = [pytest.mark.slow, pytest.mark.fault, pytest.mark.xdist_group("crash")]

KILLS = 200 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 20


class Victim:
    """A process that writes until it is killed, and says the key of each run once it is acknowledged."""

    def __init__(self, server: ForkServerContext, work: Callable[..., None], *args: str) -> None:
        self._said, said = server.Pipe(duplex=False)
        self._process = server.Process(target=work, args=(*args, said), daemon=True)
        self._process.start()
        said.close()

    def kill(self, after: float) -> list[str]:
        """Kill it some time after it has begun, and return what it said."""
        assert self._said.recv_bytes() == b"ready"
        time.sleep(after)
        self._process.kill()
        self._process.join(writers.SECONDS)
        assert self._process.exitcode == -signal.SIGKILL
        said = []
        with self._said, contextlib.suppress(EOFError, OSError):  # the last word may be cut off
            while True:
                said.append(self._said.recv_bytes().decode())
        return said


def kill_writers(
    server: ForkServerContext,
    work: str,
    url: str,
    kills: int,
    problems_of: Callable[[Store, list[str]], list[str]] = writers.problems_of,
    at_once: int = 2,
) -> None:
    """Kill one of so many writers again and again; check after each what is there."""
    rng = random.Random(kills)
    acknowledged: list[str] = []
    alive = [Victim(server, writers.write_until_killed, work, url) for _ in range(at_once)]
    with writers.connect(url) as pipe:
        for number in range(kills):
            keys = alive.pop(0).kill(rng.uniform(0, 0.2))
            assert writers.problems_of(pipe.store, keys) == []
            # Whoever comes next need not wait for the dead.
            acknowledged += [*keys, writers.log_one(pipe, number)]
            alive.append(Victim(server, writers.write_until_killed, work, url))
    for victim in alive:
        acknowledged += victim.kill(0)
    assert len(acknowledged) > kills
    with open_store(url) as store:
        assert writers.problems_of(store, acknowledged) == []
        every = [node.key for page in pages(store) for node in page]
        assert set(acknowledged) <= set(every)
        assert problems_of(store, every) == []
        found = audit.verify(store)
        assert found.ok, str(found)


def pages(store: Store) -> Iterator[tuple[Node, ...]]:
    cursor = None
    while True:
        page = store.search("run", limit=1_000, cursor=cursor)
        yield page.items
        if (cursor := page.cursor) is None:
            return


@pytest.fixture
def url(tmp_path: Path) -> str:
    address = f"sqlite:///{tmp_path}/crash.db"
    writers.prepare(address)
    return address


@pytest.mark.timeout(1_800)
def test_killed_while_logging_whole_runs(server: ForkServerContext, url: str) -> None:
    kill_writers(server, "log_run", url, KILLS)


@pytest.mark.timeout(1_800)
def test_killed_while_runs_are_going_on(server: ForkServerContext, url: str) -> None:
    kill_writers(server, "start_run", url, KILLS, writers.problems_of_open)


@pytest.mark.parametrize("options", ["durability=relaxed", "journal=delete"])
def test_killed_with_other_options(server: ForkServerContext, url: str, options: str) -> None:
    kill_writers(server, "log_run", f"{url}?{options}", KILLS // 5, at_once=1)


def test_killed_while_a_store_is_made(server: ForkServerContext, tmp_path: Path) -> None:
    """A store whose making was cut short is made by the next who opens it."""
    rng = random.Random(KILLS)
    for number in range(KILLS):
        url = f"sqlite:///{tmp_path}/new-{number}.db"
        Victim(server, writers.create_until_killed, url).kill(rng.uniform(0, 0.03))
        with open_store(url) as store:
            assert store.head() is None
            assert audit.verify(store).ok
