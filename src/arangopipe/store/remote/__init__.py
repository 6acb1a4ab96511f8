"""The same store over HTTP: what `server.contract` serves."""

from arangopipe.store.remote.store import RemoteStore

__all__ = ["RemoteStore"]
