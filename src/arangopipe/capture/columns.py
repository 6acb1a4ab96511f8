"""Columns in one of ten kinds, whatever library or Python type their cells came in."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone, tzinfo
from datetime import time as day_time
from decimal import Decimal
from itertools import compress
from operator import not_
from typing import Any, NamedTuple
from uuid import UUID

EPOCH = datetime(1970, 1, 1)
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


class Column(NamedTuple):
    """A column in one of ten kinds; `values` is a list or a one-dimensional numpy array.

    The kinds: bool, int, float, text, bytes, time, date, duration, json (canonical text of all
    that is none of these) and null, if every cell is missing. Times are UTC without zone.

    Where a cell is missing, `values` holds a filler (floats: NaN) and `missing` a one; `missing`
    is None if no cell is, and for floats.
    """

    dtype: str
    kind: str
    values: Any
    missing: Any = None
    zone: str = ""

    def present(self) -> Any:
        """Return the values without the missing ones."""
        values, missing = self.values, self.missing
        if isinstance(values, list):
            if self.kind == "float":
                return [value for value in values if value == value]
            return _without(values, missing or b"")
        if self.kind == "float":
            return values[values == values]
        return values if missing is None else values[~missing]


def column(raw: Any) -> Column:
    """Return the column of a list, a pandas Series or a numpy array; raises if cells have no form."""
    if isinstance(raw, list):
        return _from_cells(raw, "")
    pandas: Any = sys.modules.get("pandas")
    if pandas and isinstance(raw, pandas.Series):
        return _from_series(raw)
    return _from_array(raw, str(raw.dtype))


def ends(values: Any) -> tuple[Any, Any]:
    """Return the least and the greatest value."""
    if isinstance(values, list):
        return min(values), max(values)
    return values.min(), values.max()


def typecode(low: int, high: int) -> str:
    """Return the code, for `array` and numpy alike, of the narrowest integers that hold both, or ""."""
    needed = max(high, ~low).bit_length() + 1 if low < 0 else high.bit_length()
    for code, bits in zip("bhiq" if low < 0 else "BHIQ", (8, 16, 32, 64), strict=True):
        if needed <= bits:
            return code
    return ""


# --- from pandas and numpy -----------------------------------------------------------------------


def _from_series(series: Any) -> Column:
    numpy: Any = sys.modules["numpy"]
    dtype, name = series.dtype, str(series.dtype)
    if isinstance(dtype, numpy.dtype):
        return _from_array(series.to_numpy(), name)
    if name.startswith("datetime64"):
        found = _from_array(series.dt.tz_convert(None).to_numpy(), name)
        return found._replace(zone=_zone(dtype.tz)) if found.kind == "time" else found
    if name != "category" and dtype.kind in "biuf":
        plain = numpy.dtype(getattr(dtype, "numpy_dtype", None) or dtype.subtype)
        filler = {"f": math.nan, "b": False}.get(plain.kind, 0)
        values = series.to_numpy(dtype=plain, na_value=filler)
        return _from_array(values, name, series.isna().to_numpy(dtype=bool))
    return _from_cells(series.tolist(), name)


def _from_array(values: Any, dtype: str, missing: Any = None) -> Column:
    numpy: Any = sys.modules["numpy"]
    kind = _fixed_width_kind(values.dtype)
    if kind is None or values.ndim > 1 or isinstance(values, numpy.ma.MaskedArray):
        return _from_cells(values.tolist(), dtype)
    values = numpy.ascontiguousarray(values)  # what follows reads it more than once
    if kind in {"time", "duration"}:
        missing = numpy.isnat(values)
        values = _known_unit(values)
    if kind == "float":  # asked only whether all are missing, so the first mostly answers
        missing = values != values if len(values) and values[0] != values[0] else None
    if not len(values) or (missing is not None and missing.all()):
        return _null(dtype, len(values))
    if kind == "float" or (missing is not None and not missing.any()):
        missing = None
    return Column(dtype, kind, values, missing)


def _fixed_width_kind(dtype: Any) -> str | None:
    kinds = {"b": "bool", "i": "int", "u": "int", "f": "float", "M": "time", "m": "duration"}
    return kinds.get(dtype.kind) if dtype.itemsize <= 8 else None


def _known_unit(values: Any) -> Any:
    numpy: Any = sys.modules["numpy"]
    unit, _ = numpy.datetime_data(values.dtype)
    if unit in {"ps", "fs", "as"}:
        raise ValueError("times finer than a nanosecond are not supported")
    return values.astype(f"={values.dtype.kind}8[{unit if unit in PER_SECOND else 's'}]")


# --- from Python cells ---------------------------------------------------------------------------

_KINDS = {
    bool: "bool",
    int: "int",
    float: "float",
    str: "text",
    bytes: "bytes",
    datetime: "time",
    date: "date",
    timedelta: "duration",
}
_FILLERS: dict[str, Any] = {
    "bool": False,
    "int": 0,
    "float": math.nan,
    "text": "",
    "bytes": b"",
    "time": EPOCH,
    "date": EPOCH,
    "duration": timedelta(),
    "json": "",
}


def _from_cells(cells: list[Any], dtype: str) -> Column:
    numpy: Any = sys.modules.get("numpy")
    types = set(map(type, cells))
    if types == {str}:  # as below, but at once
        return Column(dtype, "text", cells)
    if numpy and any(issubclass(found, numpy.generic) for found in types):
        if len(types) == 1 and _fixed_width_kind(numpy.dtype(*types)):
            return _from_array(numpy.array(cells), dtype)
        cells = [c.item() if isinstance(c, (numpy.number, numpy.bool_)) else c for c in cells]
    missing = bytes(map(_is_missing, cells))
    present = _without(cells, missing)
    kind, zone = _kind(present)
    if kind == "null":
        return _null(dtype, len(cells))
    if convert := _CONVERSIONS.get(kind):
        present = [convert(cell) for cell in present]
    if 1 not in missing:
        return Column(dtype, kind, present, zone=zone)
    left = iter(present)
    values = [_FILLERS[kind] if gone else next(left) for gone in missing]
    return Column(dtype, kind, values, None if kind == "float" else missing, zone)


def _null(dtype: str, size: int) -> Column:
    return Column(dtype, "null", [None] * size, b"\1" * size)


def _without(cells: list[Any], missing: bytes) -> list[Any]:
    return [*compress(cells, map(not_, missing))] if 1 in missing else cells


def _is_missing(cell: Any) -> bool:
    if isinstance(cell, float):
        return cell != cell
    return cell is None or type(cell).__name__ in {"NAType", "NaTType"}


def _kind(cells: list[Any]) -> tuple[str, str]:
    """Return kind and zone of cells none of which is missing."""
    kinds = {
        next((kind for base, kind in _KINDS.items() if issubclass(found, base)), "json")
        for found in set(map(type, cells))
    }
    if kinds == {"int", "float"} and all(abs(c) <= 1 << 53 for c in cells if isinstance(c, int)):
        return "float", ""
    kind = kinds.pop() if len(kinds) == 1 else "json" if kinds else "null"
    if kind == "int" and not typecode(*ends(cells)):
        return "json", ""
    zones = {_zone(cell.tzinfo) for cell in cells} if kind == "time" else {""}
    return (kind, zones.pop()) if len(zones) == 1 else ("json", "")


def _zone(zone: tzinfo | None) -> str:
    if zone is None:
        return ""
    offset = zone.utcoffset(None)
    fixed = None if offset is None else timezone(offset)
    return str(getattr(zone, "key", None) or getattr(zone, "zone", None) or fixed or zone)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(timezone.utc).replace(tzinfo=None) if moment.tzinfo else moment


def _canonical(cell: Any) -> str:
    return json.dumps(
        cell, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_unknown_to_json
    )


def _unknown_to_json(cell: Any) -> Any:
    if isinstance(cell, (date, day_time)):
        return {"$time": cell.isoformat()}
    if isinstance(cell, (Decimal, UUID, timedelta)):
        return {"$text": str(cell)}
    if isinstance(cell, bytes):
        return {"$bytes": cell.hex()}
    if hasattr(cell, "tolist"):
        return cell.tolist()
    raise TypeError(f"a cell of type {type(cell).__name__} has no canonical form")


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "float": float,
    "time": _utc,
    "json": _canonical,
}
