"""Texts of every sort, wherever a text can go: given back as they were, or refused by name; never half."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import arangopipe
from arangopipe import ArangoPipe, InvalidInput, audit
from arangopipe.cli import main
from arangopipe.model.ids import MAX_NAME
from places import ENGINES, empty_store

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("texts")]

TEXTS = {
    "slashes": "a/b\\c//d",
    "a reference": "dataset:diabetes@2",
    "quotes": """it's "so" `good`""",
    "emoji": "👩‍🔬 + 🧪",
    "right to left": "نموذج \u202eدرجة",
    "decomposed": "gro\u0308ße",
    "control characters": "\x01\x1b[31m\x7f\r\n\t",
    "a byte order mark": "\ufeffname",
    "no characters": "\ufffe\uffff",
    "sql": "Robert'); DROP TABLE node; DELETE FROM change; --",
    "sql comment": "/* */ -- ; %s ? :x {0} $1",
    "a pattern": "100%_[a-z]*\\",
    "json": '{"a": [1, null]}',
    "blanks around": "  spaced  ",
    "a number": "1e999",
    "a word of the language": "not null or 1 = 1",
    "long": "ü" * MAX_NAME,
}
REFUSED = {
    "NUL": "a\0b",
    "half of a surrogate pair": "a\ud800b",
    "too long": "x" * (MAX_NAME + 1),
    "empty": "",
    "only blanks": " \n ",
}


def register(pipe: ArangoPipe, text: str) -> Any:
    return pipe.register_dataset(text)


# Where a name goes: what records it, and how it is read back.
NAMES: dict[str, Callable[[ArangoPipe, str], Any]] = {
    "dataset": lambda pipe, text: pipe.lookup_dataset(pipe.register_dataset(text).id).name,
    "by name": lambda pipe, text: pipe.lookup("dataset", pipe.register_dataset({"name": text}).name).name,
    "version": lambda pipe, text: (
        pipe.lookup_dataset("v", version=pipe.register_dataset("v", version=text).version).version
    ),
    "project": lambda pipe, text: pipe.lookup_project(pipe.admin.register_project(text).id).name,
    "model in a project": lambda pipe, text: _in_project(pipe, text),
    "deployment": lambda pipe, text: pipe.admin.register_deployment(text, _run(pipe)).tag,
    "metric name": lambda pipe, text: next(iter(_read(pipe, metrics={text: 1.5}).metrics)),
    "metric of points": lambda pipe, text: _points(pipe, text),
    "actor": lambda pipe, text: _changed(pipe, text).actor,
}
# Where any text goes, even one that cannot be a name.
VALUES: dict[str, Callable[[ArangoPipe, str], Any]] = {
    "attribute": lambda pipe, text: pipe.register_dataset("d", note=text).document["note"],
    "attribute deep down": lambda pipe, text: pipe.register_dataset("d", note=[{"a": text}]).document["note"][
        0
    ]["a"],
    "param": lambda pipe, text: _read(pipe, params={"p": text}).params["p"],
    "param name": lambda pipe, text: next(iter(_read(pipe, params={f"p{text}": 1}).params))[1:],
    "tag": lambda pipe, text: _read(pipe, tags={"t": text}).document["tags"]["t"],
    "tag name": lambda pipe, text: next(iter(_read(pipe, tags={f"t{text}": 1}).document["tags"]))[1:],
    "reason": lambda pipe, text: _why(pipe, text),
    "edge": lambda pipe, text: pipe.link(
        pipe.register_dataset("a"), pipe.register_dataset("b"), note=text
    ).document["note"],
}


def _run(pipe: ArangoPipe) -> Any:
    return pipe.log_run(params={"a": 1})


def _read(pipe: ArangoPipe, **fields: Any) -> Any:
    return pipe.lookup_run(pipe.log_run(**fields).id)


def _in_project(pipe: ArangoPipe, text: str) -> str:
    pipe.admin.register_project(text)
    return pipe.lookup_model(pipe.register_model("m", project=text).id).project


def _points(pipe: ArangoPipe, text: str) -> str:
    with pipe.start_run(strict=True) as run:
        run.log_metric(text, 1.0, step=0)
    assert [point.value for point in pipe.metric_points(run.id, text)] == [1.0]
    return text


def _changed(pipe: ArangoPipe, actor: str) -> Any:
    ArangoPipe(pipe.store, actor=actor).register_dataset("of an actor")
    return pipe.store.head()


def _why(pipe: ArangoPipe, reason: str) -> str:
    pipe.admin.delete(pipe.register_dataset("d"), reason=reason)
    found = pipe.store.head()
    assert found is not None
    return found.reason


@pytest.fixture(params=["memory", "sqlite"])
def pipe(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ArangoPipe]:
    with (
        empty_store(request, request.param, tmp_path) as url,
        arangopipe.connect(url, actor="ana", capture=False) as pipe,
    ):
        yield pipe
        assert audit.verify(pipe.store).ok


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("place", [*NAMES, *VALUES])
def test_a_text_is_given_back_as_it_was(pipe: ArangoPipe, place: str, text: str) -> None:
    assert {**NAMES, **VALUES}[place](pipe, text) == text


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("place", NAMES)
def test_what_cannot_be_a_name_is_refused(pipe: ArangoPipe, place: str, text: str) -> None:
    if place == "metric name" and text != REFUSED["half of a surrogate pair"]:
        assert NAMES[place](pipe, text) == text
        return
    with pytest.raises(InvalidInput):
        NAMES[place](pipe, text)


@pytest.mark.parametrize("text", [REFUSED["NUL"], REFUSED["too long"], "", " \n "])
@pytest.mark.parametrize("place", VALUES)
def test_what_cannot_be_a_name_can_be_a_value(pipe: ArangoPipe, place: str, text: str) -> None:
    assert VALUES[place](pipe, text) == text


@pytest.mark.parametrize("pipe", ENGINES, indirect=True)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_text_is_found_by_itself(pipe: ArangoPipe, text: str) -> None:
    """A search for a text finds what has it, and nothing else, however the text looks."""
    pipe.log_run(name="other", params={"p": "other"}, tags={"t": "other"})
    run = pipe.log_run(name=text, params={"p": text}, tags={"t": text}, tag=text)
    quoted = "'" + text.replace("'", "''") + "'"
    for path in ("name", "params.p", "tags.t", "tag"):
        assert [found.id for found in pipe.search("run", f"{path} = {quoted}")] == [run.id], path
        assert run.id not in [found.id for found in pipe.search("run", f"{path} != {quoted}")]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_command_line_takes_any_text(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.db"
    with arangopipe.connect(f"sqlite:///{path}", actor="ana", capture=False) as pipe:
        pipe.register_dataset(text, note=text)
        run = pipe.log_run(
            name=text, dataset=pipe.lookup("dataset", pipe.search("dataset").items[0]), params={"p": text}
        )
    quoted = "'" + text.replace("'", "''") + "'"
    for words in (
        ["datasets"],
        ["runs"],
        ["search", "run", f"params.p = {quoted}"],
        ["search", "run", text],
        ["show", f"dataset:{text}"],
        ["show", run.id],
        ["lineage", run.id],
        ["history", f"dataset:{text}"],
        ["audit", "verify"],
    ):
        for more in ([], ["--json"]):
            done = CliRunner().invoke(main, ["--store", str(path), *words, *more])
            assert done.exception is None or isinstance(done.exception, SystemExit), (words, done.exception)
            assert done.exit_code in (0, 1, 2), words
            assert "\x1b[31m" not in done.stdout, words


def test_large_things_are_kept_whole(pipe: ArangoPipe) -> None:
    text = "größe " * 1_700_000
    assert pipe.lookup_dataset(pipe.register_dataset("large", note=text).id).document["note"] == text
    metrics = {f"metric {number}": number / 7 for number in range(100_000)}
    run = pipe.log_run(metrics=metrics)
    assert pipe.lookup_run(run.id).metrics == metrics
