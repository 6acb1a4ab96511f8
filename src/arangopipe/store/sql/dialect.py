"""What differs between the SQL of SQLite and of PostgreSQL; nothing else of the engine knows.

Statements are written once, with ``?`` for parameters; the pieces in which the two differ come from a
`Dialect`. The largest difference is the value index. SQLite has one column without a type, in which numbers
sort before texts and texts before blobs (booleans are one-byte blobs). PostgreSQL has a column for each type
and one index over all: a test there names every column, so that a node is found in it at once.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, ClassVar, NamedTuple, Protocol

from arangopipe.model.expressions import Compare, In, Like, comparable

Row = tuple[int, Any, int]
"""A row of the value index: path, value (see `sql_value`), node."""

Test = tuple[str, list[Any], bool]
"""SQL with its parameters, and whether it says it all; else it lets through more than it should."""


class Cursor(Protocol):
    """What the store asks of a driver's cursor."""

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Rows:
        """Run a statement."""

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Any:
        """Run a statement for each of many rows of parameters."""

    @property
    def connection(self) -> Any:
        """Return what runs statements beside this one: it has `execute`, and `stream` (see `reading`)."""


class Rows(Protocol):
    """The rows of a statement that was run."""

    def fetchone(self) -> Any:
        """Return the next row, None where there is none."""

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""

    def __iter__(self) -> Iterator[Any]: ...


def sql_value(value: object) -> object:
    """Return a searchable value as rows of the index hold it: booleans as one-byte blobs."""
    return (b"\x01" if value else b"\x00") if isinstance(value, bool) else value


def python_value(value: Any) -> Any:
    """Return a value of the index as Python has it."""
    return value == b"\x01" if isinstance(value, bytes) else value


COLUMNS = {
    "node": ("id", "kind", "key", "name", "version", "project", "revision", "document", "salt"),
    "edge": ("source", "kind", "target", "revision", "document", "salt"),
    "value": ("path", "value", "node"),
}


class Choice(NamedTuple):
    """SQL that takes one of two statements, `common` and `rare`, by how rare it is that conditions hold.

    Where it took the second there is one more row, known by -1 in the second place.
    """

    statement: str
    """Made of both and of the ids `found` for each condition; the fewest are taken if they are few."""
    found: str
    """The ids that a statement selects, up to a number."""
    taken: str
    """A test in `rare` whether the id of a node ``n`` is taken."""


class Dialect(ABC):
    """The pieces of SQL in which one engine differs from the other."""

    batched: bool
    """Whether it pays to ask for many things at once, since each question is a round trip."""

    limited: bool
    """Whether the value index cannot hold every value."""

    each_text: str
    """A table ``each`` of many texts, bound as one parameter, whose column is ``value``."""

    each_number: str
    """A table of many integers, bound as one parameter, whose column is ``each``."""

    join: str
    """Joins two tables in the order in which they are written, where the engine must be told."""

    row: str
    """The column that tells apart rows which have no key."""

    this_row: str
    """A test on that column."""

    named: str
    """A test on the name of a node; a parameter is bound wherever it stands."""

    by_name: str
    """What nodes ``n`` are ordered by to have them in the order of names, the newest first."""

    after_name: str
    """A test whether such a node comes after one of a name (all parameters but the last) and an id."""

    walk: str | None
    """A statement that gives all edges and nodes of a walk, none of one to more than `limit` nodes; None
    where steps are faster.

    It is made of four others: of a node ``each``, `onward` selects its neighbours and whether a walk goes on
    there, `edges` and `nodes` what is given of it.
    """

    choice: Choice | None
    """How the engine itself takes the plan that fits; None where it is as fast to count before."""

    value: str
    """The columns of a value of the index ``v``."""

    value_order: Sequence[str]
    """What values ``v`` are ordered by."""

    value_types: Sequence[tuple[str, str]]
    """A test for each type of values ``v`` that is ordered by one column, and that column, in order."""

    values: Sequence[tuple[str, str]]
    """A test for each kind of value that is read alike, and what is read; the texts are the second last."""

    @abstractmethod
    def some(self, items: Iterable[int] | Iterable[str]) -> Any:
        """Return the parameter for `of_each`, `each_text` and `among`: any number of integers or texts."""

    @abstractmethod
    def among(self, column: str) -> str:
        """Return a test whether a column is among some values."""

    @abstractmethod
    def of_each(self, table: str, where: str) -> str:
        """Return a table, and the condition on its rows for each of many integers ``each`` (see `some`).

        The rows come in the order of the integers, each found by its index.
        """

    @abstractmethod
    def of_value(self, where: str, order: str) -> str:
        """Return values ``v`` in their order, each with its node ``n``, and the condition on the values."""

    @abstractmethod
    def starting(self, id: str, select: str) -> str:
        """Return a test whether an id is among those of a statement, which are what to start from."""

    @abstractmethod
    def within(self, id: str, select: str) -> str:
        """Return a test whether an id is among those of a statement, for rows tried one after the other."""

    @abstractmethod
    def exists(self, select: str) -> str:
        """Return a test whether there is such a row, for rows tried one after the other."""

    @abstractmethod
    def unindexed(self, column: str) -> str:
        """Return a column as it is named where its index should not be used."""

    @abstractmethod
    def lacks(self, id: str, select: str) -> str:
        """Return a test whether an id is not among the ``node`` that a statement selects."""

    @abstractmethod
    def listed(self, column: str) -> str:
        """Return the integers of a group of rows as one text, with commas between."""

    @abstractmethod
    def quoted(self, prefix: str, column: str) -> str:
        """Return the texts of a group of rows, each after a prefix, as one JSON array."""

    @abstractmethod
    def insert(self, cursor: Cursor, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows of `COLUMNS`; rows of the value index that are there are passed over."""

    @abstractmethod
    def remove_values(self, cursor: Cursor, rows: Sequence[Row]) -> None:
        """Delete rows of the value index."""

    @abstractmethod
    def any_value(self, value: Any) -> Any:
        """Return a number or text as a column without a type takes it."""

    @abstractmethod
    def holds(self, value: object) -> bool:
        """Whether the value index can hold a value."""

    @abstractmethod
    def value_test(self, leaf: Compare | In | Like) -> Test:
        """Return a test on the value of a row of the index."""

    @abstractmethod
    def type_of(self, value: object) -> int:
        """Return the place of a value's type in `value_types`."""

    @abstractmethod
    def bound(self, value: Any) -> Any:
        """Return a value as the columns of `value_types` are compared with it."""

    @abstractmethod
    def read_value(self, cells: Sequence[Any]) -> Any:
        """Return the value in the cells of `value_columns`."""

    @abstractmethod
    def like(self, column: str, leaf: Like) -> Test:
        """Return a test whether a text matches a pattern."""

    @abstractmethod
    def damage(self, cursor: Cursor) -> Iterator[str]:
        """Yield what the engine itself finds wrong with its files."""


class SQLiteDialect(Dialect):
    """SQLite's."""

    batched = False
    limited = False
    each_text = "json_each(?) AS each"
    each_number = "(SELECT value AS each FROM json_each(?))"
    join = "CROSS JOIN"
    row = "rowid"
    this_row = "rowid = ?"
    named = "name = ?"
    by_name = "n.name, n.id DESC"
    after_name = "(n.name > ? OR n.name = ? AND n.id < ?)"
    walk = None
    choice = None
    value = "v.value"
    value_order = ("v.value", "v.node")
    value_types = (("true", "v.value"),)
    values = (("value < ''", "value"), ("value >= '' AND value < x''", "value"), ("value >= x''", "value"))

    _OF_TYPE: ClassVar[dict[type, str]] = {
        int: values[0][0],
        float: values[0][0],
        str: values[1][0],
        bool: values[2][0],
    }

    def some(self, items: Iterable[int] | Iterable[str]) -> Any:
        found = list(items)
        return str(found) if found and type(found[0]) is int else json.dumps(found)

    def among(self, column: str) -> str:
        return f"{column} IN (SELECT value FROM json_each(?))"

    def of_each(self, table: str, where: str) -> str:
        return f"{self.each_number} CROSS JOIN {table} WHERE {where}"

    def of_value(self, where: str, order: str) -> str:
        return f"value v CROSS JOIN node n ON n.id = v.node WHERE {where}"

    def starting(self, id: str, select: str) -> str:
        return f"{id} IN ({select})"

    def within(self, id: str, select: str) -> str:
        return f"{id} IN ({select})"

    def exists(self, select: str) -> str:
        return f"EXISTS ({select})"

    def unindexed(self, column: str) -> str:
        return f"+{column}"

    def lacks(self, id: str, select: str) -> str:
        return f"{id} NOT IN ({select})"

    def listed(self, column: str) -> str:
        return f"group_concat({column})"

    def quoted(self, prefix: str, column: str) -> str:
        return f"json_group_array({prefix} || {column})"

    def insert(self, cursor: Cursor, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        width = len(COLUMNS[table])
        for start in range(0, len(rows), MANY_ROWS):
            part = rows[start : start + MANY_ROWS]
            cursor.execute(_insert_many(table, width, len(part)), list(chain.from_iterable(part)))

    def remove_values(self, cursor: Cursor, rows: Sequence[Row]) -> None:
        cursor.executemany("DELETE FROM value WHERE path = ? AND value = ? AND node = ?", rows)

    def any_value(self, value: Any) -> Any:
        return value

    def holds(self, value: object) -> bool:
        return True

    def value_test(self, leaf: Compare | In | Like) -> Test:
        if isinstance(leaf, Like):
            test, params, exact = self.like("value", leaf)
            return f"{self._OF_TYPE[str]} AND {test}", params, exact
        if isinstance(leaf, In):
            wanted = [sql_value(comparable(value)) for value in leaf.values]
            return f"value IN ({', '.join('?' * len(wanted))})", wanted, True
        value = comparable(leaf.value)
        if leaf.op == "=":
            return "value = ?", [sql_value(value)], True
        operator = "<>" if leaf.op == "!=" else leaf.op
        return f"value {operator} ? AND {self._OF_TYPE[type(value)]}", [sql_value(value)], True

    def type_of(self, value: object) -> int:
        return 0

    def bound(self, value: Any) -> Any:
        return sql_value(value)

    def read_value(self, cells: Sequence[Any]) -> Any:
        return cells[0]

    def like(self, column: str, leaf: Like) -> Test:
        return f"arangopipe_like({column}, ?, ?)", [leaf.pattern, leaf.fold], True

    def damage(self, cursor: Cursor) -> Iterator[str]:
        for (found,) in cursor.execute("PRAGMA integrity_check").fetchall():
            if found != "ok":
                yield f"the file is damaged: {found}"
        nodes = "(SELECT id, kind, key FROM node UNION ALL SELECT id, kind, key FROM node_past)"
        for (id,) in cursor.execute(
            f"SELECT id FROM {nodes} WHERE typeof(key) <> 'text' OR typeof(kind) <> 'integer'"
        ).fetchall():
            yield f"the key of node {id} is not text"


MANY_ROWS = 50
"""One statement of fifty rows takes two thirds of the time of fifty, since SQLite keeps its place in the tree
between rows. It must be ``INSERT OR …`` with something that stops at or skips a bad row: with plain
``INSERT`` SQLite copies each page first, to be able to take back the rows before the bad one."""


@lru_cache(maxsize=256)
def _insert_many(table: str, width: int, rows: int) -> str:
    row = f"({', '.join('?' * width)})"
    what = "IGNORE" if table == "value" else "FAIL"
    return f"INSERT OR {what} INTO {table}({', '.join(COLUMNS[table])}) VALUES {', '.join([row] * rows)}"


SQLITE: Dialect = SQLiteDialect()
