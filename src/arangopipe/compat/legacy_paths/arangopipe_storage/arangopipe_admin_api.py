"""`ArangoPipeAdmin` of Arangopipe 0.0.70."""

from arangopipe.compat.connected import ADMIN_LOGGER
from arangopipe.compat.nested import ArangoPipeAdmin as ArangoPipeAdmin

logger = ADMIN_LOGGER
