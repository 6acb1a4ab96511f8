"""Tab completion: the command that prints a shell's script, and what makes bash complete colons."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

from arangopipe.cli.options import verb

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_ARANGOPIPE_COMPLETE"

# bash splits words at colons, so what it calls a word is only the end of dataset:diabetes.
_BASH = """\
%(complete_func)s() {
    local IFS=$'\\n'
    local line="${COMP_LINE:0:COMP_POINT}"
    local type value
    COMPREPLY=()
    while IFS=',' read -r type value; do
        case "$type" in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) printf -v value %%q "$value"; COMPREPLY+=("$value") ;;
        esac
    done < <(COMP_LINE="$line" COMP_WORDBREAKS="$COMP_WORDBREAKS" %(complete_var)s=bash_complete "$1")
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[:/] ]] && compopt -o nospace 2>/dev/null
    return 0
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""


@add_completion_class
class ColonBash(BashComplete):
    """Completion for bash that reads the line itself, and gives back what follows the last colon."""

    name = "bash"
    source_template = _BASH

    @staticmethod
    def _check_version() -> None:
        """Whoever asks for the script knows the shell it is for."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor, and the one being written."""
        line = os.environ["COMP_LINE"]
        words = split_arg_string(line)[1:]
        self._begun = words.pop() if words and not line[-1:].isspace() else ""
        return words, self._begun

    def format_completion(self, item: CompletionItem[str]) -> str:
        """Return a completion without what bash takes for an earlier word."""
        value = item.value
        if ":" in os.environ.get("COMP_WORDBREAKS", ":") and ":" in self._begun:
            value = value.removeprefix(self._begun[: self._begun.rindex(":") + 1])
        return f"{item.type},{value}"


@verb("completion", "arangopipe completion bash > ~/.arangopipe-completion", json=False)
@click.argument("shell", type=click.Choice(SHELLS), required=False)
def completion(shell: str | None) -> None:
    """Print the script for completion with TAB.

    It completes commands, options, references and attributes. SHELL is bash, zsh or fish, by default
    the one you use. To switch completion on, add a line to the shell's start-up file:

    \b
      bash, in ~/.bashrc:                     eval "$(arangopipe completion bash)"
      zsh, in ~/.zshrc:                       eval "$(arangopipe completion zsh)"
      fish, in ~/.config/fish/config.fish:    arangopipe completion fish | source
    """
    known = Path(os.environ.get("SHELL", "")).name
    wanted = shell or (known if known in SHELLS else "")
    found = get_completion_class(wanted)
    if not wanted or found is None:
        raise click.UsageError(f"name the shell: {', '.join(SHELLS)}")
    root = click.get_current_context().find_root()
    click.echo(found(root.command, {}, "arangopipe", VARIABLE).source(), nl=False)
