"""Where the graph is kept: one written contract (`base`), several engines."""

from __future__ import annotations

import atexit
import importlib
import importlib.metadata
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from arangopipe.errors import InvalidInput, MissingExtra, StoreError
from arangopipe.model.vocabulary import near
from arangopipe.store.settings import default_url

if TYPE_CHECKING:
    from arangopipe.store.abilities import Inspection
    from arangopipe.store.base import Store

ENGINES: Mapping[str, str] = {
    "http": "arangopipe.store.remote:RemoteStore",
    "https": "arangopipe.store.remote:RemoteStore",
    "memory": "arangopipe.store.memory:MemoryStore",
    "sqlite": "arangopipe.store.sql:SQLiteStore",
    "postgresql": "arangopipe.store.sql:PostgresStore",
    "postgres": "arangopipe.store.sql:PostgresStore",
}

ENTRY_POINTS = "arangopipe.stores"
"""Group in which other packages name their engines: scheme = "module:Class"."""


def open_store(url: str | None = None, token: str | None = None) -> Store:
    """Open the store at an address such as ``sqlite:///runs.db``, ``memory://`` or ``https://server``.

    A server takes a `token`, by default the setting ARANGOPIPE_TOKEN. One that is away does not keep its
    store from being opened. Raises `InvalidInput` for an address of no known engine, `StoreUnavailable` where
    the store cannot be opened, and `SchemaMismatch` where a newer version wrote it.
    """
    url = default_url() if url is None else url
    engine = _engine(url)
    if token is not None and not url.startswith(("http://", "https://")):
        raise InvalidInput(f"token= is for a server (https://…), {_safe(url)!r} takes none: leave it out")
    store = engine(url) if token is None else engine(url, token)
    _open.add(store)
    return store


def inspection(url: str) -> Inspection | None:
    """Return what looks at a store from outside, None where its engine has no such thing."""
    look = getattr(_engine(url), "inspection", None)
    return None if look is None else look(url)


def _engine(url: str) -> Callable[..., Store]:
    """Return the class of the engine that an address names."""
    scheme, separator, _ = url.partition("://")
    if not separator:
        raise InvalidInput(
            f"{url!r} is not the address of a store: write sqlite:///{url or 'runs.db'} for a file"
        )
    engine = scheme.partition("+")[0]
    target = ENGINES.get(engine) or _installed().get(engine)
    if target is None:
        known = sorted({*ENGINES, *_installed()})
        raise InvalidInput(
            f"no store speaks {scheme!r} (in {_safe(url)!r}){near(scheme, known)}; known: {', '.join(known)}"
        )
    module, _, name = target.partition(":")
    try:
        return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]
    except MissingExtra:
        raise
    except (ImportError, AttributeError) as error:
        raise StoreError(f"the engine of {scheme!r} ({target}) cannot be loaded: {error}") from error


_open: weakref.WeakSet[Store] = weakref.WeakSet()


@atexit.register
def _close_open_stores() -> None:
    for store in list(_open):
        store.close()


def _installed() -> dict[str, str]:
    points = importlib.metadata.entry_points(group=ENTRY_POINTS)
    return {point.name: point.value for point in points}


def _safe(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
