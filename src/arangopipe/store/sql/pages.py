"""The rows in the pages of a SQLite file, each page read on its own and none of them trusted.

A b-tree of SQLite leads from page to page, so one damaged page hides all below it. Here every page is asked
what rows it holds, whatever leads to it: the page says whether it is part of a table or of an index, and each
row says the types of its columns. Pages on the list of free ones are left out, for what they hold is old.
The format: the chapters "B-tree Pages" and "Record Format" of SQLite's "Database File Format".
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from mmap import mmap
from typing import NamedTuple

HEADER = 100
MAGIC = b"SQLite format 3\0"
USUAL_SIZE = 4_096
TABLE_LEAF, INDEX_LEAF, INDEX_INTERIOR, TABLE_INTERIOR = 13, 10, 2, 5
MAX_PAYLOAD = 1 << 31

Value = int | float | str | bytes | None


class Row(NamedTuple):
    """One row: the columns that are stored, and its row id (None in an index, or a table without one)."""

    rowid: int | None
    values: tuple[Value, ...]


class Pages:
    """The pages of a file, of which `missing` are cut off.

    Once all tables were read, `unreadable` counts the pages that are neither whole nor free, and `lost_rows`
    the rows of whole pages that cannot be read.
    """

    def __init__(self, data: mmap | bytes) -> None:
        self._data = data
        size = int.from_bytes(data[16:18], "big") if data[:16] == MAGIC else 0
        size = 65_536 if size == 1 else size
        self.size = size if size >= 512 and size & (size - 1) == 0 else USUAL_SIZE
        self.count = -(-len(data) // self.size)
        self.missing = max(0, self._number(28) - self.count) if data[:16] == MAGIC else 0
        self.unreadable = 0
        self.lost_rows = 0
        self._free = self._free_pages()

    def table_rows(self, progress: Callable[[int, int], object]) -> Iterator[Row]:
        """Yield the rows of all tables that have row ids."""
        for number in range(1, self.count + 1):
            progress(number, self.count)
            if number in self._free:
                continue
            kind = self._kind(number)
            if kind == TABLE_LEAF:
                yield from self._cells(number, kind)
            elif kind not in (INDEX_LEAF, INDEX_INTERIOR, TABLE_INTERIOR):
                # What is no b-tree begins with the number of a page; all zeros is what a bad disk gives.
                start = (number - 1) * self.size
                self.unreadable += kind != 0 or not self._data[start : start + self.size].strip(b"\0")

    def index_rows(self, progress: Callable[[int, int], object]) -> Iterator[Row]:
        """Yield the rows of all indexes, and of the tables that have no row ids."""
        for number in range(1, self.count + 1):
            progress(number, self.count)
            kind = self._kind(number)
            if kind in (INDEX_LEAF, INDEX_INTERIOR) and number not in self._free:
                yield from self._cells(number, kind)

    def rows_of_index(self, root: int) -> Iterator[Row]:
        """Yield the rows of one index, as far as pages lead to each other from its root."""
        seen, left = set(), [root]
        while left:
            number = left.pop()
            kind = self._kind(number) if 1 < number <= self.count else 0
            if kind not in (INDEX_LEAF, INDEX_INTERIOR) or number in seen:
                continue
            seen.add(number)
            yield from self._cells(number, kind)
            if kind == INDEX_INTERIOR:
                left.append(self._number((number - 1) * self.size + 8))
                left += [self._number(cell) for cell in self._pointers(number, kind)]

    def _kind(self, number: int) -> int:
        at = self._header(number)
        return self._data[at] if at + 8 < self._end else 0

    def _header(self, number: int) -> int:
        return HEADER if number == 1 else (number - 1) * self.size

    @property
    def _end(self) -> int:
        return len(self._data)

    def _number(self, at: int) -> int:
        return int.from_bytes(self._data[at : at + 4], "big")

    def _free_pages(self) -> set[int]:
        """Return the pages on the list of free ones, as far as it can be followed."""
        free: set[int] = set()
        trunk = self._number(32) if self._data[:16] == MAGIC else 0
        while 1 < trunk <= self.count and trunk not in free:
            free.add(trunk)
            at = (trunk - 1) * self.size
            for leaf in range(min(self._number(at + 4), self.size // 4 - 2)):
                free.add(self._number(at + 8 + 4 * leaf))
            trunk = self._number(at)
        return free

    def _pointers(self, number: int, kind: int) -> Iterator[int]:
        """Yield where the cells of a page begin."""
        start, header = (number - 1) * self.size, self._header(number)
        cells = int.from_bytes(self._data[header + 3 : header + 5], "big")
        first = header + (12 if kind == INDEX_INTERIOR else 8)
        for pointer in range(first, min(first + 2 * cells, start + self.size - 1), 2):
            yield start + int.from_bytes(self._data[pointer : pointer + 2], "big")

    def _cells(self, number: int, kind: int) -> Iterator[Row]:
        for cell in self._pointers(number, kind):
            try:
                row = self._cell(cell, kind)
            except (ValueError, IndexError):
                self.lost_rows += 1
            else:
                yield row

    def _cell(self, at: int, kind: int) -> Row:
        if kind == INDEX_INTERIOR:
            at += 4  # the page to the left
        length, at = _varint(self._data, at)
        rowid = None
        if kind == TABLE_LEAF:
            rowid, at = _varint(self._data, at)
        return Row(_signed(rowid), _record(self._payload(at, length, kind)))

    def _payload(self, at: int, length: int, kind: int) -> bytes:
        """Return what a cell holds, with what overflows into other pages."""
        if length > min(MAX_PAYLOAD, self._end):
            raise ValueError("longer than the file")
        most = self.size - 35 if kind == TABLE_LEAF else (self.size - 12) * 64 // 255 - 23
        if length <= most:
            return self._bytes(at, length)
        least = (self.size - 12) * 32 // 255 - 23
        here = least + (length - least) % (self.size - 4)
        here = here if here <= most else least
        parts, left = [self._bytes(at, here)], length - here
        page = self._number(at + here)
        while left:
            if not 1 < page <= self.count:
                raise ValueError("the chain of pages is broken")
            start = (page - 1) * self.size
            parts.append(self._bytes(start + 4, min(left, self.size - 4)))
            left -= len(parts[-1])
            page = self._number(start)
        return b"".join(parts)

    def _bytes(self, at: int, length: int) -> bytes:
        found = bytes(self._data[at : at + length])
        if len(found) < length:
            raise ValueError("the file ends here")
        return found


def _varint(data: mmap | bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(at, at + 8):
        byte = data[place]
        value = value << 7 | byte & 127
        if byte < 128:
            return value, place + 1
    return value << 8 | data[at + 8], at + 9


def _signed(number: int | None) -> int | None:
    return number - (1 << 64) if number is not None and number >> 63 else number


_WIDTHS = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)


def _record(payload: bytes) -> tuple[Value, ...]:
    """Return the columns of a record; raises `ValueError` where it is none."""
    end, at = _varint(payload, 0)
    body = end
    values: list[Value] = []
    while at < end:
        kind, at = _varint(payload, at)
        if kind in (10, 11):
            raise ValueError("no such type")
        width = _WIDTHS[kind] if kind < 12 else (kind - 12) // 2
        part = payload[body : body + width]
        if len(part) < width:
            raise ValueError("a column is cut off")
        values.append(_value(kind, part))
        body += width
    if at != end or body != len(payload):
        raise ValueError("columns and record differ in length")
    return tuple(values)


def _value(kind: int, part: bytes) -> Value:
    if kind == 0:
        return None
    if kind in (8, 9):
        return kind - 8
    if kind == 7:
        return float(struct.unpack(">d", part)[0])
    if kind < 7:
        return int.from_bytes(part, "big", signed=True)
    return part.decode() if kind % 2 else part
