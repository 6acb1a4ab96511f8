"""What an error of psycopg or of a PostgreSQL server means for a store, and what to do about it."""

from __future__ import annotations

import psycopg

from arangopipe.errors import (
    ArangopipeError,
    InvalidInput,
    PermissionDenied,
    StoreError,
    StoreUnavailable,
)
from arangopipe.store.sql.database import Clash


class Again(StoreUnavailable):
    """What was tried did not happen, and may succeed when it is tried anew."""


class Lost(StoreUnavailable):
    """The connection was lost: what was being committed may have happened or not."""


# By SQLSTATE, or by its class (the first two characters).
_MEANINGS: dict[str, tuple[type[ArangopipeError], str]] = {
    "08": (Lost, "the connection was lost"),
    "57P01": (Lost, "the server shut down, or an administrator ended the connection"),
    "57P02": (Lost, "the server crashed and is recovering"),
    "57P03": (Lost, "the server is starting or shutting down"),
    "57P05": (Lost, "the server ended a connection that was idle for long"),
    "25P03": (Lost, "the server ended a transaction that was idle for long"),
    "25P04": (Lost, "the server ended a transaction that took long"),
    "25006": (Lost, "this server takes no writes: it is a replica, or set to read only; "
     "say ?target_session_attrs=read-write with all hosts in the address"),
    "40001": (Again, "others wrote at the same time"),
    "40P01": (Again, "the server broke a deadlock"),
    "55P03": (StoreUnavailable, "other writers kept the store locked; look for one that hangs"),
    "57014": (StoreUnavailable, "the server cancelled the statement: it took longer than is allowed "
     "(?timeout=SECONDS in the address), or an administrator stopped it"),
    "53100": (StoreUnavailable, "the disk of the server is full; nothing was written; make room and try "
     "again"),
    "53300": (StoreUnavailable, "the server has no connection left; raise max_connections, close other "
     "programs, or use fewer ?connections="),
    "53": (StoreUnavailable, "the server has run out of memory, disk or connections"),
    "58": (StoreUnavailable, "the server could not read or write its files"),
    "XX": (StoreError, "the server says that its data or an index is damaged; restore a backup"),
    "28": (PermissionDenied, "the server does not accept this user or password"),
    "42501": (PermissionDenied, "a privilege is missing: see 'Roles' in the documentation of PostgreSQL "
     "stores for what to grant"),
    "3D000": (StoreUnavailable, "there is no such database; create it first (CREATE DATABASE)"),
    "42P01": (StoreError, "a table is missing: the schema holds no store, or was changed by hand"),
    "3F000": (StoreError, "the schema is not there"),
    "23505": (Clash, "a unique index objects"),
    "54000": (InvalidInput, "a text is too long to be indexed"),
    "22": (InvalidInput, "a value cannot be stored"),
}  # fmt: skip
_SAID = (
    ("password", PermissionDenied, "the server does not accept this user or password"),
    ("pg_hba.conf", PermissionDenied, "the server does not let this user in from here"),
    ("role", PermissionDenied, "the server does not know this user"),
    ("database", StoreUnavailable, "there is no such database; create it first (CREATE DATABASE)"),
    ("too many", StoreUnavailable, "the server has no connection left"),
)


def meant(where: str, error: BaseException) -> ArangopipeError | None:
    """Return what an error means, None where it is none of the driver."""
    if isinstance(error, UnicodeEncodeError):
        return InvalidInput(f"{error.object!r:.80} contains half of a surrogate pair")
    if isinstance(error, UnicodeDecodeError):
        return StoreError(f"{where}: a text in the store is no UTF-8: {error}")
    if isinstance(error, OverflowError):
        return InvalidInput(f"a number is too large for {where}: {error}")
    if isinstance(error, OSError):
        return Lost(f"{where}: {error.strerror or error}")
    if not isinstance(error, (psycopg.Error, psycopg.Warning)):
        return None
    said = " ".join(str(error).split())
    state = getattr(error, "sqlstate", None) or ""
    for code in (state, state[:2]):
        if code in _MEANINGS:
            kind, words = _MEANINGS[code]
            return kind(f"{where}: {words} ({said})")
    # A result without a state is libpq's own: psycopg raises no more than `DatabaseError` for it.
    if not state and (isinstance(error, psycopg.OperationalError) or type(error) is psycopg.DatabaseError):
        return _unreachable(where, said)
    if isinstance(error, psycopg.DataError):
        return InvalidInput(f"{where}: a value cannot be stored ({said})")
    return StoreError(f"{where}: PostgreSQL says: {said}")


def _unreachable(where: str, said: str) -> ArangopipeError:
    """Return what an error means that comes from the connection, not from a statement."""
    if said.startswith("connection is bad") and ("invalid" in said or "definition" in said):
        return InvalidInput(f"{where}: an option cannot be so ({said})")
    if "no password supplied" in said:
        words = "the server asks for a password: keep it in ~/.pgpass, or set PGPASSWORD"
        return PermissionDenied(f"{where}: {words} ({said})")
    if "FATAL" in said and "the database system is" not in said:
        for word, kind, words in _SAID:
            if word in said:
                return kind(f"{where}: {words} ({said})")
    return Lost(f"{where}: the server cannot be reached ({said})")
