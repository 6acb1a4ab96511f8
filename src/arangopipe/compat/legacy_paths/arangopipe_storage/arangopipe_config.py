"""`ArangoPipeConfig` of Arangopipe 0.0.70."""

from arangopipe.compat.nested import ArangoPipeConfig as ArangoPipeConfig
