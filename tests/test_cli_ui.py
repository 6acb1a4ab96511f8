"""The command that opens the web page."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

import arangopipe
from arangopipe.cli import main
from arangopipe.server import running
from arangopipe.store.base import Store
from commands import ENTRY


@pytest.fixture
def kept(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    with arangopipe.connect(url, capture=False) as pipe:
        pipe.log_run(name="first", key="first", metrics={"rmse": 1.0})
    return url


@pytest.mark.slow
def test_it_serves_the_page_until_it_is_stopped(kept: str) -> None:
    process = subprocess.Popen(
        [*ENTRY, "ui", "--no-browser", "--json", "--store", kept],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    try:
        assert process.stdout is not None
        said = json.loads("".join(process.stdout.readline() for _ in range(4)))
        assert said["store"] == kept
        answer = httpx.get(f"{said['url']}/entity/run/first", headers={"Accept": "text/html"}, timeout=20)
        assert "<h1><bdi>first</bdi></h1>" in answer.text
        with arangopipe.connect(said["url"]) as pipe:
            assert pipe.lookup_run("first").metrics == {"rmse": 1.0}
        process.send_signal(signal.SIGINT)
        out, log = process.communicate(timeout=30)
        assert (process.returncode, out, log) == (0, "", "")
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.parametrize("opened", [True, False])
def test_it_opens_a_browser(kept: str, opened: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses: list[str] = []

    def serve(store: Store, listening: socket.socket, *, authentication: bool, started: Any) -> None:
        started(None)
        listening.close()

    monkeypatch.setattr(running, "run", serve)
    monkeypatch.setattr("webbrowser.open", lambda url: addresses.append(url) or opened)
    result = CliRunner().invoke(main, ["ui", "--store", kept])
    assert result.exit_code == 0, result.output
    (address,) = addresses
    assert f"runs.db is at {address}. Stop it with Ctrl-C." in result.stdout
    assert ("open the address in one" in result.stderr) is not opened


def test_without_a_store_it_says_how_to_make_one(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["ui", "--store", str(tmp_path / "none.db")])
    assert result.exit_code == 1
    assert "arangopipe init" in result.stderr
