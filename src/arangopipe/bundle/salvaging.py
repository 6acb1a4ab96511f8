"""What a damaged store still holds, as a bundle."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from arangopipe.bundle.exporting import Exported, export
from arangopipe.bundle.places import beside, check_free, file_of, path_of
from arangopipe.errors import StoreUnavailable
from arangopipe.store import open_store
from arangopipe.store.settings import url_of

if TYPE_CHECKING:
    from arangopipe.store.sql.salvage import Progress, Report


@dataclass(frozen=True)
class Salvaged:
    """The bundle that was written, and the report of what was read of the damaged file."""

    exported: Exported
    report: Report

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON-able values."""
        return {**self.exported.to_dict(), "report": self.report.to_dict()}


def salvage(
    url: str,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Salvaged:
    """Write what the damaged file of a store still holds into a bundle.

    The file is only read, page by page: a bad page costs what stood on it and no more. Needs room beside
    `path` for three copies of it, meanwhile. Raises `Unsupported` for a store that is no file, and
    `StoreError` where nothing of a store is found in it.
    """
    from arangopipe.store.sql.salvage import salvage as read

    damaged = file_of(url, "only a store that is a file can be salvaged")
    if not damaged.is_file():
        raise StoreUnavailable(f"there is no file {damaged}")
    target = path_of(path)
    check_free(target, overwrite, url)
    told = progress or (lambda *_: None)
    with beside(target.absolute()) as made:
        report = read(damaged, made, told)
        with open_store(url_of(made.absolute())) as store:
            exported = export(
                store, path, overwrite=overwrite, progress=lambda *at: told("exporting changes", *at)
            )
    return Salvaged(exported, report)
