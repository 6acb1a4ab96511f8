"""The address of a PostgreSQL store: what of it is ours, and what goes to libpq."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from arangopipe.errors import InvalidInput
from arangopipe.model.vocabulary import near

SCHEMA = "arangopipe"
CONNECTIONS = 20
ISOLATION = ("read committed", "repeatable read", "serializable")
OWN_OPTIONS = ("schema", "isolation", "connections")
SECRETS = ("password", "sslpassword")
MAX_SCHEMA = 63


class Address(NamedTuple):
    """What an address says: the part for libpq, our own options, and the address without secrets."""

    libpq: str
    schema: str
    isolation: str | None
    connections: int
    shown: str


def parse(url: str) -> Address:
    """Return what an address says, or raise `InvalidInput` for options that cannot be."""
    rest, _, query = url.partition("?")
    _, _, place = rest.partition("://")
    pairs = parse_qsl(query, keep_blank_values=True)
    own = {name: value for name, value in pairs if name in OWN_OPTIONS}
    passed = [(name, value) for name, value in pairs if name not in OWN_OPTIONS]
    shown = [(name, value) for name, value in pairs if name not in SECRETS]
    user, at, hosts = place.rpartition("@")
    return Address(
        f"postgresql://{place}{_query(passed)}",
        _schema(own),
        _isolation(own),
        _connections(own),
        f"postgresql://{user.partition(':')[0]}{at}{hosts}{_query(shown)}",
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
