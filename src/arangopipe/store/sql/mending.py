"""Salvaged rows made to fit together: each names only what is there, and is there once.

Works on the scratch database of `salvage`, whose tables have no constraint. Where the row of a term or of
a node is lost, an index often still names it; the rest is dropped, and told in words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from sqlite3 import Connection

from arangopipe.model import chain, times
from arangopipe.model.graph import Point
from arangopipe.model.ids import named_key, uuid7
from arangopipe.model.vocabulary import OWNED_BY_RUN, Vocabulary

NUMBERED = {
    "node": ("revision",),
    "edge": ("revision",),
    "node_past": ("revision", "closed", "erased"),
    "edge_past": ("revision", "closed"),
    "point": ("revision", "closed", "erased"),
}
IDENTITY = {
    "term": "id",
    "change": "number",
    "node": "id",
    "edge": "source, kind, target",
    "node_past": "id, revision",
    "edge_past": "source, kind, target, revision",
    "point": "run, name, revision, digest, salt",
}
KINDED = ("node", "node_past", "edge", "edge_past")
_CLOCKS_DIFFER = 86_400_000_000  # a day, in microseconds
KIND_TERMS = "(SELECT id FROM term WHERE text NOT GLOB '*[:=]*')"
KNOWN_NODES = "(SELECT id FROM state)"
_OF_RUNS = f"(SELECT id FROM term WHERE text IN {OWNED_BY_RUN})"
_RUN = "(SELECT id FROM term WHERE text = 'run')"
_STATE = "id, kind, key, name, version, project, revision"
VIEWS = f"""
CREATE INDEX by_id ON node(id);
CREATE INDEX past_by_id ON node_past(id, revision);
CREATE INDEX by_key ON node(kind, key);
CREATE INDEX past_by_key ON node_past(kind, key);
CREATE INDEX by_source ON edge(source);
CREATE INDEX past_by_source ON edge_past(source, kind, target);
CREATE INDEX by_target ON edge(target);
CREATE INDEX past_by_target ON edge_past(target);
CREATE INDEX by_term ON term(id);
CREATE VIEW state AS
    SELECT {_STATE}, NULL AS closed FROM node UNION ALL SELECT {_STATE}, closed FROM node_past;
CREATE VIEW joined AS
    SELECT source, kind, target, revision FROM edge
    UNION ALL SELECT source, kind, target, revision FROM edge_past;
CREATE VIEW used AS  -- changes that name a node, and so show that it was there
    SELECT source AS id, revision FROM joined
    UNION ALL SELECT target, revision FROM joined
    UNION ALL SELECT run, revision FROM point
    UNION ALL SELECT min(run.id), owned.revision
        FROM state AS owned JOIN state AS run ON run.kind = {_RUN} AND run.key = owned.key
        WHERE owned.kind IN {_OF_RUNS} GROUP BY owned.key, owned.revision
        HAVING min(run.revision) > owned.revision;
CREATE VIEW orphan AS  -- what belongs to a run of which nothing is left
    SELECT key, min(revision) AS first, max(closed IS NULL) AS stands, max(closed) AS closed, (
        SELECT min(source) FROM joined WHERE target = owned.id AND source NOT IN {KNOWN_NODES}
        AND kind IN (SELECT id FROM term WHERE text IN ('run_modelparams', 'run_devperf'))
    ) AS run
    FROM state AS owned WHERE kind IN {_OF_RUNS}
    AND NOT EXISTS (SELECT 1 FROM state WHERE kind = {_RUN} AND key = owned.key) GROUP BY key;
"""


def mend(db: Connection) -> list[str]:
    """Make the rows of a scratch database fit together; return in words what is lost."""
    lost = Lost(db)
    _once(db)
    _terms(db, lost)
    _documents(db, lost)
    _nodes(db, lost)
    _ends(db, lost)
    _beginnings(db)
    _kinds(db)
    _changes(db, lost)
    return lost.words


class Lost:
    """Counts of rows that were dropped, in words."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        self.words: list[str] = []

    def drop(self, table: str, where: str, why: str) -> None:
        """Delete rows that nothing can be made of."""
        count = self._db.execute(f"DELETE FROM {table} WHERE {where}").rowcount
        if count:
            self.words.append(f"rows of {table.replace('_', ' ')} that {why}: {count:,}")


def _once(db: Connection) -> None:
    """Keep each row once; of several states, which only old pages can hold, the newest."""
    for table, identity in IDENTITY.items():
        # A row with its salt is the row itself; one without comes from an index.
        best = "revision DESC, salt IS NULL" if table in NUMBERED else "rowid"
        db.execute(
            f"DELETE FROM {table} WHERE rowid NOT IN (SELECT rowid FROM (SELECT rowid, row_number() OVER "
            f"(PARTITION BY {identity} ORDER BY {best}) AS place FROM {table}) WHERE place = 1)"
        )
    for statement in VIEWS.split(";\n"):
        db.execute(statement)
    db.execute(
        "DELETE FROM node WHERE EXISTS (SELECT 1 FROM node_past AS past "
        "WHERE past.id = node.id AND past.revision >= node.revision)"
    )
    db.execute(
        "DELETE FROM edge WHERE EXISTS (SELECT 1 FROM edge_past AS past WHERE past.source = edge.source "
        "AND past.kind = edge.kind AND past.target = edge.target AND past.revision >= edge.revision)"
    )


# --- terms ---------------------------------------------------------------------------------------


def _terms(db: Connection, lost: Lost) -> None:
    """Find the words for lost terms: in their index, by what is named with them, else ``lost-7``."""
    db.execute(
        "INSERT INTO term SELECT id, min(text) FROM word WHERE id NOT IN (SELECT id FROM term) "
        "AND text NOT IN (SELECT text FROM term) GROUP BY id"
    )
    for id, kind in _kinds_by_key(db):
        db.execute("INSERT INTO term VALUES (?, ?)", (id, kind))
    db.execute(
        "INSERT INTO term SELECT DISTINCT kind, 'run' FROM node WHERE id IN (SELECT run FROM point) "
        "AND kind NOT IN (SELECT id FROM term) AND 'run' NOT IN (SELECT text FROM term) LIMIT 1"
    )
    for prefix, tables, column in (("", KINDED, "kind"), ("=", ("point",), "name")):
        used = " UNION ".join(f"SELECT {column} FROM {table}" for table in tables)
        for (id,) in db.execute(f"SELECT * FROM ({used}) EXCEPT SELECT id FROM term").fetchall():
            db.execute("INSERT INTO term VALUES (?, ?)", (id, f"{prefix}lost-{id}"))
            what = "a metric" if prefix else "a kind of nodes or edges"
            lost.words.append(f"the name of {what}: it is called 'lost-{id}'")
    for table in ("node", "node_past"):  # things of own kinds have names
        db.execute(
            f"UPDATE {table} SET name = key, version = NULL WHERE document IS NOT NULL AND kind IN "
            "(SELECT id FROM term WHERE text GLOB 'lost-*')"
        )
    for table in KINDED:
        lost.drop(table, f"kind NOT IN {KIND_TERMS}", "are of something that is no kind")
    lost.drop("point", "name NOT IN (SELECT id FROM term WHERE text GLOB '=*')", "are of no metric")


def _kinds_by_key(db: Connection) -> list[tuple[int, str]]:
    """Return lost kinds of named nodes: a key is derived from the kind too, so it tells which."""
    known = {kind.name for kind in Vocabulary().nodes.values() if kind.identity == "name"}
    known -= {text for (text,) in db.execute("SELECT text FROM term")}
    found = []
    for id, key, name, version, project in db.execute(
        "SELECT kind, key, name, coalesce(version, ''), project FROM node WHERE name IS NOT NULL "
        "AND kind NOT IN (SELECT id FROM term) GROUP BY kind"
    ).fetchall():
        for kind in known:
            if named_key(kind, project, name, version) == key:
                found.append((id, kind))
    return found


def _kinds(db: Connection) -> None:
    """Define own kinds whose definition is lost by what their use shows: of nodes, or of edges."""
    known = Vocabulary()
    for what, builtin in (("node", known.nodes), ("edge", known.edges)):
        used = db.execute(
            f"SELECT text, min(revision) FROM (SELECT kind, revision FROM {what} UNION ALL "
            f"SELECT kind, revision FROM {what}_past) JOIN term ON term.id = kind GROUP BY kind"
        ).fetchall()
        for name, first in used:
            if name not in builtin:
                _define(db, name, what, first)


def _define(db: Connection, name: str, what: str, first: int) -> None:
    """Define an own kind, unless its own definition is there, from its first use on."""
    kinds, key = _term(db, "kinds"), named_key("kinds", "", name, "")
    found = db.execute("SELECT id, document FROM node WHERE kind = ? AND key = ?", (kinds, key)).fetchone()
    if found is not None and found[1] != "{}":
        return
    if found is None:
        id = _next_id(db)
    else:
        id = found[0]
        db.execute("DELETE FROM node WHERE id = ?", (id,))
    row = (id, kinds, key, name, None, "", first, f'{{"of":"{what}"}}', bytes(chain.SALT))
    db.execute("INSERT INTO node VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def _term(db: Connection, text: str) -> int:
    row = db.execute("SELECT id FROM term WHERE text = ?", (text,)).fetchone()
    if row is None:
        row = db.execute(
            "INSERT INTO term SELECT coalesce(max(id), 0) + 1, ? FROM term RETURNING id", (text,)
        ).fetchone()
    return int(row[0])


# --- documents -----------------------------------------------------------------------------------


def _documents(db: Connection, lost: Lost) -> None:
    """Empty documents that are none; points that are none are dropped."""
    no_object = "document IS NOT NULL AND iif(json_valid(document), json_type(document), '') <> 'object'"
    for table in ("node", "node_past"):
        found = db.execute(
            f"UPDATE {table} SET document = '{{}}' WHERE {no_object} "
            "RETURNING (SELECT text FROM term WHERE id = kind) || '/' || key"
        ).fetchall()
        lost.words += [f"{id}: its document, which is damaged" for (id,) in found]
    for table in ("edge", "edge_past"):
        count = db.execute(f"UPDATE {table} SET document = NULL WHERE {no_object}").rowcount
        if count:
            lost.words.append(f"edges whose documents are damaged: {count:,}")
    damaged = [
        str(rowid)
        for rowid, text in db.execute("SELECT rowid, document FROM point WHERE digest IS NULL")
        if not _are_points(text)
    ]
    lost.drop("point", f"rowid IN ({', '.join(damaged)})", "are damaged")


def _are_points(text: str | None) -> bool:
    try:
        return all(len(point) == len(Point._fields) for point in json.loads(text or ""))
    except (TypeError, ValueError):
        return False


# --- nodes ---------------------------------------------------------------------------------------


def _nodes(db: Connection, lost: Lost) -> None:
    """Bring back nodes whose own row is lost: as they last were, else with an empty document."""
    db.execute(f"DELETE FROM hint WHERE id IN (SELECT id FROM node) OR kind NOT IN {KIND_TERMS}")
    for kind, key, id in _hinted(db):
        if _reopened(db, id):
            lost.words.append(f"{kind}/{key}: its newest state; the one before stands")
        elif _known_by_key(db, kind, key):
            continue
        else:
            _put_stub(db, id, kind, key)
            lost.words.append(f"{kind}/{key}: its document")
    for key, first, stands, closed, id in db.execute("SELECT * FROM orphan").fetchall():
        id = id or _next_id(db)
        row = (id, _term(db, "run"), key, "", first, "{}", bytes(chain.SALT))
        columns = "id, kind, key, project, revision, document, salt"
        if stands:
            db.execute(f"INSERT INTO node({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        else:
            insert = f"INSERT INTO node_past({columns}, closed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            db.execute(insert, (*row, closed))
        lost.words.append(f"run/{key}: its document")


def _next_id(db: Connection) -> int:
    named = "SELECT id FROM state UNION ALL SELECT id FROM used"
    return int(db.execute(f"SELECT max(id) + 1 FROM ({named})").fetchone()[0])


def _hinted(db: Connection) -> Iterator[tuple[str, str, int]]:
    """Yield (kind, key, integer) of nodes that indexes call current and that have no row of their own."""
    builtin = Vocabulary().nodes
    found = db.execute(
        "SELECT text, min(key), max(name), max(version), max(project), hint.id "
        "FROM hint JOIN term ON term.id = hint.kind GROUP BY hint.id"
    ).fetchall()
    for kind, key, name, version, project, id in found:
        if key is not None:
            yield kind, key, id
        elif kind not in builtin or builtin[kind].identity == "name":
            yield kind, named_key(kind, project, name, version or ""), id


def _reopened(db: Connection, id: int) -> bool:
    """Make the last state of a node that was superseded the current one."""
    row = db.execute(
        "SELECT rowid FROM node_past WHERE id = ? AND digest IS NULL ORDER BY revision DESC LIMIT 1", (id,)
    ).fetchone()
    if row is None:
        return False
    db.execute(
        "INSERT INTO node SELECT id, kind, key, name, version, project, revision, document, salt "
        "FROM node_past WHERE rowid = ?",
        row,
    )
    db.execute("DELETE FROM node_past WHERE rowid = ?", row)
    return True


def _known_by_key(db: Connection, kind: str, key: str) -> bool:
    of_kind = "kind = (SELECT id FROM term WHERE text = ?)"
    return db.execute(f"SELECT 1 FROM node WHERE {of_kind} AND key = ?", (kind, key)).fetchone() is not None


def _put_stub(db: Connection, id: int, kind: str, key: str) -> None:
    """Record that a node was there, from the first change on that says so."""
    name, version, project = db.execute(
        "SELECT max(name), max(version), coalesce(max(project), '') FROM hint WHERE id = ?", (id,)
    ).fetchone()
    first = db.execute("SELECT min(revision) FROM used WHERE id = ?", (id,)).fetchone()[0]
    if first is None:
        first = db.execute("SELECT coalesce(max(number), 1) FROM change").fetchone()[0]
    row = (id, _term(db, kind), key, name, version, project, first, "{}", bytes(chain.SALT))
    db.execute("INSERT INTO node VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def _beginnings(db: Connection) -> None:
    """Let nodes begin, with an empty document, where others first name them: their first states are lost."""
    db.execute(
        "INSERT INTO node_past(id, kind, key, name, version, project, revision, document, salt, closed) "
        "SELECT state.id, kind, key, name, version, project, first, '{}', ?, min(revision) "
        "FROM state JOIN (SELECT id, min(revision) AS first FROM used GROUP BY id) AS named "
        "ON named.id = state.id GROUP BY state.id HAVING min(revision) > first",
        (bytes(chain.SALT),),
    )


def _ends(db: Connection, lost: Lost) -> None:
    """Drop what joins or belongs to nodes of which nothing is left."""
    for table in ("edge", "edge_past"):
        lost.drop(
            table,
            f"source NOT IN {KNOWN_NODES} OR target NOT IN {KNOWN_NODES}",
            "join a node of which nothing is left",
        )
    lost.drop("point", f"run NOT IN {KNOWN_NODES}", "belong to a run of which nothing is left")


# --- changes -------------------------------------------------------------------------------------


def _changes(db: Connection, lost: Lost) -> None:
    """Stand in for changes of which only the rows are left."""
    latest = times.to_microseconds(times.now()) + _CLOCKS_DIFFER
    db.execute("UPDATE change SET time = 0 WHERE time NOT BETWEEN 0 AND ?", (latest,))
    named = " UNION ".join(
        f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL"
        for table, columns in NUMBERED.items()
        for column in columns
    )
    missing = [
        number
        for (number,) in db.execute(f"SELECT * FROM ({named}) EXCEPT SELECT number FROM change ORDER BY 1")
    ]
    columns = "number, batch, time, actor, action, reason, salt, digest, chain"
    for number in missing:
        db.execute(
            f"INSERT INTO change({columns}) SELECT ?, ?, coalesce(max(time), 0), '', '', '', ?, x'', x'' "
            "FROM change WHERE number < ?",
            (number, uuid7(), bytes(chain.SALT), number),
        )
    if missing:
        lost.words.append(f"who made these changes, when and why: {listed(missing)}")


def listed(numbers: Sequence[int]) -> str:
    """Return ascending numbers as people list them: 3, 7 to 9."""
    stretches: list[list[int]] = []
    for number in numbers:
        if stretches and number == stretches[-1][1] + 1:
            stretches[-1][1] = number
        else:
            stretches.append([number, number])
    return ", ".join(f"{first}" if first == last else f"{first} to {last}" for first, last in stretches)
