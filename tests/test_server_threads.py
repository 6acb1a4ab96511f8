"""The threads of the server: how many there are, and what comes back from them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor

import pytest

from arangopipe.server.threads import Threads


def to_its_end(main: Callable[[], Coroutine[object, object, None]]) -> None:
    """Run it in a thread of its own: one that drives a browser has a loop already."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(main())).result(60)


def names() -> set[int | None]:
    return {thread.ident for thread in threading.enumerate() if thread.name == "arangopipe server"}


def test_threads_are_started_as_needed_and_end() -> None:
    before = names()
    threads = Threads(most=3)

    def meet(barrier: threading.Barrier, value: int) -> int:
        barrier.wait(30)
        return value

    async def main() -> None:
        for value in range(5):
            assert await threads.run(meet, threading.Barrier(1), value) == value
        assert len(names() - before) == 1
        barrier = threading.Barrier(3)
        found = await asyncio.gather(*(threads.run(meet, barrier, value) for value in range(9)))
        assert found == list(range(9))
        assert len(names() - before) == 3
        threads.stop()

    to_its_end(main)
    deadline = time.monotonic() + 30
    while names() - before:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_errors_come_back_and_who_gave_up_is_not_answered() -> None:
    threads = Threads(most=1)
    done = threading.Event()

    def fail() -> None:
        raise ValueError("it failed")

    async def main() -> None:
        with pytest.raises(ValueError, match="it failed"):
            await threads.run(fail)
        hold = threading.Event()
        waiting = asyncio.create_task(threads.run(hold.wait, 30))
        await asyncio.sleep(0)
        after = asyncio.create_task(threads.run(done.set))
        await asyncio.sleep(0)
        waiting.cancel()
        hold.set()
        await after
        assert waiting.cancelled()
        threads.stop()

    to_its_end(main)
    assert done.is_set()
