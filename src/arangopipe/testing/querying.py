"""What stores promise that have the ability `NativeQuery`: to answer in SQL, and to do nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from arangopipe.errors import InvalidInput, Unsupported
from arangopipe.store.abilities import NativeQuery, Rows
from arangopipe.store.base import Store
from arangopipe.testing.build import busy

COUNTING = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT {} FROM c"
WRITING = (
    "DELETE FROM node",
    "INSERT INTO term VALUES (0, 'x')",
    "UPDATE change SET actor = 'eve'",
    "CREATE TABLE own (x INTEGER)",
    "DROP TABLE node",
    "SELECT 1; DELETE FROM node",
    "BEGIN",
    "COMMIT",
    "VACUUM",
    "EXPLAIN DELETE FROM node",
    "",
    ";",
    "nonsense",
    "SELECT nothing FROM node",
    "SELECT 'a\0b'",
)


class Querying:
    """What the ability `NativeQuery` promises."""

    @pytest.fixture
    def native(self, store: Store) -> Any:
        """Give a store that can be asked in SQL, with something in it."""
        if not isinstance(store, NativeQuery):
            return None
        try:
            store.query("SELECT 1")
        except Unsupported:  # what stands before a store of any kind
            return None
        busy(store)
        return store

    def test_a_query_gives_columns_and_rows(self, native: Any) -> None:
        """Name the columns, and give numbers, texts and null as JSON has them, documents as their text."""
        if native is None:
            return
        last = native.head().number
        sql = "SELECT number AS n, actor, 0.5 AS half, NULL AS none FROM change ORDER BY number"
        found = native.query(sql)
        assert isinstance(found, Rows)
        assert found.columns == ("n", "actor", "half", "none")
        assert [row[0] for row in found.rows] == list(range(1, last + 1))
        assert {(float(row[2]), row[3]) for row in found.rows} == {(0.5, None)}
        assert found.truncated is False
        documents = native.query("SELECT document FROM node WHERE document IS NOT NULL").rows
        assert all(isinstance(text, str) and text.startswith("{") for (text,) in documents)
        assert all(text.startswith("\\x") for (text,) in native.query("SELECT salt FROM change").rows)

    def test_a_query_is_bounded(self, native: Any) -> None:
        """Stop at the limit of rows, and when the time is over; refuse bounds that are none."""
        if native is None:
            return
        found = native.query("SELECT number FROM change ORDER BY number", limit=2)
        assert (found.rows, found.truncated) == (((1,), (2,)), True)
        endless = COUNTING.format("x")
        assert native.query(endless, limit=3) == Rows(("x",), ((1,), (2,), (3,)), True)
        with pytest.raises(InvalidInput, match=r"took longer than 0\.2 s"):
            native.query(COUNTING.format("count(*)"), timeout=0.2)
        for wrong in ({"limit": 0}, {"limit": 10_001}, {"timeout": 0}, {"timeout": 31}, {"timeout": "x"}):
            with pytest.raises(InvalidInput):
                native.query("SELECT 1", **wrong)

    def test_a_query_only_reads(self, native: Any) -> None:
        """Refuse what writes, what is more than one statement, and what is no query."""
        if native is None:
            return
        before = list(native.changes(entries=True))
        for sql in WRITING:
            with pytest.raises(InvalidInput):
                native.query(sql)
            with pytest.raises(InvalidInput):
                native.explain(sql)
        assert list(native.changes(entries=True)) == before

    def test_a_plan_is_told_line_by_line(self, native: Any) -> None:
        """Say how a query would be answered."""
        if native is None:
            return
        lines = native.explain("SELECT * FROM change WHERE number = 1")
        assert lines
        assert all(isinstance(line, str) for line in lines)
