"""`ArangoPipeConfig` of Arangopipe 0.0.40."""

from arangopipe.compat.flat import ArangoPipeConfig as ArangoPipeConfig
