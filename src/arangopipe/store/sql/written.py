"""When runs last wrote, of many at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from arangopipe.model import times
from arangopipe.model.vocabulary import OWNED_BY_RUN
from arangopipe.store.sql.reading import Reader, states

NODE = "kind = ? AND key = each.value"
# An index says it of each metric, whose points are of one life of the run.
POINTS_NOW = (
    "SELECT max((SELECT max(revision) FROM point WHERE run = series.run AND name = series.name)) "
    "FROM series WHERE run = ({})"
)
POINTS_THEN = (
    "SELECT max(revision) FROM point WHERE run = ({}) "
    "AND revision <= {at:d} AND (closed IS NULL OR closed > {at:d})"
)


def last_written(reader: Reader, keys: Sequence[str]) -> dict[str, datetime]:
    """Return, by key of a run, when it last wrote; nothing of what is not there."""
    run, *owned = [reader.term(kind) for kind in ("run", *OWNED_BY_RUN)]
    at = reader.at
    written = [states("node", "revision AS number", NODE, at) for _ in (run, *owned)]
    points = POINTS_NOW if at is None else POINTS_THEN
    written.append(points.format(states("node", "id", NODE, at), at=at))
    sql = (
        f"SELECT each.value, (SELECT time FROM change WHERE number = (SELECT max(number) "
        f"FROM ({' UNION ALL '.join(written)}) AS written)) FROM {reader.dialect.each_text}"
    )
    terms = [term for term in (run, *owned, run) for _ in range(1 if at is None else 2)]
    rows = reader.rows(sql, [*terms, reader.dialect.some(reader.shown_keys(keys))])
    return {key: times.from_microseconds(time) for key, time in rows if time is not None}
