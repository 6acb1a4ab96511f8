"""What is PostgreSQL's own: addresses, texts, retries, errors, many writers."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from arangopipe import ArangoPipe, InvalidInput, NotFound, StoreError, StoreUnavailable, connect
from arangopipe.errors import PermissionDenied, SchemaMismatch
from arangopipe.model import attributes
from arangopipe.model.filters import parse, parse_order
from arangopipe.model.graph import Batch, Put
from arangopipe.store import inspection, open_store
from arangopipe.store.abilities import Maintenance
from arangopipe.store.base import Store
from arangopipe.store.settings import absolute, place
from arangopipe.store.sql import address, neighbours, refusals, session
from arangopipe.store.sql import store as store_module
from arangopipe.store.sql.dialect_postgres import POSTGRES
from arangopipe.store.sql.migrate import SCHEMA
from arangopipe.store.sql.session import Session
from arangopipe.testing import verify_chain
from arangopipe.testing.build import edge, edge_kind, keys, named, names, node_kind, run, search, write
from arangopipe.testing.paging import Paging
from servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("postgres 18")]


@pytest.fixture
def url(server18: Server) -> Iterator[str]:
    with server18.database(server18.template) as name:
        yield server18.url(name)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with open_store(url) as store:
        yield store


# --- addresses -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "libpq", "shown"),
    [
        ("postgres://ann:secret@h/db", "postgresql://ann:secret@h/db", "postgresql://ann@h/db"),
        ("postgresql+psycopg://h/db?schema=a", "postgresql://h/db", "postgresql://h/db?schema=a"),
        (
            "postgresql://ann@h1:1,h2:2/db?target_session_attrs=read-write&isolation=serializable&password=x",
            "postgresql://ann@h1:1,h2:2/db?target_session_attrs=read-write&password=x",
            "postgresql://ann@h1:1,h2:2/db?target_session_attrs=read-write&isolation=serializable",
        ),
        (
            "postgresql://ann@/db?host=/var/run&sslmode=verify-full&connections=7",
            "postgresql://ann@/db?host=/var/run&sslmode=verify-full",
            "postgresql://ann@/db?host=/var/run&sslmode=verify-full&connections=7",
        ),
    ],
)
def test_what_is_not_ours_goes_to_libpq_and_secrets_are_not_shown(given: str, libpq: str, shown: str) -> None:
    found = address.parse(given)
    assert (found.libpq, found.shown) == (libpq, shown)


@pytest.mark.parametrize(
    "options",
    [
        "timeout=-1",
        "timeout=soon",
        "connect_timeout=soon",
        "schema=",
        "schema=pg_x",
        "schema=" + "x" * 64,
        "isolation=chaos",
        "connections=0",
        "connections=many",
    ],
)
def test_options_that_cannot_be_are_named(options: str) -> None:
    with pytest.raises(InvalidInput, match=options.partition("=")[0]):
        open_store(f"postgresql://127.0.0.1/db?{options}")


def test_an_option_that_nobody_knows_is_named() -> None:
    with pytest.raises(InvalidInput, match="shcema"):
        open_store("postgresql://127.0.0.1/db?shcema=x")


@pytest.mark.parametrize("password", ["sesame@open", "open/sesame", "open?sesame", "open%sesame", "a:sesame"])
def test_a_password_that_is_not_written_as_it_must_be_is_not_shown(password: str) -> None:
    url = f"postgresql://ann:{password}@127.0.0.1:1/db"
    assert "sesame" not in absolute(url)
    with pytest.raises((InvalidInput, StoreUnavailable)) as raised:
        open_store(url)
    assert "sesame" not in str(raised.value)
    assert "%40" in str(raised.value) or password == "a:sesame"


def test_the_value_of_an_unknown_option_is_not_shown() -> None:
    with pytest.raises(InvalidInput, match="pasword") as raised:
        open_store("postgresql://ann@127.0.0.1:1/db?pasword=sesame")
    assert "sesame" not in str(raised.value)


def test_two_schemas_are_two_places_whatever_else_an_address_says() -> None:
    one = place("postgres://ann:x@h/db?schema=a&sslmode=require&password=x")
    assert one == place("postgresql+psycopg://bob@h/db?connections=3&schema=a")
    assert one != place("postgresql://h/db?schema=b")
    assert place("postgresql:///db?host=/a") != place("postgresql:///db?host=/b")


@pytest.mark.parametrize("schema", ["Team A", 'say "x"', "back\\slash", "ünï"])
def test_a_schema_may_have_any_name(schema: str, postgres18: str) -> None:
    with open_store(f"{postgres18}?schema={schema}") as store:
        write(store, run("01"))
        assert store.count("run") == {None: 1}
    assert inspection(f"{postgres18}?schema={schema}").size().bytes > 0  # type: ignore[union-attr]


# --- texts and numbers -----------------------------------------------------------------------------

TEXTS = ["", "a", "a\x00", "a\x00b", "a\x01", "a\x01\x01", "a\x01\x02", "a\x02", "b", "ä", "\U0001f600" * 900]


def test_texts_with_any_character_are_kept_compared_and_sorted(store: Store) -> None:
    nodes = [run(f"{i:02}", v=text) for i, text in enumerate(TEXTS)]
    store.write(Batch("texts", tuple(Put(node) for node in nodes), reason="with \x00 in it"))
    assert store.head().reason == "with \x00 in it"  # type: ignore[union-attr]
    found = store.search("run", order=parse_order("v"))
    assert [node.document["v"] for node in found.items] == sorted(TEXTS)
    for text, like in itertools.product(TEXTS, ("like", "=")):
        quoted = text.replace("'", "''")
        assert [node.document["v"] for node in store.search("run", parse(f"v {like} '{quoted}'")).items] == [
            text
        ], (text, like)
    assert len(store.search("run", parse("v like 'a_'")).items) == 3
    assert list(store.check()) == []  # type: ignore[attr-defined]


def test_integers_and_floats_come_back_as_they_were(store: Store) -> None:
    values = [1, 1.0, 2**53, -(2**53), 1e300, 5e-324, 0.1, True, "1"]
    for i, value in enumerate(values):
        write(store, run(f"{i}", v=value))
    (chunk,) = store.columns("run", ["v"])
    assert [repr(v) for v in sorted(chunk["v"], key=repr)] == sorted(map(repr, values))


ODD = {
    "extra_float_digits": "0",
    "bytea_output": "escape",
    "datestyle": "'SQL, DMY'",
    "timezone": "'Asia/Kolkata'",
    "default_transaction_isolation": "serializable",
    "search_path": "nowhere",
    "enable_indexscan": "off",
}


def test_settings_of_the_database_change_no_answer(url: str, server18: Server) -> None:
    for name, value in ODD.items():
        server18.sql(f'alter database "{url.rpartition("/")[2]}" set {name} = {value}')
    values = [1 / 3, 2**53 - 1, 123456789.12345679, "back\\slash", True, "0.1"]
    with open_store(url) as store:
        write(store, *(run(f"{i}", v=value) for i, value in enumerate(values)))
        for value in values[:3]:
            assert len(store.search("run", parse(f"v = {value}")).items) == 1
        assert [chunk["v"] for chunk in store.columns("run", ["v"])] == [values]
        assert list(store.check()) == []  # type: ignore[attr-defined]
        assert verify_chain(store) == 1


def test_a_text_that_does_not_fit_the_index_is_found_in_its_document(store: Store) -> None:
    long = "\U0001f600" * 700
    assert attributes.indexed("run", {"v": long}) == ([("v", long)], True)
    assert not POSTGRES.holds(long)
    write(store, run("1", v=long), run("2", v="short"))
    assert [node.key for node in store.search("run", parse(f"v = '{long}'")).items] == ["1"]


def test_the_planner_knows_what_many_changes_brought(
    url: str, server18: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "MANY_CHANGES", 3)
    known = "SELECT reltuples FROM pg_class WHERE oid = 'arangopipe.node'::regclass"
    with open_store("memory://") as source, open_store(url) as target:
        for i in range(6):
            write(source, run(f"{i}"))
            target.append(list(source.changes(i, entries=True)))  # type: ignore[attr-defined]
            assert server18.sql(known, url.rpartition("/")[2]) == [(-1 if i < 2 else 3 if i < 5 else 6,)]


# --- retries and errors ----------------------------------------------------------------------------


def test_a_unit_that_the_server_cannot_serialize_is_done_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter([psycopg.errors.SerializationFailure("x"), psycopg.errors.DeadlockDetected("y")])
    commit = Session.commit

    def failing(self: Session) -> None:
        if (error := next(failures, None)) is not None:
            raise error
        commit(self)

    monkeypatch.setattr(Session, "commit", failing)
    with open_store(url) as store:
        write(store, run("1"))
        assert store.count("run") == {None: 1}


def test_a_commit_whose_answer_was_lost_is_not_done_twice(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = iter([True])
    commit = Session.commit

    def failing(self: Session) -> None:
        commit(self)
        if next(lost, False):
            self.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(Session, "commit", failing)
    with open_store(url) as store:
        write(store, run("1"))
        assert store.count("run") == {None: 1}
        assert verify_chain(store) == 1


STATES: dict[str, type[Exception]] = {
    "08006": StoreUnavailable,
    "57P01": StoreUnavailable,
    "25006": StoreUnavailable,
    "40001": StoreUnavailable,
    "55P03": StoreUnavailable,
    "57014": StoreUnavailable,
    "53100": StoreUnavailable,
    "53300": StoreUnavailable,
    "58030": StoreUnavailable,
    "28P01": PermissionDenied,
    "42501": PermissionDenied,
    "22021": InvalidInput,
    "54000": InvalidInput,
    "XX001": StoreError,
    "42601": StoreError,
}


@pytest.mark.parametrize("state", STATES)
def test_every_error_of_the_server_has_a_meaning(state: str) -> None:
    error = psycopg.errors.lookup(state)("said")
    found = refusals.meant("somewhere", error)
    assert isinstance(found, STATES[state])
    assert "somewhere" in str(found)
    assert "said" in str(found)


def test_every_error_of_the_driver_is_translated() -> None:
    def kinds(base: type[Exception]) -> list[type[Exception]]:
        return [base, *(kind for below in base.__subclasses__() for kind in kinds(below))]

    for kind in {*kinds(psycopg.Error), *kinds(psycopg.Warning)}:
        assert refusals.meant("somewhere", kind("said")) is not None, kind
    # What libpq itself says has no state.
    for kind in (psycopg.OperationalError, psycopg.DatabaseError):
        assert isinstance(refusals.meant("somewhere", kind("server closed the connection")), refusals.Lost)


# --- many writers ----------------------------------------------------------------------------------

WRITER = """
import sys
from arangopipe import connect
with connect(sys.argv[1], capture=False) as pipe:
    for i in range(50):
        pipe.log_run(project="p", dataset="d", params={"writer": sys.argv[2], "i": i}, metrics={"m": i / 50})
"""


@pytest.mark.parametrize("isolation", ["read committed", "serializable"])
def test_eight_processes_write_fifty_runs_each(isolation: str, url: str) -> None:
    url = f"{url}?isolation={isolation.replace(' ', '%20')}"
    with connect(url, capture=False) as pipe:
        pipe.admin.register_project("p")
        pipe.register_dataset("d")
        before = pipe.store.head().number  # type: ignore[union-attr]
        command = [sys.executable, "-W", "error", "-c", WRITER, url]
        working = [
            subprocess.Popen([*command, str(i)], stderr=subprocess.PIPE, env=os.environ) for i in range(8)
        ]
        failed = [said for process in working if (said := process.communicate(timeout=200)[1])]
        assert failed == []
        assert pipe.store.count("run") == {None: 400}
        assert pipe.store.count("run", by="params.writer") == {str(i): 50 for i in range(8)}
        assert [change.number for change in pipe.store.changes(before)] == list(
            range(before + 1, before + 401)
        )
        verify_chain(pipe.store)


def test_readers_see_one_moment_while_others_write(url: str) -> None:
    over = threading.Event()
    seen: list[Any] = []

    def read(store: Store) -> None:
        while not over.is_set():
            for chunk in store.columns("run", ["params.x"]):
                seen.append(len(chunk["id"]) % 2)

    with open_store(url) as store:
        reader = threading.Thread(target=read, args=(store,))
        reader.start()
        try:
            for i in range(60):
                write(store, run(f"{2 * i}"), run(f"{2 * i + 1}"))
        finally:
            over.set()
            reader.join()
    assert set(seen) <= {0}


def test_behind_a_pooler_each_transaction_brings_its_settings(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As PgBouncer does, which gives clients numbers of processes of its own.
    monkeypatch.setattr(session, "INTRODUCE", session.INTRODUCE.replace("= $1", "= -$1"))
    schemas = ["say%20%22x%22", "it%27s"]
    stores = [open_store(f"{url}?schema={schema}&timeout=9") for schema in schemas]
    for number, store in enumerate(stores, 1):
        store.write(Batch(f"{number}", tuple(Put(run(f"{i}", x=i)) for i in range(number))), patience=3)
    for number, store in enumerate(stores, 1):
        assert store.count("run") == {None: number}
        assert len(store.get([f"run/{i}" for i in range(3)])) == 3
        assert store.get(["run/0"]) != (None,)
        assert len(store.search("run", parse("x = 0")).items) == 1
        assert [len(chunk["x"]) for chunk in store.columns("run", ["x"])] == [number]
        assert store.query("SELECT count(*) FROM node").rows == ((number,),)  # type: ignore[attr-defined]
        with store._database.lent() as driver:  # type: ignore[attr-defined]
            for name in ("pg_prepared_statements", "pg_settings WHERE source = 'session'"):
                found = driver.execute(f"SELECT * FROM {name}".encode()).fetchall()
                assert [row[0] for row in found if "client_encoding" not in row] == []
        store.close()


# --- schemas ---------------------------------------------------------------------------------------

ADDED = """
node_revision node_past_revision node_past_closed node_past_erased edge_revision edge_past_revision
edge_past_closed point_revision point_closed point_erased
"""
"""The indexes of schema 0003."""

OLDER = f"""
DROP INDEX {", ".join(f"arangopipe.{name}" for name in ADDED.split())};
ALTER TABLE arangopipe.change DROP COLUMN origin; UPDATE arangopipe.alembic_version SET version_num = '0001'
"""
INDEXES = (
    "SELECT string_agg(indexdef, ';' ORDER BY indexname) FROM pg_indexes WHERE schemaname = 'arangopipe'"
)


@pytest.mark.parametrize("place", ["file", "server"])
def test_what_is_read_within_is_of_one_moment(place: str, url: str, tmp_path: Path) -> None:
    with open_store(url if place == "server" else f"sqlite:///{tmp_path / 'it.db'}") as store:
        write(store, run("01"))
        with store.one_moment():
            before = store.count("run"), store.head()
            write(store, run("02"))
            with store.one_moment():
                assert (store.count("run"), store.head()) == before
            assert store.get(["run/02"]) == (None,)
            assert store.head(as_of=2) == before[1]
        assert store.count("run") == {None: 2}
        with pytest.raises(TypeError, match="of the reader's own"), store.one_moment():
            raise TypeError("of the reader's own")
        with pytest.raises(InvalidInput, match="not an id"), store.one_moment():
            store.get(["run"])
        assert store.count("run") == {None: 2}


@pytest.mark.parametrize("place", ["file", "server"])
def test_neighbours_of_very_many_are_looked_for_behind_each_match(
    place: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "LISTED", 1)
    with open_store(url if place == "server" else f"sqlite:///{tmp_path / 'it.db'}") as store:
        Paging().test_an_order_by_neighbours_is_that_of_the_reference(store, "rank")


def test_a_walk_that_rests_on_what_was_is_walked_again(url: str) -> None:
    report, data = named("reports", "r"), named("datasets", "d")
    with open_store(url) as store, open_store(url) as other:
        write(other, data)
        for _ in range(2):
            assert store.traverse([data.id], "downstream").depths == {data.id: 0}
        write(other, node_kind("reports"), edge_kind("cites", "reports", "datasets", "from"))
        write(other, report, edges=[edge("cites", report, data)])
        assert store.traverse([data.id], "downstream").depths == {data.id: 0, report.id: 1}
        with pytest.raises(NotFound):
            store.traverse(["reports/none"], "downstream")


DATA = named("datasets", "d")
ROUNDS: dict[str, tuple[int, Callable[[ArangoPipe], Any]]] = {
    "run by name": (2, lambda pipe: pipe.lookup_run("trained")),
    "dataset by name": (1, lambda pipe: pipe.lookup_dataset("d")),
    "downstream": (1, lambda pipe: pipe.downstream(DATA)),
    "lineage": (2, lambda pipe: pipe.lineage(DATA)),
    "runs, newest first": (1, lambda pipe: pipe.search("run")),
    "common, newest first": (1, lambda pipe: pipe.search("run", "params.alpha = 1", limit=50)),
    "rare, newest first": (1, lambda pipe: pipe.search("run", "params.alpha = 2", limit=50)),
    "common, by metric": (
        1,
        lambda pipe: pipe.search("run", "params.alpha = 1", order_by="metrics.rmse", limit=50),
    ),
    "common and of a range, by metric": (
        1,
        lambda pipe: pipe.search(
            "run", "params.alpha = 1 and metrics.rmse >= 0", order_by="metrics.rmse desc", limit=50
        ),
    ),
    "rare, by metric": (
        2,
        lambda pipe: pipe.search("run", "params.alpha = 2", order_by="metrics.rmse", limit=50),
    ),
    "of a range, newest first": (3, lambda pipe: pipe.search("run", "metrics.rmse >= 0", limit=50)),
}
"""How often a question waits for the server: each statement is one round trip."""


@pytest.mark.parametrize("question", ROUNDS)
def test_a_question_is_a_few_statements(question: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    number, ask = ROUNDS[question]
    with connect(url, capture=False) as pipe:
        data = pipe.register_dataset("d")
        for i in range(60):
            pipe.log_run(name=f"r{i}", dataset=data, params={"alpha": 1}, metrics={"rmse": i / 60})
        pipe.log_run(name="trained", dataset=data, params={"alpha": 2}, metrics={"rmse": 0.5})
        ask(pipe)
        asked: list[str] = []
        execute = Session.execute
        monkeypatch.setattr(
            Session, "execute", lambda self, sql, *given: (asked.append(sql), execute(self, sql, *given))[1]
        )
        ask(pipe)
    assert len(asked) == number, "\n".join(asked)


@pytest.fixture(scope="module")
def alike(server18: Server) -> Iterator[list[ArangoPipe]]:
    """The same 60 runs on the server and in memory; few have some params, and some no metric."""
    with server18.database(server18.template) as name, ExitStack() as stack:
        pipes = [
            stack.enter_context(connect(url, capture=False)) for url in (server18.url(name), "memory://")
        ]
        for i in range(60):
            params = {"alpha": 2 if i % 20 == 3 else 1, "beta": i % 30 == 3, "tags": ["a", "b"][: i % 3]}
            metrics = {"rmse": (i * 7) % 20 / 20} if i % 9 else {}
            for pipe in pipes:
                pipe.log_run(name=f"r{i}", params=params, metrics=metrics)
        yield pipes


@pytest.mark.parametrize("order", [None, "metrics.rmse", "metrics.rmse desc", "params.tags"])
@pytest.mark.parametrize(
    "where",
    [
        None,
        "params.alpha = 1",
        "params.alpha = 2",
        "params.alpha = 2 and params.beta = true and params.tags = 'a'",
        "params.alpha = 1 and metrics.rmse > 0.3",
        "params.alpha = 9",
        "params.tags = 'b' and not name = 'r5'",
    ],
)
def test_what_is_found_does_not_depend_on_the_plan(
    where: str | None, order: str | None, alike: list[ArangoPipe]
) -> None:
    pages = [pipe.search("run", where, order_by=order, limit=7) for pipe in alike]
    for _ in range(3):
        one, other = ([(run.name, run.params, run.metrics) for run in page] for page in pages)
        assert one == other
        following = [page.next() for page in pages]
        if None in following:
            assert following == [None, None]
            break
        pages = [page for page in following if page is not None]


def test_a_search_that_rests_on_what_was_is_asked_again(url: str) -> None:
    with open_store(url) as store, open_store(url) as other:
        write(other, run("1", x=1))
        for _ in range(2):
            assert keys(search(store, "run", "y = 1").items) == []
        write(other, run("2", y=1))
        assert keys(search(store, "run", "y = 1").items) == ["2"]
        write(other, node_kind("reports"))
        write(other, named("reports", "r", y=1))
        for where in ("y = 1", ""):
            assert names(search(store, "reports", where).items) == ["r"]
        write(other, edge_kind("cites", "run", "reports"))
        write(other, edges=[edge("cites", "run/2", named("reports", "r"))])
        assert keys(search(store, "run", "reports.y = 1").items) == ["2"]
        with store.one_moment():
            assert keys(search(store, "run", "z = 1").items) == []
            write(other, run("3", z=1))
            assert keys(search(store, "run", "z = 1").items) == []
        assert keys(search(store, "run", "z = 1").items) == ["3"]
        assert isinstance(other, Maintenance)
        other.erase(["run/3"], "ann", "test")
        assert keys(search(store, "run", "z = 1").items) == []
        write(other, run("4", z=1))
        assert keys(search(store, "run", "z = 1").items) == ["4"]


def test_an_older_schema_is_upgraded_once_by_many_at_once(url: str, server18: Server) -> None:
    name = url.rpartition("/")[2]
    with open_store(url) as store:
        write(store, run("1"))
    indexes = server18.sql(INDEXES, name)
    for statement in OLDER.split(";"):
        server18.sql(statement, name)
    assert server18.sql(INDEXES, name) != indexes
    opened: list[str] = []

    def open_it() -> None:
        with open_store(url) as store:
            opened.append(str(store.head()))
            write(store, run(f"n{len(opened)}"))

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 6
    assert inspection(url).schema()[0] == SCHEMA  # type: ignore[union-attr]
    assert server18.sql(INDEXES, name) == indexes


def test_who_may_not_upgrade_is_told_who_may(url: str, server18: Server) -> None:
    name = url.rpartition("/")[2]
    for statement in OLDER.split(";"):
        server18.sql(statement, name)
    server18.sql("CREATE ROLE only_writes LOGIN")
    try:
        server18.sql("GRANT USAGE ON SCHEMA arangopipe TO only_writes", name)
        server18.sql("GRANT ALL ON ALL TABLES IN SCHEMA arangopipe TO only_writes", name)
        with pytest.raises(PermissionDenied, match="owner of its tables can upgrade"):
            open_store(server18.url(name, "only_writes"))
        server18.sql("REVOKE ALL ON SCHEMA arangopipe FROM only_writes", name)
        with pytest.raises(PermissionDenied, match="GRANT USAGE ON SCHEMA"):
            open_store(server18.url(name, "only_writes"))
        with pytest.raises(PermissionDenied, match="CREATE SCHEMA"):
            open_store(server18.url(name, "only_writes", schema="new"))
    finally:
        server18.sql("DROP OWNED BY only_writes", name)
        server18.sql("DROP ROLE only_writes")


@pytest.mark.parametrize(
    ("version", "error"), [("9999", SchemaMismatch), ("0000", StoreError), ("chaos", StoreError)]
)
def test_another_schema_is_refused(version: str, error: type[Exception], url: str, server18: Server) -> None:
    server18.sql(f"UPDATE arangopipe.alembic_version SET version_num = '{version}'", url.rpartition("/")[2])
    with pytest.raises(error, match=version):
        open_store(url)


def test_tables_of_another_program_are_left_alone(postgres18: str, server18: Server) -> None:
    server18.sql("CREATE TABLE mine(x integer)", postgres18.rpartition("/")[2])
    with pytest.raises(StoreError, match="another program"):
        open_store(f"{postgres18}?schema=public")


def test_an_inspection_tells_how_the_store_is_kept(url: str) -> None:
    with open_store(url) as store:
        write(store, run("1"))
    look = inspection(url)
    assert look is not None
    assert look.schema() == (SCHEMA, SCHEMA)
    assert {table.name: table.rows for table in look.size(tables=True).tables}["node"] == 1
    states = {condition.name: condition.state for condition in look.conditions()}
    assert states == {
        **dict.fromkeys(("server", "schema", "rights", "connections", "cleaning"), "ok"),
        "durability": "warn",
    }
