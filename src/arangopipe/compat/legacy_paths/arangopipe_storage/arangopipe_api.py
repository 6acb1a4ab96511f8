"""`ArangoPipe` of Arangopipe 0.0.70."""

from arangopipe.compat.nested import ArangoPipe as ArangoPipe
from arangopipe.compat.nested import logger as logger
