"""Questions on the command line: sentence, picture, table, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import arangopipe
from arangopipe.cli.strips import strips
from commands import call, given, shell

ASKED = (
    "techniques",
    "feature-techniques",
    "useful-features --metric rmse --ignore alpha",
    "effect --attribute s5 --metric rmse --ignore alpha",
    "datasets-used",
    "leaderboard --metric rmse",
    "importance --metric rmse",
    "test-set-wear --metric rmse",
    "explain-difference 00000002 00000005 --metric rmse",
)


@pytest.mark.parametrize("question", ASKED, ids=lambda text: text.split()[0])
def test_an_answer_is_the_same_in_every_form(store: Path, question: str) -> None:
    arguments = ("ask", *shlex.split(question))
    answer = given(*arguments)
    assert answer["sentence"] in " ".join(call(*arguments).stdout.split())
    rows = list(csv.reader(io.StringIO(call(*arguments, "--csv").stdout)))
    table = next(
        (value for name in ("items", "causes", "periods") if isinstance(value := answer.get(name), list)),
        None,
    )
    if table is not None:
        assert len(rows) == (len(table) + 1 if table else 0)


def test_what_was_left_out_is_said(store: Path) -> None:
    assert call("ask", "techniques").stdout.endswith(
        "1 run left out: not finished (1 failed).\n1 of 13 finished runs left out: no finite rmse.\n"
    )


def test_an_effect_is_drawn(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with arangopipe.connect(f"sqlite:///{store}", capture=False) as pipe:
        for technique in ("lasso", "svr", "knn", "forest", "tree"):
            model = pipe.register_model(
                technique, project="diabetes", task="progression", technique=technique
            )
            for features, rmse in (("base", 60.0), ("base+s5", 56.0)):
                pipe.log_run(model=model, dataset="diabetes", featureset=features, metrics={"rmse": rmse})
    monkeypatch.setenv("COLUMNS", "60")
    said = call("ask", "effect", "--attribute", "s5", "--metric", "rmse").stdout
    assert said.startswith("Consistent gain on this dataset: adding s5 changes rmse by\n−4 (95 %")
    assert "forest  ·" in said
    assert "mean    ◆" in said
    assert "← better" in said
    assert max(map(len, said.splitlines())) <= 60
    done = shell(
        "ask", "effect", "--attribute", "s5", "--metric", "rmse", PYTHONIOENCODING="ascii", PYTHONUTF8="0"
    )
    assert "forest  ." in done.stdout
    assert "<- better" in done.stdout


def test_strips_show_values_means_and_the_interval() -> None:
    groups = {"a": [-2.0, -2.0, -1.0], "bb": [1.0]}
    lines = [line.plain for line in strips(groups, -0.5, (-1.0, 0.5), "lower", 46)]
    assert [line[:4] for line in lines[:3]] == ["a   ", "bb  ", "mean"]
    assert all(len(line) <= 46 for line in lines)
    first, second, mean, scale = lines
    assert first[6] == "•"
    assert first.count("·") == 1
    assert second[-1] == "·"
    assert [line.index("│") for line in (first, second)] == [scale.index("0")] * 2
    assert mean.index("├") < mean.index("◆") < mean.index("┤")
    assert scale.split() == ["−2", "←", "better", "0", "1"]
    ascii_only = "".join(line.plain for line in strips(groups, 0.0, None, "higher", 20, plain=True))
    assert ascii_only.isascii()
    assert strips({"a": [0.0]}, 0.0, None, "lower", 40)


@pytest.mark.parametrize("question", ["ask techniques", "compare 00000002 00000003"])
def test_without_the_extra_the_line_that_installs_it_is_said(store: Path, question: str) -> None:
    code = (
        "import sys; sys.modules['scipy'] = None\n"
        "from arangopipe.cli import main; main(prog_name='arangopipe')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *question.split()], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: scipy is needed for this: pip install 'arangopipe[analysis]'\n"


def test_runs_are_compared(store: Path) -> None:
    found = given("compare", "00000002", "run/aaaaaaaa-00000003", "00000004")
    assert [(d["section"], d["name"]) for d in found["differences"]] == [
        ("params", "alpha"),
        ("metrics", "rmse"),
        ("features", "column s5"),
    ]
    rows = list(csv.DictReader(io.StringIO(call("compare", "00000002", "00000003", "--csv").stdout)))
    assert rows[0]["name"] == "alpha"
    assert (
        "differ in params, metrics and features, not in data"
        in call("compare", "00000002", "00000003").stdout
    )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("ask effect --attribute s55 --metric rmse", 3, "did you mean 's5'"),
        ("ask effect --attribute s5 --metric rsme", 3, "did you mean 'rmse'"),
        ("ask effect --metric rmse", 1, "effect of what"),
        ("ask effect --attribute s5", 2, "--metric"),
        ("ask techniques --task progresion", 3, "did you mean 'progression'"),
        ("ask techniques --since 2099-01-01", 3, "there are no runs since 2099-01-01"),
        ("ask leaderboard --metric zeta --better lower", 3, "no run has a metric 'zeta'"),
        ("ask test-set-wear model:ridge --metric rmse", 1, "a dataset is wanted here"),
        ("ask explain-difference 00000002 nix", 3, "nothing is called 'nix'"),
        ("compare 00000002", 1, "two different runs or more"),
        ("compare 00000002 model:ridge", 1, "a run is wanted here"),
        ("ask nix", 2, "nix"),
    ],
)
def test_what_cannot_be_answered_is_said(store: Path, arguments: str, code: int, message: str) -> None:
    result = call(*shlex.split(arguments), code=code)
    assert message in result.stderr
    assert result.stdout == ""
    if code != 2:
        assert (
            message
            in json.loads(call(*shlex.split(arguments), "--json", code=code).stderr)["error"]["message"]
        )


def test_the_past_and_a_filter(store: Path) -> None:
    assert given("ask", "techniques", "--as-of", "7")["items"][0]["runs"] == 2
    narrow = given("ask", "techniques", "--where", "params.alpha < 1", "--project", "diabetes")
    assert narrow["items"][0]["runs"] == 4
