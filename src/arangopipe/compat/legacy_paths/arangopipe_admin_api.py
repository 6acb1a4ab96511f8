"""`ArangoPipeAdmin` of Arangopipe 0.0.40."""

from arangopipe.compat.connected import ADMIN_LOGGER
from arangopipe.compat.flat import ArangoPipeAdmin as ArangoPipeAdmin

logger = ADMIN_LOGGER
