"""Where the suites of the API keep their stores: in memory, in a file, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ENGINES: list[Any] = ["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.slow)]


@contextmanager
def empty_store(request: pytest.FixtureRequest, engine: str, folder: Path) -> Iterator[str]:
    """Give the address of an empty store for a fixture, of any scope."""
    if engine == "memory":
        yield "memory://"
    elif engine == "sqlite":
        yield f"sqlite:///{folder / 'store.db'}"
    else:
        server = request.getfixturevalue("server18")
        with server.database(server.template) as name:
            yield server.url(name)
