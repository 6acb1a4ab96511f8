"""Where files may be written, and which file a store is."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from arangopipe.errors import InvalidInput, StoreUnavailable, Unsupported
from arangopipe.store.base import check_switch


def path_of(given: object) -> Path:
    """Return the path that was given; raises `InvalidInput` for what is none."""
    try:
        path = Path(os.fsdecode(given))  # type: ignore[arg-type]
        if b"\0" in str(path).encode():
            raise ValueError("it has a NUL character")
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{given!r:.80} is no path of a file ({error}): name one") from error
    return path


def check_free(path: Path, overwrite: bool, url: str) -> None:
    """Raise `InvalidInput` where what is read at an address may not be written into a file.

    That is the store itself, a file that is there already, unless it may be overwritten, or no folder.
    """
    if path.exists() and url.startswith("sqlite:") and path.samefile(file_of(url, "")):
        raise InvalidInput(f"{path} is the store itself: take another name")
    if path.exists() and not (check_switch("overwrite", overwrite) and path.is_file()):
        raise InvalidInput(f"{path} is there already: take another name, or pass --force (overwrite=True)")
    if not path.parent.is_dir():
        raise InvalidInput(f"{path} cannot be written: there is no folder {path.parent}")


def file_of(url: str, instead: str) -> Path:
    """Return the file of the store at an address; of one that is no file, raise what to do `instead`."""
    scheme, _, name = url.partition(":///")
    if scheme != "sqlite" or not name:
        raise Unsupported(f"{url} is no file: {instead}")
    return Path(unquote(name.partition("?")[0])).expanduser().absolute()


@contextmanager
def beside(target: Path) -> Iterator[Path]:
    """Give a path on the same file system; what is left there in the end goes."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise StoreUnavailable(f"{target} cannot be written: {error.strerror or error}") from error
    try:
        yield folder / target.name
    finally:
        shutil.rmtree(folder, ignore_errors=True)
