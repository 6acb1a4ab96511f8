"""Who may do what in PostgreSQL: the roles of the documentation, schemas, TLS, and many who come first."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner

import writers
from arangopipe import ArangopipeError, PermissionDenied, StoreUnavailable, audit
from arangopipe.cli import main
from arangopipe.store import open_store
from filled import fill, read_all
from servers import NOBODY, NoServer, Server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("postgres access")]

PAGE = Path(__file__).parent.parent / "docs" / "postgresql.md"
ROLES = ("arangopipe_owner", "arangopipe_writer", "arangopipe_reader")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


# --- roles -----------------------------------------------------------------------------------------


@pytest.fixture
def roles(server18: Server) -> Iterator[dict[str, str]]:
    """The address of a database for each of the roles, made by the SQL that the page shows."""
    outside, inside = blocks("sql")[:2]
    try:
        for statement in outside.split(";\n"):
            server18.sql(statement)
        server18.sql(inside, "arangopipe")
        yield {role: server18.url("arangopipe", role) for role in ROLES}
    finally:
        server18.sql("drop database if exists arangopipe with (force)")
        for role in ROLES:
            server18.sql(f"drop role if exists {role}")


def test_the_owner_makes_the_store_and_others_write_and_read(roles: dict[str, str]) -> None:
    owner, writer, reader = roles.values()
    for other in (writer, reader):
        with pytest.raises(PermissionDenied, match="no store in schema arangopipe yet"):
            open_store(other)
    made = CliRunner().invoke(main, ["init", "--store", owner])
    assert made.exit_code == 0, made.output
    with open_store(writer) as store:
        fill(store)
        store.erase([next(iter(store.search("run").items)).id], "dpo", "asked to")  # type: ignore[attr-defined]
        assert list(store.check()) == []  # type: ignore[attr-defined]
        written = read_all(store)
    with open_store(reader) as store:
        assert read_all(store) == written
        assert audit.verify(store).ok
        with pytest.raises(PermissionDenied):
            fill(store)
    with open_store(owner) as store:
        assert audit.verify(store).ok


def test_no_role_of_the_page_is_a_superuser(roles: dict[str, str], server18: Server) -> None:
    rows = server18.sql(
        "select rolname, rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls "
        "from pg_roles where rolname like 'arangopipe%' order by 1"
    )
    assert rows == [(role, False) for role in sorted(ROLES)]
    for role in ROLES[1:]:
        said = server18.sql(f"select has_schema_privilege('{role}', 'arangopipe', 'create')", "arangopipe")
        assert said == [(False,)]


# --- backups ---------------------------------------------------------------------------------------


def test_a_dump_that_is_restored_verifies(server15: Server) -> None:
    """Run the commands that the page shows."""
    (shown,) = [block for block in blocks("sh") if "pg_dump" in block]
    dump = server15.folder / "arangopipe.dump"
    host = "arangopipe_owner@db.example.org"
    server15.sql("create role arangopipe_owner login createdb")
    try:
        server15.sql("create database arangopipe owner arangopipe_owner")
        with open_store(server15.url("arangopipe", "arangopipe_owner")) as store:
            fill(store)
            written = read_all(store)
        for line in shown.splitlines():
            program, *arguments = line.replace(host, f"arangopipe_owner@{server15.address}").split()
            arguments = [argument.replace("arangopipe.dump", str(dump)) for argument in arguments]
            if program == "arangopipe":
                done = CliRunner().invoke(main, arguments)
                assert done.exit_code == 0, done.output
            else:
                server15.run(program, *arguments)
        with open_store(server15.url("restored", "arangopipe_owner")) as store:
            assert read_all(store) == written
            assert audit.verify(store).ok
    finally:
        for name in ("arangopipe", "restored"):
            server15.sql(f"drop database if exists {name} with (force)")
        server15.sql("drop role arangopipe_owner")


# --- schemas ---------------------------------------------------------------------------------------


def test_two_schemas_of_one_database_are_two_stores(postgres18: str, server18: Server) -> None:
    with open_store(f"{postgres18}?schema=one") as one, open_store(f"{postgres18}?schema=Zwei%20") as other:
        fill(one)
        assert other.head() is None
        fill(other)
        assert one.search("run").items == other.search("run").items
        assert audit.verify(one).ok
    database = postgres18.rpartition("/")[2]
    rows = server18.sql(
        "select distinct schemaname from pg_tables where tablename = 'node' order by 1", database
    )
    assert rows == [("Zwei ",), ("one",)]


# --- many at once ----------------------------------------------------------------------------------


def test_six_processes_open_an_empty_database_at_once(server18: Server) -> None:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(6, spawn, writers.set_up, ({6: spawn.Barrier(6)},)) as pool:
        for _ in range(3):
            with server18.database() as name:
                url = server18.url(name)
                made = [pool.submit(writers.create, url, 6) for _ in range(6)]
                found = [future.result(writers.SECONDS) for future in made]
                with open_store(url) as store:
                    names = {node.name for node in store.search("datasets").items}
                    assert names == {name for name, _ in found}
                    assert audit.verify(store).changes == 6


# --- TLS -------------------------------------------------------------------------------------------


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a certificate for loopback that is signed by itself; return it and its key."""
    made, key = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(made)],
        check=True, capture_output=True,
    )  # fmt: skip
    return made, key


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


@pytest.fixture(scope="module")
def secure() -> Iterator[Server]:
    """A server that takes only connections with TLS."""
    try:
        server = Server(15)
    except NoServer as error:
        pytest.skip(str(error))
    with server:
        made, key = certificate(server.folder, "server")
        key.chmod(0o600)
        if os.geteuid() == 0:
            os.chown(key, NOBODY, NOBODY)
        (server.data / "pg_hba.conf").write_text(
            "local all all trust\nhostssl all ann 127.0.0.1/32 scram-sha-256\n"
            "hostssl all all 127.0.0.1/32 trust\nhostssl all all ::1/128 trust\n"
        )
        listens = "127.0.0.1,::1" if has_ipv6() else "127.0.0.1"
        server.configure(
            {"ssl": "on", "ssl_cert_file": made, "ssl_key_file": key, "listen_addresses": listens}
        )
        server.restart()
        yield server


def test_tls_is_asked_for_in_the_address(secure: Server, tmp_path: Path) -> None:
    stranger, _ = certificate(tmp_path, "stranger")
    own = secure.folder / "server.crt"
    with open_store(secure.url("postgres", sslmode="verify-full", sslrootcert=own)) as store:
        fill(store)
        assert secure.sql("select count(*) > 0 from pg_stat_ssl where ssl") == [(True,)]
    with pytest.raises(StoreUnavailable, match="certificate verify failed"):
        open_store(secure.url("postgres", sslmode="verify-full", sslrootcert=stranger))
    with pytest.raises(PermissionDenied, match="no encryption"):
        open_store(secure.url("postgres", sslmode="disable"))
    with pytest.raises(ArangopipeError, match="sslmode"):
        open_store(secure.url("postgres", sslmode="never"))


# --- passwords -------------------------------------------------------------------------------------

PASSWORD = "se@sa/me:?#% \\ü'"


@pytest.fixture
def ann(secure: Server) -> Iterator[str]:
    """The address of a store whose user has a password, without it."""
    secure.sql(f"create role ann login password '{PASSWORD.replace(chr(39), chr(39) * 2)}'")
    with secure.database() as name:
        secure.sql(f'grant create on database "{name}" to ann')
        yield secure.url(name, "ann")
    secure.sql("drop role ann")


def test_a_password_is_taken_from_where_libpq_looks(
    ann: str, secure: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    database = ann.rpartition("/")[2]
    kept = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    files = {
        "PGPASSFILE": f"127.0.0.1:*:*:ann:{kept}\n",
        "PGSERVICEFILE": f"[ml]\nhost=127.0.0.1\nport={secure.port}\ndbname={database}\nuser=ann\n"
        f"password={PASSWORD}\n",
        "PGPASSWORD": PASSWORD,
    }
    for name, text in files.items():
        with monkeypatch.context() as patch:
            file = tmp_path / name
            file.write_text(text)
            file.chmod(0o600)
            patch.setenv(name, text if name == "PGPASSWORD" else str(file))
            url = "postgresql:///?service=ml" if name == "PGSERVICEFILE" else ann
            with open_store(url) as store:
                store.head()
    for url in (ann.replace("ann@", f"ann:{quote(PASSWORD, safe='')}@"), f"{ann}?password={quote(PASSWORD)}"):
        with open_store(url) as store:
            assert store.url == ann
    wrong = ann.replace("ann@", "ann:wr%40ng@")
    with pytest.raises(PermissionDenied, match="does not accept this user or password") as refused:
        open_store(wrong)
    assert "wr@ng" not in str(refused.value)
    with pytest.raises(PermissionDenied, match=r"keep it in ~/\.pgpass"):
        open_store(ann)


@pytest.mark.allowed_skip
@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_a_server_is_reached_by_ipv6(secure: Server) -> None:
    with open_store(
        f"postgresql://postgres@[::1]:{secure.port}/postgres?schema=six&sslmode=require"
    ) as store:
        fill(store)
        assert "[::1]" in store.url
