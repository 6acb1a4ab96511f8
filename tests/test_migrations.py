"""Databases of other versions: made, refused, upgraded after a backup, and never left in between."""

from __future__ import annotations

import multiprocessing
import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from arangopipe import audit
from arangopipe.errors import SchemaMismatch, StoreError
from arangopipe.store import open_store
from arangopipe.store.base import Store
from arangopipe.store.sql import migrate, schema
from filled import fill, read_all

pytestmark = pytest.mark.xdist_group("migrations")


SCHEMA = migrate.SCHEMA
NEXT = f"{int(SCHEMA) + 1:04}"
"""The schema of the next version, which the tests here pretend to be."""

ADD_COLUMN = f"""
import sqlalchemy
from alembic import op

revision = "{NEXT}"
down_revision = "{SCHEMA}"


def upgrade():
    op.add_column("change", sqlalchemy.Column("place", sqlalchemy.Text))
    op.create_table("extra", sqlalchemy.Column("id", sqlalchemy.Integer, primary_key=True))
"""

BROKEN = ADD_COLUMN + '    op.execute("INSERT INTO extra VALUES (1)")\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A filled database of the present schema."""
    with store_at(tmp_path / "runs.db") as store:
        fill(store)
    return tmp_path / "runs.db"


def store_at(path: Path) -> Store:
    return open_store(f"sqlite:///{path}")


def next_version(folder: Path, script: str) -> Path:
    """Return a folder of migrations with one more in it."""
    scripts = folder / "migrations"
    shutil.copytree(migrate.MIGRATIONS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / f"{NEXT}_next.py").write_text(script)
    return scripts


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Become the next version of Arangopipe, whose schema is one further."""
    monkeypatch.setattr(migrate, "MIGRATIONS", next_version(folder, script))
    monkeypatch.setattr(migrate, "SCHEMA", NEXT)


def version_of(path: Path) -> str:
    return str(query(path, "SELECT version_num FROM alembic_version")[0][0])


def query(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def backups(path: Path) -> list[Path]:
    return sorted(path.parent.glob("*.schema-*.backup"))


def structure(path: Path) -> list[Any]:
    return query(path, "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name")


# --- the schema ----------------------------------------------------------------------------------


def test_a_new_database_is_what_the_schema_says(path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()


def test_the_last_migration_leads_to_the_schema() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [migrate.SCHEMA]
    numbers = sorted(script.revision for script in scripts.walk_revisions())
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]


def test_opening_a_present_one_loads_no_sqlalchemy(path: Path) -> None:
    import subprocess
    import sys

    program = (
        "import sys; from arangopipe.store import open_store; "
        f"open_store('sqlite:///{path}').close(); sys.exit('sqlalchemy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


# --- what is refused -----------------------------------------------------------------------------


def test_a_newer_database_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0099'")
    before = path.read_bytes()
    with pytest.raises(SchemaMismatch) as caught:
        store_at(path)
    said = str(caught.value)
    assert all(part in said for part in (str(path), "0099", SCHEMA, "pip install -U arangopipe"))
    assert path.read_bytes() == before
    assert backups(path) == []


@pytest.mark.parametrize("version", ["", " 001", "000x", "0000", "-1"])
def test_a_version_that_never_was_is_refused(path: Path, version: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (version,))
    with pytest.raises(StoreError, match=r"runs\.db"):
        store_at(path)
    assert version_of(path) == version


def test_a_database_that_does_not_say_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM alembic_version")
    with pytest.raises(StoreError, match="does not say which schema"):
        store_at(path)


# --- upgrades ------------------------------------------------------------------------------------


def test_an_older_database_is_upgraded_after_a_backup(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with store_at(path) as store:
        before = read_all(store)
    old = structure(path)
    install(monkeypatch, path.parent, ADD_COLUMN)
    with store_at(path) as store:
        assert read_all(store) == before
        assert audit.verify(store).ok
    assert version_of(path) == NEXT
    assert query(path, "SELECT place FROM change LIMIT 1") == [(None,)]
    (backup,) = backups(path)
    assert backup.name.startswith(f"runs.db.schema-{SCHEMA}.")
    assert structure(backup) == old
    monkeypatch.undo()
    with store_at(backup) as store:
        assert read_all(store) == before
        assert audit.verify(store).ok


def test_the_backup_holds_what_was_still_in_the_log(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(path)) as other:  # keeps SQLite from emptying the log at close
        other.execute("SELECT count(*) FROM node").fetchone()
        with store_at(path) as store:
            from filled import Put, named, write

            write(store, puts=[Put(named("datasets", "late"))])
        assert path.with_name("runs.db-wal").stat().st_size > 0
        install(monkeypatch, path.parent, ADD_COLUMN)
        store_at(path).close()
    (backup,) = backups(path)
    assert query(backup, "SELECT count(*) FROM node WHERE name = 'late'") == [(1,)]


def test_an_upgraded_database_is_upgraded_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, path.parent, ADD_COLUMN)
    for _ in range(3):
        store_at(path).close()
    assert len(backups(path)) == 1


def test_a_folder_with_a_percent_sign_and_a_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "100% mine"
    folder.mkdir()
    url = f"sqlite:///{tmp_path}/100%25%20mine/runs.db"
    open_store(url).close()
    install(monkeypatch, folder, ADD_COLUMN)
    open_store(url).close()
    assert version_of(folder / "runs.db") == NEXT


FAILURES = {
    "sql": BROKEN.replace("VALUES (1)", "VALUES (1, 2, 3)"),
    "constraint": BROKEN + '    op.execute("INSERT INTO extra VALUES (1)")\n',
    "python": BROKEN + '    raise ValueError("a bug in the migration")\n',
    "import": "import a_module_that_is_not_there\n" + ADD_COLUMN,
}


@pytest.mark.parametrize("script", FAILURES.values(), ids=FAILURES.keys())
def test_a_failing_migration_leaves_everything_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    with store_at(path) as store:
        before = read_all(store)
    old = structure(path)
    with monkeypatch.context() as patch:
        install(patch, path.parent, script)
        with pytest.raises(StoreError) as caught:
            store_at(path)
    (backup,) = backups(path)
    assert all(part in str(caught.value) for part in (str(path), NEXT, str(backup)))
    assert version_of(path) == version_of(backup) == SCHEMA
    assert structure(path) == old
    with store_at(path) as store:
        assert read_all(store) == before
        assert audit.verify(store).ok
    with store_at(backup) as store:
        assert read_all(store) == before


def test_no_room_for_a_backup_no_upgrade(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, path.parent, ADD_COLUMN)
    monkeypatch.setattr(migrate.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 90, 10))
    with pytest.raises(StoreError, match="not enough room"):
        store_at(path)
    assert version_of(path) == SCHEMA


def test_a_backup_that_cannot_be_written_no_upgrade(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, path.parent, ADD_COLUMN)
    connect = sqlite3.connect

    def refuse(target: Any, *args: Any, **options: Any) -> sqlite3.Connection:
        if ".backup" in str(target):
            raise sqlite3.OperationalError("unable to open database file")
        return connect(target, *args, **options)

    monkeypatch.setattr(migrate.sqlite3, "connect", refuse)
    with pytest.raises(StoreError, match=r"runs\.db"):
        store_at(path)
    assert version_of(path) == SCHEMA


# --- two processes -------------------------------------------------------------------------------

_barrier: Any = None


def _set_up(barrier: Any) -> None:
    global _barrier
    _barrier = barrier


def upgrade_together(path: Path, scripts: Path) -> int:
    """Open, as the next version and together with another process, an older database."""
    migrate.MIGRATIONS, migrate.SCHEMA = scripts, NEXT
    _barrier.wait(60)
    with store_at(path) as store:
        head = store.head()
        return head.number if head else 0


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, spawn, _set_up, (spawn.Barrier(2),)) as executor:
        yield executor


@pytest.mark.slow
def test_two_processes_upgrade_at_once(path: Path, pool: ProcessPoolExecutor, tmp_path: Path) -> None:
    scripts = next_version(tmp_path, ADD_COLUMN)
    with store_at(path) as store:
        head = store.head()
    assert head is not None
    for number in range(10):
        copy = tmp_path / str(number) / "runs.db"
        copy.parent.mkdir()
        shutil.copyfile(path, copy)
        futures = [pool.submit(upgrade_together, copy, scripts) for _ in range(2)]
        assert [future.result(60) for future in futures] == [head.number] * 2
        assert version_of(copy) == NEXT
        # Whichever came second must not keep an upgraded database as the backup of the old one.
        assert backups(copy)
        assert {version_of(backup) for backup in backups(copy)} == {SCHEMA}
        assert not list(copy.parent.glob("*.backup-*"))
