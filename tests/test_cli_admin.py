"""The commands that change what is recorded: they say what they would do, ask, and do it or nothing."""

from __future__ import annotations

import csv
import io
import os
import re
import subprocess
from pathlib import Path

import pytest

import arangopipe
from arangopipe.pipe import ArangoPipe
from commands import ENTRY, RUNS, call, given


@pytest.fixture
def pipe(store: Path) -> ArangoPipe:
    return arangopipe.connect(f"sqlite:///{store}", capture=False)


def placements(tag: str) -> list[tuple[str, str]]:
    rows = given("deployments", "--tag", tag, "--order", "-active_from")["items"]
    return [(row["document"]["status"], row["document"].get("active_to", "")[:4]) for row in rows]


def reasons() -> list[tuple[str, str]]:
    return [(item["action"], item["reason"]) for item in given("audit", "log", "--limit", "2")["items"]]


# --- deploy ------------------------------------------------------------------------------------


def test_deploy_shows_what_it_replaces_and_does_it(store: Path) -> None:
    step = ("deploy", "prod", "--run", "00000009", "--reason", "better")
    looked = call(*step, "--dry-run")
    assert re.search(r"^will serve +00000009 +ridge +base\+s5 +r2 0\.5, rmse 51", looked.stdout, re.MULTILINE)
    assert re.search(r"^ends +00000011 +ridge .* for \d+ days +rmse 64$", looked.stdout, re.MULTILINE)
    assert looked.stderr == "Nothing was changed: --dry-run.\n"
    assert placements("prod") == [("active", ""), ("archived", "2026")]
    assert "of prod is live since" in call(*step, "--yes").stdout
    assert [status for status, _ in placements("prod")] == ["active", "archived", "archived"]
    assert reasons()[0] == ("register deployment", "better")


def test_a_rollback_deploys_what_served_before(store: Path) -> None:
    served = [given("show", "deployment:prod")["edges"]]
    call("deploy", "prod", "--run", "00000009", "--yes")
    done = given("deploy", "prod", "--rollback", "--yes")
    assert (done["action"], done["run"], done["done"]) == ("rollback", "run/aaaaaaaa-00000011", True)
    assert [one["document"]["status"] for one in done["ends"]] == ["active"]
    served.append(given("show", "deployment:prod")["edges"])
    models = [{e["to"] for e in edges if e["kind"] == "deployment_modelparams"} for edges in served]
    assert models[0] == models[1]
    assert "nothing was in service as 'next' before" in call("deploy", "next", "--rollback", code=1).stderr
    assert "did you mean 'prod'?" in call("deploy", "Prdo", "--rollback", code=3).stderr


def test_lists_for_programs_say_what_a_deployment_serves(store: Path) -> None:
    (live, *_) = given("deployments")["items"]
    served = {edge["to"] for edge in given("show", live["id"])["edges"]}
    assert {live["model"], live["featureset"]} <= served
    assert live["run"].replace("run/", "modelparams/") in served
    (row, *_) = csv.DictReader(io.StringIO(call("deployments", "--csv").stdout))
    assert [row[name] for name in ("id", "run", "model")] == [live["id"], live["run"], live["model"]]


def test_a_deployment_is_planned_activated_and_ended(store: Path) -> None:
    assert given("deploy", "new", "--run", "00000003", "--schedule", "2099-01-01", "--yes")["action"] == (
        "schedule"
    )
    assert "is scheduled" not in call("deploy", "new", "--activate", "--yes").stdout
    assert placements("new") == [("active", "")]
    call("deploy", "new", "--run", "00000002", "--keep", "--yes")
    assert placements("new") == [("active", ""), ("active", "")]
    assert "2 deployments of 'new' are active" in call("deploy", "new", "--archive", "--yes", code=1).stderr
    assert "is called off" in call("deploy", "next", "--archive", "--yes").stdout
    assert placements("next") == [("archived", "")]


def test_a_deployment_may_have_taken_effect_before(store: Path) -> None:
    call("deploy", "prod", "--run", "00000003", "--at", "2026-05-01", "--yes")
    assert [
        row["document"]["active_from"][:10]
        for row in given("deployments", "--live-at", "2026-06-01")["items"]
    ] == ["2026-05-01"]
    result = call("deploy", "prod", "--run", "00000003", "--at", "2026-04-01", "--yes", code=1)
    assert "overlaps" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["prod"], 3, "no run carries the tag 'prod'"),
        (["sweep"], 1, "12 runs carry the tag 'sweep'"),
        (["prod", "--run", "dataset:diabetes"], 1, "is no run"),
        (["prod", "--run", "nix"], 3, "nothing is called 'nix'"),
        (["nix", "--archive"], 3, "nothing is deployed as 'nix'"),
        (["prod", "--activate"], 1, "none of prod is scheduled"),
        (["prod", "--run", "00000003", "--archive"], 2, "choose one of --run, --archive"),
        (["prod", "--archive", "--keep"], 2, "--keep does not go with --archive"),
        (["prod", "--activate", "--schedule", "2099-01-01"], 2, "--schedule goes with --run alone"),
        (["prod", "--run", "00000003"], 2, "nobody can be asked here: say --yes"),
        (["prod", "--run", "00000003", "--at", "2099-01-01", "--yes"], 1, "lies ahead"),
    ],
)
def test_what_cannot_be_deployed(store: Path, arguments: list[str], code: int, said: str) -> None:
    before = given("audit", "log")
    assert said in call("deploy", *arguments, code=code).stderr
    assert given("audit", "log") == before


@pytest.mark.slow
@pytest.mark.parametrize("answer", ["y", "n"])
def test_a_person_is_asked(store: Path, answer: str) -> None:
    pty = pytest.importorskip("pty")
    mine, theirs = pty.openpty()
    command = [*ENTRY, "deploy", "prod", "--archive"]
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        os.write(mine, f"{answer}\n".encode())
        said, _ = process.communicate(timeout=60)
    os.close(mine)
    os.close(theirs)
    assert b"Do it? [y/N]" in said
    assert process.returncode == (0 if answer == "y" else 1)
    assert placements("prod")[0][0] == ("archived" if answer == "y" else "active")
    assert (b"Nothing was changed." in said) is (answer == "n")


def test_what_was_shown_is_what_is_done(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else deploys while the question stands."""

    def confirm(*_: object, **__: object) -> bool:
        with arangopipe.connect(f"sqlite:///{store}") as pipe:
            pipe.admin.register_deployment("prod", run="run/aaaaaaaa-00000003")
        return True

    monkeypatch.setattr("arangopipe.cli.serving.proceed", lambda *_: confirm())
    result = call("deploy", "prod", "--run", "00000009", code=1)
    assert "what serves as 'prod' changed while you were asked" in result.stderr
    assert given("show", "deployment:prod")["document"]["status"] == "active"


# --- delete ------------------------------------------------------------------------------------


def test_what_is_in_service_is_not_deleted_unless_forced(store: Path) -> None:
    for more in ([], ["--yes"], ["--dry-run"], ["--json", "--yes"]):
        result = call("delete", "dataset:diabetes", *more, code=1)
        assert re.search(r"'prod' depends on it and is live", result.stderr)
        assert re.search(r"'next' depends on it and is scheduled", result.stderr)
    assert "needs a --reason" in call("delete", "dataset:diabetes", "--force", code=2).stderr
    looked = call("delete", "dataset:diabetes", "--force", "--reason", "by law", "--dry-run").stdout
    assert "although deployment/" in looked
    given("show", "dataset:diabetes")
    call("delete", "dataset:diabetes", "--force", "--reason", "by law", "--yes")
    call("show", "dataset:diabetes", code=3)
    assert reasons()[0] == ("delete", "by law")
    assert given("show", "dataset:diabetes", "--as-of", "25")["document"]


def test_deleting_and_erasing_a_run(store: Path) -> None:
    result = call("delete", "00000003", "--reason", "wrong", "--yes")
    assert result.stdout.startswith(
        "Delete run 00000003  r2 0.5, rmse 57\n  with 5 links and what it recorded\n"
    )
    assert re.search(r"Deleted run/aaaaaaaa-00000003 with change \d+\.\n", result.stdout)
    call("show", "run/aaaaaaaa-00000003", code=3)
    assert len(given("history", "run/aaaaaaaa-00000003")["items"]) == 2
    done = given("delete", "00000004", "--erase", "--reason", "a name", "--yes")
    assert done["done"]
    assert done["erased"]
    assert given("history", "run/aaaaaaaa-00000004")["items"][0]["document"] == {}
    assert given("audit", "verify")["ok"]
    assert given("delete", "00000005", "--dry-run")["change"] is None
    assert given("show", "00000005")["key"] == "aaaaaaaa-00000005"


# --- retain ------------------------------------------------------------------------------------


def test_retain_shows_what_would_go_and_what_stays(store: Path) -> None:
    result = call("retain", "rules.yaml")
    assert result.stdout.startswith("Goes  8 things\n  failed runs  1  ████▎\n  old sweeps   7  ████")
    assert re.search(r"^run +broken +run/\S+ +\d{4}-.* +failed runs$", result.stdout, re.MULTILINE)
    assert "\nStays  5 things\n  among the last 5  5  " in result.stdout
    assert result.stderr == "Nothing was changed. Do it: --apply\n"
    rows = list(csv.DictReader(io.StringIO(call("retain", "rules.yaml", "--csv").stdout)))
    assert [row["goes"] for row in rows] == ["True"] * 8 + ["False"] * 5
    assert given("retain", "--kind", "run", "--keep", "13")["goes"][0]["why"] == "run: but the last 13"
    assert "Nothing goes." in call("retain", "--kind", "dataset", "--unused").stdout
    call("show", "run:broken")


def test_retain_does_it_when_told(store: Path) -> None:
    assert "nobody can be asked" in call("retain", "rules.yaml", "--apply", code=2).stderr
    assert "needs a --reason" in call("retain", "rules.yaml", "--apply", "--erase", "--yes", code=2).stderr
    done = call("retain", "rules.yaml", "--apply", "--yes", "--reason", "weekly").stdout
    assert done.endswith("\nDeleted 8 things in 1 change.\n")
    assert reasons()[0] == ("retention", "weekly")
    assert len(given("runs")["items"]) == RUNS + 2 - 8
    assert given("retain", "--kind", "run", "--keep", "0", "--apply", "--yes")["done"] is True
    # What serves and what is to serve.
    assert sorted(run["key"] for run in given("runs")["items"]) == ["aaaaaaaa-00000009", "aaaaaaaa-00000011"]
    assert given("audit", "verify")["ok"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "name a FILE of rules, or say of which --kind"),
        (["rules.yaml", "--older-than", "1d"], 2, "--older-than makes a rule of its own"),
        (["none.yaml"], 1, "none.yaml: No such file"),
        (["--kind", "run"], 1, "lets every run go"),
        (["--kind", "run", "--where", "status ="], 1, "at position"),
        (["--kind", "project", "--keep", "0"], 1, "belong to others"),
        (["--kind", "rnu", "--keep", "0"], 1, "did you mean 'run'"),
    ],
)
def test_what_cannot_be_retained(store: Path, arguments: list[str], code: int, said: str) -> None:
    assert said in call("retain", *arguments, code=code).stderr
