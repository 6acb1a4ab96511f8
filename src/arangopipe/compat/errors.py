"""Errors that old code catches under another name; each is also one of `arangopipe.errors`."""

from __future__ import annotations

from arangopipe.errors import NotFound, StoreUnavailable


class NothingFound(NotFound, IndexError):
    """A name or tag that nothing has: old code took the first of an empty list."""


class NotCreated(StoreUnavailable, AttributeError):
    """A database of 0.0.40 that no administrator has created."""
