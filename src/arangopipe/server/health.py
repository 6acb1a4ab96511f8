"""Whether the server lives, and whether it can serve."""

from __future__ import annotations

from fastapi import APIRouter, Request

from arangopipe.server.problems import may
from arangopipe.server.wire import State

router = APIRouter(tags=["health"])


@router.get("/health", response_model=State, responses=may(421))
async def health() -> dict[str, str]:
    """Say that the process lives."""
    return {"status": "ok"}


@router.get("/ready", response_model=State, responses=may(401, 421, 500, 503))
def ready(request: Request) -> dict[str, str]:
    """Say that the store answers; 503 where it does not."""
    request.app.state.gate.store.head()
    return {"status": "ok"}
