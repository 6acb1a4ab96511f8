"""The pages about the server are true: what they tell to type works, and every operation is listed."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from arangopipe.cli import main
from arangopipe.cli.serve import serve
from arangopipe.model.filters import MAX_TEXT
from arangopipe.server import create_app, forms, wire, wire_users
from arangopipe.server.door import OPEN
from arangopipe.server.limits import Limits
from arangopipe.server.wire import Strict
from arangopipe.store.memory import MemoryStore
from served import program

DOCS = Path(__file__).parent.parent / "docs"


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.mark.slow
def test_what_the_page_types_works(tmp_path: Path) -> None:
    first, *commands = blocks("http.md", "bash")
    assert first == "export API=http://127.0.0.1:8321/api/v1\n"
    with program("--store", str(tmp_path / "runs.db")) as server:
        script = "\n".join(["set -eu", f"export API={server.url}/api/v1", *commands])
        done = subprocess.run(
            ["bash", "-xc", script], capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        log = server.stop()
    assert {line["status"] for line in log} == {200, 201}
    assert len(log) == sum(block.count("curl ") for block in commands)


def test_every_operation_has_a_tag_that_the_page_lists() -> None:
    document = create_app(MemoryStore()).openapi()
    tags = [tag["name"] for tag in document["tags"]]
    assert len(tags) == len(set(tags))
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["tags"][0] in tags, f"{method} {path}"


def test_examples_of_bodies_fit_their_models() -> None:
    models = [each for each in vars(forms).values() if isinstance(each, type) and issubclass(each, Strict)]
    examples = 0
    for model in models:
        extra = model.model_config.get("json_schema_extra")
        for example in extra["examples"] if isinstance(extra, dict) else ():
            model.model_validate(example)
            examples += 1
    assert examples > 10


def test_every_body_of_json_has_an_example_that_fits_it() -> None:
    document = create_app(MemoryStore()).openapi()
    schemas = document["components"]["schemas"]
    models = {**vars(forms), **vars(wire), **vars(wire_users)}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            bodies = [operation.get("requestBody", {})]
            bodies += [said for status, said in operation["responses"].items() if status.startswith("2")]
            for body in bodies:
                content = body.get("content", {}).get("application/json")
                name = (content or {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
                if not name:
                    continue
                example = content.get("example", schemas[name].get("examples", [None])[0])
                assert example is not None, f"{method} {path} {name}"
                models[name].model_validate(example)


def test_the_document_says_what_proves_who_one_is() -> None:
    document = create_app(MemoryStore()).openapi()
    assert document["components"]["securitySchemes"].keys() == {"token", "session"}
    assert document["security"] == [{}, {"token": []}, {"session": []}]
    free = {
        path
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if operation.get("security") == []
    }
    assert free == set(OPEN) - {"/login", "/openapi.json"}


def test_every_answer_says_what_it_is() -> None:
    document = create_app(MemoryStore()).openapi()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert all(each.get("description") for each in operation.get("parameters", ())), (
                f"{method} {path}"
            )
            for status, said in operation["responses"].items():
                if status not in ("204", "304"):
                    assert all(body["schema"] is not None for body in said["content"].values()), path


def test_the_page_names_the_real_bounds() -> None:
    page = (DOCS / "operating.md").read_text("utf-8")
    limits = Limits()
    assert f"| connections open at once | {limits.connections} |" in page
    assert f"| time for the head of a request | {limits.head_seconds:g} s |" in page
    assert f"| time for a body; between two pieces of a bundle | {limits.seconds:g} s |" in page
    assert f"({limits.body:,} bytes)" in page
    assert f"| time between two requests on a connection | {limits.idle_seconds:g} s |" in page
    assert f"| time to finish requests once it stops | {limits.stop_seconds:g} s |" in page
    assert f"| text of a search | {MAX_TEXT:,} characters |" in page
    assert f"| levels of JSON | {limits.depth} |" in page
    assert f"for up to {limits.stop_seconds:g}\nseconds" in page


def test_the_options_have_the_bounds_of_the_server() -> None:
    by_name = {parameter.name: parameter.default for parameter in serve.params}
    limits = Limits()
    assert by_name["max_body"] * 1_000_000 == limits.body
    assert by_name["max_connections"] == limits.connections
    found = [by_name[f"{name}_timeout"] for name in ("head", "body", "idle", "stop")]
    assert found == [limits.head_seconds, limits.seconds, limits.idle_seconds, limits.stop_seconds]


def test_the_page_names_every_option() -> None:
    page = (DOCS / "operating.md").read_text("utf-8")
    for parameter in serve.params:
        assert (
            parameter.name == "as_json"
            or f"`{parameter.opts[0]}" in page
            or parameter.opts[0]
            in (
                "--json",
                "--no-color",
            )
        ), parameter.opts


@pytest.mark.parametrize("example", serve.examples)
def test_examples_of_the_verb_are_commands(example: str) -> None:
    command, verb, *arguments = shlex.split(example)
    assert command == "arangopipe"
    found = main.commands[verb]
    found.make_context(verb, arguments)
