"""The command line: what it prints, how it fails, and that it is kind to pipes and terminals."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import arangopipe
from arangopipe.cli import main
from arangopipe.cli.options import Verb
from arangopipe.cli.tables import Column, show_table
from arangopipe.cli.terminal import Terminal
from arangopipe.cli.walks import Branch, Walk
from arangopipe.model.graph import Edge, Graph, Node
from arangopipe.model.vocabulary import EDGE_KINDS, RESERVED_EDGES, Vocabulary
from arangopipe.phrases import PHRASES
from commands import ENTRY, RUNS, call, given, shell


def verbs(group: click.Group = main, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Verb]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from verbs(command, (*before, name))
        else:
            assert isinstance(command, Verb)
            yield (*before, name), command


VERBS = dict(verbs())
READS = {
    "projects": (),
    "datasets": (),
    "featuresets": (),
    "models": (),
    "runs": (),
    "deployments": (),
    "search": ("servingperf",),
    "show": ("dataset:diabetes",),
    "lineage": ("model:ridge",),
    "impact": ("dataset:diabetes",),
    "history": ("dataset:diabetes",),
    "audit log": (),
}
LISTS = list(READS)[:7]

# --- help --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_help_is_complete(path: tuple[str, ...]) -> None:
    text = call(*path, "-h").stdout
    command = VERBS[path]
    assert text == call(*path, "--help").stdout
    assert command.examples
    assert set(command.see) <= {" ".join(path) for path in VERBS}
    assert text.index("Examples:") < text.index("Exit codes:")
    assert all(example in text for example in command.examples)
    assert all(o.help for o in command.params if isinstance(o, click.Option))
    options = {option for parameter in command.params for option in parameter.opts}
    assert "--store" in options
    assert "--json" in options or path == ("completion",)
    assert ("--as-of" in options) is (" ".join(path) in READS or path[0] in ("ask", "compare"))
    assert not {"--dry-run", "--apply"} & options or "--yes" in options


def test_help_of_all() -> None:
    text = call("--help").stdout
    assert all(f"\n  {path[0]} " in text for path in VERBS)
    assert "Exit codes:" in text
    assert text.count("...") == 1, "the first line of a command's help is too long"
    assert call().stdout == text
    assert call("help").stdout == text
    assert call("help", "audit", "log").stdout == call("audit", "log", "--help").stdout
    assert "no such command 'nix'" in call("help", "nix", code=2).stderr
    assert call("--version").stdout == f"arangopipe {arangopipe.__version__}\n"


OTHERS = {("demo",), ("serve",), ("ui",)}
"""What has tests of its own, and goes on until it is stopped or takes long."""


@pytest.mark.parametrize(
    "example", [line for path, command in VERBS.items() if path not in OTHERS for line in command.examples]
)
def test_examples_work(store: Path, example: str) -> None:
    program, *arguments = shlex.split(re.split(r" [<>] (?=\S+$)", example)[0])
    assert program == "arangopipe"
    given = "SELECT 1\n" if "sql" in example else "a long sentence\n"
    call(*arguments, input=given if " < " in example else None)


def test_help_loads_neither_rich_nor_the_store() -> None:
    code = (
        "import sys; from arangopipe.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'rich', 'sqlalchemy', 'lark', 'numpy'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


# --- JSON and time -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", READS)
def test_every_read_gives_one_json_document(store: Path, name: str) -> None:
    found = given(*name.split(), *READS[name])
    assert isinstance(found, dict)
    if name in LISTS or name == "audit log":
        assert set(found) == {"items", "cursor"}
        assert found["items"]


@pytest.mark.parametrize("name", READS)
def test_every_read_can_be_asked_about_the_past(store: Path, name: str) -> None:
    call(*name.split(), *READS[name], "--as-of", "2026-01-01", code=0 if name in [*LISTS, "audit log"] else 3)
    assert given(*name.split(), *READS[name], "--as-of", "25")


def test_the_past_is_shown_as_it_was_recorded(store: Path) -> None:
    assert given("show", "dataset:diabetes")["document"]["owner"] == "bob"
    assert "owner" not in given("show", "dataset:diabetes", "--as-of", "2")["document"]
    assert len(given("runs", "--as-of", "7")["items"]) == 2
    assert "There were no runs then." in call("runs", "--as-of", "1").stderr


# --- lists -------------------------------------------------------------------------------------


def test_runs_as_a_table(store: Path) -> None:
    lines = call("runs", "tag = 'sweep'", "--order", "metrics.rmse", "--limit", "2").stdout.splitlines()
    headings = ["run", "status", "model", "featureset", "r2", "rmse", "started", "took", "dataset", "tag"]
    assert lines[0].split() == [*headings, "project"]
    assert lines[1].split()[:6] == ["00000011", "finished", "ridge", "base+s5", "0.50000", "49.000"]
    assert not any(line.endswith(" ") for line in lines)


def test_conditions_add_up(store: Path) -> None:
    arguments = ("runs", "tag = 'sweep'", "--where", "metrics.rmse < 55", "--where", "params.alpha < 2")
    assert {item["key"][-2:] for item in given(*arguments)["items"]} == {"06", "07"}
    assert (
        given("runs", "--project", "diabetes", "--where", "model.name = 'ridge' and tag = 'x'")["items"] == []
    )


def test_pages_follow_each_other(store: Path) -> None:
    found, cursor = [], None
    while True:
        page = given("runs", "--limit", "5", *(["--cursor", cursor] if cursor else []))
        found += [item["id"] for item in page["items"]]
        if (cursor := page["cursor"]) is None:
            break
    assert len(found) == len(set(found)) == RUNS + 2
    hint = call("runs", "--limit", "5").stderr
    match = re.search(r"5 of 14\. The next page: (--cursor \S+)", hint)
    assert match
    assert len(call("runs", "--limit", "5", *shlex.split(match[1])).stdout.splitlines()) == 6


def test_chosen_columns(store: Path) -> None:
    columns = "key,params.alpha,model.name,metrics.rmse"
    arguments = ("runs", "tag = 'sweep'", "--order", "-params.alpha", "--limit", "1", "--columns", columns)
    row = {"key": "aaaaaaaa-00000011", "params.alpha": 2.75, "model.name": "ridge", "metrics.rmse": 49.0}
    assert given(*arguments)["items"] == [{"id": "run/aaaaaaaa-00000011", **row}]
    assert list(csv.reader(io.StringIO(call(*arguments, "--csv").stdout))) == [
        [*row],
        [*map(str, row.values())],
    ]
    assert call(*arguments).stdout.splitlines()[0].split() == list(row)
    assert call("runs", "--columns", '"a,b",name').stdout.splitlines()[0].split() == ['"a,b"', "name"]


def test_csv_of_everything(store: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(call("runs", "--csv").stdout)))
    assert len(rows) == RUNS + 2
    assert rows[0].keys() >= {"id", "status", "params.alpha", "metrics.rmse"}


def test_what_is_sorted_by_is_shown(store: Path) -> None:
    assert "params.alpha" in call("runs", "--order", "params.alpha").stdout.splitlines()[0]


def test_narrow_terminals_get_fewer_columns(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    result = call("runs", "--order", "metrics.rmse")
    assert max(map(len, result.stdout.splitlines())) <= 50
    assert "rmse" in result.stdout.splitlines()[0]
    assert re.search(r"Not shown for lack of width: .*project", result.stderr)


def test_a_column_too_wide_leaves_its_room_to_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    columns = [Column("wide", ["w" * 18], 1), Column("name", ["prod"], 0), Column("n", [1], 2)]
    show_table(Terminal(), columns)
    assert capsys.readouterr() == ("name  n\nprod  1\n", "Not shown for lack of width: wide\n")


def test_what_must_be_shown_is_cut_where_it_does_not_fit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    show_table(Terminal(), [Column("a", ["x" * 30, "z"], 0), Column("b", ["y" * 30, "z"], 0)])
    assert capsys.readouterr().out.splitlines()[1] == f"{'x' * 18}…  {'y' * 18}…"


def test_empty_lists_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARANGOPIPE_URL", f"sqlite:///{tmp_path}/new.db")
    call("init")
    for name in LISTS[:6]:
        result = call(name)
        assert result.stdout == ""
        assert re.search(r"No \w+ yet\. \w+", result.stderr), name


def test_no_match_is_told_from_nothing_there(store: Path) -> None:
    assert call("runs", "metrics.rmse < 0").stderr == "No match among 14 runs.\n"
    mistyped = call("runs", "metrics.rsme < 0").stderr
    assert "No run has 'metrics.rsme'; did you mean 'metrics.rmse'" in mistyped
    assert "No run has 'metrics.rsme'" in call("runs", "--columns", "name,metrics.rsme").stderr
    assert "No run has 'metrics.rsme'; did you mean" in call("runs", "--order", "metrics.rsme").stderr


def test_stale_runs_are_marked(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with arangopipe.connect(f"sqlite:///{store}", capture=False) as pipe:
        pipe.log_run(name="hanging", status="running")
        assert "  running  " in call("runs", "name = 'hanging'").stdout
        monkeypatch.setattr("arangopipe.details.STALE_AFTER", timedelta(0))
        assert "  stale  " in call("runs", "name = 'hanging'").stdout
        assert "stale" in call("show", "run:hanging").stdout
        assert given("show", "run:hanging")["stale"] is True
        assert [run["stale"] for run in given("runs", "name in ('hanging', 'curve')")["items"]].count(
            True
        ) == 1


def test_own_kinds_are_listed_and_shown(store: Path) -> None:
    assert "p-1" in call("search", "patient", "age > 50").stdout
    assert given("show", "p-1")["document"] == {"age": 51}
    assert given("show", "patient:p-1")["kind"] == "patient"


# --- one thing ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ref",
    ["model:ridge", "models:ridge", "ridge", "ridge@1", "model:ridge@1"],
)
def test_names_are_found_in_any_project(store: Path, ref: str) -> None:
    assert given("show", ref)["id"].startswith("models/")


def test_what_a_table_shows_names_a_run(store: Path) -> None:
    assert given("show", "00000003")["key"] == "aaaaaaaa-00000003"
    assert given("show", "run:00000003")["key"] == "aaaaaaaa-00000003"
    result = call("show", "aaaaaaaa", code=3)
    assert result.stderr.startswith("Error: nothing is called 'aaaaaaaa'")


def test_ambiguous_names_are_refused_with_the_candidates(store: Path) -> None:
    result = call("show", "diabetes", code=1)
    assert "project/" in result.stderr
    assert "datasets/" in result.stderr


def test_show(store: Path) -> None:
    text = call("show", "dataset:diabetes").stdout
    assert text.startswith("dataset diabetes\n")
    assert re.search(r"written +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC by ann: annotate, change \d+\n", text)
    assert re.search(r"^owner +bob$", text, re.MULTILINE)
    assert "made into featureset base+s5  2 columns\n" in text
    assert "… and 9 more\n" in text
    text = call("show", "run:curve").stdout
    assert re.search(r"loss +3 points, 1\.0000 to 3\.0000, last 1\.0000 at step 2", text)
    text = call("show", "run:broken").stdout
    assert "run broken  failed\n" in text
    assert re.search(r"^type: +ValueError$|^type: ValueError$", text, re.MULTILINE)


def test_control_characters_do_not_reach_the_terminal(store: Path) -> None:
    with arangopipe.connect(f"sqlite:///{store}", capture=False) as pipe:
        pipe.register_dataset("evil\x1b[2J", note="a\x1b]0;title\x07b\nc\x9bd", **{"na\x1bme": 1})
        pipe.log_run(name="evil\x1b[2J", dataset="evil\x1b[2J", tag="\x1b[31m")
    asked = ["datasets", "runs", "audit log", *(f"{verb} REF" for verb in ("show", "lineage", "history"))]
    for arguments in (
        line.replace("REF", "dataset:evil\x1b[2J").split() for line in [*asked, "show \x1b[2J"]
    ):
        output = CliRunner().invoke(main, arguments).output
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", output), arguments


def test_history(store: Path) -> None:
    text = call("history", "dataset:diabetes").stdout
    assert "  + owner ann\n" in text
    assert "(asked by audit)" in text
    assert "  ~ owner ann → bob\n" in text
    assert "  ~ summary.rows 442 → 443\n" in text
    assert "  - source scikit-learn\n" in text
    items = given("history", "dataset:diabetes")["items"]
    assert [len(item["differences"]) for item in items] == [2, 1, 3]
    assert len(given("history", "dataset:diabetes", "--as-of", str(items[1]["change"]))["items"]) == 2


def test_deleted_things_have_a_history(store: Path) -> None:
    with arangopipe.connect(f"sqlite:///{store}") as pipe:
        (node,) = pipe.store.find("datasets", "gone", as_of=pipe.store.head().number - 1)  # type: ignore[union-attr]
    assert call("show", node.id, code=3)
    text = call("history", node.id).stdout
    assert "deleted (by mistake)" in text
    assert [item["deleted"] for item in given("history", node.id)["items"]] == [False, True]


# --- lineage -----------------------------------------------------------------------------------


def test_lineage_of_a_deployment(store: Path) -> None:
    assert call("lineage", "deployment:prod").stdout == (
        "deployment prod live since 2026-03-01 00:00\n"
        "├── came from\n"
        "│   └── serves run 00000011  model ridge · r2 0.5, rmse 49\n"
        "│       └── used featureset base+s5  2 columns\n"
        "│           └── made from dataset diabetes  443 rows\n"
        "└── led to\n"
        "    └── serving 2026-04-01 → 2026-04-08  all · rmse 64\n"
    )


def test_lineage_groups_and_puts_what_is_live_first(store: Path) -> None:
    result = call("lineage", "model:ridge", "--down")
    lines = result.stdout.splitlines()
    assert lines[1] == "├── trained by run 00000011  r2 0.5, rmse 49"
    assert lines[2] == "│   └── served by deployment prod live since 2026-03-01 00:00"
    assert lines[-1] == "└── … and 10 more runs"
    assert "14 runs" in result.stderr
    whole = call("lineage", "model:ridge", "--down", "--all")
    assert whole.stdout.count("trained by run") == RUNS + 2
    assert "--all" not in whole.stderr


def test_lineage_bounds_and_forms(store: Path) -> None:
    assert "serving" not in call("lineage", "model:ridge", "--down", "--depth", "1").stdout
    assert "nothing recorded" in call("lineage", "dataset:diabetes", "--up").stdout
    both, up, down = (given("lineage", "run/aaaaaaaa-00000011", *way) for way in ([], ["--up"], ["--down"]))
    ids = [{node["id"] for node in graph["nodes"]} for graph in (both, up, down)]
    assert ids[0] == ids[1] | ids[2]
    assert call("lineage", "deployment:prod", "--mermaid").stdout.startswith("flowchart LR\n")


def test_every_edge_has_words() -> None:
    assert set(PHRASES) == {*EDGE_KINDS, *RESERVED_EDGES}


def test_a_tree_leaves_out_what_a_longer_way_says() -> None:
    def graph(*pairs: tuple[str, str]) -> Graph:
        names = dict.fromkeys(name for pair in pairs for name in pair)
        nodes = {f"thing/{name}": Node("thing", name, name) for name in names}
        edges = tuple(Edge("needs", f"thing/{a}", f"thing/{b}") for a, b in pairs)
        return Graph(("thing/a",), nodes, dict.fromkeys(nodes, 1), edges, {"needs": "from"})

    def words(branch: Branch) -> Any:
        return {child.node.key + "*" * child.again: words(child) for child in branch.below}

    vocabulary = Vocabulary().with_node_kind("thing").with_edge_kind("needs", "thing", "thing", "from")
    for pairs, tree in (
        ([("a", "b"), ("b", "c"), ("a", "c")], {"b": {"c": {}}}),
        (
            [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("d", "e")],
            {"b": {"d": {"e": {}}}, "c": {"d*": {}}},
        ),
        ([("a", "b"), ("b", "c"), ("c", "b"), ("a", "c")], {"b": {"c*": {}}, "c": {"b*": {}}}),
        ([("a", "b"), ("b", "a")], {"b": {}}),
    ):
        assert words(Walk(graph(*pairs), "upstream", vocabulary).tree()) == tree, pairs


def test_long_chains_are_cut(store: Path) -> None:
    with arangopipe.connect(f"sqlite:///{store}") as pipe:
        pipe.admin.register_edge_kind("follows", "patient", "patient", "from")
        for number in range(2, 103):
            pipe.admin.register("patient", f"p-{number}")
            pipe.link(f"patient:p-{number}", f"patient:p-{number - 1}", "follows")
    text = call("lineage", "p-102", "--up").stdout
    assert "follows patient p-42  … and deeper" in text.splitlines()[-1]


def test_impact_names_what_is_live_first(store: Path) -> None:
    text = call("impact", "dataset:diabetes").stdout
    assert (
        text.index("\nLive  1 deployment")
        < text.index("\nScheduled  1 deployment")
        < text.index("Depends on it")
    )
    assert "rmse 64" in text
    assert "  2 featuresets  base, base+s5\n" in text
    assert "Nothing live or scheduled" in call("impact", "featureset:base", "--as-of", "19").stdout
    found = given("impact", "dataset:diabetes")
    assert [item["document"]["tag"] for item in found["live"]] == ["prod"]


def test_deployments(store: Path) -> None:
    rows = [line.split() for line in call("deployments").stdout.splitlines()[1:]]
    assert [row[1:3] for row in rows] == [["prod", "live"], ["next", "scheduled"], ["prod", "archived"]]
    assert [
        row["document"]["status"] for row in given("deployments", "--live-at", "2026-02-01")["items"]
    ] == ["archived"]
    assert given("deployments", "--live-at", "2025-01-01")["items"] == []
    table = call("deployments", "--order", "note, active_from desc").stdout.splitlines()
    assert [line.split()[1] for line in table] == ["tag", "prod", "prod", "next"]
    assert len(given("deployments", "--tag", "prod")["items"]) == 2


# --- the record --------------------------------------------------------------------------------


def test_audit_log(store: Path) -> None:
    assert call("audit", "log", "--limit", "1").stdout.splitlines()[1].split()[-6:-1] == [
        *("delete", "dataset", "gone", "by", "mistake")
    ]
    assert [item["things"] for item in given("audit", "log", "--kind", "deployment")["items"]] == [
        {"deployment": 1}, {"deployment": 2}, {"deployment": 1}
    ]  # fmt: skip
    assert given("audit", "log", "--actor", "nobody")["items"] == []
    assert [item["action"] for item in given("audit", "log", "--reason", "by MISTAKE")["items"]] == ["delete"]
    deployed = given("audit", "log", "--thing", "deployment:prod")["items"]
    assert deployed
    assert all("deployment" in item["things"] for item in deployed)
    call("audit", "log", "--thing", "dataset:nowhere", code=3)
    assert [item["change"] for item in given("audit", "log", "--since", "3", "--until", "4")["items"]] == [
        4,
        3,
    ]
    first = given("audit", "log", "--action", "log run", "--limit", "10")
    rest = given("audit", "log", "--action", "log run", "--cursor", str(first["cursor"]))
    assert len(first["items"]) + len(rest["items"]) == RUNS + 1


def test_audit_verify(store: Path) -> None:
    assert re.match(
        r"The record is intact: \d+ changes verified\.\nhead [0-9a-f]{64}\n", call("audit", "verify").stdout
    )
    with closing(sqlite3.connect(store)) as connection, connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            for column in {"document", "text"} & set(columns):
                connection.execute(
                    f"UPDATE {table} SET {column} = replace({column}, 'scikit-learn', 'scikit-lern')"
                )
    result = call("audit", "verify", code=1)
    assert "The record is broken" in result.stdout
    assert re.search(r"First bad entry: change 2, .*datasets/", result.stdout)
    assert json.loads(call("audit", "verify", "--json", code=1).stdout)["ok"] is False


def test_init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = call("init", "--store", "a b.db", "--project", "x", "--description", "about x").stdout
    assert first.startswith("Made a store: a b.db\nProject 'x' is registered.\n")
    assert "arangopipe runs --store 'a b.db'" in first
    again = call("init", "--store", "a b.db", "--project", "x").stdout
    assert again.startswith("There is a store already: a b.db\nProject 'x' is registered already.\n")
    assert given("projects", "--store", "a b.db")["items"][0]["document"] == {"description": "about x"}
    made = {"store": "sqlite:///c.db", "created": True, "project": None, "admin": None}
    assert given("init", "--store", "c.db") == made


# --- errors ------------------------------------------------------------------------------------


def test_reading_makes_no_store(tmp_path: Path, home: Path) -> None:
    path = tmp_path / "none.db"
    for name, arguments in READS.items():
        result = call(*name.split(), *arguments, "--store", str(path), code=1)
        assert f"there is no store at {path}\nMake one with 'arangopipe init --store {path}'" in result.stderr
    assert not list(tmp_path.iterdir())
    assert not home.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (["show", "dataset:nix"], 3, "NotFound"),
        (["show", "nix"], 3, "NotFound"),
        (["runs", "--project", "nix"], 3, "NotFound"),
        (["runs", "metrics.rmse <"], 1, "FilterSyntaxError"),
        (["runs", "--order", "a b c"], 1, "FilterSyntaxError"),
        (["runs", "--columns", "a b"], 1, "FilterSyntaxError"),
        (["search", "nix"], 1, "InvalidInput"),
        (["runs", "--cursor", "x"], 1, "InvalidInput"),
        (["runs", "--store", "nix://x"], 1, "InvalidInput"),
        (["runs", "--nix"], 2, "UsageError"),
        (["runs", "--limit", "0"], 2, "UsageError"),
        (["show"], 2, "UsageError"),
        (["show", "ridge", "--as-of", "yesterday"], 2, "UsageError"),
        (["rnus"], 2, "UsageError"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_errors(store: Path, arguments: list[str], code: int, kind: str) -> None:
    result = call(*arguments, code=code)
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    result = call(*arguments, "--json", code=code)
    error = json.loads(result.stderr)["error"]
    assert error["type"] == kind
    assert error["message"]
    assert result.stdout == ""


def test_unknown_commands_are_answered_with_near_ones(store: Path) -> None:
    assert "did you mean 'runs'?" in call("rnus", code=2).stderr
    assert "no such command 'Verfy'; did you mean 'verify'?" in call("audit", "Verfy", code=2).stderr


@pytest.mark.parametrize("start", ["", "漢字 = 1 and ", "a = 1\n and ", "\tb = 2 and "])
def test_the_caret_stands_under_the_mistake(store: Path, start: str) -> None:
    from rich.cells import cell_len

    *_, line, caret = call("runs", f"{start}x <", code=1).stderr.rstrip("\n").split("\n")
    assert cell_len(caret) == cell_len(line) + 1
    assert caret.endswith("^")


# --- terminals and pipes -----------------------------------------------------------------------


@pytest.mark.slow
def test_colours_can_be_switched_off(store: Path) -> None:
    coloured = shell("runs", "--limit", "1", FORCE_COLOR="1", TERM="xterm-256color")
    assert "\x1b[" in coloured.stdout
    for arguments, environment in ((["--no-color"], {}), ([], {"NO_COLOR": "1"})):
        done = shell("runs", *arguments, FORCE_COLOR="1", TERM="xterm-256color", **environment)
        assert done.returncode == 0
        assert "\x1b[" not in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [("runs", "--csv"), ("search", "run", "--json"), ("lineage", "ridge", "--all")]
)
def test_a_reader_may_go_away(store: Path, arguments: tuple[str, ...]) -> None:
    with arangopipe.connect(f"sqlite:///{store}", capture=False) as pipe:
        pipe.log_runs(
            {"name": "x" * 90, "model": pipe.get("models/" + pipe.search("models")[0].key)}
            for _ in range(2_000)
        )
    process = subprocess.Popen(
        [*ENTRY, *arguments, *(["--limit", "10000"] if "lineage" not in arguments else [])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": ""},  # with it, Python drops what it cannot write
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    with process.stderr:
        said = process.stderr.read()
    assert process.wait(60) == 1
    assert not re.search("Traceback|Broken|Exception", said)


@pytest.mark.slow
def test_output_that_cannot_be_written_is_an_error_and_one_that_nobody_wants_is_not(store: Path) -> None:
    line = shlex.join([*ENTRY, "runs", "--json"])
    full = subprocess.run(["sh", "-c", f"{line} > /dev/full"], capture_output=True, text=True, check=False)
    assert (full.returncode, full.stdout) == (1, "")
    assert full.stderr == "Error: standard output cannot be written: No space left on device\n"
    closed = subprocess.run(["sh", "-c", f"{line} >&-"], capture_output=True, text=True, check=False)
    assert (closed.returncode, closed.stdout, closed.stderr) == (0, "", "")


@pytest.mark.slow
def test_exit_codes_and_encodings_of_the_real_program(store: Path) -> None:
    assert shell("show", "nix").returncode == 3
    assert shell("runs", "--nix").returncode == 2
    assert shell("runs", "x <").returncode == 1
    done = shell("lineage", "deployment:prod", PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert done.returncode == 0
    assert "serves run" in done.stdout


# --- completion --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_scripts(name: str) -> None:
    script = call("completion", name).stdout
    assert "_ARANGOPIPE_COMPLETE" in script
    assert script.endswith("\n")
    if shutil.which(name):
        subprocess.run([name, "-n"], input=script, text=True, check=True, timeout=60)


def completed(line: str) -> list[str]:
    from click.shell_completion import get_completion_class, split_arg_string

    class_ = get_completion_class("fish")
    assert class_ is not None
    *words, last = split_arg_string(line)[1:] + ([""] if line.endswith(" ") else [])
    return [item.value for item in class_(main, {}, "arangopipe", "X").get_completions(words, last)]


def test_completion_of_references_and_attributes(store: Path) -> None:
    assert "lineage" in completed("arangopipe li")
    assert completed("arangopipe show mod") == ["model:", "modelparams/"]
    assert completed("arangopipe show dataset:di") == ["dataset:diabetes"]
    assert completed("arangopipe impact featureset:") == ["featureset:base", "featureset:base+s5"]
    assert completed("arangopipe show run/aaaaaaaa-0000000")[0].startswith("run/aaaaaaaa-0000000")
    assert completed("arangopipe runs --order name,-metrics.r") == ["name,-metrics.r2", "name,-metrics.rmse"]
    assert completed("arangopipe runs --columns name,params.") == ["name,params.alpha"]
    assert completed("arangopipe search pa") == ["patient"]
    assert completed("arangopipe runs --project ") == ["diabetes"]
    assert completed(f"arangopipe --store {store.parent}/none.db show model:") == []
    assert completed("arangopipe show model: --store none.db ") == []
    assert completed("arangopipe deploy p") == ["prod"]
    assert completed("arangopipe user show b") == ["boss"]
    assert completed("arangopipe user add eve --role d") == ["diabetes="]
    assert completed("arangopipe user add eve --role diabetes=m") == ["diabetes=maintainer"]
    assert completed("arangopipe user grant ana diabetes v") == ["viewer"]
    assert completed("arangopipe token revoke 01") == ["0123456789abcdef0123"]
    assert completed("arangopipe deploy prod --run 0000001") == ["00000011", "00000010"]
    assert completed("arangopipe audit log --actor ") == ["ann"]
    assert completed("arangopipe ask techniques --metric r") == ["r2", "rmse"]
    assert completed("arangopipe ask effect --param al") == ["alpha"]
    assert completed("arangopipe ask effect --attribute ") == ["age", "s5"]
    assert completed("arangopipe ask effect --technique ") == ["ridge"]
    assert completed("arangopipe ask leaderboard --task ") == ["progression"]
    assert completed("arangopipe ask test-set-wear d") == ["diabetes"]
    assert completed("arangopipe audit log --action register") == [
        *("register datasets", "register deployment", "register featuresets", "register kinds"),
        *("register models", "register patient", "register project", "register user"),
    ]


NEW = {("serve", "hosts"), ("init", "project"), ("init", "admin"), ("user", "add", "name")}


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_whatever_names_something_is_completed(path: tuple[str, ...]) -> None:
    """All but what is new, or a text, a number or a moment."""
    free = {"N", "MB", "SECONDS", "ADDRESS", "TEXT", "VALUE", "WHEN", "TIME", "AGE", "SQL"}
    free |= {"FILTER", "[FILTER]", "[FILE]"}
    for parameter in VERBS[path].params:
        words = parameter.metavar
        new = (*path, parameter.name) in NEW
        if words and words not in free and not new:
            files = isinstance(parameter.type, click.Path)
            assert files or parameter._custom_shell_complete is not None, parameter.name


ASKED = {
    "bash": 'eval "$(arangopipe completion bash)"\n'
    'COMP_LINE="arangopipe show dataset:di"; COMP_POINT=${#COMP_LINE}\n'
    '_arangopipe_completion arangopipe; echo "${COMPREPLY[*]}"',
    # What zsh offers is what its own functions are told.
    "zsh": 'compdef() { }; compadd() { print -l -- "${(@P)@[-1]}" }; _describe() { print -l -- "${(@P)3}" }\n'
    'eval "$(arangopipe completion zsh)"\n'
    "words=(arangopipe show dataset:di); CURRENT=3; _arangopipe_completion",
    "fish": 'arangopipe completion fish | source; complete --do-complete "arangopipe show dataset:di"',
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["bash", *(pytest.param(name, marks=pytest.mark.allowed_skip) for name in ("zsh", "fish"))]
)
def test_shells_complete_references(store: Path, tmp_path: Path, name: str) -> None:
    bash, shell = shutil.which("bash"), shutil.which(name)
    if shell is None and name != "bash":
        pytest.skip(f"{name} is not installed")
    assert shell
    program = tmp_path / "bin" / "arangopipe"
    program.parent.mkdir()
    program.write_text(f'#!{bash}\nexec {shlex.join(ENTRY)} "$@"\n')
    program.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }
    done = subprocess.run(
        [shell, "-c", ASKED[name]], capture_output=True, text=True, env=environment, timeout=60
    )
    offered = {"bash": "diabetes", "zsh": "dataset:diabetes", "fish": "dataset:diabetes"}[name]
    assert (done.stdout.strip(), done.stderr) == (offered, "")
