"""What comes in as a body, within bounds, and what goes out line by line."""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect

from arangopipe.errors import ArangopipeError, InvalidInput, StoreError
from arangopipe.server import problems

MAX_BODY = 64 * 2**20
"""Bytes of one JSON value, unpacked: a body, or one line of a stream."""
LINES = "application/x-ndjson"
_PIECE = 2**20
_GROUP = 65_536

encode = json.JSONEncoder(separators=(",", ":")).encode


async def body_of(request: Request, limit: int = MAX_BODY) -> bytes:
    """Return the whole body, unpacked; raises `InvalidInput` for one beyond the limit."""
    if "content-encoding" not in request.headers and _length(request) <= _PIECE:
        return await request.body()
    parts, size = [], 0
    async for piece in pieces_of(request):
        size += len(piece)
        if size > limit:
            raise too_large(limit)
        parts.append(piece)
    return b"".join(parts)


async def pieces_of(request: Request) -> AsyncIterator[bytes]:
    """Yield the body as it comes, unpacked, each piece of bounded size."""
    packing = request.headers.get("content-encoding", "identity").lower()
    if packing not in ("gzip", "identity"):
        raise InvalidInput(f"Content-Encoding is {packing!r}: send gzip, or leave it out")
    unpack = zlib.decompressobj(wbits=31) if packing == "gzip" else None
    try:
        async for piece in request.stream():
            while piece and unpack is not None:
                yield unpack.decompress(piece, _PIECE)
                piece = unpack.unconsumed_tail
            yield piece
    except zlib.error as error:
        raise InvalidInput(
            f"the body is not packed with gzip, as its Content-Encoding says: {error}"
        ) from error
    except ClientDisconnect as error:
        raise InvalidInput("the body broke off") from error
    if unpack is not None and not unpack.eof:
        raise InvalidInput("the body broke off: what it has packed is not whole")


async def lines_of(request: Request, limit: int = MAX_BODY) -> AsyncIterator[bytes]:
    """Yield the lines of a body, without blank ones."""
    parts: list[bytes] = []
    size = 0
    async for piece in pieces_of(request):
        *lines, rest = piece.split(b"\n")
        for line in lines:
            whole = b"".join([*parts, line])
            parts, size = [], 0
            if whole.strip():
                yield whole
        parts.append(rest)
        size += len(rest)
        if size > limit:
            raise too_large(limit)
    if (whole := b"".join(parts)).strip():
        yield whole


def too_large(limit: int) -> InvalidInput:
    """Return the error of a body, or a line of one, beyond a limit."""
    return InvalidInput(f"this is larger than {limit // 2**20} MB: send less at once")


def _length(request: Request) -> int:
    text = request.headers.get("content-length", "")
    return int(text) if text.isdecimal() else MAX_BODY


def json_of(body: bytes) -> Any:
    """Return the JSON value of a body; raises `InvalidInput` for what is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"this is no JSON ({error}): {body[:80]!r}") from error


def streamed(items: Iterator[Any]) -> StreamingResponse:
    """Return an answer of lines ``{"items": […]}`` and at last ``{"end": how many}``.

    What fails in the midst of it stands as ``{"problem": …}``, and there is no end. The first items are
    read before the answer begins, so that most errors have their status.
    """
    lines = _lines(items)
    first = next(lines)
    return StreamingResponse(_from(first, lines), media_type=LINES)


def _from(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    try:
        yield from lines
    except ArangopipeError as error:
        yield f'{{"problem":{bytes(problems.of(error).body).decode()}}}\n'


def _lines(items: Iterator[Any]) -> Iterator[str]:
    count, texts, size = 0, [], 0
    for item in items:
        texts.append(encode(item))
        size += len(texts[-1])
        if size > _GROUP:
            yield f'{{"items":[{",".join(texts)}]}}\n'
            count, texts, size = count + len(texts), [], 0
    yield f'{{"items":[{",".join(texts)}]}}\n{{"end":{count + len(texts)}}}\n'
