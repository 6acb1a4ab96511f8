"""The address of a server: ``https://host:port/path?timeout=30&ca=/path/of/authorities.pem``."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlsplit

from arangopipe.errors import InvalidInput

TIMEOUT = 30.0
"""Seconds an answer may take, where the address says nothing else."""
OPTIONS = ("timeout", "ca", "gzip")
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Address:
    """Where a server is and how it is spoken to; `url` opens it again and holds no secret."""

    url: str
    secure: bool
    host: str
    port: int
    path: str
    timeout: float = TIMEOUT
    ca: str | None = None
    gzip: bool = True
    token: str = field(default="", repr=False)


def address_of(url: str, token: str | None = None) -> Address:
    """Return what an address says; without `token`, the setting ARANGOPIPE_TOKEN counts.

    Raises `InvalidInput` for what cannot be the address of a server.
    """
    place, mark, query = url.partition("?")
    scheme, _, rest = place.partition("://")
    if "@" in rest.partition("/")[0]:
        raise InvalidInput(
            f"an address such as {scheme}://{rest.rpartition('@')[2]} holds no user or password: "
            "pass token=, or set ARANGOPIPE_TOKEN"
        )
    try:
        parts = urlsplit(place)
        host, port = parts.hostname, parts.port or PORTS[scheme]
        (host or "").encode("idna" if not (host or "").isascii() else "ascii")
    except (ValueError, LookupError) as error:
        raise InvalidInput(f"{place!r} is not the address of a server: write https://host:port") from error
    if not host or parts.fragment or any(character <= " " for character in place):
        raise InvalidInput(f"{place!r} is not the address of a server: write https://host:port")
    place = place.rstrip("/")
    options = dict(_options(query))
    return Address(
        f"{place}{mark}{query}" if query else place,
        scheme == "https",
        host,
        port,
        quote(parts.path.rstrip("/"), safe="/%"),
        _seconds(options.get("timeout")),
        options.get("ca"),
        _switch(options["gzip"]) if "gzip" in options else not _is_here(host),
        _checked(os.environ.get("ARANGOPIPE_TOKEN", "") if token is None else token),
    )


def _options(query: str) -> list[tuple[str, str]]:
    options = parse_qsl(query, keep_blank_values=True)
    for name, _ in options:
        if name not in OPTIONS:
            more = ": a token is passed as token=, or set as ARANGOPIPE_TOKEN" if "token" in name else ""
            raise InvalidInput(
                f"the address of a server has no option {name!r}{more}; known: {', '.join(OPTIONS)}"
            )
    return options


def _seconds(text: str | None) -> float:
    try:
        seconds = TIMEOUT if text is None else float(text)
        if 0 < seconds < 1e6:
            return seconds
    except ValueError:
        pass
    raise InvalidInput(f"timeout={text} in the address of a server: write a number of seconds")


def _switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise InvalidInput(f"gzip={text} in the address of a server: write on or off")
    return text == "on"


def _is_here(host: str) -> bool:
    """Whether a server is on this machine, where packing takes longer than sending."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked(token: str) -> str:
    if not isinstance(token, str) or not all("!" <= character <= "~" for character in token):
        raise InvalidInput("the token has a character that no token has: pass it as it was printed")
    return token
