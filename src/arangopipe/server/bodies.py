"""What comes in piece by piece, within bounds, and what goes out line by line."""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

from arangopipe.errors import ArangopipeError, InvalidInput
from arangopipe.server import problems
from arangopipe.server.limits import Limits, depth_of
from arangopipe.server.streaming import Stream

LINES = "application/x-ndjson"
_PIECE = 2**20
_GROUP = 65_536

encode = json.JSONEncoder(separators=(",", ":")).encode


async def body_of(request: Request) -> bytes:
    """Return the whole body of a route that reads it itself, unpacked."""
    limits = _limits(request)
    parts: list[bytes] = []
    size = 0
    async for piece in _pieces(request):
        size += len(piece)
        if size > limits.body:
            raise _too_large(limits)
        parts.append(piece)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def lines_of(request: Request) -> AsyncIterator[list[bytes]]:
    """Yield the lines of a body, unpacked, as they come; none is longer than a body may be."""
    limits = _limits(request)
    parts: list[bytes] = []
    size = 0
    async for piece in _pieces(request):
        first, *more = piece.split(b"\n")
        parts.append(first)
        size += len(first)
        if more:
            *whole, rest = more
            yield [line for line in (b"".join(parts), *whole) if line.strip()]
            parts, size = [rest], len(rest)
        if size > limits.body:
            raise _too_large(limits)
    if (last := b"".join(parts)).strip():
        yield [last]


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    packing = request.headers.get("content-encoding", "identity").lower()
    if packing not in ("gzip", "identity"):
        raise HTTPException(415, "the body may be sent as it is, or with Content-Encoding: gzip")
    unpack = zlib.decompressobj(31) if packing == "gzip" else None
    try:
        async for piece in request.stream():
            while piece and unpack is not None:
                yield unpack.decompress(piece, _PIECE)
                piece = unpack.unconsumed_tail
            if piece:
                yield piece
    except zlib.error as error:
        raise InvalidInput(f"the body is not gzip as its Content-Encoding says ({error})") from error
    except ClientDisconnect as error:
        raise HTTPException(400, "the client has gone before its body came") from error
    if unpack is not None and not unpack.eof:
        raise InvalidInput("the body is gzip that was cut short")


def _limits(request: Request) -> Limits:
    found: Limits = request.app.state.limits
    return found


def _too_large(limits: Limits) -> HTTPException:
    return HTTPException(413, f"the body is larger than {limits.body:,} bytes: send it in parts")


def json_of(body: bytes, depth: int | None = None) -> Any:
    """Return the JSON value of a body, nested no deeper than `depth`."""
    if depth is not None and depth_of(body, depth) > depth:
        raise InvalidInput(f"the body is nested deeper than {depth} levels")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the body is no JSON ({error}): {body[:80]!r}") from error


def streamed(items: Iterator[Any]) -> Stream:
    """Return an answer of lines ``{"items": […]}`` and at last ``{"end": how many}``.

    What fails in the midst of it stands as ``{"problem": …}``, and there is no end. The first line is
    made before the answer begins, so that most errors have their status.
    """
    lines = _lines(items)
    first = next(lines)
    return Stream(_all(first, lines), media_type=LINES)


def _all(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    try:
        yield from lines
    except ArangopipeError as error:
        yield f'{{"problem":{bytes(problems.of(error).body).decode()}}}\n'


def _lines(items: Iterator[Any]) -> Iterator[str]:
    count, size = 0, 0
    texts: list[str] = []
    for item in items:
        texts.append(encode(item))
        size += len(texts[-1])
        if size > _GROUP:
            yield f'{{"items":[{",".join(texts)}]}}\n'
            count, texts, size = count + len(texts), [], 0
    yield f'{{"items":[{",".join(texts)}]}}\n{{"end":{count + len(texts)}}}\n'
