"""Inserting many rows with few statements.

One statement of fifty rows takes two thirds of the time of fifty, since SQLite keeps its place in the
tree between rows. It must be ``INSERT OR …`` with something that stops at or skips a bad row: with plain
``INSERT`` SQLite copies each page first, to be able to take back the rows before the bad one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from sqlite3 import Cursor
from typing import Any

ROWS = 50


def insert(cursor: Cursor, into: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows `into` what a statement says before its values."""
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        sql = _statement(into, len(part[0]), len(part))
        cursor.execute(sql, list(chain.from_iterable(part)))


@lru_cache(maxsize=256)
def _statement(into: str, columns: int, rows: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return f"{into} VALUES {', '.join([row] * rows)}"
