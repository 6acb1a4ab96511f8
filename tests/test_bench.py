"""The benchmark runs from end to end on tiny stores, both sides agree, and its page can be made again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BENCH = ROOT / "benchmarks"
GROUPS = {
    *("log", "bulk", "lookup", "lineage", "search", "writers", "http", "start", "pages", "training", "stores")
}

pytestmark = pytest.mark.slow


def run(*arguments: str | Path, **expected: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == expected.get("code", 0), done.stdout + done.stderr
    return done


def test_a_tiny_run_measures_every_group_and_writes_its_page(tmp_path: Path) -> None:
    page, found, kept = tmp_path / "performance.md", tmp_path / "found.json", tmp_path / "kept"
    shutil.copy(ROOT / "docs" / "performance.md", page)
    tiny = ("--quick", "--sizes", "100,200", "--keep", kept, "--work", tmp_path / "work")

    said = run(BENCH / "bench.py", *tiny, "--json", found, "--page", page).stdout
    assert "Arangopipe against hand-written SQL" in said

    results = json.loads(found.read_text())
    assert {line["group"] for line in results["results"]} == GROUPS
    assert {line["size"] for line in results["results"] if line["group"] == "lookup"} == {100, 200}
    conditions = ["well", "locked", "gone", "well", "dead", "hanging", "slow"]
    assert [line["store"] for line in results["trainings"]] == conditions
    healthy, locked, *_ = results["trainings"]
    assert healthy["points"] == healthy["steps"] > 0
    assert locked["points"] == locked["steps"] > 0

    weights = [line for line in results["results"] if line["name"].startswith("weight of ")]
    assert len(weights) == 15
    assert all(line["reached"] for line in weights)

    written = page.read_text()
    assert "| P1 | log_run, durable | 100 |" in written
    assert "performance-bench-growth.svg" in written
    assert "<svg" in (tmp_path / "performance-bench-growth.svg").read_text()
    run(BENCH / "page.py", page, found)
    assert page.read_text() == written


def test_a_load_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    """A store that is there is not loaded again, and a twin that lags behind catches up."""
    code = """
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
from stores import Stores

with Stores(Path(sys.argv[2]), 1_500, 10) as stores:
    parts = stores.load()
    print(next(parts).runs)
with Stores(Path(sys.argv[2]), 1_500, 10) as stores:
    stores.fill_ours(1_001, 100)
with next(Path(sys.argv[2]).glob("load-*.jsonl")).open("a") as journal:
    journal.write('{"runs": 11')
with Stores(Path(sys.argv[2]), 1_500, 10) as stores:
    print([part.runs for part in stores.load()])
    print([part.runs for part in stores.load()])
    stores.compare()
"""
    said = run("-c", code, BENCH, tmp_path).stdout
    assert said.splitlines() == ["1000", "[1000, 1500]", "[1000, 1500]"]


def test_a_group_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    assert "no group is called lokup" in run(BENCH / "bench.py", "--only", "lokup", code=2).stderr
