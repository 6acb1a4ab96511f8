"""The one write door: a batch, or a stream of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from arangopipe.errors import ArangopipeError, InvalidInput, PermissionDenied, StoreError
from arangopipe.model.wire import batch_from, change_dict, change_from
from arangopipe.server import problems
from arangopipe.server.access import AskedStore, Principal, asking
from arangopipe.server.bodies import LINES, body_of, encode, json_of, lines_of
from arangopipe.server.contract import replica_of
from arangopipe.server.limits import streamed
from arangopipe.server.problems import may
from arangopipe.server.straight import straight
from arangopipe.server.streaming import Stream
from arangopipe.server.threads import Threads
from arangopipe.store.base import Store

router = APIRouter(tags=["store"])

PATIENCE = 30.0
"""Seconds a batch waits for others who write, where its sender does not say (``Prefer: wait=10``)."""
_MEMORY = 2**20
_PIECE = 2**16


@straight
async def write(request: Request) -> Response:
    """Record one batch, whole or not at all, or a stream of batches, one a line.

    A batch that was recorded before is not recorded again, and answered the same: send it anew
    whenever in doubt. With authentication, the actor is whoever asks, whatever the batch says.

    The lines of a stream are batches of their own. The answer comes when the last one is read: for each,
    in order, the line of its change or of its problem. A batch that is refused does not
    hold up those after it; where the store fails, the answer ends with that.
    """
    asker, store = asking(request)
    limits = request.app.state.limits
    actor = asker if asker.user else None  # nobody is called "": that is everybody, without authentication
    patience = _patience(request)
    if request.headers.get("content-type", "").partition(";")[0].strip() == LINES:
        return await _stream(request, store, actor, patience)
    body = await body_of(request)
    threads: Threads = request.app.state.threads
    answer = await threads.run(_record, store, body, actor, patience, limits.depth)
    return Response(answer, media_type="application/json")


def _record(store: Store, body: bytes, actor: Principal | None, patience: float, depth: int) -> bytes:
    batch = batch_from(json_of(body, depth))
    if actor is not None:
        if batch.origin is not None and not actor.admin:
            raise PermissionDenied(
                "a batch with an origin moves the clock: only an administrator may write it"
            )
        batch = replace(batch, actor=actor.user)
    return encode(change_dict(store.write(batch, patience))).encode()


async def _stream(request: Request, store: Store, actor: Principal | None, patience: float) -> Response:
    # Answers wait here until the last line came: few clients read while they still write.
    answers: IO[bytes] = SpooledTemporaryFile(_MEMORY)  # noqa: SIM115
    depth = request.app.state.limits.depth
    threads: Threads = request.app.state.threads

    def record(lines: list[bytes]) -> bool:
        """Record lines and note their answers; return False where the store failed."""
        for line in lines:
            try:
                answers.write(_record(store, line, actor, patience, depth) + b"\n")
            except ArangopipeError as error:
                answers.write(bytes(problems.of(error).body) + b"\n")
                if isinstance(error, StoreError):
                    return False
        return True

    try:
        async for lines in lines_of(request):
            if not await threads.run(record, lines):
                break
        await run_in_threadpool(answers.seek, 0)
    except BaseException:
        answers.close()
        raise
    return Stream(_read(answers), media_type=LINES)


def _read(answers: IO[bytes]) -> Iterator[bytes]:
    with closing(answers):
        while piece := answers.read(_PIECE):
            yield piece


def _patience(request: Request) -> float:
    wanted = re.search(r"\bwait=(\d{1,3})\b", request.headers.get("prefer", ""))
    return min(float(wanted[1]), PATIENCE) if wanted else PATIENCE


@router.post("/store/append", tags=["store"], responses=may(400, 409, 501))
@streamed
async def append(request: Request, store: AskedStore) -> dict[str, Any]:
    """Record changes, one a line with its rows, as another store did: all or nothing."""
    replica = replica_of(store)
    try:
        changes = [change_from(json_of(line)) async for lines in lines_of(request) for line in lines]
    except (LookupError, TypeError, AttributeError) as error:
        raise InvalidInput(f"a line is no change of a store ({type(error).__name__}: {error})") from error
    await run_in_threadpool(replica.append, changes)
    return {}


_BATCH: dict[str, Any] = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {
            "type": "string",
            "description": "A UUIDv7 of the client's: by it a batch is known",
        },
        "puts": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["node", "expect"],
                "properties": {
                    "node": {
                        "type": "object",
                        "required": ["kind", "key"],
                        "properties": {
                            "kind": {"type": "string"},
                            "key": {"type": "string"},
                            "name": {"type": "string"},
                            "version": {"type": "string"},
                            "project": {"type": "string", "description": "The key of a project."},
                            "document": {"type": "object"},
                        },
                    },
                    "expect": {"description": "`absent`, `any`, or the revision that is there."},
                },
            },
        },
        "edges": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["kind", "from", "to"],
                "properties": {
                    "kind": {"type": "string"},
                    "from": {"type": "string"},
                    "to": {"type": "string"},
                    "document": {"type": "object"},
                },
            },
        },
        "closes": {
            "type": "array",
            "description": "Ids of nodes, and edges as kind, from and to.",
            "items": {
                "oneOf": [
                    {"type": "string"},
                    {
                        "type": "object",
                        "required": ["kind", "from", "to"],
                        "properties": {name: {"type": "string"} for name in ("kind", "from", "to")},
                    },
                ]
            },
        },
        "points": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["run", "name", "points"],
                "properties": {
                    "run": {"type": "string"},
                    "name": {"type": "string"},
                    "points": {
                        "type": "array",
                        "items": {
                            "type": "array",
                            "description": "[step, microseconds since 1970, value]",
                            "items": {"type": ["number", "string"]},
                            "minItems": 3,
                            "maxItems": 3,
                        },
                    },
                },
            },
        },
        "actor": {"type": "string", "description": "Who: kept only by a server without authentication."},
        "action": {"type": "string"},
        "reason": {"type": "string"},
        "unchanged": {"type": "array", "items": {"type": "string"}},
        "since": {"type": "integer"},
    },
}

_RECORDED: dict[str, Any] = {
    "type": "object",
    "description": "The change that the batch made, now or when it was sent first.",
    "required": ["change", "time", "actor", "action", "reason", "batch", "digest", "chain"],
    "properties": {
        "change": {"type": "integer"},
        **{
            name: {"type": "string"}
            for name in ("time", "actor", "action", "reason", "batch", "digest", "chain")
        },
    },
}

_CHANGE = {
    "change": 31,
    "time": "2026-11-23T09:30:00.000000Z",
    "actor": "ana",
    "action": "log_run",
    "reason": "",
    "batch": "0192f0c4-7a5c-7cc0-8000-000000000001",
    "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "chain": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
    "entries": [],
}

_EXAMPLE = {
    "id": "0192f0c4-7a5c-7cc0-8000-000000000001",
    "action": "log_run",
    "puts": [
        {
            "node": {
                "kind": "run",
                "key": "0192f0c4-7a5c-7cc0-8000-6d4c3b2a1f0e",
                "document": {"status": "finished", "tag": "sweep-1"},
            },
            "expect": "absent",
        }
    ],
}

router.add_api_route(
    "/batches",
    streamed(write),
    methods=["POST"],
    response_class=Response,
    responses={
        **may(400, 404, 409, 501),
        200: {
            "content": {
                "application/json": {"schema": _RECORDED, "example": _CHANGE},
                LINES: {"schema": {"type": "string", "description": "A change or a problem a line."}},
            }
        },
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": _BATCH, "example": _EXAMPLE},
                LINES: {"schema": {"type": "string", "description": "One batch a line."}},
            },
        }
    },
)
