"""The SQLite file: addresses, files that are not what they should be, locks, full disks, plans."""

from __future__ import annotations

import contextlib
import fcntl
import inspect
import os
import re
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import writers
from arangopipe import audit
from arangopipe.errors import ArangopipeError, InvalidInput, StoreError, StoreUnavailable
from arangopipe.model.filters import parse, parse_order
from arangopipe.model.graph import Batch, Edge, Node, Put
from arangopipe.model.ids import uuid7
from arangopipe.store import open_store
from arangopipe.store.base import Store
from arangopipe.store.sql import questions, sqlite
from arangopipe.store.sql.sqlite import SQLite, file_system
from filled import DATA, fill, named, read_all, run_parts, write
from unprivileged import as_nobody

SHORT = 0.3


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    with store_at(tmp_path / "runs.db") as store:
        fill(store)
    return tmp_path / "runs.db"


def store_at(path: Path, options: str = "") -> Store:
    return open_store(f"sqlite:///{path}{options}")


def put(store: Store, name: str) -> None:
    write(store, puts=[Put(named("datasets", name))])


def names(store: Store) -> set[str]:
    return {node.name for node in store.search("datasets", limit=1_000).items}


def pragma(store: Store, name: str) -> Any:
    with store._database.read() as cursor:  # type: ignore[attr-defined]
        return cursor.execute(f"PRAGMA {name}").fetchone()[0]


# --- addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("runs.db", "runs.db"),
        ("a/../runs.db", "runs.db"),
        ("my%20runs.db", "my runs.db"),
        ("my runs.db", "my runs.db"),
        ("50%25.db", "50%.db"),
        ("what%3F.db", "what?.db"),
        ("what%3f.db?durability=relaxed", "what?.db"),
        ("a#b&c=d.db", "a#b&c=d.db"),
        ("größe-Δ.db", "größe-Δ.db"),
        ("gr%C3%B6%C3%9Fe.db", "größe.db"),
        ('it\'s "quoted";--.db', 'it\'s "quoted";--.db'),
        ("no-suffix", "no-suffix"),
    ],
)
def test_an_address_names_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, file: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    for url in (f"sqlite:///{name}", f"sqlite:///{tmp_path}/{name}"):
        with open_store(url) as store:
            put(store, "here")
            again = store.url
        assert (tmp_path / file).is_file()
        # The address a store gives opens it from any folder.
        monkeypatch.chdir(tmp_path / "a")
        with open_store(again) as store:
            assert names(store) == {"here"}
            assert store.url == again
        monkeypatch.chdir(tmp_path)
    assert {entry.name for entry in tmp_path.iterdir()} == {"a", file, f"{file}-lock"}


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    open_store("sqlite:///~/runs.db").close()
    assert (tmp_path / "runs.db").is_file()


def test_an_address_is_meant_as_of_when_it_was_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_store("sqlite:///runs.db") as store:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        writers.in_threads(8, lambda: put(store, uuid7()))
        assert len(names(store)) == 8
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:///x.db?jurnal=wal", "unknown option 'jurnal'; did you mean 'journal'"),
        ("sqlite:///x.db?durability=none", "durability is full or relaxed, not 'none'"),
        ("sqlite:///x.db?journal", "journal is wal or delete, not ''"),
        ("sqlite:///x.db?a=b&c", "unknown option 'a'; known: durability, journal"),
        ("sqlite://", "memory:// for a store that forgets"),
        ("sqlite:///", "memory:// for a store that forgets"),
        ("sqlite:///:memory:", "memory:// for a store that forgets"),
        ("sqlite://x.db", "write sqlite:///runs.db"),
        ("sqlite:x.db", "is not the address of a store"),
        ("x.db", "write sqlite:///x.db"),
        ("sqlit:///x.db", "did you mean 'sqlite'"),
        ("sqlite:///a%00b.db", "a%00b.db"),
        ("sqlite:///~no-such-user/x.db", "no-such-user"),
    ],
)
def test_an_address_of_nothing_is_explained(url: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        open_store(url)
    assert said in str(caught.value)


# --- files and folders ---------------------------------------------------------------------------


def refused(path: Path, *said: str) -> None:
    """Opening is refused with an error that names the file, says that and leaves the file alone."""
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StoreError) as caught:
        store_at(path)
    assert str(path) in str(caught.value)
    assert [words for words in said if words not in str(caught.value)] == []
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_missing_folder(tmp_path: Path) -> None:
    refused(tmp_path / "missing" / "runs.db", f"the folder {tmp_path / 'missing'} does not exist")
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("content", [b"hello, world\n" * 1_000, bytes(4_096), b"SQLite format 3\0", b"x"])
def test_a_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "runs.db").write_bytes(content)
    refused(tmp_path / "runs.db", "nothing was changed")


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_database_of_another_program(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "runs.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("CREATE TABLE node(id)")
        connection.execute("INSERT INTO node VALUES (1)")
    refused(path, "is a database of another program; nothing was changed")


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / "runs.db").touch()
    with store_at(tmp_path / "runs.db") as store:
        put(store, "here")


@pytest.mark.parametrize("part", [0.05, 0.3, 0.5, 0.9])
def test_a_truncated_file(filled: Path, part: float) -> None:
    size = int(filled.stat().st_size * part)
    os.truncate(filled, size)
    try:
        with store_at(filled) as store:
            said = str(audit.verify(store))
    except StoreError as error:
        said = str(error)
    assert f"{filled}: the file is damaged" in said
    assert filled.stat().st_size == size


@pytest.mark.parametrize("part", ["-wal", "-shm", "-lock"])
def test_rubbish_beside_the_file_is_no_obstacle(filled: Path, part: str) -> None:
    with store_at(filled) as store:
        before = read_all(store)
    filled.with_name(f"{filled.name}{part}").write_bytes(b"rubbish" * 1_000)
    with store_at(filled) as store:
        assert read_all(store) == before
        put(store, "late")
        assert audit.verify(store).ok


def test_a_user_without_privileges_can_work(open_folder: Path) -> None:
    assert as_nobody("write", open_folder / "runs.db") == "ok"


def test_a_folder_that_may_not_be_written(open_folder: Path) -> None:
    path = open_folder / "runs.db"
    writers.prepare(f"sqlite:///{path}")
    path.chmod(0o666)
    open_folder.chmod(0o555)
    for work in ("write", "read"):
        said = as_nobody(work, path)
        assert said == "ok" or said.startswith(f"StoreUnavailable: {path}")
    assert "check the permissions of the file and of its folder" in as_nobody("write", open_folder / "new.db")


def test_what_one_user_made_others_of_the_group_can_write(open_folder: Path) -> None:
    """The files beside the database do not keep out who may write the database."""
    path = open_folder / "runs.db"
    writers.prepare(f"sqlite:///{path}")
    for file in open_folder.iterdir():
        if not file.name.endswith("-lock"):
            file.chmod(0o666)
    assert as_nobody("write", path) == "ok"


def test_what_cannot_be_opened_is_not_kept_open(tmp_path: Path, filled: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection, connection:
        connection.execute("CREATE TABLE node(id)")
    os.truncate(filled, 50_000)
    errors = []
    for path in (tmp_path / "other.db", filled):
        with pytest.raises(StoreError) as caught:
            store_at(path)
        errors.append(caught)
    mine = []
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            mine.append(link.readlink())
    assert [file for file in mine if tmp_path in file.parents] == []


# --- locks ---------------------------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", SHORT)


@contextlib.contextmanager
def held(path: Path, begin: str) -> Iterator[sqlite3.Connection]:
    """Another program inside a transaction."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as connection:
        connection.execute(begin)
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        yield connection


@pytest.mark.usefixtures("impatient")
def test_a_file_that_another_program_holds(filled: Path) -> None:
    with store_at(filled) as store:
        with held(filled, "BEGIN IMMEDIATE"):
            assert "diabetes" in names(store)
            with pytest.raises(StoreUnavailable, match="keeps the file locked") as caught:
                put(store, "late")
            assert str(filled) in str(caught.value)
        put(store, "later")
        assert "late" not in names(store)
        assert audit.verify(store).ok


@pytest.mark.usefixtures("impatient")
def test_a_file_that_another_program_holds_alone(filled: Path) -> None:
    with closing(sqlite3.connect(filled)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    with held(filled, "BEGIN EXCLUSIVE"), pytest.raises(StoreUnavailable, match="keeps the file locked"):
        store_at(filled)


@pytest.mark.parametrize("begin", ["BEGIN", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
@pytest.mark.parametrize("new", [True, False])
def test_opening_waits_for_who_is_just_making_the_file(filled: Path, begin: str, new: bool) -> None:
    path = filled.with_name("new.db") if new else filled
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("CREATE TABLE passing(id)")
        connection.execute("DROP TABLE passing")
    with held(path, begin) as other:
        timer = threading.Timer(SHORT, other.execute, ["COMMIT"])
        timer.start()
        try:
            with store_at(path) as store:
                put(store, "here")
        finally:
            timer.join()


def test_a_writer_that_hangs_is_not_waited_for_without_end(filled: Path, impatient: None) -> None:
    """A stopped process keeps its place in the queue of writers."""
    failed: list[ArangopipeError] = []

    def try_to_write(store: Store) -> None:
        try:
            put(store, "late")
        except ArangopipeError as error:
            failed.append(error)

    with filled.with_name(f"{filled.name}-lock").open("a") as lock, store_at(filled) as store:
        fcntl.flock(lock, fcntl.LOCK_EX)
        thread = threading.Thread(target=try_to_write, args=(store,), daemon=True)
        thread.start()
        thread.join(10 * SHORT)
        waiting = thread.is_alive()
        fcntl.flock(lock, fcntl.LOCK_UN)
        thread.join()
    assert not waiting
    assert [type(error) for error in failed] == [StoreUnavailable]


def test_stores_with_other_options_share_a_file(filled: Path) -> None:
    with store_at(filled) as store, store_at(filled, "?durability=relaxed") as relaxed:
        put(store, "one")
        put(relaxed, "two")
        assert {"one", "two"} <= names(store) == names(relaxed)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("first", "second"), [("wal", "delete"), ("delete", "wal")])
def test_stores_with_other_journals_do_not_harm_each_other(filled: Path, first: str, second: str) -> None:
    with store_at(filled, f"?journal={first}") as store:
        put(store, "one")
        # One file has one journal: whoever wants another has to wait until it is free.
        with contextlib.suppress(StoreUnavailable), store_at(filled, f"?journal={second}") as other:
            put(other, "two")
        put(store, "three")
        assert {"one", "three"} <= names(store)
        assert audit.verify(store).ok


# --- options -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "journal", "synchronous"),
    [
        ("", "wal", 2),
        ("?durability=full", "wal", 2),
        ("?durability=relaxed", "wal", 1),
        # Without a log only EXTRA also makes the removal of the journal last.
        ("?journal=delete", "delete", 3),
        ("?journal=delete&durability=relaxed", "delete", 1),
    ],
)
def test_options_take_effect_on_every_connection(
    tmp_path: Path, options: str, journal: str, synchronous: int
) -> None:
    with store_at(tmp_path / "runs.db", options) as store:
        put(store, "one")

        def check() -> None:
            put(store, uuid7())
            assert (pragma(store, "journal_mode"), pragma(store, "synchronous")) == (journal, synchronous)
            assert pragma(store, "soft_heap_limit") == sqlite.ALL_CACHES_KIB * 1_024

        check()
        writers.in_threads(8, check)


def test_a_journal_can_be_changed(filled: Path) -> None:
    for journal in ("delete", "wal", "delete"):
        with store_at(filled, f"?journal={journal}") as store:
            put(store, uuid7())
            assert pragma(store, "journal_mode") == journal
            assert audit.verify(store).ok


MOUNTS = """\
/dev/vda / ext4 rw,relatime 0 0
server:/export /data nfs4 rw,addr=10.0.0.1 0 0
tmpfs /data/local tmpfs rw 0 0
//server/share /mnt/with\\040space cifs rw 0 0
me@host: /mnt/ssh fuse.sshfs rw 0 0
gv0 /mnt/back\\134slash fuse.glusterfs rw 0 0
tmpfs /mnt/twice tmpfs rw 0 0
host:/x /mnt/twice nfs rw 0 0
a line of another kind

short
"""


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the kernel says is mounted."""
    path = tmp_path / "mounts"
    path.write_text(MOUNTS)
    monkeypatch.setattr(sqlite, "MOUNTS", path)
    return path


@pytest.mark.usefixtures("mounts")
@pytest.mark.parametrize(
    ("path", "system"),
    [
        ("/home/me/runs.db", "ext4"),
        ("/data/runs.db", "nfs4"),
        ("/data/deep/er/runs.db", "nfs4"),
        ("/database/runs.db", "ext4"),
        ("/data/local/runs.db", "tmpfs"),
        ("/mnt/with space/runs.db", "cifs"),
        ("/mnt/ssh/runs.db", "fuse.sshfs"),
        ("/mnt/back\\slash/runs.db", "fuse.glusterfs"),
        ("/mnt/twice/runs.db", "nfs"),
        ("/data", "ext4"),
        ("/data/../home/runs.db", "ext4"),
    ],
)
def test_the_file_system_of_a_path(path: str, system: str) -> None:
    assert file_system(Path(path)) == system


@pytest.mark.usefixtures("mounts")
def test_the_file_system_is_that_of_the_file_a_link_leads_to(tmp_path: Path) -> None:
    for number, target in enumerate(("/data/runs.db", "/mnt/ssh")):
        (tmp_path / str(number)).symlink_to(target)
    assert file_system(tmp_path / "0") == "nfs4"
    assert file_system(tmp_path / "1" / "runs.db") == "fuse.sshfs"


def test_the_file_system_may_be_unknown(mounts: Path) -> None:
    mounts.unlink()
    assert file_system(Path("/home/me/runs.db")) == ""


def test_a_link_to_itself(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    refused(tmp_path / "loop")
    refused(tmp_path / "loop" / "runs.db")


@pytest.mark.parametrize("device", ["/dev/null", "/dev/full"])
def test_a_device_is_no_file(device: str) -> None:
    refused(Path(device), "a device or a pipe")


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "a device or a pipe")


@pytest.mark.parametrize(
    "system",
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "fuse.sshfs",
        "fuse.glusterfs",
        "fuse.s3fs",
        "fuse.rclone",
        "lustre",
        "9p",
    ],
)
def test_a_network_file_system_has_no_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    monkeypatch.setattr(sqlite, "file_system", lambda _: system)
    with pytest.warns(UserWarning, match="network file system") as said:
        store = store_at(tmp_path / "a.db")
    with store:
        put(store, "here")
        writers.in_threads(4, lambda: put(store, uuid7()))
        assert pragma(store, "journal_mode") == "delete"
    assert len(said) == 1
    assert str(tmp_path / "a.db") in str(said[0].message)
    with store_at(tmp_path / "b.db", "?journal=delete") as store:
        assert pragma(store, "journal_mode") == "delete"
    with store_at(tmp_path / "c.db", "?journal=wal") as store:
        assert pragma(store, "journal_mode") == "wal"


@pytest.mark.parametrize(
    "system", ["", "ext4", "tmpfs", "overlay", "fuse.fuse-overlayfs", "btrfs", "fuseblk", "zfs"]
)
def test_a_local_file_system_has_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    monkeypatch.setattr(sqlite, "file_system", lambda _: system)
    with store_at(tmp_path / "a.db") as store:
        assert pragma(store, "journal_mode") == "wal"


def test_a_long_log_is_emptied_unless_someone_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "LONG_LOG", 200_000)
    monkeypatch.setattr(sqlite, "EMPTY_SECONDS", 0.01)
    log = tmp_path / "a.db-wal"
    with store_at(tmp_path / "a.db") as store, closing(sqlite3.connect(tmp_path / "a.db")) as reader:
        for number in range(40):
            put(store, f"first {number}")
            assert log.stat().st_size < 400_000
        reader.execute("BEGIN")
        before = reader.execute("SELECT count(*) FROM node").fetchone()
        for number in range(40):
            put(store, f"second {number}")
        assert log.stat().st_size > 600_000
        assert reader.execute("SELECT count(*) FROM node").fetchone() == before
        reader.rollback()
        for number in range(40):
            put(store, f"third {number}")
        assert log.stat().st_size < 400_000
        assert len(names(store)) == 120


# --- full disks ----------------------------------------------------------------------------------


def write_until_full(store: Store) -> list[str]:
    """Write runs until there is no room; return the keys of those that were acknowledged."""
    keys: list[str] = []

    def write_on() -> None:
        while True:
            key = f"full-{len(keys)}"
            write(store, **run_parts(key, note="x" * 20_000))
            keys.append(key)

    with pytest.raises(StoreUnavailable, match="the disk is full; nothing was written"):
        write_on()
    return keys


def check_after_full(store: Store, keys: list[str]) -> None:
    lost = store.get([f"{kind}/{key}" for key in keys for kind in ("run", "modelparams", "devperf")])
    assert all(lost)
    assert store.get([f"run/full-{len(keys)}", f"modelparams/full-{len(keys)}"]) == (None, None)
    assert audit.verify(store).ok


def test_a_store_that_may_not_grow(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect: Callable[[SQLite], sqlite3.Connection] = SQLite._connect
    pages = 300

    def small(database: SQLite) -> sqlite3.Connection:
        connection = connect(database)
        connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()
        return connection

    monkeypatch.setattr(SQLite, "_connect", small)
    with store_at(filled) as store:
        keys = write_until_full(store)
        check_after_full(store, keys)
    pages = 10_000
    with store_at(filled) as store:
        write(store, **run_parts("later"))
        check_after_full(store, [*keys])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of three megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "arangopipe-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only who may mount a small file system can fill it")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.allowed_skip
@pytest.mark.parametrize("options", ["", "?journal=delete"])
def test_a_full_disk(small_disk: Path, options: str) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1_000_000))
    with store_at(small_disk / "runs.db", options) as store:
        fill(store)
        keys = write_until_full(store)
        check_after_full(store, keys)
        ballast.unlink()
        write(store, **run_parts("later"))
        check_after_full(store, keys)
    with store_at(small_disk / "runs.db", options) as store:
        check_after_full(store, keys)


@pytest.mark.allowed_skip
def test_a_disk_too_full_to_begin(small_disk: Path) -> None:
    with contextlib.suppress(OSError):
        (small_disk / "ballast").write_bytes(bytes(4_000_000))
    with pytest.raises(StoreUnavailable, match=r"disk is full|disk could not be"):
        store_at(small_disk / "runs.db")
    (small_disk / "ballast").unlink()
    with store_at(small_disk / "runs.db") as store:
        put(store, "here")


# --- errors --------------------------------------------------------------------------------------


def head_in_one_moment(store: Any) -> Any:
    with store.one_moment():
        return store.head()


READS: dict[str, Callable[[Any], Any]] = {
    "head": lambda store: store.head(),
    "one_moment": head_in_one_moment,
    "get": lambda store: store.get(["run/r-1"]),
    "owned": lambda store: store.owned(["r-1"]),
    "last_written": lambda store: store.last_written(["r-1"]),
    "find": lambda store: store.find("datasets", "diabetes"),
    "called": lambda store: store.called("run", "r-1"),
    "search": lambda store: store.search("run"),
    "columns": lambda store: list(store.columns("run", ["status"])),
    "count": lambda store: store.count("run"),
    "edges": lambda store: store.edges(["run/r-1"]),
    "degree": lambda store: store.degree("run/r-1", "run_datasets", True),
    "traverse": lambda store: store.traverse([DATA.id], "downstream"),
    "points": lambda store: store.points("run/r-1"),
    "revisions": lambda store: store.revisions(DATA.id),
    "changes": lambda store: list(store.changes()),
    "vocabulary": lambda store: store.vocabulary(reload=True),
}
WRITES: dict[str, Callable[[Any], Any]] = {
    "write": lambda store: put(store, uuid7()),
    "erase": lambda store: store.erase(["run/r-1"], "dpo", "asked"),
}


def test_the_lists_hold_every_method() -> None:
    methods = {name for name, _ in inspect.getmembers(Store, inspect.isfunction) if not name.startswith("_")}
    assert methods - {"close"} == {*READS, *WRITES} - {"erase"}


@pytest.mark.parametrize("call", [*READS.values(), *WRITES.values()], ids=[*READS, *WRITES])
def test_a_closed_store_says_so(filled: Path, call: Callable[[Any], Any]) -> None:
    store = store_at(filled)
    call(store)
    store.close()
    store.close()
    with pytest.raises(StoreUnavailable, match=r"runs\.db is closed: connect again"):
        call(store)


def subclasses(root: type[BaseException]) -> list[type[BaseException]]:
    return [root, *(found for child in root.__subclasses__() for found in subclasses(child))]


def instance(kind: type[BaseException]) -> BaseException:
    cause = sqlite3.OperationalError("as the driver says")
    for args in (
        ("as the driver says",),
        ("a statement", {}, cause),
        ("as the driver says", "a statement", {}, cause),
    ):
        with contextlib.suppress(TypeError):
            return kind(*args)
    return kind(1, 2)  # type: ignore[arg-type]


DRIVER = {
    f"{kind.__module__}.{kind.__name__}": kind
    for kind in (
        *subclasses(sqlite3.Error),
        sqlite3.Warning,
        OSError,
        PermissionError,
    )
}


@pytest.mark.parametrize("kind", DRIVER.values(), ids=DRIVER.keys())
def test_no_error_of_the_driver_leaves_the_store(
    filled: Path, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    with store_at(filled) as store:
        for call in (*READS.values(), *WRITES.values()):
            with monkeypatch.context() as patch:

                def fail(*_: Any) -> Any:
                    raise instance(kind)

                patch.setattr(SQLite, "_borrowed", fail)
                with pytest.raises(StoreError):
                    call(store)
        assert audit.verify(store).ok


@pytest.mark.parametrize("text", ["\ud800", "x" * 2_000, "a\0b", ""])
def test_any_text_may_be_asked_for(filled: Path, text: str) -> None:
    with store_at(filled) as store:
        for ask in (
            lambda: store.get([f"run/{text}"]),
            lambda: store.find("datasets", text),
            lambda: store.find("datasets", "diabetes", project=text or "none"),
            lambda: store.points("run/r-1", text),
            lambda: store.revisions(f"run/{text}"),
            lambda: store.edges([f"run/{text}"]),
            lambda: store.search("run", parse("name = 'x'")),
        ):
            with contextlib.suppress(ArangopipeError):
                assert not any(ask())  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("number", [-(2**70), -1, 2**63, 2**70])
def test_any_number_may_be_asked_for(filled: Path, number: int) -> None:
    with store_at(filled) as store:
        for ask in (
            lambda: store.get(["run/r-1"], as_of=number),
            lambda: store.search("run", as_of=number),
            lambda: store.points("run/r-1", as_of=number),
            lambda: list(store.changes(after=number)),
            lambda: list(store.changes(limit=number)),
            lambda: store.edges(["run/r-1"], limit=number),
            lambda: store.traverse([DATA.id], "downstream", depth=number, limit=number),
            lambda: store.search("run", parse(f"params.depth = {number}")),
        ):
            with contextlib.suppress(ArangopipeError):
                ask()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("text", ["nope", "[1]", '"x"', "", "{", "\ud800"])
def test_a_document_that_is_none_is_refused(filled: Path, text: str) -> None:
    with store_at(filled) as store:
        with pytest.raises(InvalidInput):
            store.write(Batch(uuid7(), (Put(Node("datasets", "k", "bad", text=text)),)))
        assert audit.verify(store).ok


def test_a_damaged_document_is_reported_as_damage(filled: Path) -> None:
    with closing(sqlite3.connect(filled)) as connection, connection:
        connection.execute("UPDATE node SET document = '{\"a\":' WHERE key = 'r-1'")
    with store_at(filled) as store:
        for call in (
            lambda: store.search("run", parse("artifacts.uri = 'x'")),
            lambda: store.get(["run/r-1"])[0].document,  # type: ignore[union-attr]
        ):
            with pytest.raises(StoreError):
                call()  # type: ignore[no-untyped-call]


NO_NODE = "UPDATE edge SET target = target + 900"
RAW: list[tuple[str, Callable[[Any], Any]]] = [
    (NO_NODE, lambda store: store.edges(["run/r-1"])),
    ("UPDATE node SET revision = 999", lambda store: store.revisions(DATA.id)),
    ("UPDATE change SET time = 1 << 62", lambda store: store.head()),
    ("UPDATE change SET chain = 'text'", lambda store: store.head()),
    ("UPDATE point SET document = '[[1]]'", lambda store: store.points("run/r-1")),
    ("UPDATE point SET document = '[[1'", lambda store: store.points("run/r-1")),
]


@pytest.mark.parametrize(
    ("sql", "call"),
    [
        (NO_NODE, lambda store: store.traverse(["run/r-1"], "upstream")),
        (NO_NODE, lambda store: store.search("run", parse("model.name = 'x'"))),
        ("UPDATE edge SET kind = 999", lambda store: store.edges(["run/r-1"])),
        ("UPDATE node SET kind = kind + 900 WHERE key = 'r-1'", lambda store: store.edges([DATA.id])),
        (
            "UPDATE node SET key = CAST(key AS BLOB) WHERE key = 'r-1'",
            lambda store: store.edges([DATA.id]),
        ),
        *RAW,
    ],
)
def test_a_damaged_row_is_reported_as_damage(filled: Path, sql: str, call: Callable[[Any], Any]) -> None:
    """Whatever a damaged row makes of an answer, no error of Python's own leaves the store."""
    with closing(sqlite3.connect(filled)) as connection, connection:
        assert connection.execute(sql).rowcount
    with store_at(filled) as store:
        assert not audit.verify(store).ok
        with contextlib.suppress(StoreError):
            call(store)


def test_a_damaged_schema_is_reported_as_damage(filled: Path) -> None:
    filled.write_bytes(filled.read_bytes().replace(b"CREATE TABLE node ", b"CREATE TABL\xc5 node "))
    with pytest.raises(StoreError, match="damaged"):
        store_at(filled)


# --- plans ---------------------------------------------------------------------------------------


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All SQL that is run, its values filled in."""
    seen: list[str] = []
    connect: Callable[[SQLite], sqlite3.Connection] = SQLite._connect

    def traced(database: SQLite) -> sqlite3.Connection:
        connection = connect(database)
        connection.set_trace_callback(seen.append)
        return connection

    monkeypatch.setattr(SQLite, "_connect", traced)
    return seen


def plan(path: Path, statements: list[str]) -> list[str]:
    """Return the steps of the plans of these statements."""
    with closing(sqlite3.connect(path)) as connection:
        connection.create_function("arangopipe_like", 3, lambda *_: False)
        return [
            row[3]
            for sql in dict.fromkeys(statements)
            if re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)", sql)
            for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")
        ]


ONE_VALUE = "PRIMARY KEY (path=? AND value=?"
TABLES = r"node|node_past|edge|edge_past|value|point|series|[nv]"
QUESTIONS: dict[str, tuple[Callable[[Store], Any], str]] = {
    "get": (lambda store: store.get(["run/r-1"]), "INDEX node_key"),
    "get as of": (lambda store: store.get(["run/r-1"], as_of=9), "INDEX node_past_key"),
    "owned": (lambda store: store.owned(["r-1"]), "INDEX node_key"),
    "last written": (lambda store: store.last_written(["r-1"]), "INDEX point_run (run=? AND name=?)"),
    "find": (lambda store: store.find("datasets", "diabetes"), "INDEX node_name"),
    "find in a project": (lambda store: store.find("models", "ridge", "diabetes"), "INDEX node_name"),
    "param": (
        lambda store: store.search("run", parse("params.depth = 2")),
        "PRIMARY KEY (path=? AND value=?",
    ),
    "tag": (lambda store: store.search("run", parse("tags.who = 'ana'")), ONE_VALUE),
    "range": (lambda store: store.search("run", parse("metrics.rmse < 1")), "PRIMARY KEY (path=? AND value"),
    "newest": (lambda store: store.search("run", limit=2), "INDEX node_key"),
    "by name": (
        lambda store: store.search("run", order=parse_order("name desc"), limit=2),
        "INDEX node_name",
    ),
    "by project": (
        lambda store: store.search("run", order=parse_order("project"), limit=2),
        "INDEX node_project",
    ),
    "newest as of": (lambda store: store.search("run", limit=2, as_of=9), "MERGE (UNION ALL)"),
    "tag as of": (lambda store: store.search("run", parse("tags.who = 'ana'"), as_of=9), ONE_VALUE),
    "count": (
        lambda store: store.count("run", parse("params.depth = 2 and metrics.rmse < 1")),
        "PRIMARY KEY (path=? AND value<",
    ),
    "edges": (lambda store: store.edges(["run/r-1"]), "INDEX edge_target"),
    "walk up": (lambda store: store.traverse(["run/r-1"], "upstream"), "PRIMARY KEY (source=?"),
    "walk down": (lambda store: store.traverse([DATA.id], "downstream"), "INDEX edge_target (target=?"),
    "walk as of": (
        lambda store: store.traverse([DATA.id], "downstream", as_of=9),
        "INDEX edge_past_target (target=?",
    ),
    "points": (lambda store: store.points("run/r-1", "loss"), "INDEX point_run (run=? AND name=?"),
    "revisions": (lambda store: store.revisions(DATA.id), "INDEX node_past_key"),
    "entries": (lambda store: list(store.changes(9, 1, entries=True)), "INDEX node_revision (revision>?"),
    "head": (lambda store: store.head(), ""),
    "log a run": (lambda store: write(store, **run_parts("r-9")), ""),
    "log points": (lambda store: store.points("run/r-1"), ""),
    "delete a run": (lambda store: write(store, closes=["run/r-3"]), "INDEX edge_target"),
}


@pytest.mark.parametrize(("ask", "index"), QUESTIONS.values(), ids=QUESTIONS.keys())
def test_questions_use_an_index(
    filled: Path, statements: list[str], ask: Callable[[Store], Any], index: str
) -> None:
    with store_at(filled) as store:
        store.vocabulary()
        statements.clear()
        ask(store)
    steps = plan(filled, statements)
    assert steps
    assert any(index in step for step in steps), steps
    assert [step for step in steps if re.fullmatch(rf"SCAN ({TABLES})", step)] == []


def test_what_has_no_value_is_looked_for_only_where_a_page_is_not_full(
    filled: Path, statements: list[str]
) -> None:
    order = parse_order("metrics.rmse desc")
    with store_at(filled) as store:
        for limit, looked in ((1, False), (100, True)):
            statements.clear()
            page = store.search("run", order=order, limit=limit)
            assert (page.cursor is None) == looked
            without = [sql for sql in statements if "NOT IN (SELECT node FROM value" in sql]
            assert bool(without) == looked
    steps = plan(filled, without)
    assert not [step for step in steps if "ORDER BY" in step], steps


def test_a_database_is_copied_whole_by_copying_its_file_once_closed(filled: Path, tmp_path: Path) -> None:
    with store_at(filled) as store:
        before = read_all(store)
    assert {file.name for file in filled.parent.iterdir()} == {"runs.db", "runs.db-lock"}
    shutil.copyfile(filled, tmp_path / "copy.db")
    with store_at(tmp_path / "copy.db") as store:
        assert read_all(store) == before


# --- columns: by columns and by documents --------------------------------------------------------

COLUMN_PATHS = (
    "name",
    "seed",
    "status",
    "params.alpha",
    "params.list",
    "metrics.rmse",
    "tags.who",
    "dataset.name",
    "dataset.source",
    "dataset.flag",
    "dataset.version",
    "dataset.columns.a",
    "model.technique",
    "model.nothing",
)


def fill_columns(store: Store) -> None:
    """Runs with none, one and several neighbours, whose values are there, null, booleans or arrays."""
    fill(store)
    data = [
        named("datasets", "null", flag=True, source=None, columns={"a": 1}),
        named("datasets", "list", flag=1, source=["a", "b"]),
        named("datasets", "one", flag=False, source="files"),
    ]
    write(store, puts=[Put(node) for node in data])
    for number in range(8):
        parts = run_parts(f"c-{number}", list=[1, 2] if number % 2 else 3, flag=number % 3 == 0)
        used = [node for place, node in enumerate(data) if number >> place & 1]
        parts["edges"] += [Edge("run_datasets", f"run/c-{number}", node.id) for node in used]
        if number % 3 == 0:
            parts["edges"] = [
                edge for edge in parts["edges"] if edge.kind not in ("run_models", "run_datasets")
            ]
        write(store, **parts)


@pytest.mark.parametrize("few", [1, 10**9], ids=["by documents", "by columns"])
def test_columns_are_the_same_in_whatever_way_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(questions, "FEW", few)
    with store_at(tmp_path / "columns.db") as store, open_store("memory://") as reference:
        fill_columns(store)
        fill_columns(reference)
        for where in (None, parse("params.alpha = 1"), parse("params.flag = true")):
            for path in COLUMN_PATHS:
                assert store.count("run", where, path) == reference.count("run", where, path), path
                assert cells(store, where, path) == cells(reference, where, path), path


def cells(store: Store, where: Any, path: str) -> dict[str, Any]:
    chunks = store.columns("run", [path], where)
    return {id: cell for chunk in chunks for id, cell in zip(chunk["id"], chunk[path], strict=True)}
