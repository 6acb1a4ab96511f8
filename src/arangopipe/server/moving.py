"""Whole stores as streams: export and import of bundles, and erasing, for administrators."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from arangopipe import __version__
from arangopipe.bundle import import_bundle, stream
from arangopipe.errors import ArangopipeError, InvalidInput
from arangopipe.model import times
from arangopipe.references import moment_of
from arangopipe.roles import require
from arangopipe.server import asking, forms, wire
from arangopipe.server.access import Asker
from arangopipe.server.asking import Administrator, AskedPipe
from arangopipe.server.limits import streamed
from arangopipe.server.problems import may
from arangopipe.server.replies import of_change, reply
from arangopipe.server.streaming import Stream

router = APIRouter(tags=["administration"])

BUNDLE = "application/gzip"

_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_SENT = {"required": True, "content": {BUNDLE: _BINARY, "application/octet-stream": _BINARY}}


@router.get("/server", response_model=wire.Server)
def get_server(pipe: AskedPipe, request: Request) -> Response:
    """Return the version of the server, and how far its store has come."""
    head = pipe.store.head()
    return reply(
        {
            "arangopipe": __version__,
            "authentication": request.app.state.gate.authentication,
            "change": 0 if head is None else head.number,
            "time": None if head is None else times.to_text(head.time),
        }
    )


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {BUNDLE: _BINARY}}, **may(404)},
)
def export_bundle(
    pipe: AskedPipe,
    asker: Asker,
    project: asking.Project = None,
    since: asking.Since = None,
    until: asking.Until = None,
) -> Stream:
    """Return the store, the part of a project or a span of changes as a bundle, piece by piece.

    For administrators; a maintainer of `project` is given that, and of what it depends on whatever they may
    see. A bundle is gzipped lines of JSON, one for each change; its last line counts them, so that one which
    broke off is known for one.
    """
    first, last = moment_of(asking.when(since, "since")), moment_of(asking.when(until, "until"))
    if project is None:
        asking.check_administrator(asker)
    else:
        project = pipe.references().project_node(project).name
        require(asker, "export", project)
    pieces = stream(pipe.store, project=project, since=first, until=last)
    headers = {"Content-Disposition": 'attachment; filename="arangopipe.bundle"'}
    return Stream(pieces, media_type=BUNDLE, headers=headers)


@router.post(
    "/import",
    response_model=wire.Imported,
    responses=may(400, 409, 501),
    openapi_extra={"requestBody": _SENT},
)
@streamed
async def import_stream(pipe: AskedPipe, _: Administrator, request: Request) -> Response:
    """Take the changes of a bundle into the store, and return how many were new, known, in conflict.

    For administrators. An empty store takes over a whole bundle as it is, any other merges it; what was
    cut short or altered is refused before anything is recorded.
    """
    with tempfile.TemporaryDirectory(prefix="arangopipe-") as folder:
        path = Path(folder) / "sent.bundle"
        with path.open("wb") as file:
            async for piece in request.stream():
                await run_in_threadpool(file.write, piece)
        found = await run_in_threadpool(_import, pipe, path)
    return reply(found)


def _import(pipe: asking.Pipe, path: Path) -> dict[str, Any]:
    try:
        found = import_bundle(pipe.store, path, actor=pipe.actor).to_dict()
    except ArangopipeError as error:
        if str(path) in str(error):
            raise InvalidInput(str(error).replace(str(path), "what was sent")) from error
        raise
    del found["path"]
    return found


@router.post("/erase", response_model=wire.Made, responses=may(404, 409, 501))
def erase(pipe: AskedPipe, _: Administrator, body: forms.Erasure) -> Response:
    """Remove the content of every revision of some things for good; digests and edges stay.

    For administrators.
    """
    return of_change(pipe.admin.erase(*body.refs, reason=body.reason, force=body.force))
