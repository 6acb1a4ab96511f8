"""SQL that users write: what each engine lets it do, over HTTP, on the command line and in the page."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

import arangopipe
import story
from arangopipe.cli import main
from arangopipe.errors import ArangopipeError, InvalidInput, StoreUnavailable
from arangopipe.pipe import ArangoPipe
from arangopipe.server.pages import query as page
from arangopipe.server.pages.tables import TABLES, VALUE_OF_POSTGRES, examples
from arangopipe.store import open_store
from arangopipe.store.abilities import LONGEST_QUERY, NativeQuery, Rows
from arangopipe.store.sql import native, schema
from served import serving
from servers import Server
from visitors import HTML, cheap, logged_in, people

__all__ = ["cheap"]

CHANGES = "SELECT action, count(*) AS changes FROM change GROUP BY action ORDER BY changes DESC, action"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, cheap: None) -> str:
    address = f"sqlite:///{tmp_path_factory.mktemp('native')}/it's 1%.db"
    with arangopipe.connect(address, actor="root", capture=False) as pipe:
        story.tell(pipe)
        people(pipe)
    return address


@pytest.fixture
def store(url: str) -> Iterator[Any]:
    with open_store(url) as found:
        yield found


# --- SQLite ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("ATTACH DATABASE '/tmp/x.db' AS x", "may only read"),
        ("DETACH DATABASE main", "may only read"),
        ("PRAGMA query_only = 0", "may only read"),
        ("PRAGMA journal_mode = delete", "may only read"),
        ("PRAGMA writable_schema = 1", "may only read"),
        ("CREATE TEMP TABLE t (x)", "may only read"),
        ("CREATE VIRTUAL TABLE t USING fts5(x)", "may only read"),
        ("SAVEPOINT s", "may only read"),
        ("REINDEX", "may only read"),
        ("VACUUM INTO '/tmp/x.db'", "may only read"),
        ("SELECT load_extension('x')", "may only read"),
        ("SELECT LOAD_EXTENSION('x', 'y')", "may only read"),
        ("SELECT writefile('/tmp/x', 'y')", "writefile"),
        ("SELECT fts3_tokenizer('x')", "fts3_tokenizer"),
        ("SELECT 1 UNION SELECT 2; SELECT 3", "one statement"),
        ("SELECT zeroblob(100000000)", "too big"),
        ("SELECT ?", "binding"),
    ],
)
def test_sqlite_does_nothing_but_read(store: Any, sql: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        store.query(sql)


def test_what_describes_tables_may_be_asked(store: Any) -> None:
    names = [row[1] for row in store.query("PRAGMA table_info(node)").rows]
    assert names == list(TABLES["node"][1])
    assert ("node",) in store.query("SELECT name FROM sqlite_master WHERE type = 'table'").rows


def test_parameters_are_bound(store: Any) -> None:
    assert store.query("SELECT ? || '!', ? + 1", ["'; DROP", 2]).rows == (("'; DROP!", 3),)
    with pytest.raises(InvalidInput):
        store.query("SELECT ?", [object()])
    with pytest.raises(InvalidInput):
        store.query("SELECT ?", [2**70])


def test_a_plan_shows_what_is_part_of_what(store: Any) -> None:
    lines = store.explain("SELECT 1 UNION SELECT 2")
    assert lines[0] == "COMPOUND QUERY"
    assert lines[1].startswith("  LEFT-MOST")
    assert lines[2].startswith("    SCAN")


def test_a_file_is_read_that_nobody_else_has_open(url: str) -> None:
    with open_store(url) as store:
        store.head()
        store._database._connections._close_free()  # type: ignore[attr-defined]
        assert isinstance(store, NativeQuery)
        assert store.query("SELECT 1").rows == ((1,),)
    with pytest.raises(StoreUnavailable, match="closed"):
        store.query("SELECT 1")


def test_what_is_brought_is_bounded_in_bytes(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "MOST_BYTES", 1_000)
    found = native.taken([("x" * 400,)] * 5, 100)
    assert (len(found[0]), found[1]) == (2, True)
    assert native.taken([("x" * 4_000,)], 100) == ((("x" * 4_000,),), False)


def test_a_damaged_file_is_no_fault_of_the_query(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with arangopipe.connect(f"sqlite:///{path}", capture=False) as pipe:
        pipe.log_run(name="a")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=delete")
    with open_store(f"sqlite:///{path}?journal=delete") as store:
        content = bytearray(path.read_bytes())
        content[4096:] = b"\xff" * (len(content) - 4096)
        path.write_bytes(content)
        with pytest.raises(ArangopipeError, match=r"damaged|restore a backup"):
            store.query("SELECT * FROM change")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"\x00\xff", "\\x00ff"),
        (float("inf"), "inf"),
        (Decimal(3), 3),
        (Decimal("0.5"), 0.5),
        (Decimal("NaN"), "nan"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, tzinfo=timezone.utc), "2026-01-02T00:00:00+00:00"),
        (timedelta(minutes=1), 60.0),
        ([1, None], "{1,None}"),
        (True, True),
        (range(2), "range(0, 2)"),
    ],
)
def test_values_are_those_of_json(value: Any, text: Any) -> None:
    assert native.plain(value) == text
    json.dumps(native.plain(value), allow_nan=False)


def test_a_query_has_bounds() -> None:
    from arangopipe.store.abilities import check_query

    assert check_query(" SELECT 1 ; ", 1) == "SELECT 1 "
    for sql, timeout in ((1, 1), ("", 1), ("x" * (LONGEST_QUERY + 1), 1), ("SELECT 1", True), ("x", -1)):
        with pytest.raises(InvalidInput):
            check_query(sql, timeout)


# --- PostgreSQL ------------------------------------------------------------------------------------


@pytest.fixture
def postgres(server18: Server) -> Iterator[Any]:
    with server18.database(server18.template) as name, open_store(server18.url(name)) as found:
        story.tell(ArangoPipe(found, capture=False))
        yield found


EFFECTS = [
    "COPY node TO PROGRAM 'cat'",
    "COPY node TO STDOUT",
    "DO $$ BEGIN DELETE FROM node; END $$",
    "SET statement_timeout = 0",
    "CALL x()",
    "LISTEN x",
    "NOTIFY x",
    "LOCK TABLE head",
    "WITH gone AS (DELETE FROM node RETURNING *) SELECT * FROM gone",
    "SELECT * INTO own FROM node",
    "SELECT * FROM node FOR UPDATE",
    "EXPLAIN ANALYZE DELETE FROM node",
    "SELECT pg_terminate_backend(1)",
    'SELECT "pg_terminate_backend"(1)',
    r'SELECT U&"pg\005fterminate_backend"(1)',
    "SELECT pg_sleep(9)",
    "SELECT pg_advisory_lock(1)",
    "SELECT set_config('transaction_read_only', 'off', true)",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT lo_create(0)",
    "SELECT lo_export(1, '/tmp/x')",
    "SELECT query_to_xml('SELECT pg_' || 'sleep(9)', true, true, '')",
    "SELECT nextval('x')",
    "SELECT * FROM ts_stat('SELECT to_tsvector(pg_' || 'sleep(9)::text)')",
    "SELECT ts_rewrite('a'::tsquery, 'SELECT ' || '1')",
    "SELECT pg_clear_relation_stats('arangopipe', 'node')",
    "SELECT brin_summarize_new_values('node_key')",
    "SELECT txid_current()",
    "SELECT mine()",
    'SELECT "My ""own"()',
    "SELECT repeat('x', 9000000)",
    "SELECT 1; COMMIT; DELETE FROM node",
    "SELECT 1) ; DELETE FROM node; --",
]


@pytest.mark.slow
@pytest.mark.xdist_group("postgres 18")
def test_postgresql_does_nothing_but_read(postgres: Any) -> None:
    with postgres._database.lent() as connection:
        for name in ("mine", '"My ""own"'):
            connection.execute(f"CREATE FUNCTION {name}() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    before = list(postgres.changes(entries=True))
    for sql in EFFECTS:
        with pytest.raises(InvalidInput):
            postgres.query(sql)
        if "repeat" not in sql:
            with pytest.raises(InvalidInput):
                postgres.explain(sql)
    assert list(postgres.changes(entries=True)) == before


@pytest.mark.slow
@pytest.mark.xdist_group("postgres 18")
def test_postgresql_answers(postgres: Any) -> None:
    assert postgres.query("SELECT $1::text || '!', $2::int + 1", ["a", 2]).rows == (("a!", 3),)
    assert postgres.query("TABLE term", limit=300).truncated is False
    long = postgres.query("SELECT x, repeat('y', 10000) FROM generate_series(1, 5000) x", limit=10_000)
    assert long.truncated is True
    assert 500 < len(long.rows) < 1_000
    assert "Seq Scan on" in "\n".join(postgres.explain("SELECT * FROM series"))
    every = (
        "SELECT avg(number), now(), current_date, ARRAY[1, 2], '{\"a\": 1}'::json, 'NaN'::float8 FROM change"
    )
    json.dumps(postgres.query(every).rows, allow_nan=False)
    for sql in (*examples(True).values(), "SELECT random(), pg_relation_size('node') -- and no more"):
        assert postgres.query(sql).rows
    ordered = "WITH x AS (SELECT generate_series(1, 99) AS a, 2 AS a) SELECT * FROM x ORDER BY 1 DESC"
    assert postgres.query(ordered).rows[:2] == ((99, 2), (98, 2))


# --- words -----------------------------------------------------------------------------------------


def test_every_table_and_column_is_in_words() -> None:
    from arangopipe.store.sql import schema_postgres

    for metadata, value in (
        (schema.metadata, TABLES["value"][1]),
        (schema_postgres.metadata, VALUE_OF_POSTGRES),
    ):
        tables = {name: [*table.columns.keys()] for name, table in metadata.tables.items() if name != "head"}
        said = {name: [*(value if name == "value" else columns)] for name, (_, columns) in TABLES.items()}
        assert {name: sorted(columns) for name, columns in said.items()} == {
            name: sorted(columns) for name, columns in tables.items()
        }


@pytest.mark.parametrize("name", examples(False))
def test_every_example_finds_something(store: Any, name: str) -> None:
    assert store.query(examples(False)[name]).rows


# --- over HTTP -------------------------------------------------------------------------------------


def test_the_route_is_for_administrators(store: Any) -> None:
    with serving(store) as address:
        with logged_in(address, "ana") as ana:
            token = ana.get("/api/v1/me").json()["csrf"]
            refused = ana.post("/api/v1/query", json={"sql": CHANGES}, headers={"X-CSRF-Token": token})
            assert refused.status_code == 403
            for path in ("/query", "/query.json", "/query/rows?sql=x", "/query/plan?sql=x"):
                assert ana.get(path).status_code == 403, path
            assert ana.get("/query/download/csv?sql=x").status_code == 403
            assert 'href="/query"' not in ana.get("/").text
        with logged_in(address, "root") as root:
            headers = {"X-CSRF-Token": root.get("/api/v1/me").json()["csrf"]}
            found = root.post("/api/v1/query", json={"sql": CHANGES, "limit": 1}, headers=headers).json()
            assert (found["columns"], found["truncated"]) == (["action", "changes"], True)
            plan = root.post("/api/v1/query", json={"sql": CHANGES, "plan": True}, headers=headers).json()
            assert plan["columns"] == ["plan"]
            wrong = root.post("/api/v1/query", json={"sql": "DELETE FROM node"}, headers=headers)
            assert (wrong.status_code, wrong.json()["title"]) == (422, "InvalidInput")
            assert 'href="/query"' in root.get("/").text


def test_a_store_without_sql_says_so() -> None:
    with arangopipe.connect("memory://", capture=False) as pipe, serving(pipe.store) as address:
        assert httpx.post(f"{address}/api/v1/query", json={"sql": "SELECT 1"}).status_code == 501
        assert "has no SQL" in httpx.get(f"{address}/query", headers=HTML).text
        assert httpx.get(f"{address}/query/rows?sql=x").status_code == 501


# --- in the page -----------------------------------------------------------------------------------


def test_a_query_in_the_address_is_answered_in_parts(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store_without_users = store
    monkeypatch.setattr("arangopipe.users.any_users", lambda _: False)
    with serving(store_without_users) as address, httpx.Client(base_url=address, headers=HTML) as client:
        assert "Changes by action" in client.get("/query").text
        asked = client.get("/query", params={"sql": CHANGES, "limit": 100}).text
        assert "FROM change GROUP BY action" in asked
        assert "log runs" not in asked
        found = client.get("/query/rows.json", params={"sql": CHANGES}).json()
        assert ["log runs", 1] in found["rows"]
        assert "log runs" in client.get("/query/rows", params={"sql": CHANGES}).text
        assert "USE TEMP B-TREE" in client.get("/query/plan", params={"sql": CHANGES}).text
        wrong = client.get("/query/rows", params={"sql": "SELECT nothing"})
        assert (wrong.status_code, "SQLite says" in wrong.text) == (422, True)
        assert client.get("/query/plan", params={"sql": "x"}).status_code == 422
        file = client.get("/query/download/csv", params={"sql": "SELECT 1 AS a, 'x,y' AS b"})
        assert file.text == 'a,b\n1,"x,y"\n'
        assert file.headers["content-disposition"] == 'attachment; filename="query.csv"'
        assert client.get("/query/download/json", params={"sql": "SELECT 1 AS a"}).json() == {
            "columns": ["a"],
            "rows": [[1]],
            "truncated": False,
        }
        assert client.get("/query/download/xml", params={"sql": "SELECT 1"}).status_code == 422
        assert page.LIMIT in page.LIMITS


# --- on the command line ---------------------------------------------------------------------------


def run(url: str, *arguments: str, **more: Any) -> Any:
    return CliRunner().invoke(main, ["query", "--store", url, *arguments], **more)


def test_the_command_answers_in_every_form(url: str) -> None:
    sql = "SELECT number, action FROM change ORDER BY number"
    shown = run(url, sql, "--limit", "2")
    assert shown.exit_code == 0, shown.output
    assert "register project" in shown.stdout
    assert "There is more: these are the first 2 rows." in shown.stderr
    assert run(url, sql, "--limit", "1", "--csv").stdout == "number,action\n1,register project\n"
    found = json.loads(run(url, "-", "--json", "--limit", "1", input=sql).stdout)
    assert found == {"columns": ["number", "action"], "rows": [[1, "register project"]], "truncated": True}
    one = json.loads(run(url, "SELECT ? AS x", "--parameter", "a b", "--json").stdout)
    assert one["rows"] == [["a b"]]
    assert "SCAN change" in run(url, sql, "--plan").stdout
    empty = run(url, "SELECT number AS n FROM change WHERE number < 0", "--csv")
    assert empty.stdout == "n\n"
    assert run(url, "SELECT number AS n FROM change WHERE number < 0").exit_code == 0


def test_the_command_says_what_is_wrong(url: str) -> None:
    wrong = run(url, "DROP TABLE node")
    assert (wrong.exit_code, "may only read" in wrong.stderr) == (1, True)
    assert "has no SQL" in run("memory://", "SELECT 1").stderr


def test_rows_are_values() -> None:
    assert Rows(("a",), ((1,),), False) == (("a",), ((1,),), False)
