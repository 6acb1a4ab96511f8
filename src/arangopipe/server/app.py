"""The application: what it is made of."""

from __future__ import annotations

from fastapi import FastAPI

from arangopipe.server import contract, health, pages, problems
from arangopipe.server.access import Gate
from arangopipe.store.base import Store


def create_app(store: Store, *, authentication: bool = False) -> FastAPI:
    """Return the application that serves a store; with `authentication`, only to known users."""
    app = FastAPI(title="Arangopipe", version="1.0.0.dev0", docs_url=None, redoc_url=None)
    app.state.gate = Gate(store, authentication)
    problems.install(app)
    app.include_router(health.router)
    app.include_router(contract.router, prefix="/api/v1")
    pages.install(app)
    return app
