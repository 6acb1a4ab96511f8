"""The command line ``arangopipe``: its verbs are those of the API."""

from arangopipe.cli.lists import datasets, featuresets, models, projects, runs, search
from arangopipe.cli.root import main

__all__ = ["main"]

for command in (datasets, featuresets, models, projects, runs, search):
    main.add_command(command)
