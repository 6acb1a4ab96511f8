"""The HTTP server: the same API for any language, at ``/api/v1``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arangopipe.errors import MissingExtra

if TYPE_CHECKING:
    from fastapi import FastAPI

    from arangopipe.store.base import Store

__all__ = ["create_app"]


def create_app(store: Store, **settings: Any) -> FastAPI:
    """Return the application that serves a store; see `server.app.create_app`."""
    try:
        from arangopipe.server import app
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("arangopipe"):
            raise
        raise MissingExtra(error.name or "fastapi", "server") from error
    return app.create_app(store, **settings)
