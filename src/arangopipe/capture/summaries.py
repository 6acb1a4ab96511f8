"""What is in data, in a few numbers for each column."""

from __future__ import annotations

import heapq
import math
import os
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from arangopipe.capture.columns import Column, ends
from arangopipe.capture.files import opened
from arangopipe.capture.tables import table
from arangopipe.capture.values import JSON, plain, utf8

_MAX_COLUMNS = 1000
_MAX_TEXT = 80


def summarize(data: Any) -> dict[str, JSON]:
    """Return `rows`, `column_count` and, for up to 1,000 `columns`, what is in them.

    Takes what `fingerprint` takes; of a file only name and `bytes` are told. A column has `dtype`,
    `missing` and, if it has values: numbers and durations (seconds) `min, max, mean, std` (of a
    sample) and three `quartiles` (linear); texts and categories `distinct` and `top`, the five
    commonest, cut to 80 characters; times and dates `min, max`; booleans `true`, their share.
    What is not finite is None. `truncated` says that there are more columns.
    """
    if isinstance(data, (str, os.PathLike)):
        with opened(data) as file:
            return {"file": utf8(Path(data).name), "bytes": os.fstat(file.fileno()).st_size}
    held = table(data)
    first = islice(held.read(), _MAX_COLUMNS)
    columns: dict[str, JSON] = {name: _summary(column) for name, column in first}
    return {
        "rows": held.rows,
        "column_count": len(held.columns),
        "columns": columns,
        "truncated": len(columns) < len(held.columns),
    }


def _summary(column: Column) -> dict[str, JSON]:
    kind, values = column.kind, column.present()
    found: dict[str, JSON] = {
        "dtype": column.dtype or kind,
        "missing": len(column.values) - len(values),
    }
    if kind in {"null", "json", "bytes"}:
        return found
    if kind == "text" or column.dtype == "category":
        return found | _texts(values)
    if kind == "bool":
        return found | {"true": bytes(values).count(1) / len(values)}
    if kind in {"time", "date"}:
        low, high = ends(values)
        return found | {"min": _iso(low, column.zone), "max": _iso(high, column.zone)}
    return found | _numbers(_as_seconds(values) if kind == "duration" else values)


def _texts(values: Iterable[Any]) -> dict[str, JSON]:
    counts = Counter(map(str, values))
    common = heapq.nsmallest(5, counts.items(), key=lambda item: (-item[1], item[0]))
    top: list[JSON] = [{"value": utf8(text[:_MAX_TEXT]), "count": count} for text, count in common]
    return {"distinct": len(counts), "top": top}


def _iso(moment: Any, zone: str) -> str:
    if not isinstance(moment, date):
        return str(moment.astype("M8[us]")) + ("Z" if zone else "")
    if not isinstance(moment, datetime):
        return moment.isoformat()
    return moment.isoformat(timespec="microseconds") + ("Z" if zone else "")


def _as_seconds(values: Any) -> Any:
    if isinstance(values, list):
        return [span.total_seconds() for span in values]
    return values / sys.modules["numpy"].timedelta64(1, "s")


def _numbers(values: Any) -> dict[str, JSON]:
    last = len(values) - 1
    places = [last * quarter / 4 for quarter in (1, 2, 3)]
    if isinstance(values, list):
        ordered = sorted(values)
        mean = sum(map(float, values)) / len(values)
        variance = sum((x - mean) * (x - mean) for x in values) / max(last, 1)
    else:
        numpy: Any = sys.modules["numpy"]
        needed = {0, last, *map(math.floor, places), *map(math.ceil, places)}
        ordered = numpy.partition(values, sorted(needed))
        with numpy.errstate(all="ignore"):
            mean = float(values.mean(dtype="f8"))
            variance = float(values.var(dtype="f8")) * len(values) / max(last, 1)
    return {
        "min": plain(ordered[0]),
        "max": plain(ordered[last]),
        "mean": plain(mean),
        "std": plain(math.sqrt(variance)) if last else None,
        "quartiles": [plain(_between(ordered, place)) for place in places],
    }


def _between(ordered: Any, place: float) -> float:
    low, high = float(ordered[math.floor(place)]), float(ordered[math.ceil(place)])
    return low + (high - low) * (place % 1)
