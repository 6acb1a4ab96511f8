"""The limit of a server: FastAPI, and the hand-written writer of `raw` behind its only route.

`python http_limit.py FILE` serves a store on a free port and says which on standard output. A request
holds the rows of one change as `packed` leaves them.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

import raw
import uvicorn
from fastapi import FastAPI, Request


def packed(change: raw.ChangeRow) -> bytes:
    """Return the rows of a change as the body of a request; each text that is digested goes along once."""
    return json.dumps(
        [
            change.batch,
            change.actor,
            change.action,
            change.reason,
            change.text.decode(),
            [
                [
                    [[*node_columns(node), node.text.decode()] for node in run.nodes],
                    [[e.source, e.kind, e.target, e.document, e.text.decode()] for e in run.edges],
                    run.values,
                ]
                for run in change.runs
            ],
        ],
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()


def node_columns(node: raw.NodeRow) -> list[Any]:
    """Return the columns of a node; of its document, which is the end of its text, the length."""
    return [node.kind, node.key, node.name, node.version, node.project, len(node.document)]


def unpacked(body: bytes) -> raw.ChangeRow:
    """Return the rows of a body."""
    batch, actor, action, reason, text, runs = json.loads(body)
    return raw.ChangeRow(
        batch,
        actor,
        action,
        reason,
        text.encode(),
        tuple(
            [
                raw.RunRows(tuple(map(_node, nodes)), tuple(map(_edge, edges)), values)
                for nodes, edges, values in runs
            ]
        ),
    )


def _node(row: list[Any]) -> raw.NodeRow:
    kind, key, name, version, project, length, text = row
    return raw.NodeRow(kind, key, name, version, project, text[-1 - length : -1], text.encode())


def _edge(row: list[Any]) -> raw.EdgeRow:
    source, kind, target, document, text = row
    ends = [end if type(end) is int else tuple(end) for end in (source, target)]
    return raw.EdgeRow(ends[0], kind, ends[1], document, text.encode())


def main() -> None:
    """Serve until the process is ended."""
    app = FastAPI()
    writer = raw.Writer(Path(sys.argv[1]))

    @app.post("/changes")
    async def write(request: Request) -> dict[str, str]:
        change = unpacked(await request.body())
        writer.log(change)
        return {"batch": change.batch}

    # asyncio sends without delay only over sockets that say that they are TCP.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        print(listening.getsockname()[1], flush=True)
        config = uvicorn.Config(app, http="h11", log_level="warning", access_log=False)
        uvicorn.Server(config).run([listening])


if __name__ == "__main__":
    main()
