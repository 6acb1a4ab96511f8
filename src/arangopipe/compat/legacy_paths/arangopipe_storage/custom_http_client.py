"""The HTTP client that tests of 2019 import."""

from arangopipe.compat.connections import CustomHTTPClient as CustomHTTPClient
