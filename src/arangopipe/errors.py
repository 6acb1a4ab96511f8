"""Every error that Arangopipe raises.

::

    ArangopipeError
    ├── InvalidInput (ValueError)      a value that cannot be taken as it is
    │   └── FilterSyntaxError          a search that cannot be parsed; shows where
    ├── NotFound (LookupError)         a reference that names nothing
    ├── AlreadyExists                  a name or key that is taken by other content
    ├── Conflict                       two writers or two meanings disagree
    ├── PermissionDenied               the user may not do this
    ├── StoreError                     the store failed
    │   ├── StoreUnavailable           it cannot be reached or opened right now
    │   └── SchemaMismatch             it was written by another version of Arangopipe
    ├── Unsupported                    this store or version cannot do that
    └── MissingExtra (ImportError)     an optional dependency is not installed

No driver's own exception leaves the store layer.
"""

from __future__ import annotations

__all__ = [
    "AlreadyExists",
    "ArangopipeError",
    "Conflict",
    "FilterSyntaxError",
    "InvalidInput",
    "MissingExtra",
    "NotFound",
    "PermissionDenied",
    "SchemaMismatch",
    "StoreError",
    "StoreUnavailable",
    "Unsupported",
]


class ArangopipeError(Exception):
    """Root of every error raised by Arangopipe."""


class InvalidInput(ArangopipeError, ValueError):
    """A value that cannot be taken as it is."""


class FilterSyntaxError(InvalidInput):
    """A search text that cannot be parsed; `text` and `position` (0-based) say where."""

    def __init__(self, reason: str, text: str, position: int) -> None:
        self.reason = reason
        self.text = text
        self.position = position
        start = text.rfind("\n", 0, position) + 1
        end = text.find("\n", position)
        line = text[start : end if end >= 0 else len(text)]
        caret = " " * (position - start) + "^"
        super().__init__(f"{reason} at position {position + 1}:\n  {line}\n  {caret}")

    def __reduce__(self) -> tuple[type[FilterSyntaxError], tuple[str, str, int]]:
        return type(self), (self.reason, self.text, self.position)


class NotFound(ArangopipeError, LookupError):
    """A reference that names nothing."""


class AlreadyExists(ArangopipeError):
    """A name or key that is already taken by other content."""


class Conflict(ArangopipeError):
    """Two writers, or two meanings of one word, disagree."""


class PermissionDenied(ArangopipeError):
    """The user may not do this."""


class StoreError(ArangopipeError):
    """The store failed; the message names the store and what to do."""


class StoreUnavailable(StoreError):
    """The store cannot be reached or opened right now."""


class SchemaMismatch(StoreError):
    """The store was written by another version of Arangopipe."""


class Unsupported(ArangopipeError):
    """This store, or this version, cannot do that."""


class MissingExtra(ArangopipeError, ImportError):
    """An optional dependency is not installed; the message is the pip line that installs it."""

    def __init__(self, need: str, extra: str) -> None:
        self.need = need
        self.extra = extra
        super().__init__(f"{need} is needed for this: pip install 'arangopipe[{extra}]'")

    def __reduce__(self) -> tuple[type[MissingExtra], tuple[str, str]]:
        return type(self), (self.need, self.extra)
