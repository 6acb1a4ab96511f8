"""The container files name what there is; they are not built here."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from arangopipe.cli import main
from arangopipe.store.settings import SETTINGS
from arangopipe.store.sql import address

ROOT = Path(__file__).parent.parent
LINES = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text()).splitlines()


def words(name: str) -> list[str]:
    """The arguments of each instruction of that name."""
    return [line.partition(" ")[2].strip() for line in LINES if line.startswith(f"{name} ")]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return found


def parsed(command: list[str]) -> click.Context:
    verb, *arguments = command
    assert isinstance(main, click.Group)
    found = main.get_command(click.Context(main), verb)
    assert found is not None, f"there is no verb {verb!r}"
    return found.make_context(verb, arguments)


def test_what_is_started_is_a_command_with_options_that_there_are(compose: dict[str, Any]) -> None:
    assert json.loads(words("ENTRYPOINT")[0]) == ["arangopipe"]
    started = json.loads(words("CMD")[0])
    for command in (started, compose["services"]["server"]["command"]):
        given = parsed(command).params
        assert (given["host"], given["auth"]) == ("0.0.0.0", True)
        assert [str(given["port"])] == words("EXPOSE")


def test_the_image_installs_extras_that_there_are_and_runs_as_nobody_in_particular() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    (extras,) = re.findall(r"'\.\[([\w,]+)\]'", " ".join(words("RUN")))
    assert set(extras.split(",")) == {"server", "postgres"}
    assert all(re.search(f"^{extra} = \\[", project, re.MULTILINE) for extra in extras.split(","))
    assert words("USER") == ["arangopipe"]
    for copied in words("COPY"):
        *sources, _ = [word for word in shlex.split(copied) if not word.startswith("--")]
        assert all((ROOT / source).exists() for source in sources if not source.startswith("/"))
    kept = (ROOT / ".dockerignore").read_text().split()
    assert {"!src", "!pyproject.toml", "!README.md", "!LICENSE"} <= set(kept)


def test_settings_are_settings_and_what_is_kept_is_on_a_volume(compose: dict[str, Any]) -> None:
    given = dict(pair.split("=", 1) for pair in words("ENV")[0].split())
    server = compose["services"]["server"]
    ours = {name for name in (*given, *server["environment"]) if name.startswith("ARANGOPIPE_")}
    assert ours <= set(SETTINGS)
    assert given["ARANGOPIPE_URL"].startswith(f"sqlite:///{words('VOLUME')[0]}/")
    assert address.parse(server["environment"]["ARANGOPIPE_URL"]).schema == "arangopipe"


def test_health_is_asked_for_and_no_password_is_written_down(compose: dict[str, Any]) -> None:
    assert "/health" in words("HEALTHCHECK")[0]
    assert set(compose["services"]) == {"server", "database"}
    for service in compose["services"].values():
        assert service["healthcheck"]["test"]
        assert service["env_file"] == ["database.env"]
        assert not [name for name in service["environment"] if "PASSWORD" in name]
    waits = compose["services"]["server"]["depends_on"]
    assert waits == {"database": {"condition": "service_healthy"}}
    mounted = {mount.split(":")[0] for mount in compose["services"]["database"]["volumes"]}
    assert mounted == set(compose["volumes"])
    assert "/*.env" in (ROOT / ".gitignore").read_text().split()
    page = (ROOT / "docs" / "operating.md").read_text()
    assert {"POSTGRES_PASSWORD", "PGPASSWORD", "database.env"} <= set(re.findall(r"[\w.]+", page))
