"""Answers that come piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from anyio import CancelScope
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send


class Stream(StreamingResponse):
    """An answer from an iterator, which is closed whether or not the client takes all of it.

    Left alone, one that a client has broken off would keep its read of the store open.
    """

    def __init__(self, pieces: Iterator[Any], **more: Any) -> None:
        super().__init__(pieces, **more)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            if hasattr(self._pieces, "close"):
                with CancelScope(shield=True):
                    await run_in_threadpool(self._pieces.close)
