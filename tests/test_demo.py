"""The demo: real figures, all of them from the store, however often it is run or interrupted."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

import arangopipe
from arangopipe import audit
from arangopipe.cli import main
from arangopipe.pipe import ArangoPipe

# One worker runs the demo once for all tests here.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]

START = "from arangopipe.cli import main; main(prog_name='arangopipe')"
STORE = "demo.db"


def demo(folder: Path, *arguments: str, code: str = START) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, "demo", "--store", STORE, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> tuple[str, str]:
    said, noted = process.communicate(timeout=240)
    assert process.returncode == 0, said + noted
    return said, noted


def connected(folder: Path) -> ArangoPipe:
    return arangopipe.connect(f"sqlite:///{folder / STORE}")


class Ran(NamedTuple):
    """The demo run three times: killed, run to its end, and run once more."""

    folder: Path
    killed_with: int
    first: tuple[str, str]
    head: str
    second: tuple[str, str]
    answers: dict[str, Any]


def runs_so_far(folder: Path) -> int:
    if not (folder / STORE).exists():
        return 0
    with connected(folder) as pipe:
        return pipe.count("run")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("demo")
    process = demo(folder)
    while (killed_with := runs_so_far(folder)) < 8:
        assert process.poll() is None, process.communicate()
        time.sleep(0.2)
    process.kill()
    process.communicate()
    first = finished(demo(folder))
    with connected(folder) as pipe:
        head = pipe.store.head()
    second = finished(demo(folder))
    answers = json.loads(finished(demo(folder, "--json"))[0])
    assert head is not None
    return Ran(folder, killed_with, first, head.chain, second, answers)


@pytest.fixture
def pipe(ran: Ran) -> Iterator[ArangoPipe]:
    with connected(ran.folder) as pipe:
        yield pipe


def test_it_goes_on_where_it_was_killed(ran: Ran, pipe: ArangoPipe) -> None:
    recorded = re.search(r"Recorded (\d+) runs in demo\.db\.", ran.first[1])
    assert recorded
    assert 0 < int(recorded[1]) <= 211 - ran.killed_with
    assert pipe.count("run", "tag = 'sweep' and status = 'finished'") == 210
    assert audit.verify(pipe.store).ok


def test_a_second_run_adds_nothing_and_says_the_same(ran: Ran, pipe: ArangoPipe) -> None:
    head = pipe.store.head()
    assert head is not None
    assert head.chain == ran.head
    assert ran.second[0] == ran.first[0]
    assert "nothing was added" in ran.second[1]


def test_everything_of_the_story_is_recorded(pipe: ArangoPipe) -> None:
    dataset = pipe.lookup_dataset("diabetes")
    assert dataset.fingerprint
    assert dataset.summary
    assert dataset.summary["rows"] == 442
    assert pipe.count("featuresets") == 7
    assert pipe.count("run", "tag = 'sweep'", by="model.name") == dict.fromkeys(
        ["ridge", "lasso", "svr", "knn", "forest"], 42
    )
    assert set(pipe.count("run", "tag = 'sweep'", by="seed").values()) == {35}
    run = pipe.lookup_run("ridge-base+s5-3")
    assert run["environment"]["packages"]["scikit-learn"]
    assert "argv" in run["code"]
    assert run.params == {"alpha": 1.0, "folds": 5}
    deployment = pipe.lookup_deployment("prod")
    assert deployment.status == "active"
    served = pipe.downstream(deployment).of_kind("servingperf")
    assert len(served) == 4
    assert all("not real time" in node.document["note"] for node in served)


def test_figures_are_those_of_scikit_learn(pipe: ArangoPipe) -> None:
    from sklearn.datasets import load_diabetes
    from sklearn.linear_model import Ridge
    from sklearn.metrics import root_mean_squared_error
    from sklearn.model_selection import KFold
    from sklearn.preprocessing import StandardScaler

    frame = load_diabetes(as_frame=True, scaled=False).frame
    columns, errors = ["age", "sex", "bmi", "bp", "s5"], []
    for train, test in KFold(5, shuffle=True, random_state=3).split(frame):
        scaler = StandardScaler().fit(frame[columns].iloc[train])
        model = Ridge(alpha=1.0).fit(
            scaler.transform(frame[columns].iloc[train]), frame["target"].iloc[train]
        )
        predicted = model.predict(scaler.transform(frame[columns].iloc[test]))
        errors.append(root_mean_squared_error(frame["target"].iloc[test], predicted))
    assert pipe.lookup_run("ridge-base+s5-3").metrics["rmse"] == pytest.approx(mean(errors))


def test_the_base_features_give_the_known_figures(pipe: ArangoPipe) -> None:
    """Mean RMSE by technique, as measured beside the demo: 60.4 to 63.6."""
    found: dict[str, list[float]] = {}
    for run in pipe.search("run", "featureset.name = 'base' and tag = 'sweep'").items:
        found.setdefault(run.name.partition("-")[0], []).append(run.metrics["rmse"])  # type: ignore[attr-defined]
    means = sorted(round(mean(values), 1) for values in found.values())
    assert len(means) == 5
    assert 60.2 <= means[0] <= 60.6
    assert 63.2 <= means[-1] <= 64.0


def test_answers_are_read_from_the_store(ran: Ran, pipe: ArangoPipe) -> None:
    best = pipe.search("run", "tag = 'sweep'", order_by="metrics.rmse", limit=8)
    leaders, techniques = ran.answers["leaderboard"]["items"], ran.answers["techniques"]["items"]
    assert [row["run"] for row in leaders] == [run.name for run in best]
    for row in techniques:
        found = pipe.search("run", f"model.technique = '{row['technique']}' and tag = 'sweep'")
        errors = sorted(run.metrics["rmse"] for run in found)  # type: ignore[attr-defined]
        assert (row["runs"], row["best"], row["worst"]) == (42, errors[0], errors[-1])
        assert errors[20] <= row["median"] <= errors[21]
    assert [item["document"]["tag"] for item in ran.answers["impact"]["live"]] == ["prod"]
    text = ran.first[0]
    for title in ("Leaderboard", "Techniques", "What is in production", "Live  1 deployment", "Try next"):
        assert title in text, title
    for row in (*leaders, *techniques):
        assert f"{row.get('value', row.get('best')):#.5g}" in text
    for answer in ("leaderboard", "techniques", "useful_features", "test_set_wear"):
        assert ran.answers[answer]["sentence"] in " ".join(text.split()), answer
    assert "made from dataset diabetes  442 rows" in text
    assert text.count("serving 2") == 4
    assert "not real time" in text


def test_adding_attributes_is_judged_as_it_is(ran: Ran, pipe: ArangoPipe) -> None:
    """s5 helps all five families; s2 helps only the forest, the trap of trying one model; s1 helps none."""
    found = {
        name: pipe.analysis.effect(attribute=name, metric="rmse", task="progression")
        for name in ("s1", "s2", "s3", "s4", "s5", "s6")
    }
    s1, s2, s5 = found["s1"], found["s2"], found["s5"]
    assert s5.verdict == "consistent gain on this dataset"
    assert (s5.pairs, s5.clusters, s5.p_value, s5.datasets) == (30, 5, 1 / 32, ("diabetes",))
    assert all(part.better == 6 for part in s5.per_technique.values())
    assert s5.interval is not None
    assert s5.estimate == pytest.approx(-4.7, abs=0.2)
    assert s5.interval[0] < -4.7 < s5.interval[1] < -3
    assert s2.verdict == "mixed"
    assert [name for name, part in s2.per_technique.items() if part.estimate < 0] == ["random forest"]
    assert s1.verdict == "consistent loss on this dataset"
    assert all(part.estimate > 0 for part in s1.per_technique.values())
    for effect in found.values():
        for technique, part in effect.per_technique.items():
            assert part.estimate == pytest.approx(_mean_difference(pipe, technique, effect.what))
    said = " ".join(ran.first[0].split())
    for given, effect in zip(ran.answers["effects"], (s5, s2, s1), strict=True):
        assert given["sentence"] == effect.sentence
        assert effect.sentence in said


def _mean_difference(pipe: ArangoPipe, technique: str, attribute: str) -> float:
    """Return the difference of means over seeds, by plain searches."""
    means = []
    for featureset in (f"base+{attribute}", "base"):
        found = pipe.search(
            "run",
            f"tag = 'sweep' and model.technique = '{technique}' and featureset.name = '{featureset}'",
        )
        assert len(found) == 6
        means.append(mean(run.metrics["rmse"] for run in found))  # type: ignore[attr-defined]
    return means[0] - means[1]


def test_what_it_says_to_try_next_works(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ran.folder)
    printed = re.findall(r"^  (arangopipe .+)$", ran.first[0], re.MULTILINE)
    assert printed == ran.answers["next"]
    assert len(printed) >= 6
    for command in printed:
        result = CliRunner().invoke(main, shlex.split(command)[1:])
        assert result.exit_code == 0, (command, result.output)
        assert len(result.stdout.splitlines()) > 1, command


def test_ctrl_c_ends_it_calmly(tmp_path: Path) -> None:
    code = (
        "from arangopipe.cli.demo.work import Work\n"
        "def stop(self, key, trial):\n"
        "    raise KeyboardInterrupt\n"
        f"Work.try_out = stop\n{START}"
    )
    process = demo(tmp_path, code=code)
    said, noted = process.communicate(timeout=120)
    assert process.returncode == 130
    assert said == ""
    assert noted.strip().splitlines()[0] == "Stopped. The same command goes on from here."
    assert "Traceback" not in noted


def test_without_scikit_learn_it_says_what_to_install(tmp_path: Path, home: Path) -> None:
    process = demo(tmp_path, code=f"import sys; sys.modules['sklearn'] = None\n{START}")
    said, noted = process.communicate(timeout=60)
    assert process.returncode == 1
    assert (said, noted) == ("", "Error: scikit-learn is needed for this: pip install 'arangopipe[demo]'\n")
    assert not list(tmp_path.iterdir())
    assert not home.exists()
