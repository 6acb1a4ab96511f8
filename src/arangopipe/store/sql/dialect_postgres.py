"""The pieces of SQL that PostgreSQL wants (see `dialect`)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

from arangopipe.model.expressions import Compare, In, Like, comparable
from arangopipe.store.sql.arrays import array
from arangopipe.store.sql.dialect import COLUMNS, Choice, Cursor, Dialect, Row, Test, python_value, sql_value


class PostgresDialect(Dialect):
    """PostgreSQL's."""

    batched = True
    limited = True
    each_text = "unnest(?::text[]) AS each(value)"
    each_number = "unnest(?::bigint[]) AS each"
    join = "JOIN"
    row = "ctid"
    this_row = "ctid = ?::tid"
    # A name can be longer than what fits into an index.
    named = "left(name, 200) = left(?, 200) AND name = ?"
    by_name = "left(n.name, 200), n.name, n.id DESC"
    after_name = "left(n.name, 200) >= left(?, 200) AND (n.name > ? OR n.name = ? AND n.id < ?)"
    # Rows of `walked` come as they are asked for: a walk goes no further than `near`.
    walk = (
        "WITH RECURSIVE walked(each, goes_on) AS ({start} UNION SELECT found.* FROM walked "
        "CROSS JOIN LATERAL ({onward} OFFSET 0) AS found WHERE goes_on), "
        "near AS MATERIALIZED (SELECT * FROM walked LIMIT {limit} + 1), "
        "whole AS MATERIALIZED (SELECT * FROM near WHERE (SELECT count(*) FROM near) <= {limit}) "
        "SELECT found.* FROM whole CROSS JOIN LATERAL ({edges} OFFSET 0) AS found WHERE goes_on "
        "UNION ALL SELECT found.* FROM whole CROSS JOIN LATERAL ({nodes} OFFSET 0) AS found"
    )
    # Only one of the two gives rows, so their order stays.
    choice = Choice(
        "WITH rare AS MATERIALIZED (SELECT nodes FROM (VALUES {found} OFFSET 0) AS found(nodes) "
        "WHERE cardinality(nodes) <= ? ORDER BY cardinality(nodes) LIMIT 1) "
        "SELECT * FROM ({common}) AS common WHERE NOT EXISTS (SELECT FROM rare) UNION ALL ({rare}) "
        "UNION ALL SELECT 0, -1{nulls} FROM rare",
        found="(ARRAY(SELECT node FROM ({}) AS member LIMIT ?))",
        taken="n.id = ANY((SELECT nodes FROM rare)::bigint[])",
    )
    value = "v.number, v.text, v.boolean, v.whole"
    value_order = ("v.number", "v.text", "v.boolean", "v.node")
    value_types = (
        ("v.number IS NOT NULL", "v.number"),
        ("v.number IS NULL AND v.text IS NOT NULL", "v.text"),
        ("v.number IS NULL AND v.text IS NULL", "v.boolean"),
    )
    values = (
        ("number IS NOT NULL AND whole", "number::bigint"),
        ("number IS NOT NULL AND NOT whole", "number"),
        ("number IS NULL AND text IS NOT NULL", "text"),
        ("number IS NULL AND text IS NULL", "boolean"),
    )

    _COLUMN: ClassVar[dict[type, str]] = {int: "number", float: "number", str: "text", bool: "boolean"}
    _TEST: ClassVar[dict[str, str]] = {
        "number": "number {} AND text IS NULL AND boolean IS NULL",
        "text": "number IS NULL AND text {} AND boolean IS NULL",
        "boolean": "number IS NULL AND text IS NULL AND boolean {}",
    }
    _TYPES: ClassVar[dict[str, str]] = {
        "node": "bigint integer text text text text bigint text bytea",
        "edge": "bigint integer bigint bigint text bytea",
        "value": "integer float8 text boolean boolean bigint",
    }
    _INSERT: ClassVar[dict[str, str]] = {
        table: f"INSERT INTO {table}({columns}) SELECT * FROM unnest("
        + ", ".join(f"?::{type}[]" for type in types.split())
        + ")"
        for (table, types), columns in zip(
            _TYPES.items(),
            (*map(", ".join, (COLUMNS["node"], COLUMNS["edge"])), "path, number, text, boolean, whole, node"),
            strict=True,
        )
    }

    def some(self, items: Iterable[int] | Iterable[str]) -> Any:
        return array(items)

    def among(self, column: str) -> str:
        return f"{column} = ANY(?)"

    # Before the first ANALYZE the planner's guesses are far off. OFFSET 0, a subquery's own order, an array
    # and IS TRUE each keep it from taking a question apart: it cannot turn what is looked up into a scan.

    def of_each(self, table: str, where: str) -> str:
        rows = f"SELECT * FROM {table} WHERE {where} OFFSET 0"
        return f"{self.each_number} CROSS JOIN LATERAL ({rows}) AS {table}"

    def of_value(self, where: str, order: str) -> str:
        # Only under a limit does the planner think of what comes first rather than of all.
        values = f"SELECT * FROM value v WHERE {where} ORDER BY {order} LIMIT {ALL}"
        node = "SELECT * FROM node WHERE id = v.node OFFSET 0"
        return f"({values}) AS v CROSS JOIN LATERAL ({node}) AS n WHERE true"

    def starting(self, id: str, select: str) -> str:
        return f"{id} = ANY(ARRAY({select}))"

    def within(self, id: str, select: str) -> str:
        return f"({id} IN ({select})) IS TRUE"

    def exists(self, select: str) -> str:
        return f"EXISTS ({select} OFFSET 0)"

    def unindexed(self, column: str) -> str:
        return f"0 + {column}"

    def lacks(self, id: str, select: str) -> str:
        return f"NOT EXISTS (SELECT 1 FROM ({select}) AS had(node) WHERE had.node = {id})"

    def listed(self, column: str) -> str:
        return f"string_agg({column}::text, ',')"

    def quoted(self, prefix: str, column: str) -> str:
        return f"json_agg({prefix}::text || {column})::text"

    def insert(self, cursor: Cursor, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if table == "value":
            rows = [(path, *self._cells(value), node) for path, value, node in dict.fromkeys(rows)]
        for start in range(0, len(rows), MOST_ROWS):
            columns = zip(*rows[start : start + MOST_ROWS], strict=True)
            cursor.execute(self._INSERT[table], [array(column) for column in columns])

    @staticmethod
    def _cells(value: Any) -> tuple[Any, ...]:
        """Return number, text, boolean and whether the number is an integer."""
        kind = type(value)
        if kind is str:
            return None, value, None, None
        if kind is bytes:
            return None, None, value == b"\x01", None
        return value, None, None, kind is int

    def remove_values(self, cursor: Cursor, rows: Sequence[Row]) -> None:
        by_type: dict[int, list[Row]] = {}
        for row in rows:
            by_type.setdefault(self.type_of(row[1]), []).append(row)
        for place, found in by_type.items():
            column, type = (("number", "float8"), ("text", "text"), ("boolean", "boolean"))[place]
            paths, values, nodes = zip(*found, strict=True)
            sql = (
                f"DELETE FROM value v USING unnest(?::integer[], ?::{type}[], ?::bigint[]) "
                "AS gone(path, this, node) WHERE v.path = gone.path AND v.node = gone.node AND "
            )
            parameters = [array(paths), array(map(python_value, values)), array(nodes)]
            cursor.execute(sql + self._TEST[column].format("= gone.this"), parameters)

    def any_value(self, value: Any) -> Any:
        return None if value is None else json.dumps(value)

    def holds(self, value: object) -> bool:
        # A text must fit into the index. NUL and SOH take two bytes (see `session`).
        return not isinstance(value, str) or len(value) <= 500 or len(value.encode()) <= 2_000

    def value_test(self, leaf: Compare | In | Like) -> Test:
        if isinstance(leaf, Like):
            test, params, exact = self.like("text", leaf)
            return f"number IS NULL AND {test} AND boolean IS NULL", params, exact
        if isinstance(leaf, In):
            return self._in([comparable(value) for value in leaf.values])
        value = comparable(leaf.value)
        operator = "<>" if leaf.op == "!=" else leaf.op
        return self._TEST[self._COLUMN[type(value)]].format(f"{operator} ?"), [value], True

    def _in(self, values: Iterable[Any]) -> Test:
        wanted: dict[str, list[Any]] = {}
        for value in values:
            if value is not None:
                wanted.setdefault(self._COLUMN[type(value)], []).append(value)
        tests = [f"({self._TEST[column].format('= ANY(?)')})" for column in wanted]
        return f"({' OR '.join(tests) or 'false'})", [array(found) for found in wanted.values()], True

    def type_of(self, value: object) -> int:
        return 1 if isinstance(value, str) else 2 if isinstance(value, (bool, bytes)) else 0

    def bound(self, value: Any) -> Any:
        return value

    def read_value(self, cells: Sequence[Any]) -> Any:
        number, text, boolean, whole = cells
        if number is not None:
            return int(number) if whole else number
        return sql_value(boolean) if text is None else text

    def like(self, column: str, leaf: Like) -> Test:
        # Neither how case is folded here nor NUL (see `session`) is known to the server: it may let
        # through too much.
        if leaf.fold:
            return f"{column} IS NOT NULL", [], False
        return f"{column} LIKE ?", [like_to_wider(leaf.pattern)], False

    def damage(self, cursor: Cursor) -> Iterator[str]:
        return iter(())


ALL = 2**62

MOST_ROWS = 5_000
"""Rows of one statement: its parameters are texts of some megabytes at most."""


def like_to_wider(pattern: str) -> str:
    """Return a pattern that also matches texts in which NUL and SOH are two characters each."""
    found, characters = "", iter(pattern)
    for character in characters:
        if character == "_":
            found += "%"
        elif character == "\\":
            found += f"\\{next(characters, character)}"
        else:
            found += character
    return found


POSTGRES: Dialect = PostgresDialect()
