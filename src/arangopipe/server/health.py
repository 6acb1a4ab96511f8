"""Whether the server lives, and whether it can serve."""

from __future__ import annotations

from fastapi import APIRouter, Request

router = APIRouter(tags=["health"])


@router.get("/health")
def health() -> dict[str, str]:
    """Say that the process lives."""
    return {"status": "ok"}


@router.get("/ready")
def ready(request: Request) -> dict[str, str]:
    """Say whether the store answers."""
    request.app.state.gate.store.head()
    return {"status": "ok"}
