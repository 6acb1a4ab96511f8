"""The statements of a write. Those that `inserting.insert` runs end before their values."""

from __future__ import annotations

from arangopipe.model import chain

HEAD = """
SELECT (SELECT number FROM change WHERE batch = ?), (SELECT max(id) FROM node),
       (SELECT max(id) FROM node_past), number, time, chain
FROM change ORDER BY number DESC LIMIT 1
"""
NO_HEAD = (None, None, None, 0, 0, chain.GENESIS)
INSERT_NODE = "INSERT OR FAIL INTO node(id, kind, key, name, version, project, revision, document, salt)"
UPDATE_NODE = (
    "UPDATE node SET name = ?, version = ?, project = ?, revision = ?, document = ?, salt = ? WHERE id = ?"
)
INSERT_EDGE = "INSERT OR FAIL INTO edge(source, kind, target, revision, document, salt)"
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
INSERT OR REPLACE INTO series(run, name, count, step, time, last, low, high)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""

CHANGED_ID = """
SELECT 1 FROM node WHERE kind = :kind AND key = :key AND revision > :since
UNION ALL SELECT 1 FROM node_past WHERE kind = :kind AND key = :key AND closed > :since LIMIT 1
"""
CHANGED_KIND = """
SELECT 1 FROM node WHERE kind = :kind AND revision > :since
UNION ALL SELECT 1 FROM node_past WHERE kind = :kind AND closed > :since
UNION ALL SELECT 1 FROM edge WHERE kind = :kind AND revision > :since
UNION ALL SELECT 1 FROM edge_past WHERE kind = :kind AND closed > :since LIMIT 1
"""
