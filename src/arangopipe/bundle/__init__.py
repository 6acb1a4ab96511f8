"""Moving and merging: stores, and parts of them, as files; backups; copies; rescue."""

from arangopipe.bundle.backups import Backed, backup, restore
from arangopipe.bundle.copying import Copied, copy
from arangopipe.bundle.exporting import Exported, export, stream
from arangopipe.bundle.format import Bundle
from arangopipe.bundle.importing import Imported, import_bundle
from arangopipe.bundle.merging import Conflict
from arangopipe.bundle.salvaging import Salvaged, salvage

__all__ = [
    "Backed",
    "Bundle",
    "Conflict",
    "Copied",
    "Exported",
    "Imported",
    "Salvaged",
    "backup",
    "copy",
    "export",
    "import_bundle",
    "restore",
    "salvage",
    "stream",
]
