"""Read-only SQL over HTTP, for administrators."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from arangopipe.errors import Unsupported
from arangopipe.roles import require
from arangopipe.server import wire
from arangopipe.server.access import AskedStore, Asker
from arangopipe.server.problems import may
from arangopipe.server.replies import reply
from arangopipe.store.abilities import NativeQuery
from arangopipe.store.base import Store

router = APIRouter(tags=["administration"])


@router.post("/query", response_model=wire.QueryRows, responses=may(403, 501))
def ask_in_sql(store: AskedStore, asker: Asker, body: wire.NativeQuestion) -> Response:
    """Ask in SQL: one statement that reads, or with `plan` how it would be answered.

    For administrators of the store: the tables hold what belongs to all projects, and the hashes of
    passwords and tokens.
    """
    require(asker, "query")
    able = native(store)
    if body.plan:
        lines = able.explain(body.sql, body.parameters, body.timeout)
        return reply({"columns": ["plan"], "rows": [[line] for line in lines], "truncated": False})
    return reply(able.query(body.sql, body.parameters, body.limit, body.timeout)._asdict())


def native(store: Store) -> NativeQuery:
    """Return a store that can be asked in SQL; raise `Unsupported` for any other."""
    if not isinstance(store, NativeQuery):
        raise Unsupported(f"{store.url} has no SQL: stores in SQLite and PostgreSQL have")
    return store
