"""Store files of every schema that was ever released: opened, read as they were, and written on."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import released
import unprivileged
from arangopipe import audit, connect
from arangopipe.store import open_store
from arangopipe.store.sql import migrate
from arangopipe.store.sql.migrate import SCHEMA
from unprivileged import as_nobody

pytestmark = pytest.mark.xdist_group("migrations")

PATHS = released.paths()
OLDER = {schema: path for schema, path in PATHS.items() if schema != SCHEMA}


def backups(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}.schema-*.backup"))


def test_there_is_a_file_of_every_schema_before_this_one() -> None:
    before = {f"{number:04}" for number in range(1, int(SCHEMA))}
    assert before <= PATHS.keys() <= {*before, SCHEMA}
    assert PATHS


@pytest.fixture(params=PATHS.values(), ids=PATHS.keys())
def packed(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture
def path(packed: Path, tmp_path: Path) -> Path:
    return released.unpack(packed, tmp_path / "runs.db")


def test_it_is_read_as_it_was(packed: Path, path: Path) -> None:
    expected = released.answers_of(packed)
    for _ in range(2):
        with open_store(f"sqlite:///{path}") as store:
            found = released.answers(store)
            assert found.keys() == expected.keys()
            for part in expected:
                assert found[part] == expected[part], part
            assert audit.verify(store).ok


def test_it_is_written_on(path: Path) -> None:
    with connect(f"sqlite:///{path}", actor="later", capture=False) as pipe:
        before = pipe.store.head()
        assert before is not None
        run = pipe.log_run(
            model="forest",
            project="wine",
            dataset="wine",
            featureset="all",
            params={"depth": 9},
            metrics={"accuracy": 0.99},
        )
        pipe.annotate("dataset:wine", {"seen": "later"})
        pipe.admin.register_deployment("prod", run)
        pipe.admin.delete("notebook:first look", reason="no longer there")
        pipe.admin.erase("deployment/dep-1", reason="asked for", force=True)
        assert [found.key for found in pipe.search("run", "params.depth = 9")] == [run.key]
        assert [live.tag for live in pipe.impact("dataset:wine").live] == ["prod"]
        after = pipe.store.head()
        assert after is not None
        assert after.number == before.number + 5
        assert audit.verify(pipe.store).ok


def test_a_copy_is_kept_before_it_is_upgraded(packed: Path, path: Path) -> None:
    original = path.read_bytes()
    open_store(f"sqlite:///{path}").close()
    open_store(f"sqlite:///{path}").close()
    found = backups(path)
    assert len(found) == (packed in OLDER.values())
    for backup in found:
        with open_store(f"sqlite:///{shutil.copy(backup, path.with_name('restored.db'))}") as store:
            assert released.answers(store) == released.answers_of(packed)
        assert backup.stat().st_size == len(original)


def test_it_has_the_indexes_of_a_new_one(path: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.db"
    for file in (path, new):
        open_store(f"sqlite:///{file}").close()
    assert indexes(path) == indexes(new)


def indexes(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        made = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name"
        return [(name, " ".join(sql.split())) for name, sql in connection.execute(made)]


# --- where nothing may be written ----------------------------------------------------------------


NEXT = f"""
revision = "{unprivileged.NEXT}"
down_revision = "{SCHEMA}"


def upgrade():
    pass
"""


@pytest.fixture
def older(open_folder: Path, packed: Path) -> Path:
    """A store of an older schema than the one in `migrations`."""
    return released.unpack(packed, open_folder / "runs.db")


@pytest.fixture
def migrations(open_folder: Path) -> Path:
    folder = open_folder / "migrations"
    shutil.copytree(migrate.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / f"{unprivileged.NEXT}_next.py").write_text(NEXT)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("file", "folder"), [(0o444, 0o777), (0o666, 0o555), (0o444, 0o555)])
def test_an_older_one_that_may_not_be_written(older: Path, migrations: Path, file: int, folder: int) -> None:
    older.chmod(file)
    older.parent.chmod(folder)
    for work in ("read", "write"):
        said = as_nobody(work, older, migrations)
        assert said.startswith(f"StoreUnavailable: {older}")
        assert "cannot be written" in said
        assert "open a copy" in said
    older.parent.chmod(0o777)
    assert backups(older) == []
    for path in older.parent.glob("runs.db*"):  # SQLite gives the files beside it the same mode
        path.chmod(0o666)
    assert as_nobody("read", older, migrations) == "ok"
    assert len(backups(older)) == 1
