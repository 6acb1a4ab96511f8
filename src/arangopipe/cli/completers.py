"""What a shell offers when TAB is pressed; whatever goes wrong, it offers nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeAlias

import click
from click.shell_completion import CompletionItem

from arangopipe.cli.terminal import Terminal
from arangopipe.errors import ArangopipeError
from arangopipe.model.entities import Featureset
from arangopipe.model.expressions import Like, Path
from arangopipe.model.filters import path_text
from arangopipe.model.vocabulary import NODE_KINDS
from arangopipe.roles import ROLES
from arangopipe.store.settings import home
from arangopipe.words import short_key

if TYPE_CHECKING:
    from arangopipe.pipe import ArangoPipe

Items: TypeAlias = "list[CompletionItem[str]]"
Completer = Callable[[click.Context, click.Parameter, str], Items]

OFFERED = 100
SAMPLED = 50
RECENT = 1_000

_NAMED = ("dataset", "featureset", "model", "deployment", "project")
_KIND_OF_VERB = {
    "projects": "project",
    "datasets": "datasets",
    "featuresets": "featuresets",
    "models": "models",
    "runs": "run",
    "deployments": "deployment",
}


def _calm(completer: Callable[[click.Context, str], Items]) -> Completer:
    @wraps(completer)
    def complete(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
        try:
            return completer(context, incomplete)
        except ArangopipeError:
            return []

    return complete


@contextmanager
def _pipe(context: click.Context) -> Iterator[ArangoPipe]:
    with context.ensure_object(Terminal).pipe(quietly=True) as pipe:
        yield pipe


def _begun(words: Iterable[str], incomplete: str) -> Items:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


@_calm
def references(context: click.Context, incomplete: str) -> Items:
    """Offer kinds, and after a kind the names of what there is; of runs their keys."""
    for mark in ":/":
        word, found, begun = incomplete.partition(mark)
        if found:
            with _pipe(context) as pipe:
                return _things(pipe, word, mark, begun)
    words = [f"{kind.singular}{_mark(kind.singular)}" for kind in NODE_KINDS.values()]
    return _begun(words, incomplete)


def _mark(singular: str) -> str:
    return ":" if singular in _NAMED else "/"


def _things(pipe: ArangoPipe, word: str, mark: str, begun: str) -> Items:
    kind = pipe.references().kind(word)
    attribute = "name" if mark == ":" else "key"
    pattern = "".join(f"\\{c}" if c in "%_\\" else c for c in begun)
    where = Like(Path((attribute,)), f"{pattern}%", fold=False)
    found = pipe.store.search(kind.name, where, limit=OFFERED).items
    values = {node.name if mark == ":" else node.key: node.name for node in found}
    help_texts = {value: "" if mark == ":" else name for value, name in values.items()}
    return [CompletionItem(f"{word}{mark}{value}", help=text or None) for value, text in help_texts.items()]


@_calm
def projects(context: click.Context, incomplete: str) -> Items:
    """Offer the names of projects."""
    with _pipe(context) as pipe:
        names = [node.name for node in pipe.store.search("project", limit=OFFERED).items]
    return _begun(names, incomplete)


@_calm
def users(context: click.Context, incomplete: str) -> Items:
    """Offer the names of users."""
    with _pipe(context) as pipe:
        names = [node.name for node in pipe.store.search("users", limit=OFFERED).items]
    return _begun(names, incomplete)


@_calm
def roles(context: click.Context, incomplete: str) -> Items:
    """Offer PROJECT=ROLE: projects, and after one the roles."""
    project, mark, begun = incomplete.rpartition("=")
    if mark:
        return [CompletionItem(f"{project}={role}") for role in ROLES if role.startswith(begun)]
    with _pipe(context) as pipe:
        names = [f"{node.name}=" for node in pipe.store.search("project", limit=OFFERED).items]
    return _begun(names, incomplete)


@_calm
def tokens(context: click.Context, incomplete: str) -> Items:
    """Offer the keys of tokens, with whose they are."""
    with _pipe(context) as pipe:
        found = {token.key: f"{token.user} {token.name}".rstrip() for token in pipe.admin.tokens()}
    return [CompletionItem(key, help=text) for key, text in found.items() if key.startswith(incomplete)]


@_calm
def tags(context: click.Context, incomplete: str) -> Items:
    """Offer the tags of deployments, and those that runs carry for one."""
    with _pipe(context) as pipe:
        found = [node.name for node in pipe.store.search("deployment", limit=OFFERED).items]
        found += [tag for tag in pipe.store.count("run", by="deployment_tag") if isinstance(tag, str)]
    return _begun(dict.fromkeys(found), incomplete)


@_calm
def runs(context: click.Context, incomplete: str) -> Items:
    """Offer the newest runs by the ends of their keys, with their names."""
    with _pipe(context) as pipe:
        found = pipe.store.search("run", limit=OFFERED).items
    words = {short_key(node.key): node.name or None for node in found}
    return [CompletionItem(word, help=name) for word, name in words.items() if word.startswith(incomplete)]


@_calm
def spooled(context: click.Context, incomplete: str) -> Items:
    """Offer the names of what waits in the spool."""
    from arangopipe.spool.files import files

    names = [file.name for file in files()]
    return _begun(names, incomplete)


@_calm
def metrics(context: click.Context, incomplete: str) -> Items:
    """Offer the names of metrics that the newest runs have."""
    return _of_runs(context, incomplete, "metrics.")


@_calm
def params(context: click.Context, incomplete: str) -> Items:
    """Offer the names of params that the newest runs have."""
    return _of_runs(context, incomplete, "params.")


def _of_runs(context: click.Context, incomplete: str, part: str) -> Items:
    with _pipe(context) as pipe:
        names = {name for row in pipe.search("run", limit=SAMPLED).rows() for name in row}
    found = sorted(name.removeprefix(part) for name in names if name.startswith(part))
    return _begun(found, incomplete)


@_calm
def tasks(context: click.Context, incomplete: str) -> Items:
    """Offer the tasks of models."""
    return _of_models(context, incomplete, "task")


@_calm
def techniques(context: click.Context, incomplete: str) -> Items:
    """Offer the techniques of models."""
    return _of_models(context, incomplete, "technique")


def _of_models(context: click.Context, incomplete: str, path: str) -> Items:
    with _pipe(context) as pipe:
        found = sorted(value for value in pipe.store.count("models", by=path) if isinstance(value, str))
    return _begun(found, incomplete)


@_calm
def features(context: click.Context, incomplete: str) -> Items:
    """Offer the columns of featuresets."""
    with _pipe(context) as pipe:
        found = [item for item in pipe.search("featuresets", limit=SAMPLED) if isinstance(item, Featureset)]
    names = sorted({name for item in found for name in item.columns})
    return _begun(names, incomplete)


@_calm
def datasets(context: click.Context, incomplete: str) -> Items:
    """Offer the names of datasets."""
    with _pipe(context) as pipe:
        names = dict.fromkeys(node.name for node in pipe.store.search("datasets", limit=OFFERED).items)
    return _begun(names, incomplete)


@_calm
def actors(context: click.Context, incomplete: str) -> Items:
    """Offer who made the last changes."""
    return _of_changes(context, incomplete, "actor")


@_calm
def actions(context: click.Context, incomplete: str) -> Items:
    """Offer what the last changes did."""
    return _of_changes(context, incomplete, "action")


def _of_changes(context: click.Context, incomplete: str, word: str) -> Items:
    with _pipe(context) as pipe:
        head = pipe.store.head()
        last = pipe.store.changes(max(0, (head.number if head else 0) - RECENT))
        found = sorted({getattr(change, word) for change in last})
    return _begun(found, incomplete)


@_calm
def stores(context: click.Context, incomplete: str) -> Items:
    """Offer the stores of this user, and files."""
    kept = sorted((home() / "databases").glob("*.db"))
    found = [CompletionItem(str(path)) for path in kept if str(path).startswith(incomplete)]
    return [*found, CompletionItem(incomplete, type="file")]


@_calm
def kinds(context: click.Context, incomplete: str) -> Items:
    """Offer the kinds of nodes, own ones too."""
    words = [kind.singular for kind in NODE_KINDS.values()]
    try:
        with _pipe(context) as pipe:
            known = pipe.store.vocabulary().nodes.values()
            words += [kind.singular for kind in known if kind.name not in NODE_KINDS]
    except ArangopipeError:
        pass
    return [CompletionItem(word) for word in words if word.startswith(incomplete) and word != "kind"]


@_calm
def columns(context: click.Context, incomplete: str) -> Items:
    """Offer attributes, for the last of several with commas between."""
    before, comma, last = incomplete.rpartition(",")
    return [CompletionItem(f"{before}{comma}{path}") for path in _attributes(context, last)]


@_calm
def order(context: click.Context, incomplete: str) -> Items:
    """Offer attributes to sort by."""
    before, comma, last = incomplete.rpartition(",")
    begun = last.lstrip(" -")
    start = before + comma + last.removesuffix(begun)
    return [CompletionItem(start + path) for path in _attributes(context, begun)]


def _attributes(context: click.Context, begun: str) -> list[str]:
    """Return the paths that the newest things of a kind have."""
    verb = context.command.name or ""
    kind = _KIND_OF_VERB.get(verb) or str(context.params.get("kind") or "run")
    with _pipe(context) as pipe:
        page = pipe.search(kind, limit=SAMPLED)
        hops = pipe.store.vocabulary().hops(pipe.references().kind(kind).name)
        rows: list[dict[str, Any]] = page.rows()
    names = {name for row in rows for name in row if name != "id"}
    paths = sorted(_path(name) for name in names) + [f"{hop}.name" for hop in hops if hop in _NAMED]
    return [path for path in dict.fromkeys(paths) if path.startswith(begun)]


def _path(name: str) -> str:
    """Return the path of a flat name: params.x and metrics.x are two segments, any other is one."""
    head, dot, rest = name.partition(".")
    return path_text((head, rest) if dot and head in ("params", "metrics") else (name,))
