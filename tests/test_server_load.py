"""The server under load: killed without warning, and with many clients at once."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import arangopipe
from arangopipe import audit
from arangopipe.errors import StoreUnavailable
from arangopipe.model.graph import Batch, Node, Put
from arangopipe.model.ids import uuid7
from arangopipe.store import open_store
from served import program
from until import until

SECONDS = 120.0
KILLS, KILLED_EVERY = 3, 40

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("server load")]


def batch_of(client: int, number: int) -> Batch:
    name = f"c{client}-{number}"
    return Batch(uuid7(), (Put(Node("datasets", name, name, "1")),), actor=f"client {client}")


@pytest.mark.fault
def test_a_server_that_is_killed_under_load_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    """Eight clients write; the server is killed and comes back at the same port, again and again."""
    place = f"sqlite:///{tmp_path / 'runs.db'}"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    acknowledged: dict[str, int] = {}
    over = threading.Event()

    def work(client: int) -> int:
        with open_store(f"http://127.0.0.1:{port}") as store:
            for number in itertools.count(1):
                batch = batch_of(client, number)
                deadline = time.monotonic() + SECONDS
                while batch.id not in acknowledged:
                    try:
                        acknowledged[batch.id] = store.write(batch).number
                    except StoreUnavailable:
                        assert time.monotonic() < deadline, "the server has not come back"
                if over.is_set():
                    return number
        raise AssertionError

    with ThreadPoolExecutor(8) as threads:
        clients = []
        try:
            for kill in range(KILLS + 1):
                with program("--store", place, "--port", str(port), "--no-access-log") as server:
                    clients = clients or [threads.submit(work, client) for client in range(8)]
                    enough = len(acknowledged) + KILLED_EVERY
                    until(lambda enough=enough: len(acknowledged) >= enough)  # type: ignore[misc]
                    if kill < KILLS:
                        server.process.kill()
                        server.process.wait()
                    else:
                        over.set()
                        written = sum(client.result() for client in clients)
        finally:
            over.set()

    assert len(acknowledged) == written
    with open_store(place) as store:
        recorded = {change.batch: change.number for change in store.changes()}
        assert recorded == acknowledged
        assert store.count("datasets") == {None: written}
        assert audit.verify(store).ok


def test_64_clients_see_no_error(tmp_path: Path) -> None:
    place = f"sqlite:///{tmp_path / 'runs.db'}"
    start = threading.Barrier(64)

    def work(url: str, client: int) -> list[str]:
        with arangopipe.connect(url, project="load", capture=False) as pipe:
            start.wait(SECONDS)
            return [pipe.log_run(name=f"{client}-{i}", metrics={"loss": i}).id for i in range(4)]

    with arangopipe.connect(place) as pipe:
        pipe.admin.register_project("load")
    # A log that nobody reads while it is written would hold the server up.
    with program("--store", place, "--no-access-log") as server, ThreadPoolExecutor(64) as threads:
        futures = [threads.submit(work, server.url, client) for client in range(64)]
        logged = [run for future in futures for run in future.result()]
        assert server.stop() == []
    with arangopipe.connect(place) as pipe:
        assert len(set(logged)) == len(logged) == 256
        assert pipe.store.count("run") == {None: 256}
        assert all(node is not None for node in pipe.store.get(logged))
        assert audit.verify(pipe.store).ok
