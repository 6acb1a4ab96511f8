"""The command that makes a store."""

from __future__ import annotations

import click

from arangopipe.cli.options import verb
from arangopipe.cli.terminal import Terminal, pass_terminal


@verb(
    "init",
    "arangopipe init",
    "arangopipe init --store runs.db --project diabetes",
    see=("stores", "demo"),
)
@click.option("--project", metavar="NAME", help="Register this project too.")
@click.option("--description", metavar="TEXT", help="What the project is about.")
@pass_terminal
def init(terminal: Terminal, project: str | None, description: str | None) -> None:
    """Make a store.

    Says where it is, and what to do next. A store that is there already is left as it is, and so is a
    project.
    """
    if description is not None and project is None:
        raise click.UsageError("--description describes a project: name it with --project")
    fresh = terminal.path is None or not terminal.exists()
    with terminal.pipe(create=True) as pipe:
        made = False
        if project is not None:
            known = pipe.store.find("project", project)
            made = not known
            if not known:
                about = {} if description is None else {"description": description}
                pipe.admin.register_project({"name": project, **about})
    if terminal.as_json:
        terminal.give({"store": terminal.url, "created": fresh, "project": project})
        return
    said = "Made a store" if fresh else "There is a store already"
    click.echo(f"{said}: {terminal.place}")
    if project is not None:
        click.echo(f"Project {project!r} is registered{'' if made else ' already'}.")
    _say_next(terminal, project)


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
