"""What tests of old code share: its connections, and a network that nothing may touch."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from arangopipe.compat import flat, nested

CONN_PARAMS = {
    "DB_service_host": "arangoml.arangodb.cloud",
    "DB_end_point": "createDB",
    "DB_service_name": "createDB",
    "DB_service_port": 8529,
    "conn_protocol": "https",
}


def block_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make any look-up of a host and any connection fail the test."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("compat went to the network")

    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    for name in ("connect", "connect_ex", "bind"):
        monkeypatch.setattr(socket.socket, name, refuse)


def connect(generation: str) -> tuple[Any, Any, Any]:
    """Return settings, administrator and pipe of a generation; nested ones have a fresh database."""
    if generation == "flat":
        config: Any = flat.ArangoPipeConfig()
        admin: Any = flat.ArangoPipeAdmin(config=config)
        return config, admin, flat.ArangoPipe(config=config)
    config = nested.ArangoPipeConfig().create_connection_config(CONN_PARAMS)
    admin = nested.ArangoPipeAdmin(reuse_connection=False, config=config)
    return config, admin, nested.ArangoPipe(config=config)
