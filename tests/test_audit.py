"""Whatever is altered in a store, `audit.verify` says so and says where."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import FrozenInstanceError
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from arangopipe import audit
from arangopipe.errors import ArangopipeError
from arangopipe.model import times
from arangopipe.model.graph import Change, Entry, Put
from arangopipe.store import open_store
from arangopipe.store.abilities import Maintenance
from arangopipe.store.base import Store
from arangopipe.touched import Thing, touched
from filled import DATA, SECRET, fill, fill_secret, named, points, read_all, run_parts, write


def store_at(path: Path) -> Store:
    return open_store(f"sqlite:///{path}")


def made(path: Path, erase: bool = False) -> Path:
    with store_at(path) as store:
        fill(store)
        if erase:
            fill_secret(store)
            assert isinstance(store, Maintenance)
            store.erase(["run/secret"], "dpo", "asked for by its owner")
        write(store, puts=[Put(named("datasets", "late", source="here"))])
    assert not path.with_name(f"{path.name}-wal").exists()
    return path


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("audit") / "original.db")


@pytest.fixture(scope="module")
def erased(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("audit") / "erased.db", erase=True)


def altered(original: Path, copy: Path, *statements: tuple[str, tuple[Any, ...]]) -> bool:
    """Copy a database and alter it by SQL; return whether SQLite let it be altered."""
    shutil.copyfile(original, copy)
    with closing(sqlite3.connect(copy)) as connection:
        before = list(connection.iterdump())
        try:
            for sql, values in statements:
                connection.execute(sql, values)
            connection.commit()
        except sqlite3.IntegrityError:
            return False
        return list(connection.iterdump()) != before


def verified(path: Path) -> audit.Verification:
    with store_at(path) as store:
        return audit.verify(store)


# --- what it says of a sound store ---------------------------------------------------------------


def test_a_sound_store_is_ok(original: Path) -> None:
    with store_at(original) as store:
        found = audit.verify(store)
        head = store.head()
    assert found.ok
    assert head is not None
    assert (found.changes, found.head) == (head.number, head.chain)
    assert str(found) == f"ok: {head.number} changes verified, head {head.chain}"
    assert json.loads(json.dumps(found.to_dict())) == {
        "ok": True,
        "changes": head.number,
        "head": head.chain,
        "problems": [],
    }
    with pytest.raises(FrozenInstanceError):
        found.changes = 0  # type: ignore[misc]


def test_an_empty_store_is_ok(tmp_path: Path) -> None:
    found = verified(tmp_path / "empty.db")
    assert (found.ok, found.changes, found.head) == (True, 0, None)
    assert str(found) == "ok: 0 changes verified, head (none)"


def test_the_memory_store_is_verified_by_the_same_chain() -> None:
    with open_store("memory://") as store:
        fill(store)
        assert audit.verify(store).ok


def test_progress_is_told_how_far_it_is(tmp_path: Path) -> None:
    with store_at(tmp_path / "many.db") as store:
        for number in range(250):
            write(store, puts=[Put(named("datasets", f"d{number}"))])
        told: list[tuple[int, int | None]] = []
        assert audit.verify(store, progress=lambda *at: told.append(at)).ok
    assert told == [(100, 250), (200, 250), (250, 250)]


def test_an_error_of_the_progress_bar_is_not_damage(original: Path) -> None:
    def broken(done: int, total: int | None) -> None:
        raise ValueError("the terminal is gone")

    with store_at(original) as store, pytest.raises(ValueError, match="terminal"):
        audit.verify(store, progress=broken)


def test_a_store_that_cannot_be_read_is_a_problem_not_an_exception(original: Path) -> None:
    store = store_at(original)
    store.close()
    found = audit.verify(store)
    assert not found.ok
    assert found.problems[0].change == 1
    assert "is closed" in str(found)


# --- what it says of an altered one --------------------------------------------------------------


def variants(value: Any) -> list[Any]:
    """Return what a value may be altered to: one bit, one more or less, and gone."""
    if value is None:
        return ["x", 1]
    if isinstance(value, str):
        middle = len(value) // 2
        flipped = chr(ord(value[middle]) ^ 1) if value else "x"
        return [value[:middle] + flipped + value[middle + 1 :], f"{value} ", None]
    if isinstance(value, bytes):
        return [bytes([value[0] ^ 1]) + value[1:], value[:-1] + bytes([value[-1] ^ 0x80]), value[:-1]]
    return [value + 1, value - 1, -value - 7]


def picked(rows: list[Any], count: int) -> list[Any]:
    """Return some rows, spread evenly, the first and the last among them."""
    return rows if len(rows) <= count else [rows[i * (len(rows) - 1) // (count - 1)] for i in range(count)]


Alteration = tuple[str, str, tuple[Any, ...]]


def alterations(
    path: Path, table: str, where: str = "true", only: tuple[str, ...] = ()
) -> Iterator[Alteration]:
    """Yield (what, SQL, parameters): several rows altered, and removed unless `only` some columns are."""
    with closing(sqlite3.connect(path)) as connection:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        rows = connection.execute(f"SELECT * FROM {table} WHERE {where}").fetchall()
    same = " AND ".join(f"{column} IS ?" for column in columns)
    for row in picked(rows, 4):
        if not only:
            yield f"row {row} removed", f"DELETE FROM {table} WHERE {same}", row
        for column, value in zip(columns, row, strict=True):
            for other in variants(value) if column in (only or columns) else ():
                sql = f"UPDATE {table} SET {column} = ? WHERE {same}"
                yield f"{column} {value!r} -> {other!r}", sql, (other, *row)


def check_alterations(original: Path, copy: Path, *wanted: Any) -> None:
    unnoticed = []
    tried = 0
    for what, sql, values in alterations(original, *wanted):
        if altered(original, copy, (sql, values)):
            tried += 1
            try:
                found = verified(copy)
            except ArangopipeError:
                continue
            if found.ok:
                unnoticed.append(what)
    assert unnoticed == []
    assert tried


COLUMNS = {
    "term": "id text",
    "change": "number batch time actor action reason salt digest chain origin",
    "node": "kind key name version project revision document salt",
    "node_past": "kind key name version project revision document salt digest erased closed",
    "edge": "source kind target revision document salt",
    "edge_past": "source kind target revision document salt closed",
    "value": "path value node",
    "point": "run name revision document salt digest erased closed",
    "series": "run name count step time last low high",
}
IDS = ("node", "node_past")
LAST = "number = (SELECT max(number) FROM change)"


@pytest.mark.slow
@pytest.mark.parametrize("table", COLUMNS)
def test_every_column_is_covered(table: str, original: Path, tmp_path: Path) -> None:
    where = f"NOT {LAST}" if table == "change" else "true"
    check_alterations(original, tmp_path / "x.db", table, where, tuple(COLUMNS[table].split()))


@pytest.mark.slow
@pytest.mark.parametrize("table", COLUMNS)
def test_every_row_is_covered(table: str, original: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(original)) as connection:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        rows = connection.execute(f"SELECT * FROM {table}").fetchall()
    assert columns == ["id"] * (table in IDS) + COLUMNS[table].split()
    same = " AND ".join(f"{column} IS ?" for column in columns)
    for row in picked(rows[:-1], 8):
        assert altered(original, tmp_path / "x.db", (f"DELETE FROM {table} WHERE {same}", row))
        assert not verified(tmp_path / "x.db").ok, row


def test_the_last_change_is_covered(original: Path, tmp_path: Path) -> None:
    check_alterations(original, tmp_path / "x.db", "change", LAST, ())


@pytest.mark.parametrize("table", IDS)
def test_integer_ids_are_covered(table: str, original: Path, tmp_path: Path) -> None:
    check_alterations(original, tmp_path / "x.db", table, "true", ("id",))


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("node_past", "revision digest erased closed"),
        ("node_past", "name version document salt"),
        ("node_past", "kind key project"),
        ("point", "revision digest erased closed"),
        ("point", "document salt"),
        ("point", "run name"),
    ],
)
def test_what_is_left_of_erased_rows_is_covered(
    table: str, columns: str, erased: Path, tmp_path: Path
) -> None:
    check_alterations(erased, tmp_path / "x.db", table, "digest IS NOT NULL", tuple(columns.split()))


def first_problem(original: Path, copy: Path, sql: str, *values: Any) -> audit.Problem:
    assert altered(original, copy, (sql, values))
    return verified(copy).problems[0]


def changed_in(original: Path, action: str) -> int:
    with store_at(original) as store:
        return next(change.number for change in store.changes() if change.action == action)


def test_it_names_the_change_and_the_row(original: Path, tmp_path: Path) -> None:
    found = first_problem(
        original, tmp_path / "x.db",
        "UPDATE node SET document = replace(document, 'ridge', 'lasso') WHERE name = 'ridge'",
    )  # fmt: skip
    assert found.change == 2
    assert "models/" in found.text
    assert str(found).startswith("change 2, its rows: one is missing, added or altered, of ")


def test_it_names_a_row_that_no_store_would_write_alone(original: Path, tmp_path: Path) -> None:
    found = first_problem(
        original, tmp_path / "x.db",
        "UPDATE node SET document = replace(document, '{', '{ ') WHERE key = ?", DATA.key,
    )  # fmt: skip
    assert (found.change, found.what) == (changed_in(original, "annotate"), DATA.id)
    assert str(found) == f"change {found.change}, {DATA.id}: not as it was recorded"


def test_it_names_the_edge(original: Path, tmp_path: Path) -> None:
    found = first_problem(
        original, tmp_path / "x.db",
        "UPDATE edge_past SET document = 'x' WHERE document IS NOT NULL AND closed = ?",
        changed_in(original, "unlink"),
    )  # fmt: skip
    assert found.change == 5
    assert 'unreadable row \'["edge","related"' in found.what


def test_it_names_the_points(original: Path, tmp_path: Path) -> None:
    found = first_problem(
        original, tmp_path / "x.db", "UPDATE point SET document = replace(document, '1.25', '0.25')"
    )
    assert found.change == 10
    assert "points of 'loss' of run/r-1" in found.text


@pytest.mark.parametrize(
    ("column", "value", "where"),
    [
        ("actor", "eve", "chain"),
        ("chain", bytes(32), "chain"),
        ("digest", bytes(32), "digest"),
        ("action", "nothing", "its rows"),
        ("reason", "none", "its rows"),
        ("batch", "0", "its rows"),
        ("time", 5, "time"),
    ],
)
def test_it_names_what_differs_in_a_change(
    original: Path, tmp_path: Path, column: str, value: Any, where: str
) -> None:
    sql = f"UPDATE change SET {column} = ? WHERE number = 5"
    assert altered(original, tmp_path / "x.db", (sql, (value,)))
    found = verified(tmp_path / "x.db")
    assert (found.problems[0].change, found.problems[0].what) == (5, where)
    assert {problem.change for problem in found.problems} == {5}


def test_the_value_index_is_derived_again(original: Path, tmp_path: Path) -> None:
    assert altered(original, tmp_path / "x.db", ("UPDATE value SET value = 1.5 WHERE value = 54.25", ()))
    said = str(verified(tmp_path / "x.db"))
    assert "run/r-1" in said
    assert "metrics.rmse" in said


def test_a_missing_change_is_named(original: Path, tmp_path: Path) -> None:
    found = first_problem(original, tmp_path / "x.db", "DELETE FROM change WHERE number = 5")
    assert str(found) == "change 5, number: is missing"
    sql = "DELETE FROM change WHERE number BETWEEN 5 AND 7"
    assert str(first_problem(original, tmp_path / "x.db", sql)) == "change 5, number: to 7 are missing"


def test_it_ends_after_a_hundred_problems(original: Path, tmp_path: Path) -> None:
    with store_at(tmp_path / "many.db") as store:
        for number in range(250):
            write(store, puts=[Put(named("datasets", f"d{number}"))])
    assert altered(tmp_path / "many.db", tmp_path / "x.db", ("UPDATE change SET action = 'other'", ()))
    assert len(verified(tmp_path / "x.db").problems) == audit.MAX_PROBLEMS


COPIES = {
    "node_past": "id, kind, key, name, version, project, revision, document, salt, digest, erased, closed",
    "edge_past": "source, kind, target, revision, document, salt, closed",
    "point": "run, name + 99, revision, document, salt, digest, erased, closed",
}


@pytest.mark.parametrize(("table", "columns"), COPIES.items())
def test_a_row_too_many_is_noticed(original: Path, tmp_path: Path, table: str, columns: str) -> None:
    sql = f"INSERT INTO {table} SELECT {columns} FROM {table} LIMIT 1"
    assert first_problem(original, tmp_path / "x.db", sql).change


def test_a_node_too_many_is_noticed(original: Path, tmp_path: Path) -> None:
    columns = "kind, key || 'x', name || 'x', version, project, revision, document, salt"
    sql = f"INSERT INTO node SELECT max(id) + 1, {columns} FROM node WHERE name = 'ridge'"
    assert first_problem(original, tmp_path / "x.db", sql).change == 2


def test_an_edge_too_many_is_noticed(original: Path, tmp_path: Path) -> None:
    sql = "INSERT INTO edge SELECT source, kind + 1, target, revision, document, salt FROM edge LIMIT 1"
    assert first_problem(original, tmp_path / "x.db", sql).change


def test_a_change_too_many_is_noticed(original: Path, tmp_path: Path) -> None:
    columns = "'x' || batch, time, actor, action, reason, salt, digest, chain, origin"
    sql = f"INSERT INTO change SELECT number + 1, {columns} FROM change ORDER BY number DESC LIMIT 1"
    with store_at(original) as store:
        head = store.head()
    assert head is not None
    assert first_problem(original, tmp_path / "x.db", sql).change == head.number + 1


@pytest.mark.parametrize("table", ["node", "node_past", "edge", "point"])
@pytest.mark.parametrize("columns", [("document",), ("document", "salt")])
def test_rows_that_swap_their_documents_are_noticed(
    original: Path, tmp_path: Path, table: str, columns: tuple[str, ...]
) -> None:
    source = {"edge": "source || '/' || kind || '/' || target"}.get(table, "rowid")
    with closing(sqlite3.connect(original)) as connection:
        found = connection.execute(
            f"SELECT {source}, {', '.join(columns)} FROM {table} WHERE document <> '{{}}' "
            "GROUP BY document ORDER BY 1 LIMIT 2"
        ).fetchall()
    (first, *left), (second, *right) = found
    sql = f"UPDATE {table} SET {', '.join(f'{column} = ?' for column in columns)} WHERE {source} = ?"
    assert altered(original, tmp_path / "x.db", (sql, (*right, first)), (sql, (*left, second)))
    assert verified(tmp_path / "x.db").problems[0].change


def test_changes_that_swap_places_are_noticed(original: Path, tmp_path: Path) -> None:
    move = "UPDATE change SET number = ? WHERE number = ?"
    assert altered(original, tmp_path / "x.db", (move, (99, 7)), (move, (7, 8)), (move, (8, 99)))
    assert verified(tmp_path / "x.db").problems[0].change == 7


@pytest.mark.parametrize("table", COPIES)
@pytest.mark.parametrize("number", [0, -1, 9_999])
def test_a_row_of_no_change_is_noticed(original: Path, tmp_path: Path, table: str, number: int) -> None:
    columns = COPIES[table].replace("revision", str(number)).replace("closed", str(number))
    sql = f"INSERT INTO {table} SELECT {columns} FROM {table} LIMIT 1"
    assert altered(original, tmp_path / "x.db", (sql, ()))
    assert not verified(tmp_path / "x.db").ok


def test_without_its_last_change_a_store_has_another_head(original: Path, tmp_path: Path) -> None:
    """The end of a chain can be cut off by who can write the file; a head kept elsewhere shows it."""
    end = ("SELECT max(number) FROM change",)
    cut = (
        "DELETE FROM value WHERE node IN (SELECT id FROM node WHERE name = 'late')",
        "DELETE FROM node WHERE name = 'late'",
        f"DELETE FROM change WHERE number = ({end[0]})",
    )
    assert altered(original, tmp_path / "x.db", *[(sql, ()) for sql in cut])
    before, after = verified(original), verified(tmp_path / "x.db")
    assert after.ok
    assert after.head != before.head
    assert after.changes == before.changes - 1


def test_the_type_of_what_is_left_of_erased_rows_is_covered(erased: Path, tmp_path: Path) -> None:
    sql = "UPDATE node_past SET key = CAST(key AS BLOB) WHERE kind = (SELECT id FROM term WHERE text = ?)"
    assert altered(erased, tmp_path / "x.db", (f"{sql} AND digest IS NOT NULL", ("modelparams",)))
    assert not verified(tmp_path / "x.db").ok


# --- bytes ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def answers(erased: Path) -> dict[str, Any]:
    with store_at(erased) as store:
        return read_all(store)


def unnoticed(path: Path, answers: dict[str, Any]) -> str:
    """Return what is wrong though nothing was said: "" where damage is reported or has no effect."""
    try:
        store = store_at(path)
    except ArangopipeError:
        return ""
    with store:
        if not audit.verify(store).ok:
            return ""
        found = read_all(store)
    return ", ".join(str(key) for key in answers if found.get(key) != answers[key])


FLIPS = 2_000 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 50


def flips(path: Path, seed: int, count: int) -> Iterator[tuple[int, bytes]]:
    """Yield (position, altered file); every second time the byte was not zero."""
    data = path.read_bytes()
    rng = random.Random(seed)
    used = [position for position, byte in enumerate(data) if byte]
    for number in range(count):
        position = rng.choice(used) if number % 2 else rng.randrange(len(data))
        flipped = bytearray(data)
        flipped[position] ^= 1 << rng.randrange(8)
        yield position, bytes(flipped)


def check_flips(path: Path, copy: Path, answers: dict[str, Any], seed: int, count: int) -> None:
    wrong = []
    for position, data in flips(path, seed, count):
        for rest in copy.parent.glob(f"{copy.name}*"):
            rest.unlink()
        copy.write_bytes(data)
        if said := unnoticed(copy, answers):
            wrong.append((position, said))
    assert wrong == []


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.parametrize("seed", range(4))
def test_a_flipped_bit_is_reported_or_harmless(
    erased: Path, tmp_path: Path, answers: dict[str, Any], seed: int
) -> None:
    check_flips(erased, tmp_path / "flipped.db", answers, seed, FLIPS)


# --- erasing -------------------------------------------------------------------------------------


def places(folder: Path, text: str) -> dict[str, int]:
    """Return the files of a folder that hold a text, and how often."""
    counts = {file.name: file.read_bytes().count(text.encode()) for file in folder.iterdir()}
    return {name: count for name, count in counts.items() if count}


def erase_secret(store: Store, *ids: str) -> None:
    assert isinstance(store, Maintenance)
    wanted = ids or ("run/secret", named("datasets", SECRET).id)
    store.erase(wanted, "dpo", "asked for by its owner")


def test_erasing_removes_every_byte_and_keeps_the_chain(tmp_path: Path) -> None:
    with store_at(tmp_path / "erase.db") as store:
        fill(store)
        fill_secret(store)
        before = store.traverse([DATA.id], "downstream")
        number = audit.verify(store).changes
        assert places(tmp_path, SECRET)
        erase_secret(store)
        assert audit.verify(store).ok
        then = store.traverse([DATA.id], "downstream", as_of=number)
        assert (then.depths, set(then.edges)) == (before.depths, set(before.edges))
        assert then.nodes["run/secret"].document == {}
        assert store.points("run/secret", as_of=number) == {}
    assert places(tmp_path, SECRET) == {}
    assert verified(tmp_path / "erase.db").ok


def test_erasing_reaches_the_names_of_attributes(tmp_path: Path) -> None:
    with store_at(tmp_path / "erase.db") as store:
        fill(store)
        parts = run_parts("secret", **{f"of-{SECRET}": 1})
        write(store, **parts, points=[points("run/secret", f"loss-{SECRET}", 1.0)])
        erase_secret(store, "run/secret")
    assert places(tmp_path, SECRET) == {}


def test_erasing_reaches_the_log_that_others_hold_open(tmp_path: Path) -> None:
    with store_at(tmp_path / "erase.db") as store, store_at(tmp_path / "erase.db") as other:
        fill(store)
        fill_secret(store)
        other.head()
        erase_secret(store)
        assert places(tmp_path, SECRET) == {}


def test_erasing_reaches_what_was_deleted_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from arangopipe.store.sql.sqlite import SQLite

    connect: Callable[[SQLite], sqlite3.Connection] = SQLite._connect

    def careless(database: SQLite) -> sqlite3.Connection:
        # Many builds of SQLite leave deleted bytes where they were; Debian's does not.
        default = sqlite3.connect

        def opened(*args: Any, **options: Any) -> sqlite3.Connection:
            connection = default(*args, **options)
            connection.execute("PRAGMA secure_delete = OFF").fetchall()
            return connection

        with monkeypatch.context() as patch:
            patch.setattr(sqlite3, "connect", opened)
            return connect(database)

    monkeypatch.setattr(SQLite, "_connect", careless)
    with store_at(tmp_path / "erase.db") as store:
        fill(store)
        fill_secret(store)
        write(store, closes=["run/secret", named("datasets", SECRET).id])
    with store_at(tmp_path / "erase.db") as store:
        erase_secret(store)
    assert places(tmp_path, SECRET) == {}


# --- the log -------------------------------------------------------------------------------------


def test_the_log_can_be_narrowed_down(original: Path) -> None:
    with store_at(original) as store:
        every = list(audit.log(store))
        assert [change.number for change in every] == list(range(1, len(every) + 1))
        assert {change.actor for change in audit.log(store, actor="bob")} == {"bob"}
        assert list(audit.log(store, actor="nobody")) == []
        assert list(audit.log(store, after=3, limit=2)) == every[3:5]
        assert list(audit.log(store, limit=0)) == []
        bobs = [change for change in every if change.actor == "bob"]
        assert list(audit.log(store, actor="bob", limit=2)) == bobs[:2]


def test_the_log_of_a_period_holds_both_of_its_ends(original: Path) -> None:
    with store_at(original) as store:
        every = list(audit.log(store))
        since, until = every[4].time, every[9].time
        wanted = [change for change in every if since <= change.time <= until]
        assert list(audit.log(store, since=since, until=until)) == wanted
        assert list(audit.log(store, since=since.isoformat(), until=until.isoformat())) == wanted
        assert list(audit.log(store, since=every[-1].time + timedelta(seconds=1))) == []
        assert list(audit.log(store, until=every[0].time - timedelta(seconds=1))) == []
        assert list(audit.log(store, since=since, after=every[6].number)) == every[7:]


def test_what_a_change_touched_is_told_without_reading_its_points() -> None:
    points = Entry(False, '["points","run/r","loss",[[0,1,', None)
    change = Change(1, times.now(), "ann", "log to run", "", "b", "", "", (points, points))
    assert list(touched(change)) == [Thing("points", "r", "")]
