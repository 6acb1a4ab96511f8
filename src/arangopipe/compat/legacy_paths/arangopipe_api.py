"""`ArangoPipe` of Arangopipe 0.0.40."""

from arangopipe.compat.flat import ArangoPipe as ArangoPipe
from arangopipe.compat.flat import logger as logger
