"""The bytes of files, read in blocks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any

from arangopipe.capture.values import utf8
from arangopipe.errors import InvalidInput

_BLOCK = 1 << 20


def opened(path: str | os.PathLike[str]) -> IO[bytes]:
    """Return the file opened for reading; raises InvalidInput where there is none."""
    try:
        if Path(path).is_file():
            return Path(path).open("rb")
        reason = "there is no such file"
    except (OSError, ValueError) as error:
        reason = str(error)
    raise InvalidInput(f"cannot read {utf8(os.fspath(path))[:200]!r}: {reason[:200]}")


def feed(digest: Any, file: IO[bytes]) -> int:
    """Add the rest of the file to the digest, and return how many bytes that was."""
    size = 0
    while block := file.read(_BLOCK):
        digest.update(block)
        size += len(block)
    return size
