"""The threads in which the server waits for its store."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

THREADS = 40
"""How many requests wait for the store at once."""

_Task = tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]]


class Threads:
    """Runs functions for one event loop in up to `most` threads, which are started as they are needed.

    The framework's own way takes thrice as long to get there and back, which is much of what a write takes.
    """

    def __init__(self, most: int = THREADS) -> None:
        self._most = most
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._started = self._busy = 0

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return what a function returns; it goes on where whoever waits for it is cancelled."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._busy += 1
        if self._busy > self._started and self._started < self._most:
            self._started += 1
            threading.Thread(target=self._work, name="arangopipe server", daemon=True).start()
        self._tasks.put((future, function, arguments))
        return await future

    def stop(self) -> None:
        """End the threads once they have done what they were given."""
        for _ in range(self._started):
            self._tasks.put(None)
        self._started = 0

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            future, function, arguments = task
            result: Any = None
            failed: BaseException | None = None
            try:
                result = function(*arguments)
            except BaseException as error:
                failed = error
            loop = future.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._answer, future, result, failed)
            del task, future, function, arguments, result, failed

    def _answer(self, future: asyncio.Future[Any], result: Any, failed: BaseException | None) -> None:
        self._busy -= 1
        if future.cancelled():
            return
        if failed is None:
            future.set_result(result)
        else:
            future.set_exception(failed)
