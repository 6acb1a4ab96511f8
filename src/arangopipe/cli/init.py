"""The command that makes a store."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from arangopipe.cli.asking import PASSWORD_STDIN, new_password
from arangopipe.cli.options import verb
from arangopipe.cli.terminal import Terminal, clean, pass_terminal
from arangopipe.errors import Conflict

if TYPE_CHECKING:
    from arangopipe.admin import ArangoPipeAdmin


@verb(
    "init",
    "arangopipe init",
    "arangopipe init --store runs.db --project diabetes",
    "arangopipe init --admin boss --password-stdin < password.txt",
    see=("stores", "demo", "user add"),
)
@click.option("--project", metavar="NAME", help="Register this project too.")
@click.option("--description", metavar="TEXT", help="What the project is about.")
@click.option("--admin", metavar="NAME", help="Make this user an administrator of the store.")
@PASSWORD_STDIN
@pass_terminal
def init(
    terminal: Terminal,
    project: str | None,
    description: str | None,
    admin: str | None,
    password_stdin: bool,
) -> None:
    """Make a store.

    Says where it is, and what to do next. A store that is there already is left as it is, and so are a
    project and a user. With --admin, a server of the store lets in known users only; the password is asked
    for, or is that of the environment variable ARANGOPIPE_ADMIN_PASSWORD.
    """
    if password_stdin and admin is None:
        raise click.UsageError("--password-stdin is the password of --admin NAME")
    if description is not None and project is None:
        raise click.UsageError("--description describes a project: name it with --project")
    fresh = not terminal.exists()
    with terminal.pipe(create=True) as pipe:
        if terminal.path is None:  # only what it holds tells, and that it is not away
            fresh = pipe.store.head() is None and not terminal.url.startswith("http")
        made = False
        if project is not None:
            known = pipe.store.find("project", project)
            made = not known
            if not known:
                about = {} if description is None else {"description": description}
                pipe.admin.register_project({"name": project, **about})
        known_admin = admin is not None and _administers(pipe.admin, admin)
        if admin is not None and not known_admin:
            password = os.environ.get("ARANGOPIPE_ADMIN_PASSWORD") or new_password(terminal, password_stdin)
            pipe.admin.register_user(admin, password=password, admin=True)
    if terminal.as_json:
        terminal.give({"store": terminal.url, "created": fresh, "project": project, "admin": admin})
        return
    said = "Made a store" if fresh else "There is a store already"
    click.echo(f"{said}: {terminal.place}")
    if project is not None:
        click.echo(f"Project {project!r} is registered{'' if made else ' already'}.")
    if admin is not None:
        kept = f" already, with the password as it was: arangopipe user passwd {clean(admin)} sets another"
        click.echo(f"{clean(admin)} administers it{kept if known_admin else ''}.")
    _say_next(terminal, project)


def _administers(admin: ArangoPipeAdmin, name: str) -> bool:
    """Whether a user is there who administers the store; one who does not raises `Conflict`."""
    found = [user for user in admin.users() if user.name == name]
    if found and not found[0].admin:
        raise Conflict(f"{name!r} is a user already: arangopipe user grant {name} --admin")
    return bool(found)


def _say_next(terminal: Terminal, project: str | None) -> None:
    address = "" if terminal.store is None else f'"{terminal.url}"'
    name = project or "my-project"
    click.echo("\nRecord something, in Python:\n")
    click.echo("  import arangopipe")
    click.echo(f"  pipe = arangopipe.connect({address})")
    if project is None:
        click.echo(f'  pipe.admin.register_project("{name}")')
    click.echo(f'  model = pipe.register_model("ridge", project="{name}", technique="ridge")')
    click.echo("  with pipe.start_run(model=model) as run:")
    click.echo('      run.log_params({"alpha": 1.0}); run.log_metrics({"rmse": 54.2})')
    click.echo(f"\nThen look at it:  arangopipe runs{terminal.argument}")
    click.echo("Or see a finished example:  arangopipe demo")
