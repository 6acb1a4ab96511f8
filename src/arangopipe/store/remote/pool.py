"""Connections to a server, kept open and used again.

This is `http.client` of the standard library: a request through httpx takes six times its processor time,
which is more than the server needs to record a run.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import select
import socket
import ssl
import time
import zlib
from collections.abc import Iterator, Mapping

from arangopipe.errors import InvalidInput
from arangopipe.store.remote.address import Address

CONNECT = 2.0
"""Seconds to reach a server."""
QUIET = 3.0
"""Seconds without an answer after which a server is asked whether it lives."""
LIVES = 5.0
"""Seconds that it has to say so."""
KEPT = 16
"""Idle connections kept."""
_PIECE = 65_536
_DAMAGE = (OSError, http.client.HTTPException, zlib.error, EOFError)


class Broken(Exception):
    """What a server was asked is not answered, or not wholly; `sent` says whether it may know of it.

    `final`: there is no use in asking again; `untrusted`: because it cannot be spoken to safely.
    """

    def __init__(self, why: str, sent: bool, final: bool = False, untrusted: bool = False) -> None:
        super().__init__(why)
        self.sent = sent
        self.final = final or untrusted
        self.untrusted = untrusted


class Answer:
    """An answer whose body is still to be read; reading it to its end frees the connection."""

    def __init__(self, pool: Pool, link: http.client.HTTPConnection, answer: http.client.HTTPResponse):
        self._pool = pool
        self._link = link
        self._answer = answer
        self.status = answer.status
        self.headers = answer.headers
        self._open = True

    def __del__(self) -> None:
        if self._open:
            self._close()

    def _close(self) -> None:
        self._open = False
        self._answer.close()
        self._link.close()

    def pieces(self, deadline: float | None = None) -> Iterator[bytes]:
        """Yield the body as it comes, unpacked, until its end; raise `Broken` where it is cut."""
        packed = self.headers.get("content-encoding", "").lower() == "gzip"
        unpack = zlib.decompressobj(wbits=31) if packed else None
        whole = False
        try:
            while piece := self._piece(deadline):
                yield unpack.decompress(piece) if unpack else piece
            if self._answer.length or (unpack and not unpack.eof):
                raise EOFError("the answer was cut off")
            whole = True
        except _DAMAGE as error:
            raise Broken(_words(error), sent=True) from error
        finally:
            if whole and not self._answer.will_close:
                self._open = False
                self._answer.close()  # the answer, not the connection
                self._pool.give_back(self._link)
            else:
                self._close()

    def _piece(self, deadline: float | None) -> bytes:
        if deadline is not None and self._link.sock is not None:
            self._link.sock.settimeout(max(deadline - time.monotonic(), 0.001))
        return self._answer.read1(_PIECE)

    def body(self, deadline: float | None = None) -> bytes:
        """Return the whole body."""
        return b"".join(self.pieces(deadline))


class Pool:
    """The connections of one store: safe under threads, and begun anew in a forked child."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._context = _context(address.ca) if address.secure else None
        self._process = os.getpid()
        self._idle: list[http.client.HTTPConnection] = []
        self._closed = False

    def ask(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], timeout: float
    ) -> Answer:
        """Send a request and return the beginning of its answer; raises `Broken`.

        A kept connection that the server has closed meanwhile is replaced at once.
        """
        link = self._take()
        link.timeout = min(CONNECT, timeout)
        sent = False
        try:
            if link.sock is None:
                link.connect()
            link.sock.settimeout(timeout)
            sent = True
            # A server that takes no more of a body may have said why.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                link.request(method, self._address.path + path, body, headers)
            self._await_answer(link.sock, time.monotonic() + timeout)
            return Answer(self, link, link.getresponse())
        except _DAMAGE as error:
            link.close()
            raise Broken(_words(error), sent, untrusted=_is_untrusted(error)) from error
        except BaseException:
            link.close()
            raise

    def _await_answer(self, sock: socket.socket, deadline: float) -> None:
        """Wait until an answer begins; raise `Broken` for a server that does not even live.

        On a new connection with TLS what comes first is not yet the answer: there it is waited for as ever.
        """
        while not _has_news(sock, min(QUIET, max(deadline - time.monotonic(), 0.0))):
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if not self._lives(min(LIVES, left)):
                raise Broken("it hangs: it does not answer, nor say that it lives", sent=True, final=True)

    def _lives(self, timeout: float) -> bool:
        """Whether the server says on another connection, within twice some seconds, that it lives."""
        link = self._new()
        link.timeout = timeout
        try:
            link.request("GET", f"{self._address.path}/health")
            answer = link.getresponse()
        except _DAMAGE:
            return False
        finally:
            link.close()
        # It may have too many connections for this one, and says so itself; a proxy says that it is away.
        return answer.status < 500 or answer.headers.get_content_type() == "application/problem+json"

    def give_back(self, link: http.client.HTTPConnection) -> None:
        """Keep a connection for the next request."""
        if len(self._idle) < KEPT and self._process == os.getpid() and not self._closed:
            self._idle.append(link)
        else:
            link.close()

    def close(self) -> None:
        """Close what is idle, and whatever else is given back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> http.client.HTTPConnection:
        if self._process != os.getpid():
            # These are the parent's: to say anything there would mix up its answers.
            self._process, self._idle = os.getpid(), []
        while self._idle:
            try:
                link = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if link.sock is not None and not _has_news(link.sock):
                return link
            link.close()
        return self._new()

    def _new(self) -> http.client.HTTPConnection:
        address = self._address
        if self._context is None:
            return http.client.HTTPConnection(address.host, address.port)
        return http.client.HTTPSConnection(address.host, address.port, context=self._context)


def _has_news(sock: socket.socket, seconds: float = 0.0) -> bool:
    """Whether there is something to read within some seconds; where nobody has asked, it is the end."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return bool(poll.poll(seconds * 1_000))
    return bool(select.select([sock], [], [], seconds)[0])


def _context(ca: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise InvalidInput(f"ca={ca} cannot be read as certificates: {error.strerror or error}") from error


def _is_untrusted(error: Exception) -> bool:
    ended = isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError))
    return isinstance(error, ssl.SSLError) and not ended


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{error.verify_message} (name who signs its certificate with ?ca=/path)"
    if _is_untrusted(error):
        return "it does not speak https"
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, (http.client.HTTPException, EOFError, ConnectionResetError, BrokenPipeError)):
        return "it broke off the connection"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__
