"""The command line ``arangopipe``: its verbs are those of the API."""

from arangopipe.cli.audit import audit
from arangopipe.cli.completion import completion
from arangopipe.cli.demo.command import demo
from arangopipe.cli.deployments import deployments
from arangopipe.cli.init import init
from arangopipe.cli.lineage import impact, lineage
from arangopipe.cli.lists import datasets, featuresets, models, projects, runs, search
from arangopipe.cli.root import main
from arangopipe.cli.show import history, show
from arangopipe.cli.spool import spool

__all__ = ["main"]

for _command in (
    audit,
    completion,
    datasets,
    demo,
    deployments,
    featuresets,
    history,
    impact,
    init,
    lineage,
    models,
    projects,
    runs,
    search,
    show,
    spool,
):
    main.add_command(_command)
