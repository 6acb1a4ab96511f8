"""What every test gets: a clean environment, and no part that goes missing unseen."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import tempfile
from collections.abc import Iterator
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
from hypothesis import settings

from browser import chromium, site, visitor  # noqa: F401
from commands import original, store  # noqa: F401
from served import served  # noqa: F401
from servers import NoServer, Server

settings.register_profile("dev")
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("thorough", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


_homes = itertools.count()


@pytest.fixture(autouse=True)
def isolated_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No setting of the caller's reaches a test, and no test writes into the caller's home."""
    for name in list(os.environ):
        if name.startswith("ARANGOPIPE_"):
            monkeypatch.delenv(name)
    # No `tmp_path`: it makes a folder, which most tests do not need, and looks through all there are.
    monkeypatch.setenv("ARANGOPIPE_HOME", str(tmp_path_factory.getbasetemp() / f"home-{next(_homes)}"))


@pytest.fixture
def home(isolated_environment: None) -> Path:
    """Where the program keeps its own files, not made yet."""
    return Path(os.environ["ARANGOPIPE_HOME"])


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that is not below one that only its owner may enter."""
    with tempfile.TemporaryDirectory(prefix="arangopipe-") as folder:
        path = Path(folder)
        path.chmod(0o777)
        yield path
        path.chmod(0o777)


@pytest.fixture(scope="session")
def server() -> ForkServerContext:
    """What starts processes at once: a process that has imported all they need."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["writers"])
    with pytest.MonkeyPatch.context() as patch:
        # Where Python looks for `writers` when the server starts; its children get `sys.path`.
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        forkserver.ensure_running()
    return context


# Real PostgreSQL servers: one of a version for each worker, an empty database for each test.


def _server(version: int) -> Iterator[Server]:
    try:
        server = Server(version)
    except NoServer as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture(scope="session")
def server15() -> Iterator[Server]:
    """Debian's PostgreSQL 15; its databases sort by ICU's rules for English."""
    yield from _server(15)


@pytest.fixture(scope="session")
def server18() -> Iterator[Server]:
    """PostgreSQL 18 from a wheel; its databases sort by code point."""
    yield from _server(18)


@pytest.fixture
def postgres15(server15: Server) -> Iterator[str]:
    """The address of an empty database in PostgreSQL 15."""
    with server15.database() as name:
        yield server15.url(name)


@pytest.fixture
def postgres18(server18: Server) -> Iterator[str]:
    """The address of an empty database in PostgreSQL 18."""
    with server18.database() as name:
        yield server18.url(name)


# In CI a skip is a failure, unless its test says that it may be skipped. xdist hands the
# reports of its workers to these hooks in the controlling process, which alone decides.

_refused_skips: list[str] = []


def _note_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not report.skipped or hasattr(report, "wasxfail") or not os.environ.get("CI"):
        return
    if "allowed_skip" in getattr(report, "keywords", {}):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    _refused_skips.append(f"{report.nodeid}: {reason}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _note_skip(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    _note_skip(report)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if _refused_skips and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _refused_skips:
        return
    terminalreporter.section("skipped, though CI must run it", red=True)
    for line in _refused_skips:
        terminalreporter.line(line)
    terminalreporter.line("Mark a test allowed_skip if CI may do without it.")
