"""A store with the names that the examples in help texts use, and ways to run commands on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from click.testing import CliRunner, Result

import arangopipe
from arangopipe.cli import main
from arangopipe.pipe import ArangoPipe

ENTRY = [sys.executable, "-W", "error", "-c", "from arangopipe.cli import main; main(prog_name='arangopipe')"]
RUNS = 12
RULES = """\
rules:
  - name: failed runs
    kind: run
    where: status = 'failed'
    older_than: 0h
  - name: old sweeps
    kind: run
    where: tag = 'sweep'
    keep: 5
"""


def fill(url: str) -> None:
    """A small store with the names that the examples in help texts use."""
    pipe = arangopipe.connect(url, actor="ann", capture=False)
    pipe.admin.register_project("diabetes", description="after a year")
    data = pipe.register_dataset("diabetes", source="scikit-learn", summary={"rows": 442})
    base = pipe.register_featureset("base", dataset=data, columns={"age": "float64"})
    more = pipe.register_featureset("base+s5", dataset=data, columns={"age": "float64", "s5": "float64"})
    ridge = pipe.register_model("ridge", project="diabetes", task="progression", technique="ridge")
    used = {"dataset": data, "model": ridge}
    for number in range(RUNS):
        pipe.log_run(
            **used,
            featureset=(base, more)[number % 2],
            key=f"aaaaaaaa-{number:08}",
            params={"alpha": number / 4},
            metrics={"rmse": 60.0 - number, "r2": 0.5},
            tag="sweep",
        )
    pipe.log_run(
        **used,
        name="broken",
        error=ValueError("no such\ncolumn"),
        status="failed",
        metrics={"rmse": float("nan")},
    )
    with pipe.start_run(**used, name="curve") as run:
        for step in range(3):
            run.log_metric("loss", 3.0 - step, step=step)
    fill_deployments(pipe)
    pipe.annotate(data, owner="ann", reason="asked by audit")
    pipe.annotate(data, owner="bob", summary={"rows": 443}, remove=["source"])
    pipe.admin.register_node_kind("patient", "who it is about")
    pipe.admin.register("patient", "p-1", age=51)
    fill_users(pipe)
    gone = pipe.register_dataset("gone")
    pipe.admin.delete(gone, reason="by mistake")
    pipe.close()


def fill_users(pipe: ArangoPipe) -> None:
    pipe.admin.register_user("ana", roles={"diabetes": "contributor"}, full_name="Ana Lima")
    pipe.admin.register_user("boss", admin=True)
    pipe.admin.register_user("chief", admin=True)
    known = bytes.fromhex("0123456789abcdef" * 8)
    with patch.object(os, "urandom", lambda count: known[:count]):
        pipe.admin.create_token("ana", name="laptop")


def fill_deployments(pipe: ArangoPipe) -> None:
    old = pipe.admin.register_deployment("prod", run="run/aaaaaaaa-00000001", active_from="2026-01-01T00:00Z")
    pipe.admin.register_deployment("prod", run="run/aaaaaaaa-00000011", active_from="2026-03-01T00:00Z")
    pipe.admin.register_deployment("next", run="run/aaaaaaaa-00000009", schedule="2099-01-01T00:00Z")
    for deployment, month in ((old, 1), ("prod", 4)):
        period = (f"2026-0{month}-01T00:00Z", f"2026-0{month}-08T00:00Z")
        pipe.log_serving_perf(deployment, {"rmse": 60.0 + month}, period=period, population="all")


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "store.db"
    fill(f"sqlite:///{path}")
    with arangopipe.connect("memory://") as pipe:
        pipe.register_dataset("theirs")
        pipe.admin.export(path.with_name("theirs.bundle"))
    with arangopipe.connect(f"sqlite:///{path}") as pipe:
        pipe.admin.backup(path.with_name("nightly.backup"))
    return path


@pytest.fixture
def store(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "store.db"
    for file in (original, *original.parent.glob("*.b*")):
        shutil.copy(file, tmp_path)
    (tmp_path / "rules.yaml").write_text(RULES)
    monkeypatch.setenv("ARANGOPIPE_URL", f"sqlite:///{path}")
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.chdir(tmp_path)
    return path


def call(*arguments: str, code: int = 0, input: str | None = None) -> Result:
    result = CliRunner().invoke(main, list(arguments), input, prog_name="arangopipe")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def given(*arguments: str) -> Any:
    return json.loads(call(*arguments, "--json").stdout)


def shell(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **environment}
    return subprocess.run(
        [*ENTRY, *arguments], capture_output=True, text=True, env=environment, timeout=60, check=False
    )
