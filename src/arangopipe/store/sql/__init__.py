"""The SQL engines: SQLite, the default."""

from arangopipe.store.sql.store import SQLStore

__all__ = ["SQLStore"]
