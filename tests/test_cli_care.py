"""The commands that look after stores: stats, doctor, stores, upgrade."""

from __future__ import annotations

import csv
import io
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import arangopipe
from arangopipe import ArangopipeWarning, StoreUnavailable
from arangopipe.model import times
from commands import RUNS, call, given
from test_migrations import ADD_COLUMN, NEXT, backups, install, version_of


def rows(*arguments: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(call(*arguments, "--csv").stdout)))


def states(*arguments: str, code: int = 0) -> dict[str, str]:
    """The state of each check of the doctor, by its name."""
    import json

    found = json.loads(call("doctor", *arguments, "--json", code=code).stdout)
    assert found["ok"] is (code == 0)
    return {check["name"]: check["state"] for check in found["checks"]}


# --- stats -------------------------------------------------------------------------------------


def test_stats_count_everything(store: Path) -> None:
    found = given("stats", "--tables")
    assert found["things"]["run"] == RUNS + 2
    assert found["things"]["patient"] == 1
    assert "shard" not in found["things"]
    assert found["runs"]["status"] == {"finished": RUNS + 1, "failed": 1}
    assert found["runs"]["project"] == {"diabetes": RUNS + 2}
    assert sum(found["runs"]["month"].values()) == RUNS + 2
    assert found["points"] == 3
    assert found["changes"] == given("audit", "log", "--limit", "1")["items"][0]["change"]
    assert found["bytes"] >= store.stat().st_size
    with closing(sqlite3.connect(store)) as connection:
        expected = connection.execute("SELECT count(*) FROM node").fetchone()[0]
    assert next(table["rows"] for table in found["tables"] if table["name"] == "node") == expected
    assert sum(table["bytes"] or 0 for table in found["tables"]) <= store.stat().st_size


def test_stats_as_bars_and_as_csv(store: Path) -> None:
    text = call("stats").stdout
    assert "\n  runs                 14  ██████████████████████████████\n" in text
    assert "\n  failed     1  ██▏\n" in text or "\n  failed     1  ██▎\n" in text
    assert {"what": "runs by status", "name": "failed", "number": "1"} in rows("stats")
    for name in ("ann", "bob"):
        call("user", "add", name)
    assert "\n  users " in call("stats").stdout
    assert {"what": "rows of table", "name": "point", "number": "1"} in rows("stats", "--tables")


def test_stats_of_an_empty_store(tmp_path: Path) -> None:
    call("init", "--store", str(tmp_path / "e.db"))
    found = given("stats", "--store", str(tmp_path / "e.db"))
    assert (found["things"], found["changes"], found["last_change"]) == ({}, 0, None)
    assert "Runs by" not in call("stats", "--store", str(tmp_path / "e.db")).stdout


# --- doctor ------------------------------------------------------------------------------------


def test_a_store_in_good_health(store: Path) -> None:
    found = states()
    assert set(found.values()) == {"ok"}
    assert set(found) - set(states("--quick")) == {"structures", "audit chain"}
    text = call("doctor").stdout
    assert text.endswith("\nEverything is all right.\n")
    assert f"SQLite {sqlite3.sqlite_version}" in text
    assert "ARANGOPIPE_URL=" in text
    assert {row["state"] for row in rows("doctor")} == {"ok"}


def test_what_goes_on_in_a_store_is_looked_at(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with arangopipe.connect(f"sqlite:///{store}", capture=False) as pipe:
        pipe.log_run(name="hanging", status="running")
        run = "run/aaaaaaaa-00000003"
        pipe.admin.register_deployment("unwatched", run=run, active_from="2026-01-01T00:00Z")
        pipe.admin.register_deployment("late", run=run, schedule="2026-01-01T00:00Z")
    monkeypatch.setattr("arangopipe.details.STALE_AFTER", timedelta(0))
    found = states()
    assert [name for name, state in found.items() if state == "warn"] == ["runs", "deployments", "schedule"]
    text = call("doctor").stdout
    assert "! runs         1 run said to be running, but silent for ten minutes: hanging\n" in text
    assert "1 live deployment without serving performance: unwatched (since 2026-01-01 00:00)" in text
    assert "→ arangopipe deploy late --activate\n" in text
    assert text.endswith("No check failed; 3 warnings.\n")


def test_a_store_that_was_tampered_with(store: Path) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("DELETE FROM value")
        connection.execute("UPDATE node SET document = '{}' WHERE name = 'ridge'")
    found = states(code=1)
    assert [name for name, state in found.items() if state == "fail"] == ["structures", "audit chain"]
    text = call("doctor", code=1).stdout
    assert "→ arangopipe audit verify\n" in text
    assert text.endswith("2 checks failed.\n")


def test_stores_that_cannot_be_opened(store: Path, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database at all, but long enough to be looked at")
    with store.open("r+b") as file:
        file.truncate(5_000)
    for path, name in (
        (tmp_path / "text.db", "schema"),
        (store, "schema"),
        (tmp_path, "file"),
        (tmp_path / "none.db", "store"),
    ):
        assert states("--store", str(path), code=1)[name] == "fail", path
    assert not (tmp_path / "none.db").exists()
    assert states("--store", "nix://x", code=1)["store"] == "fail"


def test_settings_that_matter_are_told(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARANGOPIPE_DISABLED", "1")
    assert states()["settings"] == "warn"


def test_no_secret_is_among_the_settings(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARANGOPIPE_URL", "postgresql://ann:sesame@127.0.0.1:1/db?password=sesame&schema=s")
    monkeypatch.setenv("ARANGOPIPE_TOKEN", "sesame")
    monkeypatch.setenv("ARANGOPIPE_ADMIN_PASSWORD", "sesame")
    text = call("doctor", "--store", str(store)).stdout
    assert "ARANGOPIPE_URL=postgresql://127.0.0.1:1/db?schema=s," in " ".join(text.split())
    assert "sesame" not in text


def test_what_waits_in_the_spool_is_told(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with arangopipe.connect(f"sqlite:///{store}", capture=False) as pipe:

        def fails(*_: object) -> None:
            raise StoreUnavailable("away")

        monkeypatch.setattr(pipe.store, "write", fails)
        with pytest.warns(ArangopipeWarning, match="away"):
            pipe.log_run(name="waiting")
        assert states("--store", "none.db", code=1)["spool"] == "ok"
    found = call("doctor", "--store", "none.db", code=1).stdout
    assert "! spool        waiting: 1 batch of 1 run\n               → arangopipe spool replay\n" in found
    assert [row["state"] for row in rows("spool", "list")] == ["waits"]
    assert [row["store"] for row in rows("spool", "show")] == [f"sqlite:///{store}"]
    call("spool", "replay")
    assert states("--quick")["spool"] == "ok"


def test_a_full_disk_is_told(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(store.parent)
    for free, state, code in ((1 << 40, "ok", 0), (1 << 29, "warn", 0), (1 << 20, "fail", 1)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: usage._replace(free=free))
        assert states(code=code)["disk"] == state


# --- stores and upgrade ------------------------------------------------------------------------


def test_stores_are_listed(store: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = home / "databases"
    kept.mkdir(parents=True)
    shutil.copy(store, kept / "old one.db")
    (kept / "torn.db").write_text("no database at all, but long enough to be looked at")
    call("init", "--store", "arangopipe.db")
    items: list[dict[str, Any]] = given("stores")["items"]
    assert [(Path(item["store"]).name, item["used"], item["runs"]) for item in items] == [
        ("store.db", True, RUNS + 2),
        ("arangopipe.db", False, 0),
        ("old one.db", False, RUNS + 2),
        ("torn.db", False, None),
    ]
    assert items[3]["state"].startswith(f"{kept / 'torn.db'}: this is not an Arangopipe store")
    assert times.parse(items[0]["last_change"]) <= times.now()
    assert call("stores").stdout.splitlines()[1].startswith(f"*  {store} ")
    assert len(rows("stores")) == 4
    monkeypatch.setenv("ARANGOPIPE_URL", "none.db")
    assert [item["used"] for item in given("stores")["items"]] == [False] * 3


def test_no_stores_at_all(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "You have no store yet." in call("stores").stderr
    assert list(tmp_path.iterdir()) == []
    assert not home.exists()


def test_an_older_store_is_upgraded_when_told(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = version_of(store)
    assert call("upgrade").stdout == f"{store} has schema {now}, which this version writes.\n"
    install(monkeypatch, tmp_path, ADD_COLUMN)
    assert states()["schema"] == "warn"
    assert f"schema {now}: arangopipe upgrade" in call("stores").stdout
    assert "arangopipe upgrade" in call("upgrade", "--check", code=1).stdout
    assert (version_of(store), backups(store)) == (now, [])
    done = given("upgrade")
    (backup,) = backups(store)
    assert (done["from"], done["to"], done["done"], done["backup"]) == (now, NEXT, True, str(backup))
    assert version_of(store) == NEXT
    assert states()["schema"] == "ok"
    monkeypatch.undo()
    monkeypatch.setenv("ARANGOPIPE_URL", f"sqlite:///{store}")
    assert states(code=1)["schema"] == "fail"
    assert "pip install -U arangopipe" in call("upgrade", code=1).stderr
