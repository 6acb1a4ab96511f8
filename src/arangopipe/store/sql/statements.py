"""The statements of a write, but for what `dialect` inserts."""

from __future__ import annotations

from arangopipe.model import chain
from arangopipe.store.sql.terms import FORGOTTEN

HEAD = f"""
SELECT {FORGOTTEN}, (SELECT number FROM change WHERE batch = ?), (SELECT max(id) FROM node),
       (SELECT max(id) FROM node_past), number, time, chain
FROM change ORDER BY change.number DESC LIMIT 1
"""
NO_HEAD = (None, None, None, None, 0, 0, chain.GENESIS)
UPDATE_NODE = (
    "UPDATE node SET name = ?, version = ?, project = ?, revision = ?, document = ?, salt = ? WHERE id = ?"
)
DELETE_EDGE = "DELETE FROM edge WHERE source = ? AND kind = ? AND target = ?"
INSERT_POINT = "INSERT INTO point(run, name, revision, document, salt) VALUES (?, ?, ?, ?, ?)"
INSERT_CHANGE = (
    "INSERT INTO change(number, batch, time, actor, action, reason, salt, digest, chain, origin) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
CHANGE = "SELECT number, time, actor, action, reason, batch, digest, chain, origin FROM change"
NODE_PAST = """
INSERT INTO node_past(id, kind, key, name, version, project, revision, document, salt, closed)
SELECT id, kind, key, name, version, project, revision, document, salt, ? FROM node WHERE id = ?
"""
EDGE_PAST = """
INSERT INTO edge_past(source, kind, target, revision, document, salt, closed)
SELECT source, kind, target, revision, document, salt, ?
FROM edge WHERE source = ? AND kind = ? AND target = ?
"""
PUT_SERIES = """
INSERT INTO series(run, name, count, step, time, last, low, high) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run, name) DO UPDATE SET count = excluded.count, step = excluded.step, time = excluded.time,
last = excluded.last, low = excluded.low, high = excluded.high
"""

CHANGED_ID = """
SELECT 1 FROM node WHERE kind = ? AND key = ? AND revision > ?
UNION ALL SELECT 1 FROM node_past WHERE kind = ? AND key = ? AND closed > ? LIMIT 1
"""
CHANGED_KIND = """
SELECT 1 FROM node WHERE kind = ? AND revision > ?
UNION ALL SELECT 1 FROM node_past WHERE kind = ? AND closed > ?
UNION ALL SELECT 1 FROM edge WHERE kind = ? AND revision > ?
UNION ALL SELECT 1 FROM edge_past WHERE kind = ? AND closed > ? LIMIT 1
"""
