"""Types of vertices and edges of one's own, with both forms of defining an edge."""

from arangopipe.arangopipe_storage.connection_manager import arango_pipe_connections

conn_params = {
    "DB_service_host": "localhost",
    "DB_end_point": "createDB",
    "DB_service_name": "createDB",
    "DB_service_port": "8529",
    "conn_protocol": "http",
}
with arango_pipe_connections(conn_params, False) as (admin, ap):
    project = admin.register_project({"name": "Own types"})
    for name in ("notebook", "report"):
        admin.add_vertex_to_arangopipe(name)
    admin.add_edge_definition_to_arangopipe("project_notebook", "project", "notebook")
    admin.add_edge_definition_to_arangopipe(
        "notebook_report", "a notebook wrote a report", "notebook", "report"
    )
    admin.add_edges_to_arangopipe("cites", ["notebook", "report"], ["report", "datasets"])

    document = {"name": "exploration", "cells": 12}
    notebook = ap.insert_into_vertex_type("notebook", document)
    report = ap.insert_into_vertex_type("report", document)
    dataset = ap.register_dataset({"name": "survey"})
    owned = ap.insert_into_edge_type("project_notebook", project, notebook)
    wrote = ap.insert_into_edge_type("notebook_report", notebook, report, document={"pages": 4})
    cited = ap.insert_into_edge_type("cites", report, dataset)

    print(
        "types", admin.has_vertex("report"), admin.has_edge("notebook_report"), admin.has_edge("no such edge")
    )
    print(
        "edge",
        owned["_key"] == f"{project['_key']}-{notebook['_key']}",
        ap.lookup_entity_by_id(wrote["_id"])["pages"],
    )
    print("again", ap.insert_into_edge_type("project_notebook", project, notebook))
    print("other end", ap.insert_into_edge_type("cites", dataset, report))
    print("found", len(ap.find_entity("cells", 12, "notebook")), ap.find_entity("cells", 13, "notebook"))
    admin.remove_edge_definition_from_arangopipe("cites")
    admin.remove_edge_definition_from_arangopipe("notebook_report")
    admin.remove_vertex_from_arangopipe("report")
    print("removed", admin.has_vertex("report"), admin.has_edge("cites"), admin.has_vertex("notebook"))
