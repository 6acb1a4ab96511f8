"""Answers as JSON, with the ETags by which callers know what they have seen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from arangopipe.details import change_dict
from arangopipe.model.entities import Entity, Run
from arangopipe.model.graph import Change
from arangopipe.server.problems import PreconditionFailed

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def reply(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return JSON-able values as an answer."""
    return Response(_encode(value).encode(), status, headers, "application/json")


def of_thing(entity: Entity, request: Request | None = None) -> Response:
    """Return a thing with its ETag; 304 where the caller has it already."""
    tag = etag(entity)
    wanted = None if request is None else request.headers.get("if-none-match")
    if wanted is not None and (wanted.strip() == "*" or tag in _tags(wanted)):
        return Response(status_code=304, headers={"ETag": tag})
    return reply(entity.to_dict(), headers={"ETag": tag})


def created(entity: Entity, path: str) -> Response:
    """Return a thing that has been made, with its place."""
    headers = {"ETag": etag(entity), "Location": f"{path}/{quote(entity.key, safe='')}"}
    return reply(entity.to_dict(), 201, headers)


def of_change(change: Change) -> Response:
    """Return who changed what when."""
    return reply(change_dict(change))


def etag(entity: Entity) -> str:
    """Return what names this state of a thing: its revision, and of a run what it owns, too."""
    if not isinstance(entity, Run):
        return f'"{entity.revision}"'
    owned = sha256(f"{entity.params_text}\n{entity.metrics_text}".encode()).hexdigest()[:12]
    return f'"{entity.revision}-{owned}"'


def check_match(entity: Entity, header: str | None) -> int | None:
    """Return the revision that a change must find, None for any; raise where If-Match does not hold."""
    if header is None or header.strip() == "*":
        return None
    if etag(entity) not in _tags(header):
        raise PreconditionFailed(f"{entity.id} has the ETag {etag(entity)}, not {header:.80}: get it again")
    return entity.revision


def _tags(header: str) -> set[str]:
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}
