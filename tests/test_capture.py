"""Capture: real git repositories, and tables in every shape that people hold them in."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import os
import pickle
import random
import shutil
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangopipe import capture
from arangopipe.errors import InvalidInput

Git = Callable[..., str]

needs_arrow = pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is None, reason="pyarrow is not installed"
)
needs_polars = pytest.mark.skipif(
    importlib.util.find_spec("polars") is None, reason="polars is not installed"
)


@pytest.fixture(autouse=True)
def fresh_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture.repository, "_repositories", {})
    monkeypatch.setattr(capture.tools, "TIMEOUT", 60.0)  # a busy machine is slow, not broken
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgetful(dict[Any, Any]):
        def __setitem__(self, key: Any, value: Any) -> None:
            pass

    monkeypatch.setattr(capture.repository, "_repositories", Forgetful())


@pytest.fixture
def repository(tmp_path: Path) -> tuple[Path, Git]:
    root = tmp_path / "project"
    (root / "jobs").mkdir(parents=True)
    git = _git_in(root)
    git("init", "--quiet", "--initial-branch=main")
    (root / "jobs" / "train.py").write_text("print('train')\n")
    return root, git


@pytest.fixture
def committed(repository: tuple[Path, Git], no_cache: None) -> tuple[Path, Git]:
    _commit(repository[1])
    return repository


def _git_in(folder: Path) -> Git:
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=T", "-c", "user.email=t@example.org")
        command = ["git", "-C", str(folder), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    return git


def _commit(git: Git) -> str:
    git("add", "--all")
    git("commit", "--quiet", "--message", "work")
    return git("rev-parse", "HEAD")


# --- the environment -----------------------------------------------------------------------------


def test_environment_tells_what_the_machine_knows() -> None:
    found: Any = capture.environment()
    assert found["python"]["version"] == ".".join(map(str, sys.version_info[:3]))
    assert found["cpu"]["count"] == os.cpu_count()
    assert found["cpu"]["name"]
    assert found["packages"]["numpy"] == np.__version__
    assert found["packages"]["pandas"] == pd.__version__
    assert [*found["packages"]] == sorted(found["packages"])
    assert {"platform", "host", "user", "gpu"} <= set(found)
    assert "seed" not in found
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize("seed", [0, 7, {"numpy": 1, "torch": 2}, "text"])
def test_seed_is_recorded_when_given(seed: Any) -> None:
    assert capture.environment(seed=seed)["seed"] == seed


def test_numpy_seed_becomes_plain() -> None:
    assert type(capture.environment(seed=np.int64(3))["seed"]) is int


def test_results_belong_to_the_caller() -> None:
    first: Any = capture.snapshot()
    before = json.dumps(first)
    first["environment"]["packages"].clear()
    first["environment"]["python"].clear()
    first["code"].clear()
    assert json.dumps(capture.snapshot()) == before


def test_packages_grow_with_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = tmp_path / "late_dist-1.5.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: late-dist\nVersion: 1.5\n")
    (facts / "RECORD").write_text("late_module.py,,\nlate_dist-1.5.dist-info/METADATA,,\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(capture.packages, "_known", capture.packages._Known(0, sys.stdlib_module_names, {}))
    capture.packages._owners.cache_clear()
    assert "late-dist" not in capture.packages.versions()
    monkeypatch.setitem(sys.modules, "late_module", ModuleType("late_module"))
    assert capture.packages.versions()["late-dist"] == "1.5"
    capture.packages._owners.cache_clear()


def test_packages_are_not_searched_again_without_new_imports(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    capture.packages.versions()
    capture.packages.versions()
    monkeypatch.setattr(capture.packages, "_find", None)
    assert capture.packages.versions()


def _fake_program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("script", "gpus", "error"),
    [
        (
            "echo 'NVIDIA A100, SXM, 550.1, 40960'; echo 'GB10, 550.1, [N/A]'",
            [
                {"name": "NVIDIA A100, SXM", "driver": "550.1", "memory_mib": 40960},
                {"name": "GB10", "driver": "550.1", "memory_mib": None},
            ],
            None,
        ),
        ("echo 'driver is gone' >&2; exit 9", [], "nvidia-smi: driver is gone"),
        ("exec sleep 20", [], "nvidia-smi: timed out after 0.1 s"),
        ("echo 'No devices were found'", [], None),
    ],
)
def test_gpus_by_nvidia_smi(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    gpus: list[Any],
    error: str | None,
) -> None:
    _fake_program(tmp_path / "bin", "nvidia-smi", script)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    if error and "timed out" in error:
        monkeypatch.setattr(capture.tools, "TIMEOUT", 0.1)
    capture.machine._nvidia_smi.cache_clear()
    try:
        found: Any = capture.snapshot()
    finally:
        capture.machine._nvidia_smi.cache_clear()
    assert found["environment"]["gpu"] == gpus
    assert found.get("capture_errors", {}).get("environment") == error


def test_torch_is_asked_only_once_cuda_is_initialised(monkeypatch: pytest.MonkeyPatch) -> None:
    card = SimpleNamespace(name="Fake GPU", total_memory=8 << 30)
    cuda = SimpleNamespace(is_initialized=lambda: False)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert capture.environment()["gpu"] == capture.machine._nvidia_smi()[0]
    cuda.is_initialized = lambda: True
    cuda.device_count = lambda: 1
    cuda.get_device_properties = lambda number: card
    assert capture.environment()["gpu"] == [{"name": "Fake GPU", "memory_mib": 8192}]


# --- the code ------------------------------------------------------------------------------------


def test_clean_repository(committed: tuple[Path, Git]) -> None:
    root, git = committed
    found = capture.code(root / "jobs")
    assert found["commit"] == git("rev-parse", "HEAD")
    assert found["branch"] == "main"
    assert found["dirty"] is False
    assert found["diff"] is None
    assert found["remote"] is None
    assert "capture_error" not in found


def test_every_uncommitted_change_changes_the_diff(committed: tuple[Path, Git]) -> None:
    root, git = committed
    (root / ".gitignore").write_text("ignored\n")
    _commit(git)

    def write(name: str, content: bytes) -> Callable[[], object]:
        return lambda: (root / name).write_bytes(content)

    seen = [capture.code(root)["diff"]]
    for change in (
        write("jobs/train.py", b"print('other')\n"),
        lambda: git("add", "--all"),
        write("jobs/train.py", b"print('third')\n"),
        write("new.py", b"1"),
        write("new.py", b"2"),
        write("näme with\nnewline", b""),
        lambda: (root / "link").symlink_to("a"),
        lambda: ((root / "link").unlink(), (root / "link").symlink_to("b")),
        write("large", b"0" * (capture.repository._MAX_READ_BYTES + 1)),
        write("large", b"0" * (capture.repository._MAX_READ_BYTES + 2)),
        lambda: (root / "jobs/train.py").unlink(),
    ):
        change()
        found = capture.code(root)
        assert found["dirty"] is True
        seen.append(found["diff"])
    assert seen[1] == seen[2], "staging changes nothing that runs"
    assert len(set(seen)) == len(seen) - 1
    for unseen in ("ignored", "arangopipe.db", "arangopipe.db-wal", "store.sqlite3"):
        (root / unseen).write_text("x")
        assert capture.code(root)["diff"] == seen[-1]


def test_diff_does_not_depend_on_the_users_settings(committed: tuple[Path, Git]) -> None:
    root, git = committed
    (root / "jobs" / "train.py").write_text("changed\n")
    plain = capture.code(root)["diff"]
    for setting in (
        "diff.noprefix=true",
        "diff.context=9",
        "diff.interHunkContext=9",
        "diff.algorithm=patience",
        "diff.external=no",
        "color.ui=always",
    ):
        git("config", *setting.split("="))
        assert capture.code(root)["diff"] == plain


def test_same_diff_from_any_folder(committed: tuple[Path, Git]) -> None:
    root, _ = committed
    (root / "new.py").write_text("1")
    assert capture.code(root / "jobs") == capture.code(root)
    assert capture.code(root / "jobs" / "train.py") == capture.code(root)


def test_no_commits(repository: tuple[Path, Git], no_cache: None) -> None:
    root, git = repository
    found = capture.code(root)
    assert (found["commit"], found["branch"], found["dirty"]) == (None, "main", True)
    git("add", "--all")
    (root / "jobs" / "train.py").write_text("other")
    assert capture.code(root)["diff"] != found["diff"]


def test_detached_head(committed: tuple[Path, Git]) -> None:
    root, git = committed
    git("checkout", "--quiet", "--detach")
    found = capture.code(root)
    assert found["branch"] is None
    assert found["commit"] == git("rev-parse", "HEAD")


def test_bare_repository(committed: tuple[Path, Git], tmp_path: Path) -> None:
    root, git = committed
    git("clone", "--quiet", "--bare", str(root), str(tmp_path / "bare.git"))
    found = capture.code(tmp_path / "bare.git")
    assert found["commit"] == git("rev-parse", "HEAD")
    assert not {"dirty", "diff", "path", "capture_error"} & set(found)


def test_not_a_repository(tmp_path: Path) -> None:
    assert set(capture.code(tmp_path)) == {"script", "argv", "notebook"}


def test_missing_folder_says_why(tmp_path: Path) -> None:
    assert "cannot change to" in str(capture.code(tmp_path / "nowhere")["capture_error"])


def test_git_is_not_installed(committed: tuple[Path, Git], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.chdir(committed[0])
    found = capture.snapshot()
    assert found["capture_errors"] == {"code": "git: not installed"}
    assert "commit" not in found["code"]


def test_slow_git_keeps_what_is_known(
    committed: tuple[Path, Git], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, git = committed
    real = shutil.which("git")
    slow = f'case "$*" in *"diff HEAD"*) exec sleep 20;; esac; exec {real} "$@"'
    _fake_program(tmp_path / "bin", "git", slow)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(capture.tools, "TIMEOUT", 0.5)
    found = capture.code(root)
    assert found["commit"] == git("rev-parse", "HEAD")
    assert found["capture_error"] == "git: timed out after 0.5 s"
    assert "dirty" not in found


def test_broken_repository_says_why(committed: tuple[Path, Git]) -> None:
    root, _ = committed
    (root / ".git" / "config").write_text("[broken")
    assert str(capture.code(root)["capture_error"]).startswith("git: fatal: bad config")


def test_variables_of_a_git_hook_do_not_mislead(
    committed: tuple[Path, Git], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, _ = committed
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert capture.code(root)["commit"] is not None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:pa@ss@example.org/a.git", "https://example.org/a.git"),
        ("https://ghp_token@github.com/a/b", "https://github.com/a/b"),
        ("ssh://git@example.org:22/a.git", "ssh://example.org:22/a.git"),
        ("git@example.org:a/b.git", "git@example.org:a/b.git"),
        ("/srv/a@b.git", "/srv/a@b.git"),
    ],
)
def test_remote_without_credentials(committed: tuple[Path, Git], url: str, shown: str) -> None:
    root, git = committed
    git("remote", "add", "another", "https://example.org/other.git")
    assert capture.code(root)["remote"] == "https://example.org/other.git"
    git("remote", "add", "origin", url)
    assert capture.code(root)["remote"] == shown


_PRINT_CODE = "import json; from arangopipe import capture; print(json.dumps(capture.code()))"


def _run(*command: str, cwd: Path) -> Any:
    source = str(Path(capture.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-W", "error", *command],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": source},
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)


def test_script_in_another_folder_than_the_working_directory(
    committed: tuple[Path, Git], tmp_path: Path
) -> None:
    root, git = committed
    script = root / "jobs" / "train.py"
    script.write_text(_PRINT_CODE)
    commit = _commit(git)
    found = _run(str(script), "--lr", "0.1", "--api-key=abc", cwd=tmp_path)
    assert found["path"] == "jobs/train.py"
    assert found["script"] == str(script)
    assert found["argv"] == [str(script), "--lr", "0.1", "--api-key=***"]
    assert (found["commit"], found["dirty"], found["notebook"]) == (commit, False, False)


def test_shell_uses_the_working_directory(committed: tuple[Path, Git], tmp_path: Path) -> None:
    root, git = committed
    found = _run("-c", _PRINT_CODE, cwd=root)
    assert (found["script"], found["path"]) == (None, None)
    assert found["commit"] == git("rev-parse", "HEAD")
    assert "commit" not in _run("-c", _PRINT_CODE, cwd=tmp_path)


def test_installed_program_uses_the_working_directory(
    committed: tuple[Path, Git], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, git = committed
    monkeypatch.chdir(root)
    for program in (
        Path(sys.executable).parent / "train",
        root / "venv" / "site-packages" / "tool" / "__main__.py",
    ):
        monkeypatch.setattr(sys.modules["__main__"], "__file__", str(program), raising=False)
        assert capture.code()["commit"] == git("rev-parse", "HEAD")


def test_notebook(committed: tuple[Path, Git], monkeypatch: pytest.MonkeyPatch) -> None:
    root, _ = committed
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    monkeypatch.chdir(root)
    found = capture.code()
    assert found["notebook"] is True
    assert found["branch"] == "main"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("--token abc --lr 1", "--token *** --lr 1"),
        ("--token=abc", "--token=***"),
        ("--hf_token abc", "--hf_token ***"),
        ("--db.password=abc +wandb.api_key=x", "--db.password=*** +wandb.api_key=***"),
        ("DB_PASSWORD=abc", "DB_PASSWORD=***"),
        ("--set=db.password=a=b", "--set=db.password=***"),
        ("--token=YWJj== --lr=1", "--token=*** --lr=1"),
        ("https://host/?token=abc&a=b", "https://host/?token=***"),
        ("--token-limit=5", "--token-limit=5"),
        ("--aws-secret-access-key -abc", "--aws-secret-access-key ***"),
        ("--use-auth --lr 1", "--use-auth --lr 1"),
        ("--max-tokens 5 --key-dim 8", "--max-tokens 5 --key-dim 8"),
        ("postgresql://u:p@host/db", "postgresql://***@host/db"),
        ("--url=https://u:p@host/?a=b", "--url=https://***@host/?a=b"),
        ("--token", "--token"),
    ],
)
def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch, given: str, shown: str) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", *given.split()])
    assert capture.code()["argv"] == ["train.py", *shown.split()]


def test_arguments_that_are_no_utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [os.fsdecode(b"caf\xe9")])
    assert json.dumps(capture.code()["argv"], ensure_ascii=False).encode()


def test_git_is_asked_once_in_a_while(repository: tuple[Path, Git], monkeypatch: pytest.MonkeyPatch) -> None:
    root, git = repository
    commit = _commit(git)
    looks = []
    look_at = capture.repository._look_at
    monkeypatch.setattr(capture.repository, "_look_at", lambda folder: looks.append(1) or look_at(folder))
    clock = [100.0]
    # Only here: a loop in another thread that meets a clock set back waits as long as that.
    monkeypatch.setattr(capture.repository, "monotonic", lambda: clock[0])
    for _ in range(3):
        assert capture.code(root)["commit"] == commit
    assert len(looks) == 1
    clock[0] += capture.repository._FRESH_SECONDS + 1
    assert capture.code(root)["commit"] == commit
    assert len(looks) == 2


# --- the snapshot --------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["0", "off", "False", "no"])
def test_off_switch(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("ARANGOPIPE_CAPTURE", value)
    assert capture.snapshot() == {}
    monkeypatch.setenv("ARANGOPIPE_CAPTURE", "on")
    assert set(capture.snapshot(seed=1)) >= {"environment", "code"}


def test_snapshot_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError("no luck")

    monkeypatch.setattr(capture.machine, "_cpu_name", fail)
    monkeypatch.setattr(capture.program, "_masked", lambda arguments: warnings.warn("old", stacklevel=1))
    found = capture.snapshot()
    assert found == {
        "capture_errors": {"environment": "ZeroDivisionError: no luck", "code": "UserWarning: old"}
    }


def test_snapshot_in_threads(committed: tuple[Path, Git], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(committed[0])
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(json.dumps(capture.snapshot()))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_snapshot_after_fork(tmp_path: Path) -> None:
    program = (
        "import json, os; from arangopipe import capture; before = capture.snapshot();"
        "child = os.fork(); after = capture.snapshot();"
        "done = child and os.waitpid(child, 0)[1];"
        "child and print(json.dumps(done)); os._exit(before != after) if not child else None"
    )
    assert _run("-c", program, cwd=tmp_path) == 0


# --- fingerprints --------------------------------------------------------------------------------

ROWS = 12
NOW = datetime(2026, 11, 3, 12, 30, 15, 123456)


def _digest(data: Any) -> Any:
    return capture.fingerprint(data)["digest"]


def _frame() -> pd.DataFrame:
    n = np.arange(ROWS)
    texts = [f"text {i} ä" for i in n]
    return pd.DataFrame(
        {
            "f8": n / 7,
            "f4": (n / 7).astype("f4"),
            "i8": n - 5,
            "u1": n.astype("u1"),
            "u8": n.astype("u8") + 2**63,
            "bool": n % 2 == 0,
            "text": texts,
            "object text": pd.Series(texts, dtype=object),
            "category": pd.Series(texts, dtype="category"),
            "time": pd.date_range("2026-01-01", periods=ROWS, freq="37min"),
            "zoned": pd.date_range("2026-03-29", periods=ROWS, freq="37min", tz="Europe/Berlin"),
            "duration": pd.to_timedelta(n * 1_234_567, unit="us"),
            "Int64": pd.Series([None, *range(1, ROWS)], dtype="Int64"),
            "Float64": pd.Series([None, *range(1, ROWS)], dtype="Float64"),
            "boolean": pd.Series([None, *[True] * (ROWS - 1)], dtype="boolean"),
            "date": [date(2026, 1, 1 + int(i)) for i in n],
            "decimal": [Decimal(int(i)) / 3 for i in n],
            "bytes": [bytes([i]) for i in n],
            "nested": [{"a": [int(i), None], "b": {"c": "x"}} for i in n],
            "mixed": [int(i) if i % 2 else f"{i}" for i in n],
            "big": [10**30 + int(i) for i in n],
        }
    )


OTHER: dict[str, Any] = {
    "f8": 0.5,
    "f4": np.float32(0.5),
    "i8": 99,
    "u1": 255,
    "u8": 3,
    "text": "other",
    "object text": "other",
    "time": pd.Timestamp("2026-01-01 00:00:00.000001"),
    "zoned": pd.Timestamp("2026-01-01 00:00:00.000001", tz="Europe/Berlin"),
    "duration": pd.Timedelta(microseconds=1),
    "Int64": 99,
    "Float64": 0.5,
    "date": date(1999, 1, 1),
    "decimal": Decimal("0.1"),
    "bytes": b"other",
    "nested": {"a": [-1, None], "b": {"c": "x"}},
    "mixed": None,
    "big": 1,
}


@given(st.sampled_from(list(_frame())), st.integers(0, ROWS - 1), st.booleans())
def test_any_other_cell_gives_another_digest(name: str, row: int, gone: bool) -> None:
    frame = _frame()
    before = capture.fingerprint(frame)
    column = frame[name]
    cells = column.tolist()
    missing = gone and name not in {"i8", "u1", "u8", "bool"} and not pd.isna(cells[row])
    if missing:
        cells[row] = None
    elif name == "category":
        cells[row] = cells[row - 1]
    elif name in {"bool", "boolean"}:
        cells[row] = cells[row] is not True
    else:
        cells[row] = OTHER[name]
    frame[name] = pd.Series(cells, dtype=column.dtype)
    after = capture.fingerprint(frame)
    assert after["digest"] != before["digest"]
    changed = {n for n, d in after["columns"].items() if before["columns"][n] != d}
    assert changed == {name}


def test_fingerprint_shape() -> None:
    found: Any = capture.fingerprint(_frame())
    assert found["algorithm"] == "arangopipe-columns-1"
    assert len(found["digest"]) == 64
    assert [*found["columns"]] == [*_frame()]
    assert {len(digest) for digest in found["columns"].values()} == {16}
    assert json.loads(json.dumps(found)) == found


def test_digests_are_a_format_that_stays() -> None:
    columns = {
        "int": [1, -2, 300],
        "float": [0.5, -0.0, None],
        "text": ["a", None, "ü"],
        "bool": [True, False, None],
        "time": [NOW, None, NOW],
        "date": [NOW.date()] * 3,
        "nested": [{"b": 1, "a": [None]}, [], "x"],
    }
    assert capture.fingerprint(columns) == {
        "algorithm": "arangopipe-columns-1",
        "digest": "a222329114b338111635674dfcaad2969ae662970372f3c0cbacf8df2cab438d",
        "columns": {
            "int": "af6367454216c9c3",
            "float": "1146f3b819fdeae0",
            "text": "0992ed0dd0e015e9",
            "bool": "ffebca6070bb2dc3",
            "time": "653bbc68c4f7cc97",
            "date": "04502b613774e475",
            "nested": "7726f32226510f3c",
        },
    }


def test_order_matters() -> None:
    frame = _frame()
    digests = {
        _digest(frame),
        _digest(frame.iloc[::-1]),
        _digest(frame[[*frame][::-1]]),
        _digest(frame.rename(columns={"f8": "g8"})),
        _digest(frame.iloc[:-1]),
    }
    assert len(digests) == 5


def test_index_counts_only_when_named() -> None:
    frame = _frame()[["f8", "text"]]
    plain = _digest(frame)
    assert _digest(frame.set_axis([f"r{i}" for i in range(ROWS)])) == plain
    named = frame.rename_axis("row")
    assert _digest(named) != plain
    assert _digest(named) == _digest(named.reset_index())
    levels = frame.set_index(pd.MultiIndex.from_product([[1, 2], range(6)], names=["a", None]))
    assert [*capture.fingerprint(levels)["columns"]] == ["a", "f8", "text"]


def test_text_is_text_in_every_version_of_pandas() -> None:
    texts = ["a", "", "ä€😀", "\ud800", "tab\t\0"]
    holes = [*texts, None]
    forms: list[Any] = [texts, np.array(texts, dtype=object), pd.Series(texts, dtype=object)]
    assert len({_digest({"a": form}) for form in forms}) == 1
    for text in ([t for t in holes if t != "\ud800"], [None, None], ["a", "b"]):
        forms = [
            pd.Series(text, dtype=object),
            pd.Series([math.nan if cell is None else cell for cell in text], dtype=object),
            pd.Series(text, dtype="string"),
            pd.Series(text, dtype="category"),
            text,
        ]
        if int(pd.__version__.split(".")[0]) >= 3:
            forms.append(pd.Series(text, dtype="str"))
        assert len({_digest({"a": form}) for form in forms}) == 1


def test_lengths_keep_texts_apart() -> None:
    cases = [["ab", "c"], ["a", "bc"], ["abc", ""], ["abc", None], ["", "abc"]]
    assert len({_digest({"a": case}) for case in cases}) == len(cases)


@given(
    st.lists(
        st.tuples(
            st.integers(-(2**63), 2**63 - 1),
            st.floats(),
            st.booleans(),
            st.text(st.characters(exclude_categories=["Cs"])),
            st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)),
        ),
        max_size=5,
    )
)
def test_lists_records_arrays_and_frames_agree(rows: list[tuple[Any, ...]]) -> None:
    names = ["i", "f", "b", "t", "d"]
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    arrays = {
        "i": np.array(columns["i"], dtype="i8"),
        "f": np.array(columns["f"], dtype=">f8"),
        "b": np.array(columns["b"], dtype="?"),
        "t": np.array(columns["t"], dtype=object),
        "d": np.array(columns["d"], dtype="M8[us]"),
    }
    digest = _digest(columns)
    assert _digest(arrays) == digest
    assert _digest(pd.DataFrame(arrays)) == digest
    if rows:
        records = [dict(zip(names, row, strict=True)) for row in rows]
        assert _digest(records) == digest
        assert _digest({name: tuple(cells) for name, cells in arrays.items()}) == digest


def test_width_of_integers_does_not_matter() -> None:
    forms = [np.arange(5).astype(code) for code in ("i1", "u1", "<i2", ">i4", "i8", "u8")]
    forms.append(np.arange(10, dtype="i8")[::2] // 2)
    assert len({_digest(form) for form in [*forms, {"0": range(5)}]}) == 1
    assert _digest(np.arange(5) * 1.0) != _digest(np.arange(5))
    limits = [-(2**63) - 1, -(2**63), -129, -1, 0, 255, 256, 2**63 - 1, 2**63, 2**64 - 1, 2**64]
    assert len({_digest({"a": [limit]}) for limit in limits}) == len(limits)
    assert _digest({"a": [-1, 2**63]}) != _digest({"a": [-1, 2**63 + 1]})


def test_floats() -> None:
    nans = np.array([0x7FF8000000000000, 0xFFF8000000000001, 0x7FF0000000000001], "u8").view("f8")
    plain = {"a": [0.0, math.nan, 1.5]}
    for nan in nans:
        assert _digest({"a": np.array([-0.0, nan, 1.5])}) == _digest(plain)
    assert _digest({"a": [-0.0, None, 1.5]}) == _digest(plain)
    assert _digest({"a": pd.Series([0, None, 1.5], dtype="Float64")}) == _digest(plain)
    assert _digest({"a": np.array([0, np.nan, 1.5], "f4")}) != _digest(plain)
    assert _digest({"a": [1, 2.5]}) == _digest({"a": [1.0, 2.5]})
    assert _digest({"a": [2**53, 2.5]}) != _digest({"a": [2**53 + 1, 2.5]})


def test_times_of_every_unit_and_zone() -> None:
    cells = [datetime(1969, 12, 31, 23, 59, 59), None, datetime(2026, 1, 1)]
    forms: list[Any] = [np.array(cells, dtype=f"M8[{unit}]") for unit in ("s", "ms", "us", "ns")]
    forms += [pd.Series(forms[0]), pd.Series(cells, dtype=object), cells]
    assert len({_digest({"a": form}) for form in forms}) == 1
    days = [datetime(2026, 1, 1), datetime(4000, 1, 1)]
    assert _digest({"a": np.array(days, "M8[D]")}) == _digest({"a": days})

    zoned = pd.Series(pd.to_datetime(cells)).dt.tz_localize("Europe/Berlin")
    assert _digest({"a": zoned}) == _digest({"a": zoned.astype(object)})
    assert _digest({"a": zoned}) != _digest({"a": zoned.dt.tz_convert("Asia/Tokyo")})
    assert _digest({"a": zoned}) != _digest({"a": zoned.dt.tz_convert(None)})
    offset = timezone(timedelta(hours=2))
    aware = [NOW.replace(tzinfo=offset)]
    assert _digest({"a": aware}) == _digest({"a": pd.Series(aware)})
    mixed = [*aware, NOW], [*aware, NOW + timedelta(microseconds=1)]
    assert _digest({"a": mixed[0]}) != _digest({"a": mixed[1]})
    nanoseconds = pd.Series([pd.Timestamp(1)])
    assert _digest(nanoseconds) == _digest(nanoseconds.astype(object))
    assert _digest(nanoseconds) != _digest(pd.Series([pd.Timestamp(2)]))


def test_durations_and_dates() -> None:
    spans = [timedelta(days=-1, microseconds=5), None, timedelta(seconds=3)]
    for form in (np.array(spans, "m8[us]"), pd.Series(spans), pd.Series(spans, dtype=object)):
        assert _digest({"a": form}) == _digest({"a": spans})
    assert _digest({"a": [NOW.date()]}) != _digest({"a": [datetime(2026, 11, 3)]})


def test_shapes_of_arrays() -> None:
    grid = np.arange(12.0).reshape(4, 3)
    assert _digest(grid) == _digest(pd.DataFrame(grid)) == _digest(np.asfortranarray(grid))
    assert _digest(grid[:, 0]) == _digest(pd.Series(grid[:, 0]))
    assert _digest(pd.Series(grid[:, 0], name="a")) == _digest({"a": grid[:, 0]})
    cubes = [grid.reshape(2, 3, 2), grid.reshape(2, 2, 3), grid.reshape(2, 6)]
    assert len({_digest(cube) for cube in cubes}) == 3
    structured = np.array([(1, 0.5, b"x"), (2, 1.5, b"y")], [("a", "i2"), ("b", "f8"), ("c", "S3")])
    assert _digest(structured) == _digest({"a": [1, 2], "b": [0.5, 1.5], "c": [b"x", b"y"]})
    masked = np.ma.MaskedArray([1, 2, 3], mask=[False, True, False])
    assert _digest(masked) == _digest({"0": [1, None, 3]})


def test_sparse_columns_count_by_value() -> None:
    for cells in ([1.0, math.nan], [1, 0]):
        column = pd.Series(cells)
        assert _digest(column.astype(pd.SparseDtype(column.dtype))) == _digest(column)


def test_without_any_value_there_is_no_dtype() -> None:
    forms = [
        [None, math.nan],
        np.array([np.nan, np.nan]),
        np.array(["NaT", "NaT"], "M8[s]"),
        pd.Series([None, None], dtype="Int64"),
        pd.Series([None, None], dtype=object),
        pd.Series([None, None], dtype="category"),
        pd.Series([pd.NaT, pd.NA], dtype=object),
    ]
    assert len({_digest({"a": form}) for form in forms}) == 1
    assert _digest({"a": [None, None]}) != _digest({"a": [None]})
    assert _digest({"a": []}) == _digest(pd.DataFrame({"a": pd.Series([], dtype="f8")}))
    assert _digest([]) == _digest({}) == _digest(pd.DataFrame()) != _digest({"a": []})
    assert _digest(pd.DataFrame(index=range(3))) != _digest(pd.DataFrame())


def test_names_become_text_and_must_differ() -> None:
    assert _digest({1: [1], None: [2]}) == _digest({"1": [1], "None": [2]})
    for twice in (
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        {1: [1], "1": [2]},
        pd.DataFrame({"a": [1]}, index=pd.Index([1], name="a")),
    ):
        with pytest.raises(InvalidInput, match="two columns are named"):
            capture.fingerprint(twice)


@pytest.mark.parametrize("data", [None, 3, 3.5, object(), {1, 2}, [1, 2], [[1]], np.float64(3), np.array(3)])
def test_unsupported_data_says_what_is_taken(data: Any) -> None:
    for read in (capture.fingerprint, capture.summarize):
        with pytest.raises(InvalidInput, match="DataFrame"):
            read(data)


@pytest.mark.parametrize(
    "cells",
    [
        [object()],
        pd.Series(pd.period_range("2026", periods=1, freq="D")),
        [{1, 2}],
        [1j],
        np.array([1j]),
        np.array([1], "longdouble"),
        np.array([np.longdouble(1)], dtype=object),
        np.array([1], "M8[ps]"),
        [{1: 1, "a": 2}],
        "text",
        5,
        {1, 2},
        iter([1]),
        np.array(5),
    ],
)
def test_unreadable_column_is_named(cells: Any) -> None:
    with pytest.raises(InvalidInput, match="column 'bad'"):
        capture.fingerprint({"bad": cells})


def test_columns_of_different_lengths() -> None:
    with pytest.raises(InvalidInput, match=r"different lengths: \[1, 2\]"):
        capture.fingerprint({"a": [1], "b": [1, 2]})


def test_records_may_lack_keys() -> None:
    records = [{"a": 1}, {"b": "x", "a": 2}]
    assert _digest(records) == _digest({"a": [1, 2], "b": [None, "x"]})


@needs_arrow
@pytest.mark.allowed_skip
def test_arrow_tables() -> None:
    import pyarrow as pa

    columns = {
        "i": [1, None, 2**60 + 1],
        "f": [0.5, None, 2.0],
        "b": [True, None, False],
        "t": ["a", None, "b"],
        "d": [NOW, None, NOW],
        "z": [NOW.replace(tzinfo=timezone.utc)] * 3,
        "s": [timedelta(1, 2, 3), None, timedelta(0)],
        "y": [NOW.date(), None, NOW.date()],
        "l": [[1], None, [2]],
    }
    table = pa.table(columns)
    assert _digest(table) == _digest(columns)
    assert _digest(table.to_pandas(types_mapper=pd.ArrowDtype)) == _digest(columns)


@needs_arrow
@needs_polars
@pytest.mark.allowed_skip
def test_polars_frames() -> None:
    import polars as pl

    columns = {"i": [1, None, 2**60 + 1], "t": ["a", None, "b"], "d": [NOW, None, NOW]}
    assert _digest(pl.DataFrame(columns)) == _digest(columns)


def test_whatever_converts_to_pandas() -> None:
    frame = _frame()
    assert _digest(SimpleNamespace(to_pandas=lambda: frame)) == _digest(frame)

    def fail() -> None:
        raise ImportError("needs pyarrow")

    with pytest.raises(InvalidInput, match="needs pyarrow"):
        capture.fingerprint(SimpleNamespace(to_pandas=fail))


def test_without_numpy_and_pandas_the_digest_is_the_same(tmp_path: Path) -> None:
    program = (
        "import json, sys; from arangopipe import capture;"
        "print(json.dumps([capture.fingerprint({'a': [1, None], 'b': [0.5, 2], 'c': ['x', 'y']}),"
        "'numpy' in sys.modules or 'pandas' in sys.modules]))"
    )
    found, loaded = _run("-c", program, cwd=tmp_path)
    frame = pd.DataFrame({"a": pd.Series([1, None], dtype="Int64"), "b": [0.5, 2], "c": ["x", "y"]})
    assert found == capture.fingerprint(frame)
    assert not loaded


def test_file_is_streamed(tmp_path: Path) -> None:
    path = tmp_path / "data.bin"
    content = random.Random(0).randbytes((3 << 20) + 7)
    path.write_bytes(content)
    expected = {"algorithm": "sha256-file", "digest": hashlib.sha256(content).hexdigest()}
    assert capture.fingerprint(path) == expected
    assert capture.fingerprint(str(path)) == expected
    assert capture.summarize(path) == {"file": "data.bin", "bytes": len(content)}


@pytest.mark.parametrize("path", ["missing.csv", ".", "a\0b", "x" * 5000])
def test_unreadable_file(path: str) -> None:
    with pytest.raises(InvalidInput, match="cannot read"):
        capture.fingerprint(path)


# --- summaries -----------------------------------------------------------------------------------


def _summary(data: Any) -> Any:
    found = capture.summarize(data)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return found


@pytest.mark.parametrize("name", ["f8", "f4", "i8", "u1", "u8", "Int64", "Float64"])
def test_numbers_as_pandas_has_them(name: str) -> None:
    column = _frame()[name].sample(frac=1, random_state=1)
    for data in (column.to_frame(), {name: column.tolist()}):
        found = _summary(data)["columns"][name]
        assert found["missing"] == column.isna().sum()
        assert found["min"] == column.min()
        assert found["max"] == column.max()
        exact = column.astype("Float64")
        assert found["mean"] == pytest.approx(exact.mean())
        assert found["std"] == pytest.approx(exact.std(), abs=1e-9 if name != "u8" else 1e4)
        assert found["quartiles"] == pytest.approx(exact.quantile([0.25, 0.5, 0.75]).tolist())


@given(st.lists(st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf]), min_size=1))
def test_numbers_in_lists_and_arrays_are_summarised_alike(cells: list[float]) -> None:
    plain = _summary({"a": cells})["columns"]["a"] | {"dtype": "float64"}
    fast = _summary({"a": np.array(cells)})["columns"]["a"]
    assert plain.keys() == fast.keys()
    for name, value in plain.items():
        assert fast[name] == (value if value is None else pytest.approx(value, abs=1e-6))


def test_extreme_numbers() -> None:
    for cells in ([1e308, -1e308, 1e308], [float("inf"), 1.0], [float("-inf"), float("inf")]):
        for data in ({"a": cells}, {"a": np.array(cells)}):
            _summary(data)
    assert _summary({"a": [float("inf"), 1.0]})["columns"]["a"]["max"] is None
    assert _summary({"a": [5]})["columns"]["a"]["std"] is None
    halves = _summary({"a": np.full(1000, 60000, "f2")})["columns"]["a"]
    assert (halves["mean"], halves["std"]) == (60000 - 60000 % 32, 0)


def test_texts_and_categories() -> None:
    texts = [*"aaabbc", "x" * 200, None, "d", "e", "f"]
    for cells in (texts, pd.Series(texts), pd.Series(texts, dtype="category")):
        found = _summary({"a": cells})["columns"]["a"]
        assert found["missing"] == 1
        assert found["distinct"] == 7
        assert found["top"][:3] == [
            {"value": "a", "count": 3},
            {"value": "b", "count": 2},
            {"value": "c", "count": 1},
        ]
        assert len(found["top"]) == 5
    assert _summary({"a": ["x" * 200]})["columns"]["a"]["top"][0]["value"] == "x" * 80
    found = _summary(pd.Series([3, 3, 4], dtype="category", name="a"))["columns"]["a"]
    assert found["top"][0] == {"value": "3", "count": 2}


def test_times_dates_durations_and_booleans() -> None:
    columns = _summary(_frame())["columns"]
    assert columns["time"]["min"] == "2026-01-01T00:00:00.000000"
    assert columns["time"]["max"] == "2026-01-01T06:47:00.000000"
    assert columns["zoned"]["min"] == "2026-03-28T23:00:00.000000Z"
    assert columns["date"]["max"] == "2026-01-12"
    assert columns["duration"]["max"] == pytest.approx(11 * 1.234567)
    assert columns["bool"]["true"] == 0.5
    assert columns["boolean"] == {"dtype": "boolean", "missing": 1, "true": 1.0}
    assert columns["nested"] == {"dtype": "object", "missing": 0}
    plain = _summary(
        {"t": [NOW, None], "z": [NOW.replace(tzinfo=timezone.utc)] * 2, "s": [timedelta(1)] * 2}
    )["columns"]
    assert plain["t"]["min"] == "2026-11-03T12:30:15.123456"
    assert plain["z"]["max"] == "2026-11-03T12:30:15.123456Z"
    assert plain["s"]["mean"] == 86_400


def test_summary_is_bounded() -> None:
    wide = _summary(np.zeros((2, 1001)))
    assert (wide["column_count"], len(wide["columns"]), wide["truncated"]) == (1001, 1000, True)
    assert _summary(_frame())["truncated"] is False


def test_empty_and_all_missing() -> None:
    assert _summary(pd.DataFrame())["rows"] == 0
    assert _summary(_frame().iloc[:0])["columns"]["f8"] == {"dtype": "float64", "missing": 0}
    assert _summary({"a": [None, None]})["columns"]["a"] == {"dtype": "null", "missing": 2}
    assert _summary({"a": np.full(3, np.nan)})["columns"]["a"] == {"dtype": "float64", "missing": 3}


@pytest.fixture
def untouched() -> Iterator[pd.DataFrame]:
    frame = _frame()
    frame.loc[3, "f8"] = -0.0
    before = pickle.dumps(frame)
    yield frame
    assert pickle.dumps(frame) == before


def test_data_is_never_changed(untouched: pd.DataFrame) -> None:
    capture.fingerprint(untouched)
    capture.summarize(untouched)
