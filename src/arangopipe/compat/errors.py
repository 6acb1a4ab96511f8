"""Errors that old code catches under another name; each is also one of `arangopipe.errors`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from arangopipe.errors import AlreadyExists, ArangopipeError, InvalidInput, NotFound, StoreUnavailable


class NothingFound(NotFound, IndexError):
    """A name or tag that nothing has: old code took the first of an empty list."""


class NotCreated(StoreUnavailable, AttributeError):
    """A database of 0.0.40 that no administrator has created."""


@contextmanager
def raised_as(name: str) -> Iterator[None]:
    """Raise what cannot be written or asked as python-arango's error of that name, too.

    Only programs that have imported python-arango can catch it by that name, so only they get it.
    """
    try:
        yield
    except (AlreadyExists, InvalidInput, NotFound) as error:
        theirs = getattr(sys.modules.get("arango.exceptions"), name, None)
        if theirs is None or isinstance(error, IndexError):
            raise
        raise _both(type(error), theirs)(*error.args) from error


def _both(ours: type[ArangopipeError], theirs: type[Exception]) -> type[ArangopipeError]:
    # Theirs is made of an HTTP response, of which there is none.
    return type(theirs.__name__, (ours, theirs), {"__init__": Exception.__init__})
