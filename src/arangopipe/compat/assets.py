"""What old code registers and looks up: datasets, featuresets, models and anything by name or id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from arangopipe.compat.connected import Connected
from arangopipe.compat.errors import NothingFound, raised_as
from arangopipe.compat.finding import by_id, matching, named
from arangopipe.compat.shapes import Document, new_key, node_id, stored
from arangopipe.errors import AlreadyExists, Conflict, NotFound
from arangopipe.model.entities import Project
from arangopipe.model.graph import Node
from arangopipe.pipe import ArangoPipe
from arangopipe.register import Link, next_version, register
from arangopipe.store.base import RETRIES


class Assets(Connected):
    """Registering and looking up. What a method returns is a plain dict."""

    def register_dataset(
        self, ds_info: Mapping[str, Any], user_id: str = "authorized_user"
    ) -> Document | None:
        """Record a dataset and return its ids."""
        return self._register("datasets", ds_info)

    def register_featureset(
        self, fs_info: Mapping[str, Any], dataset_id: str, user_id: str = "authorized_user"
    ) -> Document | None:
        """Record a featureset of the dataset with that key and return its ids."""
        links = [Link("featureset_dataset", node_id("datasets", dataset_id))]
        return self._register("featuresets", fs_info, links=links)

    def register_model(
        self,
        mi: Mapping[str, Any],
        user_id: str = "authorized_user",
        project: str = "Wine-Quality-Regression-Modelling",
    ) -> Document | None:
        """Record a model of a project and return its ids; an unknown project is an `IndexError`."""
        known = named(self.pipe.store, "project", project)
        if known is None:
            raise NothingFound(f"no project is called {project!r}: an administrator registers it")
        return self._register("models", mi, project=Project(known))

    def _register(
        self,
        kind: str,
        document: Mapping[str, Any],
        *,
        project: Project | None = None,
        links: Sequence[Link] = (),
    ) -> Document | None:
        """Record a named thing by the rules of a generation."""
        raise NotImplementedError

    def lookup_dataset(self, dataset_name: str) -> Document | None:
        """Return the first dataset of that name."""
        return self.lookup_entity(dataset_name, "datasets")

    def lookup_featureset(self, feature_set_name: str) -> Document | None:
        """Return the first featureset of that name."""
        return self.lookup_entity(feature_set_name, "featuresets")

    def lookup_model(self, model_name: str) -> Document | None:
        """Return the first model of that name."""
        return self.lookup_entity(model_name, "models")

    def lookup_entity(self, asset_name: str, asset_type: str) -> Document | None:
        """Return the first of that name in a collection."""
        found = next(matching(self.pipe, asset_type, "name", asset_name), None)
        return found if found is not None else self._missing(f"{asset_name!r} in {asset_type}")

    def lookup_entity_by_id(self, entity_id: str) -> Document | None:
        """Return the node or edge of an id."""
        found = by_id(self.pipe, entity_id) if self.is_valid_id_str(entity_id) else None
        return found if found is not None else self._missing(repr(entity_id))

    def find_entity(self, attrib_name: str, attrib_value: Any, asset_type: str) -> list[Document] | None:
        """Return all of a collection whose attribute has that value; None if there are none."""
        found = list(matching(self.pipe, asset_type, attrib_name, attrib_value))
        return found or self._missing(f"{asset_type} with {attrib_name} = {attrib_value!r}")

    def link_entities(self, src_id: str, dest_id: str) -> None:
        """Add an id to those that the first thing's ``related_…`` attribute lists."""
        for entity_id in (src_id, dest_id):
            if not self.is_valid_id_str(entity_id):
                self._logger.error("%r is not an id: ids look like 'models/123'", entity_id)
                return
        attribute = f"related_{self.get_collection_from_id(dest_id)}"
        for _ in range(RETRIES):
            try:
                source = self.pipe.get(src_id)
                known = source.get(attribute)
                joined = f"{known},{dest_id}" if known else dest_id
                self.pipe.annotate(src_id, {attribute: joined}, expect=source.revision)
            except NotFound:
                self._logger.info("%r was not found", src_id)
            except Conflict:
                continue
            return
        raise Conflict(f"{src_id} is changed by others again and again: link it once more")

    def get_collection_from_id(self, id_str: str) -> str:
        """Return what stands before the slash of an id."""
        return id_str.partition("/")[0]

    def is_valid_id_str(self, id_str: str) -> bool:
        """Whether a text has just one slash, as ids have."""
        return id_str.count("/") == 1


@raised_as("DocumentInsertError")
def insert(
    pipe: ArangoPipe,
    kind: str,
    document: Mapping[str, Any],
    *,
    project: Project | None = None,
    links: Sequence[Link] = (),
    again: bool = True,
) -> Node:
    """Record a named thing; a taken name makes the next version if `again`, else raises `AlreadyExists`.

    Equal content makes one, too. What has no name is known by its key.
    """
    key = document["_key"] if "_key" in document else new_key()
    name = document.get("name", key)
    given = stored(kind, document)
    for _ in range(RETRIES):
        scope = project.name if project else ""
        taken = pipe.store.find(kind, name, scope) if again and isinstance(name, str) else ()
        version = next_version(taken) if taken else None
        try:
            return register(pipe, kind, name, given, version=version, project=project, key=key, links=links)
        except AlreadyExists as error:
            if not again or pipe.store.get([f"{kind}/{key}"]) != (None,):
                raise
            lost = error
    raise lost
