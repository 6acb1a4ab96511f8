"""The commands about users: who may use the store, and what they may do in which project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from arangopipe.cli.asking import PASSWORD_STDIN, REASON, new_password
from arangopipe.cli.options import Decorator, Group, lazily, verb
from arangopipe.cli.terminal import Terminal, clean, pass_terminal
from arangopipe.roles import ROLES, Role

if TYPE_CHECKING:
    from arangopipe.users import User


@click.group("user", cls=Group)
def user() -> None:
    """Say who may use the store, and what they may do.

    As soon as a store has users, a server of it lets in nobody else. Roles are per project: viewer,
    contributor, maintainer, admin; an administrator of the store may do everything. Whoever can write the
    file of a store needs no role: there these commands are for its owner.
    """


NAME: Decorator[Any] = click.argument("name", metavar="NAME", shell_complete=lazily("users"))
_PROJECT: Decorator[Any] = click.argument(
    "project", metavar="[PROJECT]", required=False, shell_complete=lazily("projects")
)
_STORE_WIDE: Decorator[Any] = click.option(
    "--admin", is_flag=True, help="Of the whole store, instead of a role in a project."
)


def _roles(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, Role]:
    """Return the roles of options PROJECT=ROLE."""
    found: dict[str, Role] = {}
    for value in values:
        project, mark, role = value.rpartition("=")
        if not mark or role not in ROLES:
            known = ", ".join(ROLES)
            raise click.BadParameter(f"{value!r} is not PROJECT=ROLE; roles: {known}", context, parameter)
        found[project] = role  # type: ignore[assignment]
    return found


@verb(
    "add",
    "arangopipe user add bob --role diabetes=viewer",
    "arangopipe user add eve --admin --full-name 'Eve Jones' --email eve@example.org",
    see=("user passwd", "user grant", "token create"),
)
@click.argument("name", metavar="NAME")
@click.option("--password", is_flag=True, help="Ask for a password; without one there are tokens only.")
@PASSWORD_STDIN
@click.option("--admin", is_flag=True, help="Make them an administrator of the whole store.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    metavar="PROJECT=ROLE",
    callback=_roles,
    shell_complete=lazily("roles"),
    help="Their role in a project; may be given several times.",
)
@click.option("--full-name", metavar="TEXT", help="What to show instead of the name.")
@click.option("--email", metavar="TEXT", help="Where they can be reached.")
@pass_terminal
def add(
    terminal: Terminal, name: str, password: bool, password_stdin: bool, roles: dict[str, Role], **given: Any
) -> None:
    """Register a user.

    Without a password they can use tokens, and not the page. A password is never an argument, which others
    on the machine could see.
    """
    secret = new_password(terminal, password_stdin) if password or password_stdin else None
    about = {word: value for word, value in given.items() if value is not None}
    with terminal.pipe() as pipe:
        made = pipe.admin.register_user(name, password=secret, roles=roles, **about)
    _said(terminal, made, f"Registered user {clean(made.name)}.")


@verb(
    "list", "arangopipe user list", "arangopipe user list --json", csv=True, see=("user show", "token list")
)
@pass_terminal
def list_(terminal: Terminal) -> None:
    """List the users, and what they may do."""
    from arangopipe.cli.tables import Column, show_table, write_rows

    with terminal.pipe() as pipe:
        found = pipe.admin.users()
    if terminal.as_json:
        terminal.give({"items": [one.to_dict() for one in found]})
    elif terminal.as_csv:
        names = ("name", "admin", "disabled", "roles")
        write_rows([{**one.to_dict(), "roles": _roles_of(one), **_about(one)} for one in found], names)
    elif not found:
        terminal.note(
            f"{terminal.place} has no users: a server of it lets in everybody on its machine. "
            f"Make the first with 'arangopipe init --admin NAME{terminal.argument}'."
        )
    else:
        show_table(
            terminal,
            [
                Column("user", [clean(one.name) for one in found], 0, "cyan"),
                Column("full name", [one.attributes.get("full_name") for one in found], 2),
                Column("may", [_may(one) for one in found], 0),
                Column("state", ["disabled" if one.disabled else None for one in found], 1, "yellow"),
            ],
        )


@verb("show", "arangopipe user show ana", "arangopipe user show ana --json", see=("user list", "history"))
@NAME
@pass_terminal
def show(terminal: Terminal, name: str) -> None:
    """Show one user: roles, attributes and tokens."""
    from arangopipe.cli.tables import facts
    from arangopipe.cli.tokens import line

    with terminal.pipe() as pipe:
        found = pipe.admin.user(name)
        tokens = pipe.admin.tokens(name)
    if terminal.as_json:
        terminal.give({**found.to_dict(), "tokens": [token.to_dict() for token in tokens]})
        return
    rows = [
        ("user", clean(found.name)),
        ("state", "disabled" if found.disabled else "enabled"),
        ("may", _may(found)),
        *((clean(word).replace("_", " "), value) for word, value in found.attributes.items()),
        *((f"token {token.key}", line(token)) for token in tokens),
    ]
    terminal.show(facts(rows))


@verb("passwd", "arangopipe user passwd ana --password-stdin < password.txt", see=("user disable",))
@NAME
@PASSWORD_STDIN
@pass_terminal
def passwd(terminal: Terminal, name: str, password_stdin: bool) -> None:
    """Set a user's password, which ends their sessions."""
    with terminal.pipe() as pipe:
        found = pipe.admin.user(name)
        pipe.admin.set_password(name, new_password(terminal, password_stdin))
    _said(terminal, found, f"The password of {clean(name)} is set, and their sessions are ended.")


@verb(
    "grant",
    "arangopipe user grant ana diabetes maintainer",
    "arangopipe user grant ana --admin --reason 'on duty'",
    see=("user revoke", "user show"),
)
@NAME
@_PROJECT
@click.argument("role", required=False, type=click.Choice(list(ROLES)))
@_STORE_WIDE
@REASON
@pass_terminal
def grant(
    terminal: Terminal, name: str, project: str | None, role: Role | None, admin: bool, reason: str
) -> None:
    """Give a user a role in a project, or make them an administrator.

    The role takes the place of the one they have there. In a project, a viewer reads; a contributor also
    records; a maintainer also deploys, deletes and exports; an admin also gives roles.
    """
    if (project is None or role is None) != admin or (admin and project is not None):
        raise click.UsageError("name a PROJECT and a ROLE, or say --admin")
    with terminal.pipe() as pipe:
        if project is None or role is None:
            found = pipe.admin.grant_admin(name, reason=reason)
        else:
            found = pipe.admin.grant(name, project, role, reason=reason)
    _said(terminal, found, f"{clean(name)} is now {_may(found)}.")


@verb(
    "revoke",
    "arangopipe user revoke ana diabetes",
    "arangopipe user revoke boss --admin --reason 'off duty'",
    fails="the last administrator",
    see=("user grant", "user disable", "token revoke"),
)
@NAME
@_PROJECT
@_STORE_WIDE
@REASON
@pass_terminal
def revoke(terminal: Terminal, name: str, project: str | None, admin: bool, reason: str) -> None:
    """Take away a user's role in a project, or the administration."""
    if (project is None) != admin:
        raise click.UsageError("name a PROJECT, or say --admin")
    with terminal.pipe() as pipe:
        if project is None:
            found = pipe.admin.revoke_admin(name, reason=reason)
        else:
            found = pipe.admin.revoke(name, project, reason=reason)
    _said(terminal, found, f"{clean(name)} is now {_may(found)}.")


@verb(
    "disable",
    "arangopipe user disable ana --reason 'has left'",
    fails="the last administrator",
    see=("user enable", "token revoke"),
)
@NAME
@REASON
@pass_terminal
def disable(terminal: Terminal, name: str, reason: str) -> None:
    """Keep a user out, and end their tokens and sessions at once.

    What they recorded stays, with their name.
    """
    with terminal.pipe() as pipe:
        found = pipe.admin.disable_user(name, reason=reason)
    _said(terminal, found, f"{clean(name)} is disabled; their tokens and sessions are ended.")


@verb("enable", "arangopipe user enable ana", see=("user disable", "token create"))
@NAME
@REASON
@pass_terminal
def enable(terminal: Terminal, name: str, reason: str) -> None:
    """Let a user who was disabled in again; they need new tokens."""
    with terminal.pipe() as pipe:
        found = pipe.admin.enable_user(name, reason=reason)
    _said(terminal, found, f"{clean(name)} is enabled, and is {_may(found)}.")


for _command in (add, list_, show, passwd, grant, revoke, disable, enable):
    user.add_command(_command)


def _said(terminal: Terminal, found: User, text: str) -> None:
    """Say what was done, or give the user as JSON."""
    if terminal.as_json:
        terminal.give(found.to_dict())
    else:
        click.echo(text)


def _may(found: User) -> str:
    """Return in words what a user is."""
    if found.admin:
        return "administrator of the store"
    return (
        clean(", ".join(f"{role} of {project}" for project, role in found.roles.items())) or "without a role"
    )


def _roles_of(found: User) -> str:
    return "; ".join(f"{project}={role}" for project, role in found.roles.items())


def _about(found: User) -> dict[str, Any]:
    return {"attributes": None, **found.attributes}
