"""The commands that list: projects, datasets, featuresets, models, runs, and any kind by search."""

from __future__ import annotations

from typing import Any

import click

from arangopipe.cli.listing import LIST_OPTIONS, Request, list_options
from arangopipe.cli.options import add_options, lazily, verb
from arangopipe.cli.terminal import Terminal, pass_terminal


def _show(terminal: Terminal, kind: str, options: dict[str, Any]) -> None:
    from arangopipe.cli.finding import show_list
    from arangopipe.cli.views import view_of

    show_list(terminal, kind, Request(**options), view_of(kind))


@verb(
    "projects",
    "arangopipe projects",
    "arangopipe projects \"name like 'dia%'\" --json",
    csv=True,
    see=("init",),
)
@add_options(LIST_OPTIONS)
@pass_terminal
def projects(terminal: Terminal, **options: Any) -> None:
    """List projects, with their numbers of models and runs.

    FILTER is a condition in the search language. By default projects come by name.
    """
    _show(terminal, "project", options)


@verb(
    "datasets",
    "arangopipe datasets",
    "arangopipe datasets \"source = 'scikit-learn'\"",
    "arangopipe datasets --columns name,version,location --csv",
    csv=True,
    see=("lineage", "impact"),
)
@list_options
@pass_terminal
def datasets(terminal: Terminal, **options: Any) -> None:
    """List datasets.

    Shows their size, source, and what identifies their content.

    FILTER is a condition in the search language. By default datasets come by name, the newest
    version first.
    """
    _show(terminal, "datasets", options)


@verb(
    "featuresets",
    "arangopipe featuresets",
    "arangopipe featuresets \"dataset.name = 'diabetes'\" --order name",
    csv=True,
    see=("lineage", "datasets"),
)
@list_options
@pass_terminal
def featuresets(terminal: Terminal, **options: Any) -> None:
    """List featuresets.

    Shows the dataset each was made from, how, and its columns.

    FILTER is a condition in the search language. By default featuresets come by name, the newest
    version first.
    """
    _show(terminal, "featuresets", options)


@verb(
    "models",
    "arangopipe models",
    "arangopipe models \"technique in ('ridge', 'lasso')\"",
    "arangopipe models --project diabetes --columns name,task,technique",
    csv=True,
    see=("runs", "lineage"),
)
@list_options
@pass_terminal
def models(terminal: Terminal, **options: Any) -> None:
    """List models.

    Shows their task and technique, and how many runs trained each.

    FILTER is a condition in the search language. By default models come by name, the newest version
    first.
    """
    _show(terminal, "models", options)


@verb(
    "runs",
    "arangopipe runs",
    'arangopipe runs "metrics.rmse < 57" --order metrics.rmse',
    "arangopipe runs --where \"model.technique = 'ridge'\" --order '-metrics.r2' --limit 5",
    "arangopipe runs --columns model.name,params.alpha,metrics.rmse --csv",
    "arangopipe runs --order metrics.rmse --limit 3 --json",
    csv=True,
    see=("search", "show"),
)
@list_options
@pass_terminal
def runs(terminal: Terminal, **options: Any) -> None:
    """List runs.

    Shows their status, what each used and measured, when it started and how long it took.

    FILTER is a condition in the search language: "metrics.rmse < 55 and params.alpha >= 1", "tag =
    'sweep'", "model.technique = 'ridge'", "status = 'failed'". By default the newest runs come
    first. A run that says it is running but has written nothing for ten minutes is shown as stale.
    The key in the first column is the end of the run's key, and is enough to name it.
    """
    _show(terminal, "run", options)


@verb(
    "search",
    'arangopipe search run "metrics.rmse < 57 and params.alpha >= 1" --order metrics.rmse',
    "arangopipe search servingperf --order start --columns population,rmse,rows",
    "arangopipe search dataset --json",
    csv=True,
    see=("runs", "show"),
)
@click.argument("kind", metavar="KIND", shell_complete=lazily("kinds"))
@list_options
@pass_terminal
def search(terminal: Terminal, kind: str, **options: Any) -> None:
    """List things of any kind.

    KIND is run, dataset, featureset, model, deployment, servingperf, modelparams, devperf, project or
    a kind of your own. FILTER is a condition in the search language:

    \b
      metrics.rmse < 55            a comparison: = != < <= > >=
      tag in ('a', 'b')            one of several values
      name like 'rid%'             a pattern; ilike takes no notice of case
      params.alpha is not null     whether there is a value
      model.technique = 'ridge'    an attribute of a neighbour, by its kind
      not (a = 1 or b = 2)         combined with and, or, not
    """
    from arangopipe.cli.finding import show_list
    from arangopipe.cli.views import view_of
    from arangopipe.model.vocabulary import Vocabulary

    known = Vocabulary().nodes.values()
    name = next((k.name for k in known if kind in (k.name, k.singular, k.title)), kind)
    show_list(terminal, name, Request(**options), view_of(name))
