"""Names of connection parameters, as of Arangopipe 0.0.70."""

from arangopipe.compat.config import ManagedServiceConnParam as ManagedServiceConnParam
