"""Query: read-only SQL for administrators, with the tables in words, plans, and files to take along."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from arangopipe.errors import ArangopipeError, InvalidInput
from arangopipe.roles import require
from arangopipe.server import problems
from arangopipe.server.pages.asking import Ask, AskedNow
from arangopipe.server.pages.rendering import Entry, View, page
from arangopipe.server.pages.tables import examples, schema
from arangopipe.server.querying import native
from arangopipe.store.abilities import QUERY_SECONDS, NativeQuery, Rows
from arangopipe.store.base import MAX_PAGE

NAVIGATION = Entry("Query", "/query", needs="admin")

LIMIT = 1_000
LIMITS = (100, 1_000, 10_000)
SECONDS = (5, 15, 30)

_NAMED = re.compile(r'near "(.+?)"|no such \w+: ([\w.]+)|"([^"]+)" does not exist')

router = APIRouter()


@page(router, "/query", "query.html")
def query(ask: AskedNow, sql: str = "", limit: int = LIMIT, timeout: float = QUERY_SECONDS) -> View:
    """Show the editor, and what a query in the address finds."""
    require(ask.principal, "query")
    postgres = ask.store.url.startswith("postgres")
    return {
        "sql": sql,
        "limit": limit,
        "limits": list(LIMITS),
        "timeout": timeout,
        "timeouts": list(SECONDS),
        "able": isinstance(ask.store, NativeQuery),
        "engine": "PostgreSQL" if postgres else "SQLite",
        "url": ask.store.url,
        "tables": schema(postgres),
        "examples": examples(postgres),
    }


@page(router, "/query/rows", "parts/rows.html")
def rows(ask: AskedNow, sql: str = "", limit: int = LIMIT, timeout: float = QUERY_SECONDS) -> View:
    """Return what a query finds; what is wrong with it is said in its place."""
    found = _asked(ask, lambda store: _found(store, sql, limit, timeout))
    if found["problem"]:
        found["problem"]["at"] = _place(sql, found["problem"]["said"])
    return found


@page(router, "/query/plan", "parts/plan.html")
def plan(ask: AskedNow, sql: str = "", timeout: float = QUERY_SECONDS) -> View:
    """Return how a query would be answered."""
    return _asked(ask, lambda store: {"lines": list(store.explain(sql, timeout=timeout))})


def _asked(ask: Ask, find: Callable[[NativeQuery], View]) -> View:
    require(ask.principal, "query")
    try:
        return {"problem": None, **find(native(ask.store))}
    except ArangopipeError as error:
        return {"problem": {"status": problems.status_of(error), "said": str(error)}}


def _place(sql: str, said: str) -> dict[str, Any] | None:
    """Return the line of a query that an error names a word of, where only one place can be meant."""
    sql = sql.replace("\r\n", "\n")
    named = _NAMED.search(said)
    word = next((each for each in named.groups() if each), "") if named else ""
    places = [each.start() for each in re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", sql)] if word else []
    if len(places) != 1:
        return None
    before = sql[: places[0]].split("\n")
    line = sql.split("\n")[len(before) - 1]
    return {"line": len(before), "text": f"{line}\n{' ' * len(before[-1])}{'^' * len(word)}"}


def _found(store: NativeQuery, sql: str, limit: int, timeout: float) -> View:
    began = time.monotonic()
    found = store.query(sql, limit=limit, timeout=timeout)
    return {**_plain(found), "seconds": time.monotonic() - began}


def _plain(found: Rows) -> dict[str, Any]:
    return {
        "columns": list(found.columns),
        "rows": [list(row) for row in found.rows],
        "truncated": found.truncated,
    }


@router.get("/query/download/{form}")
def download(ask: AskedNow, form: str, sql: str = "", timeout: float = QUERY_SECONDS) -> Response:
    """Return what a query finds, up to 10,000 rows, as a file."""
    require(ask.principal, "query")
    if form not in ("csv", "json"):
        raise InvalidInput(f"{form!r} cannot be downloaded: ask for csv or json")
    found = native(ask.store).query(sql, limit=MAX_PAGE, timeout=timeout)
    if form == "json":
        text, media = json.dumps(_plain(found), ensure_ascii=False), "application/json"
    else:
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(found.columns)
        writer.writerows(found.rows)
        text, media = buffer.getvalue(), "text/csv"
    headers = {"Content-Disposition": f'attachment; filename="query.{form}"'}
    return Response(text, 200, headers, media)
