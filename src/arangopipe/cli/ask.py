"""The questions over many runs: ``arangopipe ask``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from arangopipe.cli.options import AS_OF, Decorator, Group, Moment, Verb, add_options, lazily, verb
from arangopipe.cli.terminal import Terminal, pass_terminal

if TYPE_CHECKING:
    from arangopipe.analysis.answers import Answer
    from arangopipe.pipe import ArangoPipe

METRIC = click.option(
    "--metric",
    metavar="NAME",
    shell_complete=lazily("metrics"),
    required=True,
    help="The metric, such as rmse.",
)
BETTER = click.option(
    "--better",
    type=click.Choice(["lower", "higher"]),
    help="Which values are better; needed where the metric's name does not say.",
)
TASK = click.option(
    "--task", metavar="NAME", shell_complete=lazily("tasks"), help="Only runs of models with this task."
)
IGNORE = click.option(
    "--ignore",
    multiple=True,
    metavar="NAME",
    shell_complete=lazily("params"),
    help="What may differ between matched runs: a param, or seed, transformation, technique, …",
)
_SHARED: Sequence[Decorator[Any]] = (
    click.option(
        "--project", metavar="NAME", shell_complete=lazily("projects"), help="Only runs of this project."
    ),
    click.option("--where", metavar="FILTER", help="Only runs that match, such as \"tag = 'sweep'\"."),
    click.option("--since", type=Moment(False), metavar="WHEN", help="Only runs that started then or later."),
    click.option("--until", type=Moment(False), metavar="WHEN", help="Only runs that started before then."),
    AS_OF,
)


@click.group("ask", cls=Group)
def ask() -> None:
    """Questions over many runs, with honest statistics.

    Each answers in one sentence, a table, and a picture where people would rather look. What was left
    out, and why a question cannot be answered, is said. Needs numpy, scipy and pandas:
    pip install 'arangopipe[analysis]'.
    """


def question(
    name: str, *examples: str, options: Sequence[Decorator[Any]] = ()
) -> Callable[[Callable[..., Answer]], Verb]:
    """Return a decorator that makes a command of what gets the answer from a pipe."""

    def decorate(function: Callable[..., Answer]) -> Verb:
        @pass_terminal
        def command(terminal: Terminal, **given: Any) -> None:
            from arangopipe.cli.replies import reply

            with terminal.pipe() as pipe:
                reply(terminal, function(pipe, **given))

        command.__doc__ = function.__doc__
        # Options are shown in the order given; those that decorators have added come first.
        command.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
        found = verb(name, *examples, csv=True)(add_options([*options, *_SHARED])(command))
        ask.add_command(found)
        return found

    return decorate


@question(
    "techniques",
    "arangopipe ask techniques",
    "arangopipe ask techniques --task progression --metric rmse --csv",
    options=[
        TASK,
        click.option(
            "--metric",
            metavar="NAME",
            shell_complete=lazily("metrics"),
            help="The metric; by default the commonest.",
        ),
        BETTER,
    ],
)
def techniques(pipe: ArangoPipe, **given: Any) -> Answer:
    """Which modelling techniques were used, and how did they do?

    For each: its runs, best, median, worst and spread of a metric, first and last use.
    """
    return pipe.analysis.techniques(**given)


@question(
    "feature-techniques",
    "arangopipe ask feature-techniques --task progression",
    options=[TASK],
)
def feature_techniques(pipe: ArangoPipe, **given: Any) -> Answer:
    """Which feature engineering was tried, and on what?

    The transformations recorded on featuresets and on their links to datasets.
    """
    return pipe.analysis.feature_techniques(**given)


@question(
    "useful-features",
    "arangopipe ask useful-features --metric rmse --ignore alpha",
    options=[TASK, METRIC, BETTER, IGNORE],
)
def useful_features(pipe: ArangoPipe, **given: Any) -> Answer:
    """Which attributes and transformations helped?

    The effect of each as 'ask effect' finds it, ranked, with p-values corrected for being many.
    """
    return pipe.analysis.useful_features(**given)


@question(
    "effect",
    "arangopipe ask effect --attribute s5 --metric rmse --ignore alpha",
    "arangopipe ask effect --technique ridge --metric rmse",
    "arangopipe ask effect --param alpha=1 --metric rmse --json",
    options=[
        click.option(
            "--attribute", metavar="NAME", shell_complete=lazily("features"), help="A column of featuresets."
        ),
        click.option("--transformation", metavar="TEXT", help="A transformation of featuresets."),
        click.option(
            "--technique",
            metavar="NAME",
            shell_complete=lazily("techniques"),
            help="A technique, against all others.",
        ),
        click.option(
            "--param",
            metavar="NAME[=VALUE]",
            shell_complete=lazily("params"),
            help="A value of a param, against its other values.",
        ),
        click.option("--versus", metavar="VALUE", help="What to compare with, instead of all others."),
        TASK,
        METRIC,
        BETTER,
        IGNORE,
    ],
)
def effect(pipe: ArangoPipe, **given: Any) -> Answer:
    """Did adding something give consistent gains?

    Finds the matched pairs: runs equal in task, data, technique, seed, params and features but for that one
    thing. Repeats of a technique on a dataset count once. The answer is a consistent gain or loss only
    where techniques agree by more than chance; 'mixed' where they disagree.
    """
    if given["param"] is not None and given["versus"] is not None:
        from arangopipe.analysis.factors import parsed

        given["versus"] = parsed(given["versus"])
    return pipe.analysis.effect(**given)


@question(
    "datasets-used",
    "arangopipe ask datasets-used --per year",
    "arangopipe ask datasets-used --task progression --since 2020-01-01",
    options=[
        TASK,
        click.option(
            "--per",
            type=click.Choice(["day", "week", "month", "quarter", "year"]),
            default="month",
            show_default=True,
            help="The length of a period.",
        ),
    ],
)
def datasets_used(pipe: ArangoPipe, **given: Any) -> Answer:
    """How many datasets were used, and which, period by period?

    Each version of a dataset counts as one.
    """
    return pipe.analysis.datasets_used(**given)


@question(
    "leaderboard",
    "arangopipe ask leaderboard --metric rmse --limit 5",
    options=[
        TASK,
        METRIC,
        BETTER,
        click.option(
            "--limit", type=click.IntRange(1), default=10, show_default=True, help="How many at most."
        ),
    ],
)
def leaderboard(pipe: ArangoPipe, **given: Any) -> Answer:
    """Which runs are best?

    The best of many flatters: 'ask test-set-wear' says what it is worth.
    """
    return pipe.analysis.leaderboard(**given)


@question(
    "importance",
    "arangopipe ask importance --metric rmse",
    options=[TASK, METRIC, IGNORE],
)
def importance(pipe: ArangoPipe, **given: Any) -> Answer:
    """Which hyper-parameters mattered?

    What a random forest loses on unseen runs when a param is shuffled. It speaks of the settings that
    were tried, and shows association, not cause.
    """
    return pipe.analysis.importance(given.pop("metric"), **given)


@question(
    "test-set-wear",
    "arangopipe ask test-set-wear --metric rmse",
    options=[
        click.argument("dataset", metavar="[DATASET]", shell_complete=lazily("datasets"), required=False),
        TASK,
        METRIC,
        BETTER,
    ],
)
def test_set_wear(pipe: ArangoPipe, **given: Any) -> Answer:
    """How often was each evaluation set used, and what is the best run worth?

    Beside the raw best of so many runs stands an honest estimate, without the luck of being chosen.
    """
    from arangopipe.cli.refs import find

    dataset = given.pop("dataset")
    found = None if dataset is None else find(pipe, dataset, given["as_of"])
    return pipe.analysis.test_set_wear(found, **given)


@question(
    "explain-difference",
    "arangopipe ask explain-difference run/aaaaaaaa-00000002 run/aaaaaaaa-00000003",
    "arangopipe ask explain-difference run/aaaaaaaa-00000002 deployment:prod --metric rmse",
    options=[
        click.argument("a", metavar="REF", shell_complete=lazily("references")),
        click.argument("b", metavar="REF", shell_complete=lazily("references")),
        click.option(
            "--metric",
            metavar="NAME",
            shell_complete=lazily("metrics"),
            help="The metric; by default one that both have.",
        ),
    ],
)
def explain_difference(pipe: ArangoPipe, **given: Any) -> Answer:
    """Why is this run, model or deployment different from that one?

    All that differs over the whole ancestry, ranked by how often such a change, alone, moved the metric in
    this store. A model stands for its latest finished run, a deployment for the run it serves.
    """
    from arangopipe.cli.refs import find

    a, b = (find(pipe, given.pop(name), given["as_of"]) for name in ("a", "b"))
    return pipe.analysis.explain_difference(a, b, **given)
