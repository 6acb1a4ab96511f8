"""The commands that move stores, as a user meets them."""

from __future__ import annotations

from pathlib import Path

import pytest

import arangopipe
from commands import call, given, shell


def test_imported_changes_say_who_made_them(store: Path, tmp_path: Path) -> None:
    with arangopipe.connect("sqlite:///theirs.db", actor="eva", capture=False) as pipe:
        data = pipe.register_dataset("diabetes", source="scikit-learn", summary={"rows": 442})
        pipe.annotate(data, checked=True)
        pipe.admin.export("eva.bundle")
    said = call("import", "eva.bundle").stdout
    assert "Merged 2 changes" in said
    assert "revised differently" in said
    assert "eva (imported by" in call("audit", "log", "--actor", "eva").stdout
    (last, first) = given("audit", "log", "--actor", "eva")["items"]
    assert (first["origin"]["change"], last["origin"]["actor"]) == (1, "eva")
    history = call("history", "dataset:diabetes").stdout
    assert "register datasets, superseded by what is later" in history
    assert "deleted" not in history
    assert [item["superseded"] for item in given("history", "dataset:diabetes")["items"]][-2:] == [
        True,
        False,
    ]
    assert given("show", "dataset:diabetes")["written"]["origin"]["actor"] == "eva"
    assert call("import", "eva.bundle").stdout.endswith("2 known already.\n")


def test_a_file_that_is_no_bundle_makes_no_store(store: Path, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("hello")
    assert "is no bundle" in call("import", "x", "--store", "new.db", code=1).stderr
    assert "there is no file" in call("import", "y", "--store", "new.db", code=1).stderr
    assert not (tmp_path / "new.db").exists()


def test_a_restored_store_answers_as_before(store: Path, tmp_path: Path) -> None:
    before = given("runs")
    assert "verified" in call("backup", "b").stdout
    assert "is there already" in call("backup", "b", code=1).stderr
    for verb in (["backup"], ["export"], ["export", "--salvage"]):
        assert "is the store itself" in call(*verb, "store.db", "--force", code=1).stderr
    call("import", "theirs.bundle")
    assert "there is a store at" in call("restore", "b", code=1).stderr
    kept = given("restore", "b", "--force")["kept"]
    assert given("runs") == before
    assert "theirs" in call("datasets", "--store", kept).stdout
    assert "theirs" not in call("datasets").stdout


def test_a_copy_can_be_repeated(store: Path) -> None:
    first, again = given("copy", "store.db", "copy.db"), given("copy", "store.db", "copy.db")
    assert (first["verbatim"], first["known"]) == (True, 0)
    assert (again["new"], again["known"]) == (0, first["new"])
    assert given("audit", "verify", "--store", "copy.db") == given("audit", "verify")
    assert "there is no store at no.db" in call("copy", "no.db", "copy.db", code=1).stderr
    assert "name two" in call("copy", "store.db", "store.db", code=1).stderr
    call("import", "theirs.bundle", "--store", "copy.db")
    call("import", "theirs.bundle")
    assert "--merge" in call("copy", "store.db", "copy.db", code=1).stderr
    assert given("copy", "store.db", "copy.db", "--merge")["verbatim"] is False


# --- what is left of a damaged store -------------------------------------------------------------


def damage(path: Path) -> None:
    """Overwrite the fourth page, by which no run can be found, and some bytes of one run's document."""
    data = bytearray(path.read_bytes().replace(b"ValueError", bytes(10)))
    data[3 * 4096 : 4 * 4096] = bytes(4096)
    path.write_bytes(data)


@pytest.mark.slow
@pytest.mark.fault
def test_what_a_damaged_store_holds_is_saved(store: Path) -> None:
    before = given("runs", "--columns", "key,params.alpha,metrics.rmse,tag")["items"]
    damage(store)
    bytes_before = store.read_bytes()
    assert "export --salvage" in shell("runs").stderr
    done = shell("export", "rescued.bundle", "--salvage")
    assert (done.returncode, done.stderr) == (0, f"Warning: not all of {store} could be read\n")
    assert "pages that cannot be read: 1 of" in done.stdout
    assert "its document, which is damaged" in done.stdout
    assert store.read_bytes() == bytes_before
    assert not list(store.parent.glob(".rescued*"))
    for arguments in (("import", "rescued.bundle"), ("audit", "verify")):
        assert shell(*arguments, "--store", "new.db").returncode == 0
    after = given("runs", "--columns", "key,params.alpha,metrics.rmse,tag", "--store", "new.db")["items"]
    assert [run for run in after if run["tag"] == "sweep"] == [run for run in before if run["tag"] == "sweep"]
    assert len(after) == len(before)


def test_a_sound_store_is_saved_without_a_warning(store: Path) -> None:
    whole, saved = given("export", "whole.bundle"), given("export", "saved.bundle", "--salvage")
    report = saved.pop("report")
    assert report["whole"]
    assert report["verbatim"] == report["changes"] == whole["changes"]
    assert {**saved, "path": "whole.bundle"}.keys() == whole.keys()
    assert (saved["store"], saved["entries"]) == (whole["store"], whole["entries"])
    assert call("export", "saved.bundle", "--salvage", "--force").stderr == ""


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--store", "none.db"), 1, "there is no file"),
        (("--store", "memory://"), 1, "only a store that is a file can be salvaged"),
        (("--store", "rules.yaml"), 1, "nothing of an Arangopipe store was found in it"),
        (("--project", "diabetes"), 2, "leave --project out"),
        (("--since", "3"), 2, "leave --since out"),
    ],
)
def test_what_cannot_be_salvaged_is_said(
    store: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    assert said in call("export", "x.bundle", "--salvage", *arguments, code=code).stderr
    assert not Path("x.bundle").exists()


def test_a_bundle_that_is_there_is_not_salvaged_over(store: Path) -> None:
    Path("x.bundle").write_text("mine")
    assert "is there already" in call("export", "x.bundle", "--salvage", code=1).stderr
    assert Path("x.bundle").read_text() == "mine"
