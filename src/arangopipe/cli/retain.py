"""The command that lets old things go, by rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from arangopipe.cli.asking import REASON, YES, proceed
from arangopipe.cli.listing import IN_PROJECT
from arangopipe.cli.options import lazily, verb
from arangopipe.cli.terminal import Terminal, pass_terminal

if TYPE_CHECKING:
    from arangopipe.retention import Rule


@verb(
    "retain",
    "arangopipe retain rules.yaml",
    "arangopipe retain --kind run --where \"status = 'failed'\" --older-than 90d",
    "arangopipe retain --kind dataset --unused --older-than 1y --csv",
    "arangopipe retain --kind run --project diabetes --keep 10 --each model.name --apply --yes",
    "arangopipe retain rules.yaml --apply --reason 'weekly' --yes",
    csv=True,
    fails='a plan that does not hold any more, or a "no" to its question',
    see=("delete", "stats"),
)
@click.argument("rules", metavar="[FILE]", type=click.Path(dir_okay=False), required=False)
@click.option("--kind", metavar="KIND", shell_complete=lazily("kinds"), help="Things of this kind may go.")
@click.option("--where", metavar="FILTER", help="Only what matches.")
@IN_PROJECT
@click.option(
    "--older-than", metavar="AGE", help="Only if nothing was written to it for so long: 12h, 90d, 8w, 1y."
)
@click.option("--keep", type=click.IntRange(0), metavar="N", help="All but the N last written.")
@click.option(
    "--each", metavar="PATH", shell_complete=lazily("columns"), help="With --keep: N of each value."
)
@click.option("--unused", is_flag=True, help="Only if nothing came of it.")
@click.option("--apply", "do", is_flag=True, help="Do it; without this it is only shown.")
@click.option("--erase", is_flag=True, help="With --apply: remove the content for good, from the past too.")
@REASON
@YES
@pass_terminal
def retain(
    terminal: Terminal, rules: str | None, do: bool, erase: bool, reason: str, yes: bool, **options: Any
) -> None:
    """Let old things go, by rules; by default only show which.

    A rule selects things of a KIND in the search language, and says which of them are old or many
    enough. It stands in the options, or in a YAML FILE with several:

    \b
      rules:
        - name: failed runs
          kind: run
          where: status = 'failed'
          older_than: 90d
        - kind: dataset
          older_than: 1y
          unused: true

    What a live or scheduled deployment depends on never goes. What goes is deleted as 'delete' does,
    500 things to a change; stopped half-way, the same command goes on.
    """
    from arangopipe import retention
    from arangopipe.cli import letting_go

    found = _rules(rules, options)
    if erase and do and not reason.strip():
        raise click.UsageError("--erase needs a --reason, which the record keeps")
    with terminal.pipe() as pipe:
        plan = retention.plan(pipe, found)
        if not (terminal.as_json or terminal.as_csv):
            letting_go.show(terminal, pipe, plan, do)
        done = 0
        if do and plan.goes and proceed(terminal, False, yes):
            done = letting_go.carry_out(terminal, pipe, plan, reason, erase)
        if terminal.as_csv:
            letting_go.write(plan)
        elif terminal.as_json:
            terminal.give({**plan.to_dict(), "done": bool(done)})


def _rules(file: str | None, options: dict[str, Any]) -> tuple[Rule, ...]:
    """Return the rules of a file, or the one that the options make."""
    from arangopipe import retention

    given = {name: value for name, value in options.items() if value is not None and value is not False}
    if file is not None:
        if given:
            option = f"--{next(iter(given)).replace('_', '-')}"
            raise click.UsageError(f"{option} makes a rule of its own: leave it or FILE out")
        return retention.read_rules(file)
    if "kind" not in given:
        raise click.UsageError("name a FILE of rules, or say of which --kind things may go")
    return (retention.Rule(**given),)
