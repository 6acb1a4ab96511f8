"""The store itself: where it is, how large, and how well it is kept."""

from __future__ import annotations

from fastapi import APIRouter

from arangopipe import __version__
from arangopipe.details import change_dict
from arangopipe.errors import ArangopipeError
from arangopipe.server.access import Gate
from arangopipe.server.pages.admin.sections import entered
from arangopipe.server.pages.asking import Ask, AskedNow
from arangopipe.server.pages.rendering import View, page
from arangopipe.store import inspection

router = APIRouter()


@page(router, "/admin/store", "admin/store.html")
def store(ask: AskedNow) -> View:
    """Show what the store is."""
    head = ask.store.head()
    gate: Gate = ask.request.app.state.gate
    return {
        **entered(ask, "/admin/store"),
        "url": ask.store.url,
        "version": __version__,
        "authentication": gate.authentication,
        "head": None if head is None else change_dict(head),
    }


@page(router, "/admin/store/state", "parts/store.html")
def state(ask: AskedNow) -> View:
    """Say how large the store is and how well it is kept; the page asks for it when the rest is there."""
    entered(ask, "/admin/store")
    return ask.request.app.state.kept.get(ask, "store", lambda: _state(ask))  # type: ignore[no-any-return]


def _state(ask: Ask) -> View:
    found: View = {"bytes": None, "points": None, "tables": [], "conditions": [], "failed": ""}
    try:
        kept = inspection(ask.store.url)
        if kept is not None:
            size = kept.size(tables=True)
            found |= {
                "bytes": size.bytes,
                "points": size.points,
                "tables": [table._asdict() for table in size.tables],
                "conditions": [condition._asdict() for condition in kept.conditions()],
            }
    except ArangopipeError as error:  # such as a server whose password the address of the store leaves out
        found["failed"] = str(error)
    return found
