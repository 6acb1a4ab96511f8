"""The command itself: its global options, and how errors end it."""

from __future__ import annotations

import errno
import json
import os
import sys
import warnings
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import Any

import click

from arangopipe.cli.options import NO_COLOR, Group, exit_codes, store_option
from arangopipe.cli.terminal import Terminal, clean
from arangopipe.errors import ArangopipeError, FilterSyntaxError, NotFound

SECTIONS = {
    "Start": ("demo", "init"),
    "Ask": (
        *("projects", "datasets", "featuresets", "models", "runs", "deployments", "search"),
        *("show", "history", "lineage", "impact", "ask", "compare", "query"),
    ),
    "Change": ("deploy", "delete", "retain"),
    "Serve": ("ui", "serve"),
    "Let in": ("user", "token"),
    "Look after": ("stats", "doctor", "audit", "stores", "upgrade", "spool"),
    "Move and keep": ("export", "import", "copy", "backup", "restore"),
}
"""The commands as the help lists them; any other comes last."""


class Root(Group):
    """The group of all commands; says errors in words and ends with the documented exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line; never returns in standalone mode."""
        given = list(sys.argv[1:] if args is None else args)
        terminal = extra.setdefault("obj", Terminal())

        def run() -> Any:
            return super(Root, self).main(args, prog_name, complete_var, False, **extra)

        if not standalone_mode:
            return run()
        self._prepare_streams()
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            code = self._exit_code(run, terminal, "--json" in given)
        sys.exit(code)

    @staticmethod
    def _prepare_streams() -> None:
        """Let text that a stream's encoding does not know be written with escapes."""
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:  # whoever started it has closed that one
                setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
            stream = getattr(sys, name)
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")

    def _exit_code(self, run: Any, terminal: Terminal, as_json: bool) -> int:
        try:
            result = run()
            sys.stdout.flush()
        except click.Abort:
            click.echo("Interrupted.", err=True)
            return 130
        except click.ClickException as error:
            if type(error).__name__ == "NoArgsIsHelpError":  # click 8.1 has no such class
                click.echo(error.format_message())
                return 0
            _report_usage(error, terminal, as_json)
            return error.exit_code
        except ArangopipeError as error:
            _report(error, terminal, as_json or terminal.as_json)
            return 3 if isinstance(error, NotFound) else 1
        except OSError as error:
            if error.errno == errno.ENOSPC and error.filename is None:
                _say_error(f"standard output cannot be written: {error.strerror}", terminal)
            elif error.errno != errno.EPIPE:
                raise
            _close_pipe()
            return 1
        return result if isinstance(result, int) else 0

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by what one wants to do."""
        left = self.list_commands(ctx)
        for title, names in (*SECTIONS.items(), ("More", tuple(left))):
            found = [name for name in names if name in left]
            left = [name for name in left if name not in found]
            commands = [(name, self.commands[name]) for name in found]
            # Room for the longest name, and for the blanks around it.
            limit = formatter.width - 6 - max(map(len, self.commands))
            rows = [
                (name, command.get_short_help_str(limit)) for name, command in commands if not command.hidden
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; ``help X`` is ``X --help``."""
        if args[:1] == ["help"]:
            args = [*args[1:], "--help"] if args[1:] else ["--help"]
        return super().resolve_command(ctx, args)


def _report(error: ArangopipeError, terminal: Terminal, as_json: bool) -> None:
    if as_json:
        more = {"position": error.position} if isinstance(error, FilterSyntaxError) else {}
        _give_error(type(error).__name__, str(error), more)
        return
    message = _with_caret(error) if isinstance(error, FilterSyntaxError) else str(error)
    _say_error("\n".join(clean(line) for line in message.splitlines()), terminal)


def _with_caret(error: FilterSyntaxError) -> str:
    """Return the message with its caret under the place, however wide the characters before it."""
    from rich.cells import cell_len

    start = error.text.rfind("\n", 0, error.position) + 1
    line = error.text[start:].partition("\n")[0]
    column = cell_len(clean(error.text[start : error.position]))
    return f"{error.reason} at position {error.position + 1}:\n  {line}\n  {' ' * column}^"


def _report_usage(error: click.ClickException, terminal: Terminal, as_json: bool) -> None:
    if as_json:
        _give_error("UsageError", error.format_message(), {})
        return
    context = getattr(error, "ctx", None)
    _say_error(error.format_message(), terminal)
    if isinstance(context, click.Context):
        click.echo(f"Try '{context.command_path} --help'.", err=True)


def _say_error(message: str, terminal: Terminal) -> None:
    start = click.style("Error:", fg="red", bold=True)
    click.echo(f"{start} {message}", err=True, color=False if terminal.plain else None)


def _give_error(kind: str, message: str, more: MutableMapping[str, Any]) -> None:
    click.echo(json.dumps({"error": {"type": kind, "message": message, **more}}), err=True)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    click.echo(f"Warning: {clean(str(message))}", err=True)


def _close_pipe() -> None:
    """Let nothing more be written to a reader that has gone, not even at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from arangopipe import __version__

        click.echo(f"arangopipe {__version__}")
        context.exit()


@click.command(
    cls=Root,
    epilog=f"\b\nExit codes:\n{exit_codes('a check that failed')}",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@store_option()
@NO_COLOR
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the version and exit.",
)
def main() -> None:
    """Arangopipe: the metadata graph for machine-learning pipelines.

    Shows what was recorded about datasets, featuresets, models, runs and deployments, what came from
    what, and who changed it when. New here? Try 'arangopipe demo'.

    Where a command takes a REF, write an id (run/0192…), a name with its kind (dataset:diabetes,
    model:ridge@2), a name that only one thing has, or the end of a run's key as tables show it.
    """
