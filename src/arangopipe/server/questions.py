"""The aggregate questions: what was tried, what of it helped, and how sure that is."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from arangopipe.server import asking, wire
from arangopipe.server.asking import AskedPipe, AsOf
from arangopipe.server.problems import may
from arangopipe.server.replies import reply

router = APIRouter(prefix="/questions", tags=["questions"], responses=may(404, 409, 501))

Better = Annotated[
    Literal["lower", "higher"] | None,
    Query(description="Which values are better; needed where the metric's name does not say."),
]
Task = Annotated[str | None, Query(description="Only runs of models with this task.")]
Metric = Annotated[str, Query(description="The metric.", examples=["rmse"])]
AnyMetric = Annotated[str | None, Query(description="The metric; by default the commonest, or a shared one.")]
Ignore = Annotated[
    list[str] | None,
    Query(description="What may differ between matched runs: a param, or seed, transformation, technique."),
]
Best = Annotated[int, Query(description="How many at most.", ge=1, le=10_000)]
Runs = Annotated[list[str], Query(description="Runs, by id, key or name.", min_length=1, max_length=200)]


async def _scope(
    as_of: AsOf,
    project: asking.Project = None,
    where: asking.Where = None,
    since: Annotated[str | None, Query(description="Only runs that started then or later.")] = None,
    until: Annotated[str | None, Query(description="Only runs that started before then.")] = None,
) -> dict[str, Any]:
    return {"as_of": as_of, "project": project, "where": where, "since": since, "until": until}


Scope = Annotated[dict[str, Any], Depends(_scope)]


@router.get("/techniques", response_model=wire.Answered)
def ask_techniques(
    pipe: AskedPipe, scope: Scope, task: Task = None, metric: AnyMetric = None, better: Better = None
) -> Response:
    """Which modelling techniques were used, and how did they do?"""
    return reply(pipe.analysis.techniques(task, metric=metric, better=better, **scope).to_dict())


@router.get("/feature-techniques", response_model=wire.Answered)
def ask_feature_techniques(pipe: AskedPipe, scope: Scope, task: Task = None) -> Response:
    """Which feature engineering was tried, and on what?"""
    return reply(pipe.analysis.feature_techniques(task, **scope).to_dict())


@router.get("/useful-features", response_model=wire.Answered)
def ask_useful_features(
    pipe: AskedPipe,
    scope: Scope,
    metric: Metric,
    task: Task = None,
    better: Better = None,
    ignore: Ignore = None,
) -> Response:
    """Which attributes and transformations helped? Ranked, and corrected for being many."""
    given: Any = {"metric": metric, "better": better, "ignore": ignore or ()}
    return reply(pipe.analysis.useful_features(task, **given, **scope).to_dict())


@router.get("/effect", response_model=wire.Answered)
def ask_effect(
    pipe: AskedPipe,
    scope: Scope,
    metric: Metric,
    attribute: Annotated[str | None, Query(description="A column of featuresets.", examples=["s5"])] = None,
    transformation: Annotated[str | None, Query(description="A transformation of featuresets.")] = None,
    technique: Annotated[str | None, Query(description="A technique, against all others.")] = None,
    param: Annotated[str | None, Query(description="A param, or one value of it: `alpha=1`.")] = None,
    versus: Annotated[str | None, Query(description="What to compare with, instead of all others.")] = None,
    task: Task = None,
    better: Better = None,
    ignore: Ignore = None,
) -> Response:
    """Did adding one thing give consistent gains? From matched pairs of runs, with a verdict.

    Give one of `attribute`, `transformation`, `technique` and `param`.
    """
    analysis = pipe.analysis
    other: Any = versus
    if param is not None and versus is not None:
        from arangopipe.analysis.factors import parsed

        other = parsed(versus)
    found = analysis.effect(
        metric=metric,
        attribute=attribute,
        transformation=transformation,
        technique=technique,
        param=param,
        versus=other,
        better=better,
        task=task,
        ignore=ignore or (),
        **scope,
    )
    return reply(found.to_dict())


@router.get("/datasets-used", response_model=wire.Answered)
def ask_datasets_used(
    pipe: AskedPipe,
    scope: Scope,
    task: Task = None,
    per: Annotated[
        Literal["day", "week", "month", "quarter", "year"], Query(description="The length of a period.")
    ] = "month",
) -> Response:
    """How many datasets were used, and which, period by period?"""
    return reply(pipe.analysis.datasets_used(task, per=per, **scope).to_dict())


@router.get("/leaderboard", response_model=wire.Answered)
def ask_leaderboard(
    pipe: AskedPipe, scope: Scope, metric: Metric, task: Task = None, better: Better = None, limit: Best = 10
) -> Response:
    """Which runs are best?"""
    found = pipe.analysis.leaderboard(task, metric=metric, better=better, limit=limit, **scope)
    return reply(found.to_dict())


@router.get("/importance", response_model=wire.Answered)
def ask_importance(
    pipe: AskedPipe, scope: Scope, metric: Metric, task: Task = None, ignore: Ignore = None
) -> Response:
    """Which hyper-parameters mattered? The permutation importance of a random forest."""
    return reply(pipe.analysis.importance(metric, task, ignore=ignore or (), **scope).to_dict())


@router.get("/test-set-wear", response_model=wire.Answered)
def ask_test_set_wear(
    pipe: AskedPipe,
    scope: Scope,
    metric: Metric,
    dataset: Annotated[str | None, Query(description="One evaluation set; by default all.")] = None,
    task: Task = None,
    better: Better = None,
) -> Response:
    """How often was each evaluation set used, and what is the best run worth?"""
    found = pipe.analysis.test_set_wear(dataset, metric=metric, better=better, task=task, **scope)
    return reply(found.to_dict())


@router.get("/compare", response_model=wire.Answered)
def ask_compare(pipe: AskedPipe, as_of: AsOf, run: Runs) -> Response:
    """What differs between runs: params, metrics, data, features, code, environment?"""
    return reply(pipe.analysis.compare(run, as_of=as_of).to_dict())


@router.get("/explain-difference", response_model=wire.Answered)
def ask_explain_difference(
    pipe: AskedPipe,
    scope: Scope,
    a: Annotated[str, Query(description="A run, model or deployment.", examples=["deployment:prod"])],
    b: Annotated[str, Query(description="Another.", examples=["model:ridge"])],
    metric: AnyMetric = None,
) -> Response:
    """Why is one run, model or deployment different from another? All that differs, ranked."""
    return reply(pipe.analysis.explain_difference(a, b, metric=metric, **scope).to_dict())
