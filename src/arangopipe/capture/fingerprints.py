"""Digests of data that are equal for equal values, wherever and in whatever library they are held.

The format is `arangopipe-columns-1`; fingerprints are kept, so another format needs another name.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
from array import array
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from arangopipe.capture.columns import EPOCH, PER_SECOND, Column, ends, typecode
from arangopipe.capture.files import feed, opened
from arangopipe.capture.tables import table
from arangopipe.capture.values import JSON

_ALGORITHM = "arangopipe-columns-1"
_BLOCK = 1 << 16


def fingerprint(data: Any) -> dict[str, JSON]:
    """Return `{"algorithm", "digest", "columns"}` of a table, or of the bytes of a file.

    `data` is a pandas DataFrame or Series, a numpy array, a dict of columns, a list of dicts,
    something that converts with Arrow or `to_pandas` (polars, pyarrow), or the path of a file.
    Equal values have equal digests in all of these, with any version of the libraries, on any
    machine; another cell, name, or order of rows or columns has another. `columns` holds the first
    16 hex digits of each column's own digest.

    * The width of integers does not matter, that of floats does; -0.0 is 0.0.
    * NaN, None, NA and NaT are all *missing*; a column without any value has no dtype.
    * Categories count by value; times to the nanosecond, zoned ones as UTC and the zone's name;
      cells of other types, and mixed ones, as canonical JSON.
    * Levels of a frame's index count where they are named, as first columns.

    Raises InvalidInput for other data, and names the column that cannot be read.
    """
    if isinstance(data, (str, os.PathLike)):
        digest = hashlib.sha256()
        with opened(data) as file:
            feed(digest, file)
        return {"algorithm": "sha256-file", "digest": digest.hexdigest()}
    held = table(data)
    whole = hashlib.sha256(f"{_ALGORITHM} {held.rows}\n".encode())
    columns: dict[str, JSON] = {}
    for name, column in held.read():
        digest = hashlib.sha256()
        for part in _parts(column):
            digest.update(part)
        whole.update(json.dumps([name, column.kind]).encode() + digest.digest())
        columns[name] = digest.hexdigest()[:16]
    return {"algorithm": _ALGORITHM, "digest": whole.hexdigest(), "columns": columns}


def _parts(column: Column) -> Iterator[Any]:
    """Yield the canonical bytes: what the column is, what is missing, then its values."""
    kind, values, missing = column.kind, column.values, column.missing
    yield json.dumps([kind, column.zone, len(values), missing is not None]).encode()
    if missing is not None:
        yield bytes(missing)
    if kind == "bool":
        yield bytes(values)
    elif kind == "int":
        yield from _integers(values)
    elif kind == "float":
        yield from _floats(values)
    elif kind in {"text", "json", "bytes"}:
        yield from _integers([*map(len, values)])
        yield b"".join(values) if kind == "bytes" else "".join(values).encode("utf-8", "surrogatepass")
    elif kind == "date":
        yield from _integers([day.toordinal() for day in values])
    elif kind in {"time", "duration"}:
        for numbers in _seconds_and_nanoseconds(values, missing):
            yield from _integers(numbers)


def _integers(values: Any) -> Iterator[Any]:
    """Yield little-endian bytes, as narrow as the values allow.

    That is less to hash, and the same for every width that they may be stored in.
    """
    low, high = ends(values)
    code = typecode(int(low), int(high))
    yield code.encode()
    if isinstance(values, list):
        yield _little_endian(array(code, values))
    else:
        for start in range(0, len(values), _BLOCK):
            yield values[start : start + _BLOCK].astype(f"<{code}")


def _floats(values: Any) -> Iterator[Any]:
    if isinstance(values, list):
        yield b"f8"
        yield _little_endian(array("d", [x + 0.0 if x == x else math.nan for x in values]))
        return
    numpy: Any = sys.modules["numpy"]
    width = values.dtype.itemsize
    yield b"f%d" % width
    with numpy.errstate(all="ignore"):
        for start in range(0, len(values), _BLOCK):
            block = values[start : start + _BLOCK] + 0.0
            block[block != block] = math.nan
            yield block.astype(f"<f{width}", copy=False)


def _little_endian(numbers: array[Any]) -> array[Any]:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _seconds_and_nanoseconds(values: Any, missing: Any) -> tuple[Any, Any]:
    if isinstance(values, list):
        spans = [v if isinstance(v, timedelta) else v - EPOCH for v in values]
        return (
            [span.days * 86_400 + span.seconds for span in spans],
            [span.microseconds * 1000 + getattr(span, "nanoseconds", 0) for span in spans],
        )
    numpy: Any = sys.modules["numpy"]
    per_second = PER_SECOND[numpy.datetime_data(values.dtype)[0]]
    ticks = values.view("i8") if missing is None else numpy.where(missing, 0, values.view("i8"))
    seconds = ticks // per_second
    return seconds, (ticks - seconds * per_second) * (10**9 // per_second)
