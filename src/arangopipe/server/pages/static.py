"""Files that pages load: under an address that changes when any of them does, so that browsers keep them."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent.parent / "static"

_FOREVER = "public, max-age=31536000, immutable"


@cache
def version() -> str:
    """Return what tells these files from those of any other version."""
    digest = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(FOLDER).as_posix().encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def address(path: str) -> str:
    """Return the address of a file; modules find each other by relative ones."""
    return f"/static/{version()}/{path}"


class Files(StaticFiles):
    """The files, each at ``/static/VERSION/…``."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file; one that is asked for by its present version may be kept for a year."""
        asked, _, rest = path.replace("\\", "/").partition("/")
        response = await super().get_response(rest, scope)
        if response.status_code in (200, 304):
            response.headers["Cache-Control"] = _FOREVER if asked == version() else "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
