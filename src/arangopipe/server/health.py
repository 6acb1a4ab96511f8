"""What answers here, whether it lives, and whether it can serve."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from arangopipe import __version__
from arangopipe.server.contract import API
from arangopipe.server.problems import may
from arangopipe.server.wire import Spoken, State

router = APIRouter(tags=["health"])


@router.get("/health", response_model=State, responses=may(421))
async def health() -> dict[str, str]:
    """Say that the process lives."""
    return {"status": "ok"}


@router.get("/api", response_model=Spoken, responses=may(421))
async def spoken() -> dict[str, Any]:
    """Say what answers here, of which version, and which versions of the API it speaks."""
    return {"name": "Arangopipe", "arangopipe": __version__, "api": [API]}


@router.get("/ready", response_model=State, responses=may(401, 421, 500, 503))
def ready(request: Request) -> dict[str, str]:
    """Say that the store answers; 503 where it does not."""
    request.app.state.gate.store.head()
    return {"status": "ok"}
