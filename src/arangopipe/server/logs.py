"""The server's log: one line of JSON for each request and for each thing that goes wrong."""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from collections.abc import Mapping
from time import perf_counter
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arangopipe.model import times
from arangopipe.model.ids import uuid7
from arangopipe.server import problems

ACCESS = logging.getLogger("arangopipe.server.access")
SERVER = logging.getLogger("arangopipe.server")

_REQUEST_ID = re.compile(rb"[\w.:-]{1,128}", re.ASCII)


class Journal:
    """Names each request, writes its line, and answers what went wrong unexpectedly.

    The line holds neither headers nor the query string, in which secrets may stand.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = perf_counter()
        name = _name(scope)
        state = scope.setdefault("state", {})
        state["request_id"] = name.decode()
        status, size = 0, 0

        async def answer(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", name)]
            elif message["type"] == "http.response.body":
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, answer)
        except Exception:
            SERVER.exception("request %s failed", name.decode())
            if status:
                raise
            response = problems.problem(500, f"the server failed; its log says why at {name.decode()}")
            await response(scope, receive, answer)
        finally:
            if ACCESS.isEnabledFor(logging.INFO):
                ACCESS.info("", extra={"request": _line(scope, state, status, size, began)})


def refused(client: tuple[str, int] | None, status: int, size: int) -> str:
    """Write the line of what was refused before it was a request, and return the name it is given."""
    scope = {"client": client, "method": "", "path": ""}
    state = {"request_id": uuid7()}
    if ACCESS.isEnabledFor(logging.INFO):
        ACCESS.info("", extra={"request": _line(scope, state, status, size, perf_counter())})
    return state["request_id"]


def _name(scope: Scope) -> bytes:
    for header, value in scope["headers"]:
        if header == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return value  # type: ignore[no-any-return]
    return uuid7().encode()


def _line(scope: Scope, state: Mapping[str, Any], status: int, size: int, began: float) -> dict[str, Any]:
    client = scope.get("client")
    return {
        "client": client[0] if client else "",
        "user": getattr(state.get("principal"), "user", ""),
        "method": scope["method"],
        "path": scope["path"],
        "status": status,
        "bytes": size,
        "ms": round((perf_counter() - began) * 1_000, 3),
        "request_id": state["request_id"],
    }


class Lines(logging.Formatter):
    """Writes each record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        moment = times.to_text(times.from_microseconds(int(record.created * 1_000_000)))
        request = getattr(record, "request", None)
        if request is not None:
            return json.dumps({"time": moment, **request})
        line = {"time": moment, "level": record.levelname.lower(), "message": record.getMessage()}
        if record.exc_info:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line)


def write_log(level: str, access: bool) -> None:
    """Write the log to standard error: what is as grave as `level`, and requests if `access`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    for logger, least in ((SERVER, level), (ACCESS, "info" if access else "critical")):
        logger.setLevel(least.upper())
        logger.propagate = False
        logger.handlers = [handler]
    errors = logging.getLogger("uvicorn.error")
    errors.setLevel("WARNING" if level == "info" else level.upper())
    errors.propagate = False
    errors.handlers = [handler]
