"""Where the suites of the API keep their stores: in memory, in a file, in PostgreSQL, behind a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from arangopipe.store import open_store
from served import serving

POSTGRES: Any = pytest.param("postgres", marks=pytest.mark.slow)
ENGINES: list[Any] = ["memory", "sqlite", POSTGRES]


@contextmanager
def empty_store(request: pytest.FixtureRequest, engine: str, folder: Path) -> Iterator[str]:
    """Give the address of an empty store for a fixture, of any scope."""
    if engine == "memory":
        yield "memory://"
    elif engine == "sqlite":
        yield f"sqlite:///{folder / 'store.db'}"
    elif engine == "postgres":
        server = request.getfixturevalue("server18")
        with server.database(server.template) as name:
            yield server.url(name)
    else:
        with (
            empty_store(request, "postgres", folder) as url,
            open_store(url) as store,
            serving(store) as base,
        ):
            yield base
