"""The store contract over HTTP, one route a method: what `store.remote` speaks."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from arangopipe.model.wire import batch_from
from arangopipe.server.access import AskedStore, Asker

router = APIRouter(tags=["store"])


@router.post("/batches")
def write(body: dict[str, Any], store: AskedStore, asker: Asker) -> dict[str, Any]:
    """Record one batch, whole or not at all."""
    change = store.write(batch_from(body))
    return {"number": change.number}
