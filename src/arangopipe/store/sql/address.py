"""The address of a PostgreSQL store: what of it is ours, and what goes to libpq."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from arangopipe.errors import InvalidInput
from arangopipe.model.vocabulary import near

SCHEMA = "arangopipe"
CONNECTIONS = 20
TIMEOUT = 300.0
ISOLATION = ("read committed", "repeatable read", "serializable")
OWN_OPTIONS = ("schema", "isolation", "connections", "timeout")
SECRETS = ("password", "sslpassword")
MAX_SCHEMA = 63
MAX_TIMEOUT = 1_000_000.0


class Address(NamedTuple):
    """What an address says: the part for libpq, our own options, and the address without secrets."""

    libpq: str
    schema: str
    isolation: str | None
    connections: int
    timeout: float
    shown: str


def parse(url: str) -> Address:
    """Return what an address says, or raise `InvalidInput` for options that cannot be."""
    rest, _, query = url.partition("?")
    _, _, place = rest.partition("://")
    pairs = parse_qsl(query, keep_blank_values=True)
    _check(place, [name for name, _ in pairs])
    own = {name: value for name, value in pairs if name in OWN_OPTIONS}
    passed = [(name, value) for name, value in pairs if name not in OWN_OPTIONS]
    shown = [(name, value) for name, value in pairs if name not in SECRETS]
    user, at, hosts = place.rpartition("@")
    return Address(
        f"postgresql://{place}{_query(passed)}",
        _schema(own),
        _isolation(own),
        _connections(own),
        _timeout(own),
        f"postgresql://{user.partition(':')[0]}{at}{hosts}{_query(shown)}",
    )


def _check(place: str, names: list[str]) -> None:
    """Refuse what libpq would take for something else: it would name a part of a password as a host."""
    netloc, _, path = place.partition("/")
    hosts = netloc.rpartition("@")[2].split(",")
    ports = [host.rpartition("]")[2].partition(":")[2] for host in hosts]
    if any(port and not port.isdecimal() for port in ports):
        raise _unreadable("a port is no number")
    if netloc.count("@") > 1 or "@" in path or any("@" in name for name in names):
        raise _unreadable("there is an @ too many")
    if re.search("%(?![0-9A-Fa-f]{2})", place):
        raise _unreadable("after a % come two digits of a character's code")


def _unreadable(why: str) -> InvalidInput:
    return InvalidInput(
        f"the address of the store cannot be read: {why}. In a user or password write @ as %40, : as %3A, "
        "/ as %2F, ? as %3F, # as %23 and % as %25; or leave the password to ~/.pgpass or PGPASSWORD"
    )


def _query(pairs: list[tuple[str, str]]) -> str:
    return f"?{urlencode(pairs, safe='/', quote_via=quote)}" if pairs else ""


def _schema(own: Mapping[str, str]) -> str:
    schema = own.get("schema", SCHEMA)
    if not schema or "\0" in schema or len(schema.encode()) > MAX_SCHEMA or schema.startswith("pg_"):
        raise InvalidInput(
            f"schema {schema!r} cannot be used: give a name of 1 to {MAX_SCHEMA} bytes that does not begin "
            "with pg_"
        )
    return schema


def _isolation(own: Mapping[str, str]) -> str | None:
    level = own.get("isolation")
    if level is None:
        return None
    words = level.lower().replace("_", " ").replace("-", " ")
    if words not in ISOLATION:
        raise InvalidInput(f"isolation {level!r} is unknown{near(words, ISOLATION)}: {', '.join(ISOLATION)}")
    return words


def _connections(own: Mapping[str, str]) -> int:
    text = own.get("connections", str(CONNECTIONS))
    if not text.isdecimal() or not 2 <= int(text) <= 10_000:
        raise InvalidInput(f"connections is {text!r}: it must be a whole number from 2")
    return int(text)


def _timeout(own: Mapping[str, str]) -> float:
    """Return how many seconds a statement may take; those of no bound are infinite."""
    text = own.get("timeout", str(TIMEOUT))
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= MAX_TIMEOUT:
        raise InvalidInput(f"timeout is {text!r}: seconds that a statement may take, 0 for any number")
    return seconds or math.inf
