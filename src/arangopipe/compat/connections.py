"""Both old objects at once, and the HTTP client that old tests import."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from arangopipe.compat.nested import ArangoPipe, ArangoPipeAdmin, ArangoPipeConfig


@contextmanager
def arango_pipe_connections(
    conn_params: Mapping[str, Any], reuse_prev_connection: bool = True
) -> Iterator[tuple[ArangoPipeAdmin, ArangoPipe]]:
    """Give an administrator and a pipe for these connection parameters; both outlive the block."""
    config = ArangoPipeConfig().create_connection_config(conn_params)
    admin = ArangoPipeAdmin(reuse_prev_connection, config)
    yield admin, ArangoPipe(config)


class CustomHTTPClient:
    """A name that old tests import; nothing here speaks HTTP to ArangoDB."""

    def __init__(self, username: str | None = None, password: str | None = None) -> None:
        self.username = username
        self.password = password
