"""The PostgreSQL servers that other tests use: real, apart from each other, gone with their session."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from servers import NOBODY, NoServer, Server, programs

pytestmark = pytest.mark.slow

SESSION = """
import sys, time
sys.path.insert(0, sys.argv[1])
from servers import Server
server = Server(18)
print(server.folder, (server.data / "postmaster.pid").read_text().split()[0], flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("version", [15, 18])
def test_a_server_of_each_version_answers_without_the_rights_of_root(
    version: int, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(f"postgres{version}")
    server: Server = request.getfixturevalue(f"server{version}")
    with psycopg.connect(url) as connection:
        assert connection.info.server_version // 10_000 == version
    with psycopg.connect(server.url(urlsplit(url).path[1:], socket=True)) as connection:
        assert connection.info.host == str(server.folder)
    running = int((server.data / "postmaster.pid").read_text().split()[0])
    assert Path(f"/proc/{running}").stat().st_uid == (os.geteuid() or NOBODY)


def test_each_test_has_a_database_of_its_own(server18: Server) -> None:
    with server18.database() as one, server18.database() as other:
        server18.sql("create table mine (x int)", one)
        assert server18.sql("select to_regclass('mine')", other) == [(None,)]
        with server18.database(one) as copy:
            assert server18.sql("select to_regclass('mine')", copy) == [("mine",)]
    assert server18.sql("select count(*) from pg_database where datname like 'test%'") == [(0,)]


@pytest.mark.fault
def test_a_server_whose_session_is_killed_is_stopped_and_removed() -> None:
    command = [sys.executable, "-c", SESSION, str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdout is not None
        folder, running = session.stdout.readline().split()
        assert Path(folder, "data").exists()
        session.send_signal(signal.SIGKILL)
    for _ in range(600):
        if not Path(folder).exists():
            break
        time.sleep(0.05)
    assert not Path(folder).exists()
    state = Path(f"/proc/{running}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


def test_a_version_that_is_not_installed_says_how_to_get_it() -> None:
    with pytest.raises(NoServer, match=r"PostgreSQL 99 is missing: .*postgresql-99"):
        programs(99)
