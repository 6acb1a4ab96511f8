"""Moving and merging: stores, and parts of them, as files; backups; copies."""

from arangopipe.bundle.exporting import Exported, export
from arangopipe.bundle.importing import Imported, import_bundle

__all__ = ["Exported", "Imported", "export", "import_bundle"]
