"""The commands that move stores, as a user meets them."""

from __future__ import annotations

from pathlib import Path

import arangopipe
from commands import call, given


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
