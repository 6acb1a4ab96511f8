"""What can go wrong with a store file: each fault is explained, loses nothing, and can be mended.

The table `FAULTS` is also the table of contents of docs/troubleshooting.md: a fault's name is its
heading there, and the message that the code gives stands below it, word for word.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from arangopipe import audit
from arangopipe.cli import main
from arangopipe.errors import ArangopipeError
from arangopipe.store import open_store
from arangopipe.store.sql import migrate, sqlite
from arangopipe.store.sql.migrate import SCHEMA
from arangopipe.store.sql.sqlite import SQLite
from filled import Put, fill, named, read_all, write
from unprivileged import NEXT, as_nobody

pytestmark = [pytest.mark.slow, pytest.mark.fault, pytest.mark.xdist_group("faults")]

PAGE = Path(__file__).parent.parent / "docs" / "troubleshooting.md"
PATIENCE = 0.2


# --- what is tried -------------------------------------------------------------------------------


def said_by(work: Callable[[], None]) -> str:
    """Do something and return ``ok``, or the error as ``Class: message``."""
    try:
        work()
    except ArangopipeError as error:
        return f"{type(error).__name__}: {error}"
    return "ok"


def reading(path: Path) -> str:
    """Open the store and read all of it."""

    def read() -> None:
        with open_store(f"sqlite:///{path}") as store:
            read_all(store)

    return said_by(read)


def misspelling(path: Path) -> str:
    """Write the name of the engine wrong."""
    return said_by(lambda: open_store(f"sqlit:///{path}").close())


def writing(path: Path) -> str:
    """Open the store and write one large thing."""

    def put() -> None:
        with open_store(f"sqlite:///{path}") as store:
            write(store, puts=[Put(named("datasets", "late", text="x" * 500_000))])

    return said_by(put)


def nobody_reads(path: Path) -> str:
    """Read, as a user for whom permissions count."""
    return as_nobody("read", path)


def nobody_writes(path: Path) -> str:
    """Write, as a user for whom permissions count."""
    return as_nobody("write", path)


def nobody_upgrades(path: Path) -> str:
    """Open an older store, as a user for whom permissions count."""
    scripts = path.parent / "migrations"
    shutil.copytree(migrate.MIGRATIONS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    script = f'revision = "{NEXT}"\ndown_revision = "{SCHEMA}"\n\n\ndef upgrade():\n    pass\n'
    (scripts / "versions" / "next.py").write_text(script)
    return as_nobody("read", path, scripts)


def writing_beyond_a_quota(path: Path) -> str:
    """Write, in a process whose files may not grow beyond so many bytes."""
    return as_nobody("fill", path, quota=500_000)


# --- what is broken, and mended again ------------------------------------------------------------


@contextmanager
def elsewhere(path: Path, make: Callable[[Path], Any]) -> Iterator[None]:
    """Something else stands where the file was."""
    aside = path.with_name("aside.db")
    path.rename(aside)
    make(path)
    try:
        yield
    finally:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        aside.rename(path)


@contextmanager
def no_folder(path: Path) -> Iterator[None]:
    aside = path.parent.with_name("aside")
    path.parent.rename(aside)
    try:
        yield
    finally:
        aside.rename(path.parent)


@contextmanager
def a_file_for_a_folder(path: Path) -> Iterator[None]:
    with no_folder(path):
        path.parent.write_text("hello")
        yield
        path.parent.unlink()


@contextmanager
def harmed(path: Path, harm: Callable[[Path], Any]) -> Iterator[None]:
    """The file is changed; mended by putting a copy back."""
    copy = shutil.copy(path, path.with_name("copy.db"))
    harm(path)
    try:
        yield
    finally:
        shutil.move(copy, path)


@contextmanager
def permitted(path: Path, file: int, folder: int) -> Iterator[None]:
    path.chmod(file)
    path.parent.chmod(folder)
    try:
        yield
    finally:
        path.parent.chmod(0o777)
        for part in path.parent.glob("runs.db*"):
            part.chmod(0o666)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other, impatience():
        other.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def queued(path: Path) -> Iterator[None]:
    with path.with_name(f"{path.name}-lock").open("a") as lock, impatience():
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def impatience() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "BUSY_SECONDS", PATIENCE)
        yield


@contextmanager
def no_room(path: Path) -> Iterator[None]:
    """SQLite may not make the file larger; what it says then is what it says of a full disk."""
    connect: Callable[[SQLite], sqlite3.Connection] = SQLite._connect

    def small(database: SQLite) -> sqlite3.Connection:
        connection = connect(database)
        connection.execute("PRAGMA max_page_count = 1").fetchall()
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SQLite, "_connect", small)
        yield


@contextmanager
def unharmed(_: Path) -> Iterator[None]:
    yield


def zero_pages(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(20 * 4096)
        file.write(bytes(10 * 4096))


def halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def of_another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE songs(title)")


def from_the_future(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


class Fault(NamedTuple):
    """A fault: its heading in the docs, what is broken, what is tried then, and which error that raises."""

    name: str
    broken: Callable[[Path], AbstractContextManager[None]]
    tried: Callable[[Path], str]
    error: str = "StoreUnavailable"


FAULTS = (
    Fault("The address names no store", unharmed, misspelling, "InvalidInput"),
    Fault("The folder is missing", no_folder, reading),
    Fault("A file stands in place of the folder", a_file_for_a_folder, reading),
    Fault("A folder stands in place of the file", partial(elsewhere, make=Path.mkdir), reading),
    Fault(
        "A link leads nowhere",
        partial(elsewhere, make=lambda path: path.symlink_to("/not/mounted/runs.db")),
        reading,
    ),
    Fault(
        "The file is not a database",
        partial(elsewhere, make=lambda path: path.write_text("hello, world\n" * 99)),
        reading,
        "StoreError",
    ),
    Fault(
        "The file is a database of another program",
        partial(elsewhere, make=of_another_program),
        reading,
        "StoreError",
    ),
    Fault("The file may not be read", partial(permitted, file=0o000, folder=0o777), nobody_reads),
    Fault("The file may not be written", partial(permitted, file=0o444, folder=0o777), nobody_writes),
    Fault("The folder may not be written", partial(permitted, file=0o666, folder=0o555), nobody_writes),
    Fault("Another program keeps the file locked", locked, writing),
    Fault("A writer hangs", queued, writing),
    Fault("The disk is full", no_room, writing),
    Fault("A quota is used up", unharmed, writing_beyond_a_quota),
    Fault("Part of the file is damaged", partial(harmed, harm=zero_pages), reading, "StoreError"),
    Fault("The file was cut off", partial(harmed, harm=halve), reading, "StoreError"),
    Fault("A newer version wrote it", partial(harmed, harm=from_the_future), reading, "SchemaMismatch"),
    Fault(
        "An older version wrote it, and it may not be written",
        partial(permitted, file=0o444, folder=0o777),
        nobody_upgrades,
    ),
)

NAMES = [fault.name for fault in FAULTS]


@pytest.fixture
def path(open_folder: Path) -> Path:
    """A store with every sort of thing in it, that anyone may use."""
    folder = open_folder / "data"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    with open_store(f"sqlite:///{folder}/runs.db") as store:
        fill(store)
    for part in folder.iterdir():
        part.chmod(0o666)
    return folder / "runs.db"


@pytest.mark.parametrize("fault", FAULTS, ids=NAMES)
def test_it_is_explained_and_nothing_is_lost(fault: Fault, path: Path) -> None:
    with open_store(f"sqlite:///{path}") as store:
        before = read_all(store)
    with fault.broken(path):
        said = fault.tried(path)
    assert said.startswith(f"{fault.error}: ")
    assert written(said.replace(str(path.parent), "/data")) == in_the_page(fault.name)
    with open_store(f"sqlite:///{path}") as store:
        assert read_all(store) == before
        assert audit.verify(store).ok
    # The cause is gone, and the store is as good as new.
    assert writing(path) == "ok"


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.tried is reading], ids=lambda f: f.name)
def test_the_command_line_says_it_without_a_traceback(fault: Fault, path: Path) -> None:
    with fault.broken(path):
        done = CliRunner().invoke(main, ["--store", str(path), "audit", "verify"])
    assert done.exit_code != 0
    assert isinstance(done.exception, SystemExit)
    assert str(path.parent) in " ".join(done.output.split())


# --- the page ------------------------------------------------------------------------------------


def written(message: str) -> str:
    """Return a message as it is compared: on one line, without what differs between versions."""
    return re.sub(r"\d{4}(?=[,) ])|\d+(?= s;)", "#", " ".join(message.split()))


def sections() -> dict[str, str]:
    """Return the first block of each section of the page."""
    found = {}
    for section in re.split(r"^### ", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        block = re.search(r"^```text\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
        assert block, section
        found[section.partition("\n")[0]] = block[1]
    return found


def in_the_page(name: str) -> str:
    return written(sections()[name])


def test_the_page_has_every_fault_and_no_other() -> None:
    assert sorted(sections()) == sorted([*NAMES, "The file is on a network file system"])


def test_a_network_file_system_is_said(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/vda / ext4 rw 0 0\nserver:/export {path.parent} nfs4 rw 0 0\n")
    monkeypatch.setattr(sqlite, "MOUNTS", mounts)
    with pytest.warns(UserWarning, match="network file system") as said:
        assert writing(path) == "ok"
    (warning,) = {str(warning.message) for warning in said}
    told = f"UserWarning: {warning}".replace(str(path.parent), "/data")
    assert written(told) == in_the_page("The file is on a network file system")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
