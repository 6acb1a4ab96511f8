"""Deployments and how they perform."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from arangopipe.server import asking, forms, wire
from arangopipe.server.asking import AskedPipe
from arangopipe.server.entities import MADE
from arangopipe.server.problems import may
from arangopipe.server.replies import created, of_thing

router = APIRouter(prefix="/deployments", tags=["deployments"])


@router.post("", status_code=201, response_model=wire.Thing, responses={**MADE, **may(404, 409)})
def register_deployment(pipe: AskedPipe, body: forms.NewDeployment) -> Response:
    """Deploy a run under a tag.

    It is active from now, or from `active_from`; scheduled if `schedule` says for when; archived if
    `active_to` says until when it served. The one of the tag that was active is archived, unless `keep`.
    """
    own = set(forms.NewDeployment.model_fields) - {"document"}
    given = {name: getattr(body, name) for name in own}
    made = pipe.admin.register_deployment(**given, **asking.free(body.document, *own, "scheduled"))
    return created(made, "/api/v1/deployments")


@router.post("/{deployment}/activate", response_model=wire.Thing, responses=may(404, 409))
def activate_deployment(pipe: AskedPipe, deployment: asking.Event, body: forms.Activated) -> Response:
    """Make a scheduled deployment active; a tag means the one that is scheduled."""
    made = pipe.admin.activate_deployment(deployment, at=body.at, keep=body.keep, reason=body.reason)
    return of_thing(made)


@router.post("/{deployment}/archive", response_model=wire.Thing, responses=may(404, 409))
def archive_deployment(pipe: AskedPipe, deployment: asking.Event, body: forms.Moved) -> Response:
    """End an active deployment, or call off a scheduled one; a tag means the one that is active."""
    return of_thing(pipe.admin.archive_deployment(deployment, at=body.at, reason=body.reason))


@router.post(
    "/{deployment}/servingperf",
    status_code=201,
    response_model=wire.Thing,
    responses={**MADE, **may(404, 409)},
)
def log_serving_perf(pipe: AskedPipe, deployment: asking.Event, body: forms.NewServing) -> Response:
    """Record how a deployment performed over a period.

    A tag stands for the deployment that was live when the period began.
    """
    document = asking.free(body.document, "deployment", "metrics", "period", "key", "start", "end")
    made = pipe.log_serving_perf(
        deployment, body.metrics, period=(body.start, body.end), key=body.key, **document
    )
    return created(made, "/api/v1/servingperf")
