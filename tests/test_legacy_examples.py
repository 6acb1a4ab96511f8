"""The programs in examples/legacy: old workflows, run as they are, their values checked in today's API."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import arangopipe
from arangopipe.compat import databases
from arangopipe.model.vocabulary import EDGE_KINDS

EXAMPLES = Path(__file__).parent.parent / "examples" / "legacy"

pytestmark = pytest.mark.slow

# The programs run with warnings as errors, and any use of the network ends them.
RUN = """
import runpy, socket, sys

def refuse(*_, **__):
    raise AssertionError("the program went to the network")

socket.getaddrinfo = socket.create_connection = refuse
socket.socket.connect = socket.socket.connect_ex = refuse
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def run(name: str, tmp_path: Path) -> dict[str, str]:
    """Return what a program prints after the first word of each line, and check that it leaves nothing."""
    cwd = tmp_path / "cwd"
    cwd.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUN, str(EXAMPLES / f"{name}.py")],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=120,
        env=os.environ,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(cwd.iterdir()) == []
    lines = [line for line in done.stdout.splitlines() if not line.startswith("Arangopipe database")]
    return {line.split()[0]: line.partition(" ")[2] for line in lines}


def last() -> arangopipe.ArangoPipe:
    return arangopipe.connect(databases.last().url)


def test_every_program_is_run_here() -> None:
    named = set(re.findall(r'run\("(\w+)", tmp_path\)', Path(__file__).read_text("utf-8")))
    assert named == {path.stem for path in EXAMPLES.glob("*.py")}


def test_basic_workflow(tmp_path: Path) -> None:
    said = run("basic_workflow", tmp_path)
    assert {name: said[name] for name in ("dataset", "featureset", "model", "params")} == {
        "dataset": "True scikit-learn",
        "featureset": "float64",
        "model": "ridge regression",
        "params": "0.5",
    }
    assert 50 < float(said["rmse"]) < 60
    with last() as pipe:
        (run_,) = pipe.search("run", "tag = 'first_ridge' and model.technique = 'ridge regression'")
        assert round(run_.metrics["rmse"], 6) == float(said["rmse"])
        assert (run_.project, run_["pipeline"]) == ("Diabetes_Progression", "Progression_Pipeline")
        assert [live.tag for live in pipe.impact("dataset:diabetes").live] == ["Progression_Deployment"]
        assert set(pipe.lookup_featureset("diabetes_all_features").columns.values()) == {"float64"}


def test_hyperopt_search(tmp_path: Path) -> None:
    said = run("hyperopt_search", tmp_path)
    best = json.loads(said["best"])
    assert said["trials"] == "12"
    assert best["n_neighbors"] in (1, 5, 15, 45)
    assert 1 <= best["p"] <= 3
    assert 0.9 < float(said["accuracy"]) <= 1
    with last() as pipe:
        (found,) = pipe.search("run", f"params.best.n_neighbors = {best['n_neighbors']}")
        assert found.params["losses"][0] >= 1 - float(said["accuracy"]) - 1e-9
        assert [node.kind for node in (pipe.get(pipe.edges("project:Iris")[-1].target),)] == ["notebook"]


def test_three_scripts_in_three_processes_share_one_store(tmp_path: Path) -> None:
    first = run("mlflow_1_elastic_net", tmp_path)
    second = run("mlflow_2_other_parameters", tmp_path)
    third = run("mlflow_3_compare", tmp_path)
    assert (third["mlflow_1"], third["mlflow_2"]) == (first["rmse"], second["rmse"])
    better = min(("mlflow_1", "mlflow_2"), key=lambda tag: float(third[tag]))
    assert third["best"] == f"{better} {'0.01 0.5' if better == 'mlflow_1' else '0.001 0.9'} 1"
    assert third["linked"] == "True"
    with last() as pipe:
        assert len(databases.every()) == 1
        assert pipe.count("run", "model.name = 'elastic net' and dataset.name = 'progression'") == 2


def test_monthly_periods(tmp_path: Path) -> None:
    assert run("monthly_periods", tmp_path) == {"periods": "22"}
    with last() as pipe:
        kinds = (
            "datasets",
            "featuresets",
            "models",
            "run",
            "modelparams",
            "devperf",
            "deployment",
            "servingperf",
        )
        assert {kind: pipe.count(kind) for kind in ("project", *kinds)} == {
            "project": 1,
            **dict.fromkeys(kinds, 22),
        }
        edges = {edge for kind in kinds for node in pipe.iterate(kind) for edge in pipe.edges(node)}
        old = [kind for kind in EDGE_KINDS if kind not in ("run_parent", "related")]
        assert {kind: sum(edge.kind == kind for edge in edges) for kind in old} == dict.fromkeys(old, 22)
        assert pipe.lookup_model("Progression Model", project="Progression_Assessor").version == "22"
        assert len(pipe.admin.deployments(live_at="2100-01-01")) == 22
        served = [perf.metrics["rmse"] for perf in pipe.iterate("servingperf")]
        assert 0.3 < min(served) < max(served) < 0.7
        assert all((perf.end - perf.start).days == 30 for perf in pipe.iterate("servingperf"))
        ends = sorted(found.end for found in pipe.iterate("run"))
        assert 640 <= (ends[-1] - ends[0]).days <= 652
        assert pipe.count("run", "tag_for_deployment = true and params.alpha < 0.001") == 22
        assert list(pipe.store.check()) == []


def test_context_manager(tmp_path: Path) -> None:
    assert run("context_manager", tmp_path) == {
        "project": "Context_Manager_Test",
        "dataset": "registered after the block",
        "params": "kept True",
    }


def test_own_types(tmp_path: Path) -> None:
    assert run("own_types", tmp_path) == {
        "types": "True True False",
        "edge": "True 4",
        "again": "None",
        "other": "end None",
        "found": "1 None",
        "removed": "False False True",
    }
    with last() as pipe:
        assert pipe.lookup("notebook", "exploration")["cells"] == 12


def test_export_and_import(tmp_path: Path) -> None:
    said = run("export_import", tmp_path)
    expected = {"dataset": "before the export", "same": "True someone@example.org", "unreadable": "{}"}
    assert said.items() >= expected.items()


def test_inputs_of_r(tmp_path: Path) -> None:
    assert (
        run("r_inputs", tmp_path).items()
        >= {
            "plain": "True True",
            "r.squared": "0.968",
            "timestamp": "1577836800.25",
            "refused": "Incorrect connection info: parameters are missing",
        }.items()
    )
    with last() as pipe:
        (found,) = pipe.search("run", 'metrics."r.squared" > 0.9')
        assert (found.key, found.end.year, found.end.microsecond) == ("1702", 2020, 250_000)
        assert pipe.lookup_featureset("iris features").columns == {
            "Sepal.Length": "numeric",
            "Species": "factor",
        }


def test_bias_and_variance(tmp_path: Path) -> None:
    said = run("bias_variance", tmp_path)
    assert said == {"keys": "True True", "values": "True True", "bootstraps": "25 10"}
    with last() as pipe:
        assert pipe.count("run", 'metrics.bootstraps = 25 and metrics.model_variance."3" > 0') == 1


def test_dataset_shift(tmp_path: Path) -> None:
    assert run("dataset_shift", tmp_path) == {"shifted": "True", "same": "True", "columns": "kept True"}
