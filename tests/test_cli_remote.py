"""The command line on the store of a server: for who may, for who may not, and while it is away."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner, Result

from arangopipe.admin import ArangoPipeAdmin
from arangopipe.cli import main
from arangopipe.store import open_store
from arangopipe.store.base import Store
from arangopipe.store.memory import MemoryStore
from arangopipe.testing.build import busy
from commands import call
from served import serving, serving_in_turn
from test_cli import OTHERS, VERBS, completed

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cli remote")]

AWAY = "http://127.0.0.1:9"

NOT_THERE = {"backup", "upgrade"}
"""Verbs that are for whoever runs the server."""
ALONE = {"completion", "copy", "restore", "spool list", "spool show", "spool replay", "spool drop", "stores"}
"""Verbs whose first example needs no server."""
REFUSED = {"audit verify", "delete", "deploy", "export", "import", "query", "user add"}
"""Verbs whose first example a viewer may not."""
HIDDEN = {f"user {verb}" for verb in ("show", "passwd", "grant", "revoke", "disable", "enable")}
HIDDEN |= {"token create", "token revoke"}
"""Verbs whose first example names what a viewer does not see."""


class Served(NamedTuple):
    """A server, and tokens of who administers its store and of a viewer."""

    url: str
    boss: str
    viewer: str


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[[Store], str]]:
    with serving_in_turn() as serve:
        yield serve


@pytest.fixture
def remote(store: Path, serve: Callable[[Store], str]) -> Iterator[Served]:
    with open_store(f"sqlite:///{store}?durability=relaxed") as behind:
        admin = ArangoPipeAdmin(behind, actor="boss")
        admin.register_user("vic", roles={"diabetes": "viewer"})
        tokens = [admin.create_token(user).text for user in ("boss", "vic")]
        yield Served(serve(behind), *tokens)


def run(example: str, url: str, token: str) -> Result:
    """Run a line of a help text on a server; what it raises is raised."""
    _, *arguments = shlex.split(re.split(r" [<>] (?=\S+$)", example)[0])
    environment = {"ARANGOPIPE_URL": url, "ARANGOPIPE_TOKEN": token}
    typed = "a long sentence\n" if " < " in example else None
    result = CliRunner().invoke(main, arguments, typed, environment, prog_name="arangopipe")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.output
    said = "Error: " in result.stderr or "✗" in result.stdout
    assert said is (result.exit_code != 0), result.output
    return result


@pytest.mark.parametrize("path", [path for path in VERBS if path not in OTHERS], ids=" ".join)
def test_every_verb_on_a_server(remote: Served, path: tuple[str, ...]) -> None:
    name, example = " ".join(path), VERBS[path].examples[0]
    away = run(example, AWAY, "")
    if name in NOT_THERE:
        assert away.exit_code == 1
    elif name in ALONE:
        assert away.exit_code == 0
        return
    else:
        assert (away.exit_code, f"the server at {AWAY} is not to be reached" in away.output) == (1, True)
    viewed = run(example, remote.url, remote.viewer)
    assert viewed.exit_code == (1 if name in NOT_THERE | REFUSED else 3 if name in HIDDEN else 0)
    done = run(example, remote.url, remote.boss)
    assert done.exit_code == (1 if name in NOT_THERE else 0), done.output


def test_a_viewer_is_told_who_may(remote: Served) -> None:
    for example, words in {
        "arangopipe audit verify": "an administrator of it may",
        "arangopipe import theirs.bundle": "to take over changes takes an administrator of the store",
        "arangopipe delete run:curve --erase --reason x --yes": "to erase takes an administrator",
        "arangopipe export one.bundle --project diabetes": "takes a maintainer of it, or more",
        "arangopipe delete run:broken --yes": "maintainer or more may delete",
    }.items():
        assert words in run(example, remote.url, remote.viewer).stderr
    assert "an administrator of the store can verify it" in run("x doctor", remote.url, remote.viewer).stdout


def test_nobody_makes_a_store_on_a_server(remote: Served) -> None:
    assert "There is a store already" in run("x init", remote.url, remote.boss).stdout


def test_stores_are_copied_between_servers(tmp_path: Path) -> None:
    source, target = MemoryStore(), MemoryStore()
    busy(source)
    with serving(source) as one, serving(target) as other:
        assert "Verified" in call("copy", one, other).stdout
        assert "Took over 0 changes" in call("copy", one, other).stdout
        assert [change.chain for change in target.changes()] == [change.chain for change in source.changes()]
        assert "Took over" in call("copy", one, str(tmp_path / "here.db")).stdout
        assert "is not to be reached" in call("copy", one, AWAY, code=1).stderr
        assert "is not to be reached" in call("copy", AWAY, other, code=1).stderr
        assert "name two" in call("copy", one, one, code=1).stderr
        assert call("runs", "--store", one, "--json").stdout


def test_names_on_a_server_are_completed(remote: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARANGOPIPE_TOKEN", remote.viewer)
    for line, found in {
        "show dataset:d": ["dataset:diabetes"],
        "runs --project ": ["diabetes"],
        "ask effect --param al": ["alpha"],
    }.items():
        assert completed(f"arangopipe --store {remote.url} {line}") == found
        assert completed(f"arangopipe --store {AWAY} {line}") == []
