"""The options that commands share, and the classes of commands and groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from arangopipe.cli.terminal import Terminal
from arangopipe.model import times

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # generic since click 8.2

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[F], F]


def add_options(options: Iterable[Decorator[Any]]) -> Decorator[Any]:
    """Return a decorator that adds several options, shown in the order given."""

    def decorate(function: F) -> F:
        for option in reversed(list(options)):
            function = option(function)
        return function

    return decorate


def _set(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    """Return the callback of an option that is kept in the `Terminal`, wherever it is written."""

    def keep(context: click.Context, _: click.Parameter, value: Any) -> None:
        if value:
            terminal = context.ensure_object(Terminal)
            setattr(terminal, name, value)
            if terminal.as_json and terminal.as_csv:
                raise click.UsageError("choose one of --json and --csv", context)
        if name == "no_color" and value:
            context.color = False

    return keep


Completer = Callable[[click.Context, click.Parameter, str], "list[CompletionItem[str]]"]


def lazily(name: str) -> Completer:
    """Return a completer that is imported when a shell asks for it."""

    def complete(
        context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        from arangopipe.cli import completers

        found: list[CompletionItem[str]] = getattr(completers, name)(context, parameter, incomplete)
        return found

    return complete


STORE_DEFAULT = "$ARANGOPIPE_URL, else arangopipe.db in the working directory"


def store_option(default: str = STORE_DEFAULT) -> Decorator[Any]:
    """Return the option that names the store."""
    return click.option(
        "--store",
        metavar="URL",
        expose_value=False,
        callback=_set("store"),
        is_eager=True,
        shell_complete=lazily("stores"),
        help=f"The store: an address, the path of a file, or 'legacy', which code for Arangopipe 0.0.x "
        f"used last. [default: {default}]",
    )


def _flag(option: str, name: str, help: str) -> Decorator[Any]:
    """Return an option that sets a switch of the `Terminal`."""
    return click.option(
        option, is_flag=True, expose_value=False, callback=_set(name), is_eager=True, help=help
    )


NO_COLOR = _flag("--no-color", "no_color", "Write no colours (as NO_COLOR=1 does).")
AS_JSON = _flag("--json", "as_json", "Write one JSON document; errors too, to standard error.")
AS_CSV = _flag("--csv", "as_csv", "Write CSV: full numbers, times as recorded.")


class Moment(_ParamType):
    """A time, or the number of a change."""

    name = "time"

    def __init__(self, numbers: bool = True) -> None:
        self.numbers = numbers

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a change number or an aware time, or refuse."""
        if not isinstance(value, str):
            return value
        if self.numbers and value.isdecimal():
            return int(value)
        try:
            return times.parse(value.strip())
        except ValueError:
            number = ", or the number of a change" if self.numbers else ""
            self.fail(f"{value!r} is not a time such as 2026-11-23T09:30{number}", param, ctx)


AS_OF: Decorator[Any] = click.option(
    "--as-of",
    type=Moment(),
    metavar="WHEN",
    help="Show what was recorded then: a time, or the number of a change.",
)


EXIT_CODES = {
    0: "it worked",
    1: "an error",
    2: "the command line is wrong",
    3: "a reference names nothing",
    130: "interrupted",
}


def exit_codes(fails: str = "") -> str:
    """Return the lines that explain exit codes; `fails` is what else ends with code 1."""
    meanings = {**EXIT_CODES, 1: f"{EXIT_CODES[1]}{f', or {fails}' if fails else ''}"}
    return "\n".join(f"  {code:<3}  {text}" for code, text in meanings.items())


class Group(click.Group):
    """Commands under one name; an unknown one is answered with near names."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command."""
        from arangopipe.model.vocabulary import near

        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            ctx.fail(f"no such command {name!r}{near(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


class Verb(click.Command):
    """A command with examples, which end its help and which tests run, exit codes, and others to see."""

    def __init__(
        self,
        *args: Any,
        examples: Sequence[str] = (),
        fails: str = "",
        see: Sequence[str] = (),
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self.examples = tuple(examples)
        self.see = tuple(see)
        lines = "\n".join(f"  {line}" for line in examples)
        parts = [f"\b\nExamples:\n{lines}", f"\b\nExit codes:\n{exit_codes(fails)}"]
        if see:
            parts.append(f"See also: {', '.join(f'arangopipe {name}' for name in see)}")
        self.epilog = "\n\n".join(parts)


def verb(
    name: str,
    *examples: str,
    json: bool = True,
    csv: bool = False,
    store: str = STORE_DEFAULT,
    fails: str = "",
    see: Sequence[str] = (),
) -> Callable[[Callable[..., Any]], Verb]:
    """Return a decorator that makes a command with the options every command has.

    `fails` says what else ends it with exit code 1, `see` which commands go with it.
    """

    def decorate(function: Callable[..., Any]) -> Verb:
        forms = [*([AS_JSON] if json else []), *([AS_CSV] if csv else [])]
        shared = [*forms, store_option(store), NO_COLOR]
        # Shared options come last in the help, so they are added first.
        parameters = getattr(function, "__click_params__", [])
        function.__click_params__ = []  # type: ignore[attr-defined]
        add_options(shared)(function)
        function.__click_params__ += parameters  # type: ignore[attr-defined]
        return click.command(name, cls=Verb, examples=examples, fails=fails, see=see)(function)

    return decorate


def reference(required: bool = True) -> Decorator[Any]:
    """Return the argument REF."""
    return click.argument("ref", metavar="REF", required=required, shell_complete=lazily("references"))


PROJECT: Decorator[Any] = click.option(
    "--project",
    metavar="NAME",
    shell_complete=lazily("projects"),
    help="Look in this project first.",
)
