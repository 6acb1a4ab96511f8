"""The server keeps to its OpenAPI document, whatever it is sent."""

from __future__ import annotations

from tempfile import TemporaryDirectory
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from arangopipe.server import create_app
from arangopipe.server.limits import Limits
from arangopipe.store import open_store
from served import SECONDS
from surface import fill

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("schema")]

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

folder = TemporaryDirectory()
store = open_store(f"sqlite:///{folder.name}/store.db?durability=relaxed")
tokens = fill(store)
app = create_app(store, authentication=True, limits=Limits(body=1_000_000))


@schemathesis.serializer("application/gzip", "application/x-ndjson")
def packed(_: Any, value: Any) -> bytes:
    """Send what is generated as it is."""
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


schema = schemathesis.openapi.from_asgi("/openapi.json", app)


@schema.parametrize()
@settings(
    max_examples=8,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_it_keeps_to_its_document(case: Any) -> None:
    headers = {"Authorization": f"Bearer {tokens['root']}"}
    case.call_and_validate(headers=headers, checks=CHECKS, timeout=SECONDS)
