"""Free-form documents: from what callers hold to canonical JSON text.

The rule, value by value:

* text, booleans, integers of any size up to 4,000 digits, finite floats and None stay what they are;
* mappings become objects (keys: text; numbers, booleans and None become text), sequences, sets
  (sorted) and iterators of arrays become lists; dataclasses become objects;
* whatever has ``tolist`` (numpy scalars and arrays, pandas Series, torch tensors) becomes that list;
* times with a zone become UTC text with microseconds, times without one keep their own clock;
  dates and clock times become ISO text, durations seconds;
* a Decimal becomes a number where the number holds it exactly, else text; a UUID or path text;
  an Enum its value; pandas' missing values null;
* NaN and the infinities are refused, or kept as the text "NaN", "Infinity", "-Infinity" where
  the caller asks for `lenient`, as runs do. Bytes and other objects are refused; lenient keeps
  their `repr`.

Canonical text has sorted keys, no blanks, and non-ASCII characters as they are, so equal documents are
equal bytes on every engine.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import os
import uuid
from collections.abc import Callable, Mapping, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from arangopipe.errors import InvalidInput, StoreError
from arangopipe.model import times

MAX_DEPTH = 100
NON_FINITE = frozenset({"NaN", "Infinity", "-Infinity"})
EMPTY = "{}"

_MAX_INTEGER = 10**4_000


def _encoder() -> Callable[[Any], str]:
    """Return what turns a plain value into canonical text."""
    encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return encoder.encode
    # `encode` makes this anew for each text, which takes as long as a short text does.
    chunks = make(None, encoder.default, json.encoder.encode_basestring, None, ":", ",", True, False, False)
    return lambda value: "".join(chunks(value, 0))


_encode = _encoder()


_SCALARS = frozenset({str, int, float})
_PLAIN = frozenset({str, int, float, bool, type(None)})
_TEXT = frozenset({str})

SHORT = 4_000
"""Characters of a document that has few enough values for their order not to matter to anyone."""

Warn = Callable[[str], None] | None
"""Told of each value that is kept as text instead; None: such a value is refused."""


class Written(NamedTuple):
    """A canonical text and, so that nobody has to read it again, what it says."""

    text: str
    document: dict[str, Any]


def dump(document: Mapping[str, Any]) -> str:
    """Return the canonical text of a normalised document."""
    return _encode(document)


def write(document: dict[str, Any]) -> Written:
    """Return a normalised document with its canonical text."""
    return Written(_encode(document), document)


def load(text: str) -> dict[str, Any]:
    """Return the document of a canonical text; raises `StoreError` for a text that is none."""
    try:
        return json.loads(text)  # type: ignore[no-any-return]
    except ValueError as error:
        raise StoreError(f"a document is damaged ({error}): run 'arangopipe audit verify'") from error


def as_given(document: Mapping[Any, Any]) -> Written | None:
    """Return a document that certainly is as the rule wants it; None where `normalise` has to look.

    Nearly all are: flat, short, and in ASCII. Then a look at the types and at the text decides, in a
    third of the time.
    """
    if type(document) is not dict:
        return None
    plain = dict(document)
    if not (_TEXT.issuperset(map(type, plain)) and _PLAIN.issuperset(map(type, plain.values()))):
        return None
    try:
        text = _encode(plain)
    except ValueError:  # not finite, or of too many digits
        return None
    fits = len(text) <= SHORT and text.isascii() and '"_' not in text  # no name that is reserved
    return Written(text, plain) if fits else None


def normalise(document: Mapping[Any, Any], what: str = "document", warn: Warn = None) -> dict[str, Any]:
    """Return a plain copy of a document by the rule above; the caller's own is never changed.

    With `warn`, a value that cannot be taken is kept as text and `warn` is told; without, it raises
    `InvalidInput` naming the place. Top-level attributes that start with ``_`` are always refused.
    """
    if not isinstance(document, Mapping):
        raise InvalidInput(f"{what} must be a mapping, not {type(document).__name__}")
    plain = _mapping(document, what, warn, 0)
    for name in plain:
        if name[:1] == "_":
            raise InvalidInput(f"attribute {name!r} of {what}: names starting with '_' are reserved")
    return plain


def _mapping(value: Mapping[Any, Any], at: str, warn: Warn, depth: int) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, item in value.items():
        name = key if type(key) is str else _key(key, at)
        if not name.isascii():
            _check_text(name, at)
        kind = type(item)
        if (kind is float and math.isfinite(item)) or (kind is str and item.isascii()):
            result[name] = item
        elif kind in _SCALARS:
            result[name] = _scalar(item, at, name, warn)
        else:
            result[name] = _value(item, f"{at}.{name}", warn, depth + 1)
    if len(result) < len(value):
        raise InvalidInput(f"{at}: two keys become the same text; keys of a document are text")
    return result


def _key(key: Any, at: str) -> str:
    if hasattr(key, "item"):
        key = key.item()
    if isinstance(key, enum.Enum):
        key = key.value
    if isinstance(key, str):
        return str(key)
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    if isinstance(key, (int, float)):
        return repr(key)
    if isinstance(key, (date, uuid.UUID)):
        return str(_known_object(key))
    raise InvalidInput(f"{at}: {type(key).__name__} {key!r} cannot be a key; use text")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_text(text: str, at: str) -> None:
    if not text.isascii() and not _is_unicode(text):
        raise InvalidInput(f"{at}: {text!r} contains half of a surrogate pair")


def _refuse(value: object, why: str, at: str, warn: Warn) -> str:
    if warn is None:
        raise InvalidInput(f"{at}: {why}")
    text = repr(value).encode(errors="backslashreplace").decode()[:1_000]
    warn(f"{at}: {why}; kept as the text {text[:80]!r}")
    return text


def _at(place: str, name: str) -> str:
    return f"{place}.{name}" if name else place


def _scalar(value: Any, at: str, name: str, warn: Warn) -> Any:
    """Return a text, integer or float, found under a name at some place, as every engine can hold it."""
    if isinstance(value, str):
        if value.isascii() or _is_unicode(value):
            return value
        return _refuse(value, "the text contains half of a surrogate pair", _at(at, name), warn)
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        text = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        if warn is None:
            raise InvalidInput(
                f"{_at(at, name)}: {text} is not a JSON number; leave it out or write it as text"
            )
        warn(f"{_at(at, name)}: {text} is not a JSON number; kept as the text {text!r}")
        return text
    if -_MAX_INTEGER < value < _MAX_INTEGER:
        return value
    return _refuse("an integer of over 4,000 digits", "the integer is too long", _at(at, name), warn)


def _value(value: Any, at: str, warn: Warn, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise InvalidInput(f"{at[:200]}…: nested deeper than {MAX_DEPTH} levels, or contains itself")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, enum.Enum):
        return _value(value.value, at, warn, depth + 1)
    if type(value) in _SCALARS:
        return _scalar(value, at, "", warn)
    if isinstance(value, Mapping):
        return _mapping(value, at, warn, depth)
    if isinstance(value, (list, tuple)):
        return [_value(item, f"{at}[{i}]", warn, depth + 1) for i, item in enumerate(value)]
    if isinstance(value, Set):
        items = [_value(item, at, warn, depth + 1) for item in value]
        return sorted(items, key=lambda item: (type(item).__name__, _encode(item)))
    known = _known_object(value)
    if known is not value:
        return _value(known, at, warn, depth + 1)
    # numpy, pandas and torch subclass or wrap plain numbers; `tolist` gives the plain ones.
    if hasattr(value, "tolist"):
        return _value(value.tolist(), at, warn, depth + 1)
    for plain in (str, int, float):
        if isinstance(value, plain):
            return _scalar(plain(value), at, "", warn)
    return _refuse(value, f"{type(value).__name__} cannot become JSON", at, warn)


def _moment(value: datetime) -> str:
    if value.tzinfo is not None:
        try:
            return times.to_text(value)
        except OverflowError:
            pass  # UTC has no such moment: it stays as it is written, with its zone.
    return value.isoformat(timespec="microseconds")


def _known_object(value: Any) -> Any:
    """Return the plainer form of an object of a known type, or the object itself."""
    if type(value).__name__ in ("NaTType", "NAType"):
        return None
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, os.PathLike):
        path = os.fspath(value)
        return path if isinstance(path, str) else os.fsdecode(path)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if type(value).__name__ in ("datetime64", "timedelta64") or "dtype" in type(value).__name__.lower():
        return str(value)
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return {str(column): value[column] for column in value.columns}
    return value


def _decimal(value: Decimal) -> int | float | str:
    if not value.is_finite():
        return float(value)
    if value == value.to_integral_value() and abs(value) < _MAX_INTEGER:
        return int(value)
    number = float(value)
    return number if Decimal(repr(number)) == value else str(value)
