"""What needs attention: runs that failed or went silent, deployments whose performance is not reported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from arangopipe.details import stale
from arangopipe.model.entities import Deployment, Run, ServingPerf
from arangopipe.server.pages.asking import Ask
from arangopipe.server.pages.things import brief, time_text

SHOWN = 8
"""So many of each sort are shown."""

EXPECTED = timedelta(days=7)
"""A deployment without any serving period is noticed once it has served so long."""

_LOOKED_AT = 1_000
"""Running runs of which it is asked when they last wrote, the newest."""


def needs(ask: Ask, live: Sequence[Deployment], latest: Mapping[str, ServingPerf]) -> dict[str, Any]:
    """Return what needs attention, each sort with the newest first; `latest` is how each last served."""
    failed = ask.pipe.search("run", "status = 'failed'", limit=SHOWN + 1, as_of=ask.as_of)
    running = ask.pipe.search("run", "status = 'running'", limit=_LOOKED_AT, as_of=ask.as_of)
    known = stale(ask.pipe, running, ask.as_of)
    silent = [run for run in running if isinstance(run, Run) and run.id in known]
    return {
        "failed": [_failed(run) for run in failed[:SHOWN] if isinstance(run, Run)],
        "more_failed": len(failed) > SHOWN,
        "stale": [{**brief(run), "start": time_text(run.start)} for run in silent[:SHOWN]],
        "more_stale": len(silent) > SHOWN,
        "unreported": list(_unreported(ask, live, latest)),
    }


def _failed(run: Run) -> dict[str, Any]:
    error = run.error or {}
    said = ": ".join(str(error[name]) for name in ("type", "message") if error.get(name))
    return {**brief(run), "start": time_text(run.start), "end": time_text(run.end), "error": said}


def _unreported(
    ask: Ask, live: Sequence[Deployment], latest: Mapping[str, ServingPerf]
) -> Iterator[dict[str, Any]]:
    """Yield the live deployments whose next serving period is overdue by more than a period's length."""
    for item in live:
        last = latest.get(item.id)
        if last is None or last.end is None:
            since = item.active_from
            if since is not None and ask.now - since > EXPECTED:
                yield {**brief(item), "tag": item.tag, "since": time_text(since), "ever": False}
            continue
        usual = last.end - last.start if last.start else EXPECTED
        if ask.now - last.end > 2 * max(usual, timedelta(hours=1)):
            yield {**brief(item), "tag": item.tag, "since": time_text(last.end), "ever": True}
