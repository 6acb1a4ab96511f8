"""The SQL engines: SQLite, the default, and PostgreSQL."""

from arangopipe.store.sql.store import PostgresStore, SQLiteStore

__all__ = ["PostgresStore", "SQLiteStore"]
