"""The commands about tokens: what programs show to be let in."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from arangopipe.cli.asking import REASON
from arangopipe.cli.options import Group, lazily, verb
from arangopipe.cli.terminal import Terminal, clean, pass_terminal
from arangopipe.roles import ROLES, Role

if TYPE_CHECKING:
    from arangopipe.tokens import Token


@click.group("token", cls=Group)
def token() -> None:
    """Make and end the tokens by which programs are let in.

    A token stands for its user, and can be for less: for some projects, for at most a role, for a while. What
    the store keeps of it lets nobody in.
    """


@verb(
    "create",
    "arangopipe token create ana --name laptop",
    "arangopipe token create ana --project diabetes --role viewer --expires 30d --json",
    see=("token list", "token revoke"),
)
@click.argument("user", metavar="USER", shell_complete=lazily("users"))
@click.option("--name", metavar="TEXT", default="", help="What it is for, to know it again.")
@click.option(
    "--project",
    "projects",
    multiple=True,
    metavar="NAME",
    shell_complete=lazily("projects"),
    help="Only for this project; may be given several times.",
)
@click.option("--role", type=click.Choice(list(ROLES)), help="For at most this role.")
@click.option(
    "--expires",
    metavar="AGE",
    default="90d",
    show_default=True,
    help="How long it lasts (12h, 90d, 8w, 1y), until when, or 'never'.",
)
@pass_terminal
def create(
    terminal: Terminal, user: str, name: str, projects: tuple[str, ...], role: Role | None, expires: str
) -> None:
    """Make a token for a user, and show it this once.

    Put it where the program finds it, such as ARANGOPIPE_TOKEN, and nowhere else.
    """
    from arangopipe.cli.words import when

    with terminal.pipe() as pipe:
        made = pipe.admin.create_token(
            user, name=name, projects=projects or None, role=role, expires=_end(expires)
        )
    if terminal.as_json:
        terminal.give({"text": made.text, **made.token.to_dict()})
        return
    click.echo(made.text)
    until = "never ends" if made.token.expires is None else f"ends {when(made.token.expires)}"
    terminal.note(
        f"It is shown this once, and {until}. 'arangopipe token revoke {made.token.key}' ends it now."
    )


def _end(text: str) -> datetime | timedelta | None:
    """Return what an option says of a token's end."""
    from arangopipe.errors import InvalidInput
    from arangopipe.model import times
    from arangopipe.retention import age_of

    if text == "never":
        return None
    try:
        return times.parse(text) if "-" in text else age_of(text)
    except InvalidInput:
        raise InvalidInput(f"--expires {text!r}: write 12h, 90d, 8w, 1y, a time, or never") from None


@verb(
    "list",
    "arangopipe token list",
    "arangopipe token list --user ana --json",
    csv=True,
    see=("token create", "user show"),
)
@click.option("--user", metavar="NAME", shell_complete=lazily("users"), help="Only those of this user.")
@pass_terminal
def list_(terminal: Terminal, user: str | None) -> None:
    """List the tokens, the newest first, and when each was last used."""
    from arangopipe.cli.tables import Column, show_table, write_rows

    with terminal.pipe() as pipe:
        found = pipe.admin.tokens(user)
    if terminal.as_json:
        terminal.give({"items": [one.to_dict() for one in found]})
    elif terminal.as_csv:
        write_rows([{**one.to_dict(), "projects": "; ".join(one.projects or ())} for one in found])
    elif not found:
        whose = f"{clean(user)} has" if user else "There are"
        terminal.note(f"{whose} no tokens. Make one with 'arangopipe token create USER{terminal.argument}'.")
    else:
        show_table(
            terminal,
            [
                Column("key", [one.key for one in found], 0, "cyan", whole=True),
                Column("user", [clean(one.user) for one in found], 0),
                Column("name", [clean(one.name) for one in found], 1),
                Column("for", [_scope(one) for one in found], 1),
                Column("ends", [_ends(one) for one in found], 1),
                Column("last used", [one.used for one in found], 2),
            ],
        )


@verb(
    "revoke", "arangopipe token revoke 0123456789abcdef0123 --reason lost", see=("token list", "user disable")
)
@click.argument("key", metavar="KEY", shell_complete=lazily("tokens"))
@REASON
@pass_terminal
def revoke(terminal: Terminal, key: str, reason: str) -> None:
    """End a token at once."""
    with terminal.pipe() as pipe:
        found = pipe.admin.revoke_token(key, reason=reason)
    if terminal.as_json:
        terminal.give(found.to_dict())
    else:
        click.echo(f"Token {found.key} of {clean(found.user)} is ended.")


for _command in (create, list_, revoke):
    token.add_command(_command)


def line(one: Token) -> str:
    """Return a token in one line, without its key."""
    words: list[Any] = [one.name and repr(clean(one.name)), f"for {_scope(one)}", f"ends {_ends(one)}"]
    return ", ".join(word for word in words if word)


def _scope(one: Token) -> str:
    where = clean(", ".join(one.projects)) if one.projects is not None else "all projects"
    return where if one.role is None else f"{where}, at most {one.role}"


def _ends(one: Token) -> str:
    from arangopipe.cli.words import when
    from arangopipe.model import times

    if one.expires is None:
        return "never"
    ended = " (over)" if one.expired(times.now()) else ""
    return f"{when(one.expires, seconds=False)}{ended}"
