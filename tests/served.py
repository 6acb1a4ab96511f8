"""Servers for tests: in a thread of this process, and as the program `arangopipe serve`."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from arangopipe.store import open_store
from arangopipe.store.base import Store
from commands import ENTRY

if TYPE_CHECKING:
    from fastapi import FastAPI

SECONDS = 60.0


class http:  # noqa: N801
    """Requests that wait as long as a busy machine may take."""

    get = staticmethod(partial(httpx.get, timeout=SECONDS))
    post = staticmethod(partial(httpx.post, timeout=SECONDS))
    request = staticmethod(partial(httpx.request, timeout=SECONDS))


@contextmanager
def serving(store: Store, **settings: Any) -> Iterator[str]:
    """Serve a store from a thread, on a free port of the loopback; gives the base URL."""
    # Every test process reads this module, and few need a server.
    from arangopipe.server import create_app

    with running(create_app(store, **settings)) as url:
        yield url


@contextmanager
def serving_in_turn() -> Iterator[Callable[[Store], str]]:
    """Serve one store after the other from one server: gives what takes the next one."""
    from arangopipe.server import create_app

    app = create_app(open_store("memory://"))
    with running(app) as url:

        def serve(store: Store) -> str:
            app.state.gate.store = store
            return url

        yield serve


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """Run an application from a thread; gives its base URL."""
    from arangopipe.server.running import Server, address, listen

    listening = listen("127.0.0.1", 0)
    ready = threading.Event()
    server = Server(app, ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        assert ready.wait(SECONDS), "the server has not started"
        yield address(listening, "127.0.0.1")
    finally:
        server.should_exit = True
        thread.join(SECONDS)
        assert not thread.is_alive(), "the server has not stopped"


@pytest.fixture
def served() -> Iterator[Callable[..., str]]:
    """Give `served(store, **settings)`, which serves a store until the test ends; gives the base URL."""
    with ExitStack() as stack:
        yield lambda store, **settings: stack.enter_context(serving(store, **settings))


class Program:
    """A running `arangopipe serve`: what it said, its process, and its log."""

    def __init__(self, process: subprocess.Popen[str], said: dict[str, Any]) -> None:
        self.process = process
        self.said = said
        self.url: str = said["url"]

    def stop(self) -> list[dict[str, Any]]:
        """Terminate it, and return the lines of its log."""
        self.process.terminate()
        _, log = self.process.communicate(timeout=SECONDS)
        assert self.process.returncode == 0, log
        return [json.loads(line) for line in log.splitlines()]


@contextmanager
def program(*arguments: str, **environment: str) -> Iterator[Program]:
    """Run ``arangopipe serve`` on a free port; killed at the end if it still runs."""
    process = subprocess.Popen(
        [*ENTRY, "serve", "--port", "0", "--json", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("}"):
                break
        assert lines, process.communicate(timeout=SECONDS)[1]
        yield Program(process, json.loads("".join(lines)))
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
