"""The commands about the spool."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from arangopipe import connect
from arangopipe.cli import main
from arangopipe.spool import files as spool
from arangopipe.store import open_store
from test_cli import completed
from test_spool import keep


def call(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["spool", *arguments], prog_name="arangopipe")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def given(*arguments: str, code: int = 0) -> Any:
    return json.loads(call(*arguments, "--json", code=code).stdout)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def waits(url: str, monkeypatch: pytest.MonkeyPatch) -> spool.File:
    """A file of what a program did offline: a dataset, and two runs that use it."""
    with monkeypatch.context() as patch:
        patch.setenv("ARANGOPIPE_OFFLINE", "1")
        with connect(url, actor="ann", capture=False) as pipe:
            data = pipe.register_dataset("patients")
            with pipe.start_run(dataset=data, name="first") as run:
                for step in range(3):
                    run.log_metric("loss", 1.0, step=step)
            pipe.log_run(dataset=data, name="second")
    (file,) = spool.files()
    return file


def runs(url: str) -> set[str]:
    with open_store(url) as store:
        return {node.name for node in store.search("run").items}


def test_what_reads_says_that_something_waits_and_records_nothing(
    url: str, waits: spool.File, capsys: pytest.CaptureFixture[str]
) -> None:
    place = url.removeprefix("sqlite:///")
    said = f"Not all is in {place} yet, some waits in the spool: arangopipe spool replay\n"
    with open_store(url):
        pass

    def listed() -> tuple[str, str]:
        result = CliRunner().invoke(main, ["runs", "--json", "--store", url])
        return result.stdout, result.stderr

    out, error = listed()
    assert (json.loads(out)["items"], error) == ([], said)
    assert "waits in the spool" not in CliRunner().invoke(main, ["doctor", "--store", url]).stderr
    assert "waits in the spool" not in CliRunner().invoke(main, ["runs", "--store", f"{url}2"]).stderr
    assert completed(f"arangopipe show --store {url} dataset:") == []
    assert capsys.readouterr().err == ""
    call("replay")
    out, error = listed()
    assert ({item["name"] for item in json.loads(out)["items"]}, error) == ({"first", "second"}, "")


def test_an_empty_spool() -> None:
    assert call("list").stderr == "Nothing waits.\n"
    assert call("show").stderr == "Nothing waits.\n"
    assert call("replay").stderr == "Nothing waits.\n"
    assert given("list") == given("show") == {"items": []}
    assert given("replay") == {"items": [], "damaged": []}


def test_list_says_what_waits_and_why(waits: spool.File, url: str, tmp_path: Path) -> None:
    (found,) = given("list")["items"]
    assert {name: found[name] for name in ("name", "state", "store", "batches", "runs", "points")} == {
        "name": waits.name,
        "state": "waits",
        "store": url,
        "batches": 4,
        "runs": 2,
        "points": 3,
    }
    assert found["reasons"] == ["ARANGOPIPE_OFFLINE is set"]
    first, second, third = call("list").stdout.splitlines()
    assert first.startswith(f"{waits.name}  waits since 20")
    assert second == f"  4 batches, 2 runs, 3 points for {url}"
    assert third == "  ARANGOPIPE_OFFLINE is set"
    keep(1, f"sqlite:///{tmp_path}/other.db")
    assert len(given("list")["items"]) == 2
    assert [item["store"] for item in given("list", "--store", str(tmp_path / "store.db"))["items"]] == [url]


def test_show_lists_every_batch(waits: spool.File) -> None:
    items = given("show", waits.name)["items"]
    assert [item["batch"]["action"] for item in items] == (
        ["register datasets", "start run", "end run", "log run"]
    )
    shown = call("show").stdout
    assert "dataset patients" in shown
    assert "run first" in shown
    assert ", 3 points" in shown


def test_replay_records_it_once(waits: spool.File, url: str) -> None:
    copy = waits.path.with_suffix(".copy")
    shutil.copy(waits.path, copy)
    assert call("replay").stdout == f"{url}: 4 batches recorded.\n"
    assert runs(url) == {"first", "second"}
    assert not spool.files()
    copy.rename(waits.path)
    (outcome,) = given("replay")["items"]
    assert (outcome["recorded"], outcome["refused"], outcome["error"]) == (4, 0, None)
    with open_store(url) as store:
        assert len(list(store.changes())) == 4


def test_replay_says_what_cannot_be_recorded(waits: spool.File, url: str) -> None:
    with open_store(url):
        pass
    lines = waits.path.read_bytes().splitlines(keepends=True)
    waits.path.write_bytes(b"".join(lines[1:]) + b"nonsense\n")
    said = call("replay", code=1).stdout
    assert "0 batches recorded" in said
    assert "4 batches could not be recorded, and stay" in said
    assert "is not there" in said
    assert "it refers to run/" in said
    assert "the line is damaged" in said
    (found,) = given("list")["items"]
    assert (found["state"], found["damaged"]) == ("refused", 1)
    with connect(url, capture=False) as pipe:
        pipe.register_dataset("patients")
    assert call("replay", code=1).stdout.startswith(f"{url}: 3 batches recorded.\n1 batch could not")
    assert runs(url) == {"first", "second"}


def test_a_store_that_is_still_away_does_not_hold_up_another(
    waits: spool.File, url: str, tmp_path: Path
) -> None:
    keep(1, f"sqlite:///{tmp_path}/none/store.db")
    said = call("replay", code=1).stdout
    assert "The rest waits on: " in said
    assert f"{url}: 4 batches recorded." in said
    assert [item["state"] for item in given("list")["items"]] == ["waits"]


def test_drop_shows_what_it_would_drop_and_asks(waits: spool.File) -> None:
    call("drop", code=2)
    call("drop", waits.name, "--all", code=2)
    assert "nobody can be asked here" in call("drop", waits.name, code=2).stderr
    result = call("drop", waits.name, "--dry-run")
    assert "ARANGOPIPE_OFFLINE is set" in result.stdout
    assert "Nothing was changed" in result.stderr
    assert not given("drop", "--all", "--dry-run")["dropped"]
    assert spool.files()
    (item,) = given("drop", waits.name, "--yes")["items"]
    assert item["batches"] == 4
    assert not spool.files()


def test_what_is_in_use_is_left_alone(url: str) -> None:
    writer = spool.Writer(url, "0" * 36)
    line = next(keep(1, url).lines())
    call("drop", "--all", "--yes")
    writer.append(line.entry)
    assert [item["state"] for item in given("list")["items"]] == ["in use"]
    assert "in use" in call("drop", "--all", "--yes", code=1).stderr
    assert "1 file in use" in call("replay").stderr
    assert runs(url) == set()
    writer.close()
    call("replay")
    assert len(runs(url)) == 1


def test_names_are_checked_and_completed(waits: spool.File) -> None:
    wrong = waits.name[:-3] + "zzz"
    assert f"did you mean '{waits.name}'?" in call("show", wrong, code=3).stderr
    assert completed(f"arangopipe spool drop {waits.name[:3]}") == [waits.name]
