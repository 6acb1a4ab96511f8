"""Asking a server: repeated while it is away, with its errors as Arangopipe's own."""

from __future__ import annotations

import itertools
import json
import random
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from arangopipe.errors import (
    ArangopipeError,
    InvalidInput,
    PermissionDenied,
    SchemaMismatch,
    StoreError,
    StoreUnavailable,
)
from arangopipe.model.wire import error_from
from arangopipe.store.remote.address import Address
from arangopipe.store.remote.pool import Answer, Broken, Pool

T = TypeVar("T")

API = 1
"""The version of the API that is spoken here."""
PATH = f"/api/v{API}"
GREETING = 5.0
"""Seconds that opening a store waits for a server."""
ATTEMPTS = 6
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
PACKED = 16_384
"""Bytes from which a body is packed, where packing is on."""

JSON, LINES = "application/json", "application/x-ndjson"
_BUSY = (429, 502, 503, 504)
_REFUSED = (400, 411, 413, 414, 415, 422, 431)

encode = json.JSONEncoder(separators=(",", ":")).encode


class Greeting(NamedTuple):
    """What a server says of its store to whoever asks: its abilities, whether only a part is shown, and which
    projects may be exported then."""

    abilities: frozenset[str]
    restricted: bool
    exports: frozenset[str]


class Client:
    """What speaks to one server on behalf of one token."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._pool = Pool(address)
        self._headers = {"Accept-Encoding": "gzip" if address.gzip else "identity"}
        if address.token:
            self._headers["Authorization"] = f"Bearer {address.token}"

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def greet(self, patience: float) -> Greeting:
        """Return what the server says of itself.

        Raises `StoreError` where none is, `SchemaMismatch` for one of another API, `StoreUnavailable`
        where nothing answers.
        """
        deadline = time.monotonic() + patience
        status, body, answer = self._once(f"{PATH}/store", deadline)
        said = _object(body)
        if status == 200 and said.get("api") == API:
            abilities, exports = (
                frozenset(map(str, said.get(name, ()))) for name in ("abilities", "exports")
            )
            return Greeting(abilities, bool(said.get("restricted")), exports)
        if status == 404:
            self._raise_for_version(deadline)
        if status in (200, 404) or 300 <= status < 400:
            raise StoreError(
                f"no Arangopipe server answers at {self.address.url} (but something else, "
                f"with status {status}): correct the address"
            )
        raise self._error(answer, body)

    def _raise_for_version(self, deadline: float) -> None:
        said = _object(self._once("/api", deadline)[1])
        spoken = said.get("api")
        if isinstance(spoken, list) and "arangopipe" in said and API not in spoken:
            raise SchemaMismatch(
                f"the server at {self.address.url} (Arangopipe {said['arangopipe']}) speaks version "
                f"{', '.join(map(str, spoken))} of the API, and this Arangopipe version {API}: "
                "bring both to one version (pip install -U arangopipe)"
            )

    def call(
        self, path: str, body: bytes, patience: float | None = None, repeat: bool = True, kind: str = JSON
    ) -> Any:
        """Return the JSON value that the server answers; raise what it raised.

        It is asked again while it is away, for `patience` seconds at the most; what may be done once only
        (not `repeat`) is not asked again when it may have been heard.
        """
        return self._asked(path, body, kind, patience, repeat, _value)

    def stream(self, path: str, body: bytes) -> Iterator[Any]:
        """Yield what the server sends line by line; raise what it raised, also in the midst of it."""
        return self._items(self._asked(path, body, JSON, None, True, lambda answer, deadline: answer))

    def _asked(
        self,
        path: str,
        body: bytes,
        kind: str,
        patience: float | None,
        repeat: bool,
        take: Callable[[Answer, float], T],
    ) -> T:
        deadline = time.monotonic() + (self.address.timeout if patience is None else patience)
        headers = {**self._headers, "Content-Type": kind}
        if patience is not None:
            headers["Prefer"] = f"wait={max(round(patience), 1)}"
        if len(body) > PACKED and self.address.gzip:
            body, headers["Content-Encoding"] = _packed(body), "gzip"
        for number in itertools.count(1):
            cause = None
            try:
                answer = self._send("POST", f"{PATH}/{path}", body, headers, deadline)
                if answer.status == 200:
                    return take(answer, deadline)
                error, pause = self._error(answer, answer.body(deadline)), _pause_after(answer, number)
            except Broken as broken:
                error, pause, cause = self._broken(broken, repeat), _backoff(number), broken
                if broken.final or (broken.sent and not repeat):
                    pause = None
            if pause is None or time.monotonic() + pause >= deadline:
                raise error from cause
            time.sleep(pause)
        raise AssertionError("there is always a next attempt")

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], deadline: float
    ) -> Answer:
        left = deadline - time.monotonic()
        if left <= 0:
            raise Broken("it does not answer in time", sent=False, final=True)
        return self._pool.ask(method, path, body, headers, min(self.address.timeout, left))

    def _once(self, path: str, deadline: float) -> tuple[int, bytes, Answer]:
        """Ask once; raises `StoreUnavailable`, and `StoreError` where trying again is of no use."""
        try:
            answer = self._send("GET", path, None, self._headers, deadline)
            return answer.status, answer.body(deadline), answer
        except Broken as error:
            if error.untrusted:
                raise StoreError(f"the server at {self.address.url} is not trusted: {error}") from error
            raise self.away(str(error)) from error

    def _items(self, answer: Answer) -> Iterator[Any]:
        count, ended = 0, False
        for said in self._said(answer):
            if "problem" in said:
                raise self.error(said["problem"])
            if "end" in said:
                ended = said["end"] == count
                continue
            yield from said["items"]
            count += len(said["items"])
        if not ended:
            raise self.away("it broke off in the midst of an answer")

    def _said(self, answer: Answer) -> Iterator[dict[str, Any]]:
        try:
            for line in _lines(answer.pieces()):
                yield json.loads(line)
        except (Broken, ValueError) as error:
            raise self.away(f"{error}, in the midst of an answer") from error

    # --- errors ----------------------------------------------------------------------------------

    def _broken(self, error: Broken, repeat: bool) -> StoreUnavailable:
        if error.sent and not repeat:
            return self.away(f"{error}; what was asked may have been done: look before you repeat it")
        return self.away(str(error))

    def away(self, why: str) -> StoreUnavailable:
        """Return the error of a server that does not serve."""
        return StoreUnavailable(f"the server at {self.address.url} is not to be reached: {why}")

    def _error(self, answer: Answer, body: bytes) -> ArangopipeError:
        """Return the error that an answer tells; of one that is not Arangopipe's, that it is away."""
        problem = _object(body)
        if isinstance(problem.get("title"), str):
            return self.error({"status": answer.status, **problem})
        if answer.status in (401, 403):
            return PermissionDenied(f"{self.address.url} refuses what was asked (status {answer.status})")
        kind = answer.headers.get("content-type", "nothing").partition(";")[0]
        return self.away(f"status {answer.status} with {kind}, which is not Arangopipe's answer")

    def error(self, problem: Mapping[str, Any]) -> ArangopipeError:
        """Return the error of a problem document."""
        detail = str(problem.get("detail", ""))
        known = error_from(str(problem.get("title")), detail, problem)
        if known is not None:
            return known
        status = problem.get("status")
        if status == 401:
            return PermissionDenied(
                f"{self.address.url} lets in known users only, and there is no token, or one that is wrong, "
                "expired or revoked: set ARANGOPIPE_TOKEN, or pass token= in Python"
            )
        if status == 403:
            return PermissionDenied(detail or f"{self.address.url} refuses what was asked")
        if status in _REFUSED:
            return InvalidInput(detail or f"{self.address.url} does not take what was sent")
        return self.away(f"status {status}, {problem.get('title')}: {detail}")


def _value(answer: Answer, deadline: float) -> Any:
    body = answer.body(deadline)
    try:
        return json.loads(body)
    except ValueError as error:
        raise Broken("its answer is no JSON", sent=True) from error


def _pause_after(answer: Answer, number: int) -> float | None:
    """Return how long to wait after an answer that refuses; None where that is final."""
    if answer.status not in _BUSY:
        return None
    wait = answer.headers.get("retry-after", "")
    return max(float(wait), _pause(number)) if wait.isdecimal() else _backoff(number)


def _backoff(number: int) -> float | None:
    return None if number >= ATTEMPTS else _pause(number)


def _pause(number: int) -> float:
    longest: float = min(FIRST_PAUSE * 2 ** min(number - 1, 10), LONGEST_PAUSE)
    return longest * random.uniform(0.5, 1.0)


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
    if rest:
        yield rest


def _object(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _packed(body: bytes) -> bytes:
    pack = zlib.compressobj(1, wbits=31)
    return pack.compress(body) + pack.flush()
