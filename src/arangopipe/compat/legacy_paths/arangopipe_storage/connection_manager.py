"""Both objects of Arangopipe 0.0.70 at once."""

from arangopipe.compat.connections import arango_pipe_connections as arango_pipe_connections
