"""The command line ``arangopipe``: its verbs are those of the API."""

from arangopipe.cli.ask import ask
from arangopipe.cli.audit import audit
from arangopipe.cli.compare import compare
from arangopipe.cli.completion import completion
from arangopipe.cli.delete import delete
from arangopipe.cli.demo.command import demo
from arangopipe.cli.deploy import deploy
from arangopipe.cli.deployments import deployments
from arangopipe.cli.doctor import doctor
from arangopipe.cli.init import init
from arangopipe.cli.lineage import impact, lineage
from arangopipe.cli.lists import datasets, featuresets, models, projects, runs, search
from arangopipe.cli.moving import backup, copy, export, import_, restore
from arangopipe.cli.query import query
from arangopipe.cli.retain import retain
from arangopipe.cli.root import main
from arangopipe.cli.serve import serve
from arangopipe.cli.show import history, show
from arangopipe.cli.spool import spool
from arangopipe.cli.stats import stats
from arangopipe.cli.stores import stores, upgrade
from arangopipe.cli.tokens import token
from arangopipe.cli.ui import ui
from arangopipe.cli.users import user

__all__ = ["main"]

for _command in (
    ask,
    audit,
    compare,
    backup,
    completion,
    copy,
    datasets,
    delete,
    demo,
    deploy,
    deployments,
    doctor,
    export,
    featuresets,
    history,
    impact,
    import_,
    init,
    lineage,
    models,
    projects,
    query,
    retain,
    restore,
    runs,
    search,
    serve,
    show,
    spool,
    stats,
    stores,
    token,
    ui,
    upgrade,
    user,
):
    main.add_command(_command)
