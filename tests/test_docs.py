"""The documentation builds without a warning, its examples run, and it leaves nothing out."""

from __future__ import annotations

import ast
import html
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "arangopipe"

# One worker builds the pages once for all tests here.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("docs")]


def sphinx(builder: str, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", builder]
    return subprocess.run(
        [*command, "-d", str(out / "doctrees"), str(DOCS), str(out / builder)],
        capture_output=True,
        text=True,
        cwd=out,
        timeout=240,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    out = tmp_path_factory.mktemp("docs")
    return sphinx("html", out), out / "html"


@pytest.fixture(scope="module")
def pages(site: tuple[subprocess.CompletedProcess[str], Path]) -> dict[str, str]:
    """The words of each built page, by name, without markup and with blanks folded."""
    texts = {}
    for path in site[1].glob("*.html"):
        article = path.read_text(encoding="utf-8").partition('<article role="main"')[2]
        words = html.unescape(re.sub(r"<[^>]+>", "", article.partition("</article>")[0]))
        texts[path.stem] = " ".join(words.split())
    return texts


def test_pages_build_without_warnings(
    site: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, _ = site
    assert done.returncode == 0, done.stdout + done.stderr


def test_examples_run(tmp_path: Path) -> None:
    done = sphinx("doctest", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list(tmp_path.glob("*.db")), "an example left a store behind"


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if command.hidden:
            continue
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


def test_every_command_and_option_is_documented(pages: dict[str, str]) -> None:
    from arangopipe.cli import main

    page = pages["cli"]
    found = dict(commands(main, "arangopipe"))
    assert "arangopipe search" in found
    for path, command in found.items():
        assert path in page, path
        assert command.help, f"{path} has no help text"
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.help, f"{path} {parameter.opts[0]} has no help text"
                assert parameter.opts[0] in page, f"{path} {parameter.opts[0]}"


def test_pages_show_what_commands_print() -> None:
    command = [sys.executable, str(DOCS / "transcripts.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_command_is_shown_at_work() -> None:
    from arangopipe.cli import main

    marked = [
        path.read_text("utf-8")
        for path in DOCS.rglob("*.md")
        if "<!-- transcript -->" in path.read_text("utf-8")
    ]
    text = "\n".join(marked)
    found = [path for path, command in commands(main, "arangopipe") if not isinstance(command, click.Group)]
    assert [path for path in found if not re.search(rf"{path}\b", text)] == []


def test_every_error_is_explained() -> None:
    from arangopipe import errors

    rows = re.findall(r"^\| `(\w+)` \|", (DOCS / "errors.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(rows) == errors.__all__


def test_every_kind_is_in_the_data_dictionary(pages: dict[str, str]) -> None:
    from arangopipe.model.vocabulary import EDGE_KINDS, NODE_KINDS

    page = pages["data-dictionary"]
    for node_kind in NODE_KINDS.values():
        row = f"{node_kind.title} {node_kind.name} {node_kind.singular} {node_kind.records}".replace("`", "")
        assert row in page, node_kind.name
    for edge_kind in EDGE_KINDS.values():
        ends = f"{edge_kind.source or 'any'} → {edge_kind.target or 'any'}"
        assert f"{edge_kind.name} {ends} " in page, edge_kind.name
        assert edge_kind.records.replace("`", "") in page, edge_kind.name


def test_every_node_kind_is_explained() -> None:
    from arangopipe.model.vocabulary import NODE_KINDS

    bold = re.findall(r"\*\*([\w-]+)\*\*", (DOCS / "concepts.md").read_text("utf-8"))
    assert {word.lower() for word in bold} >= {kind.singular for kind in NODE_KINDS.values()}


def test_every_operation_of_the_server_is_in_the_reference(pages: dict[str, str]) -> None:
    from arangopipe.server import create_app
    from arangopipe.store.memory import MemoryStore

    for path, operations in create_app(MemoryStore()).openapi()["paths"].items():
        for method, operation in operations.items():
            words = " ".join(operation["description"].replace("`", "").split(".")[0].split())
            assert f"{method.upper()} {path}{words}" in pages["http"], f"{method} {path}"


def test_every_setting_is_documented() -> None:
    from arangopipe.store.settings import SETTINGS

    text = (DOCS / "settings.md").read_text("utf-8")
    assert re.findall(r"^`(ARANGOPIPE_\w+)`$", text, re.MULTILINE) == list(SETTINGS)


def test_no_setting_is_read_that_is_not_listed() -> None:
    from arangopipe.store.settings import SETTINGS

    read = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                read.update(re.findall(r"\AARANGOPIPE_[A-Z_]+\Z", node.value))
    assert read == set(SETTINGS)


def test_every_public_name_is_in_the_reference(pages: dict[str, str]) -> None:
    import arangopipe

    page = pages["python"] + pages["errors"]
    missing = [name for name in arangopipe.__all__ if not re.search(rf"\b{name}\b", page)]
    assert not missing


def test_the_pages_speak_of_this_project_only() -> None:
    """No address of a machine, no path on one."""
    for path in DOCS.rglob("*.md"):
        text = path.read_text("utf-8")
        assert not re.search(r"https?://(?!localhost|127\.0\.0\.1)", text), path
        assert "/home/" not in text, path
