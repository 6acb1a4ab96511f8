"""The web page: one module a page, each a view of plain values that is HTML and, under ``.json``, itself."""

from __future__ import annotations

from types import ModuleType

from fastapi import FastAPI

from arangopipe.server.pages import (
    account,
    admin,
    audit,
    compare,
    deployments,
    entity,
    find,
    home,
    lineage,
    login,
    query,
    questions,
    run,
    search,
    static,
)
from arangopipe.server.pages.failures import HtmlProblems
from arangopipe.server.pages.kept import Kept
from arangopipe.server.pages.rendering import Entry
from arangopipe.server.pages.verifying import Verifier

PAGES: tuple[ModuleType, ...] = (
    home,
    search,
    compare,
    lineage,
    questions,
    deployments,
    find,
    # A run has a page of its own, before that of any kind.
    run,
    entity,
    audit,
    query,
    admin,
    *admin.PARTS,
    login,
    account,
)
"""The pages, in the order of the navigation; one that names itself in `NAVIGATION` stands there."""


def install(app: FastAPI) -> None:
    """Give an application its pages and their files."""
    found = [getattr(module, "NAVIGATION", None) for module in PAGES]
    app.state.navigation = tuple(entry for entry in found if isinstance(entry, Entry))
    app.state.kept = Kept()
    app.state.verifier = Verifier()
    app.mount("/static", static.Files(), name="static")
    for module in PAGES:
        app.include_router(module.router, include_in_schema=False)


def explain(app: FastAPI) -> None:
    """Say errors to people, those of the middleware that is in place so far too."""
    app.add_middleware(HtmlProblems)
