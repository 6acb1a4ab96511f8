"""Examples for the OpenAPI document, by the name of their model or of their operation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PASSWORD = "a long sentence is a good password"
_TIME = "2026-11-23T09:30:00.000000Z"
_RUN = "0192f0c4-7a5c-7cc0-8000-6d4c3b2a1f0e"
_DATA = "7m3q5w2k4n6p8r1t9v0x2z4b6d"
_DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_BATCH = "0192f0c4-7a5c-7cc0-8000-000000000001"

_THING = {
    "id": f"datasets/{_DATA}",
    "kind": "datasets",
    "key": _DATA,
    "name": "diabetes",
    "version": "1",
    "revision": 12,
    "document": {"source": "scikit-learn", "rows": 442},
}
_RUN_THING = {
    "id": f"run/{_RUN}",
    "kind": "run",
    "key": _RUN,
    "name": None,
    "project": "diabetes",
    "revision": 31,
    "document": {
        "status": "finished",
        "tag": "sweep-1",
        "start": _TIME,
        "end": "2026-11-23T09:41:07.120000Z",
    },
    "params": {"alpha": 1.0},
    "metrics": {"rmse": 54.2},
}
_MADE = {"change": 31, "time": _TIME, "actor": "ana", "action": "log run", "reason": ""}
_LINK = {
    "kind": "run_datasets",
    "from": f"run/{_RUN}",
    "to": f"datasets/{_DATA}",
    "revision": 31,
    "document": {"roles": ["training"]},
}
_WALKED = {
    "start": [f"run/{_RUN}"],
    "nodes": [
        {**{k: v for k, v in _RUN_THING.items() if k not in ("params", "metrics")}, "depth": 0},
        {**_THING, "depth": -1},
    ],
    "edges": [_LINK],
    "truncated": False,
}
_DEPLOYMENT = {
    "id": "deployment/0192f0c9-11aa-7a3e-8000-2f4a6c8e0d13",
    "kind": "deployment",
    "key": "0192f0c9-11aa-7a3e-8000-2f4a6c8e0d13",
    "name": "prod",
    "project": "diabetes",
    "revision": 40,
    "document": {"tag": "prod", "status": "active", "active_from": _TIME},
}
_ME = {"user": "ana", "admin": False, "roles": {"diabetes": "maintainer"}, "limited": False, "csrf": None}
_USER = {
    "name": "ana",
    "admin": False,
    "disabled": False,
    "roles": {"diabetes": "maintainer"},
    "attributes": {"full_name": "Ana Lima"},
}
_TOKEN = {
    "key": "96379b147334eaa191e3",
    "user": "ana",
    "name": "laptop",
    "projects": ["diabetes"],
    "role": "viewer",
    "created": _TIME,
    "expires": "2027-02-21T09:30:00.000000Z",
    "used": None,
}

OF_MODELS: Mapping[str, Any] = {
    "State": {"status": "ok"},
    "Spoken": {"name": "Arangopipe", "arangopipe": "1.0.0", "api": [1]},
    "Thing": _THING,
    "RunThing": _RUN_THING,
    "ThingPage": {"items": [_RUN_THING], "cursor": "WyI3Njg2NzUwMTQ0YWIiLCBbXSwgMzgsICJrOSIsICIiXQ"},
    "Things": {"items": [_THING]},
    "Made": _MADE,
    "History": {
        "id": f"datasets/{_DATA}",
        "items": [
            {
                **_MADE,
                "action": "annotate",
                "deleted": False,
                "superseded": False,
                "differences": [{"mark": "~", "path": "rows", "before": 430, "after": 442}],
                "document": {"source": "scikit-learn", "rows": 442},
            }
        ],
    },
    "ChangePage": {
        "items": [{**_MADE, "things": {"run": 1}, "batch": _BATCH, "digest": _DIGEST, "chain": _DIGEST}],
        "cursor": 31,
    },
    "Verified": {"ok": True, "changes": 31, "head": _DIGEST, "problems": []},
    "Counted": {"count": 40, "by": [{"value": "ridge", "count": 24}, {"value": "lasso", "count": 16}]},
    "Link": _LINK,
    "Links": {"items": [_LINK]},
    "Gone": {"deleted": True},
    "Walked": _WALKED,
    "Impact": {"graph": _WALKED, "live": [_DEPLOYMENT], "scheduled": [], "last_serving": {}},
    "Curves": {"points": {"loss": [{"step": 0, "time": _TIME, "value": 0.9}]}},
    "Kinds": {
        "nodes": [
            {
                "name": "patient",
                "singular": "patient",
                "title": "Patient",
                "records": "who it is about",
                "own": True,
            }
        ],
        "edges": [
            {
                "name": "run_datasets",
                "from": "run",
                "to": "datasets",
                "depends": "from",
                "records": "which data a run used",
                "own": False,
            }
        ],
    },
    "Imported": {"store": _BATCH, "verbatim": False, "new": 12, "known": 30, "conflicts": []},
    "Server": {"arangopipe": "1.0.0", "authentication": True, "change": 31, "time": _TIME},
    "QueryRows": {
        "columns": ["action", "changes"],
        "rows": [["log run", 12], ["register datasets", 3]],
        "truncated": False,
    },
    "Me": _ME,
    "UserOut": _USER,
    "Users": {"items": [_USER]},
    "Tokens": {"items": [_TOKEN]},
    "Login": {"name": "ana", "password": _PASSWORD},
    "Setup": {"token": "apt_…", "name": "root", "password": _PASSWORD},
    "Passwords": {"old": _PASSWORD, "new": "another long sentence"},
    "NewPassword": {"password": _PASSWORD},
    "NewUser": {"name": "ana", "password": _PASSWORD, "roles": {"diabetes": "viewer"}},
    "UserChange": {"disabled": True, "reason": "has left"},
    "Grant": {"role": "maintainer", "reason": "on duty"},
    "NewToken": {"name": "laptop", "projects": ["diabetes"], "role": "viewer", "days": 30},
    "NativeQuestion": {"sql": "SELECT action, count(*) AS changes FROM change GROUP BY action"},
    "MadeToken": {"text": "apt_96379b147334eaa191e3_…", "token": _TOKEN},
}

_ASKED = {"task": "progression", "metric": "rmse", "better": "lower"}

OF_OPERATIONS: Mapping[str, Any] = {
    "ask_techniques": {
        "sentence": "5 techniques in 44 runs of progression: forest has the best median rmse (55).",
        **_ASKED,
        "items": [
            {
                "technique": "forest",
                "runs": 11,
                "counted": 11,
                "best": 52.3,
                "median": 55.0,
                "worst": 57.9,
                "spread": 1.82,
                "first": _TIME,
                "last": _TIME,
            }
        ],
        "notes": [],
    },
    "ask_feature_techniques": {
        "sentence": "1 feature-engineering technique made 2 featuresets from 1 dataset for progression.",
        "task": "progression",
        "items": [
            {
                "transformation": "standard scaling",
                "featuresets": ["base", "base+s5"],
                "datasets": ["diabetes"],
                "techniques": ["forest", "ridge"],
                "runs": 43,
                "first": _TIME,
                "last": _TIME,
            }
        ],
        "notes": [],
    },
    "ask_useful_features": {
        "sentence": "s5 gave consistent gains in rmse, of 1 thing that could be compared.",
        **_ASKED,
        "items": [
            {
                "name": "s5",
                "kind": "attribute",
                "helped": True,
                "estimate": -4.25,
                "interval": [-4.84, -3.66],
                "p_value": 0.031,
                "adjusted": 0.031,
                "verdict": "consistent gain on this dataset",
                "pairs": 20,
                "clusters": 5,
            }
        ],
        "not_comparable": [],
        "notes": ["1 run left out: not finished (1 failed)."],
    },
    "ask_datasets_used": {
        "sentence": "1 dataset was used in all tasks (diabetes), all in 2026-11.",
        "task": "",
        "per": "month",
        "datasets": ["diabetes"],
        "periods": [
            {
                "period": "2026-11",
                "runs": 30,
                "datasets": ["diabetes"],
                "training": 1,
                "validation": 0,
                "test": 0,
            }
        ],
        "where": "",
        "notes": [],
    },
    "ask_leaderboard": {
        "sentence": "sweep-1-ridge leads the runs of progression with rmse 52.3.",
        **_ASKED,
        "runs": None,
        "items": [
            {
                "rank": 1,
                "run": "sweep-1-ridge",
                "id": f"run/{_RUN}",
                "value": 52.3,
                "technique": "ridge",
                "model": "ridge",
                "featureset": "base+s5",
                "dataset": "diabetes",
                "seed": 0,
            }
        ],
        "notes": [],
    },
    "ask_effect": {
        "sentence": "Consistent gain on this dataset: adding s5 changes rmse by −4.25.",
        "kind": "attribute",
        "what": "s5",
        **_ASKED,
        "verdict": "consistent gain on this dataset",
        "pairs": 20,
        "clusters": 5,
        "estimate": -4.25,
        "interval": [-4.84, -3.66],
        "p_value": 0.031,
        "per_technique": {
            "ridge": {"pairs": 4, "better": 4, "worse": 0, "estimate": -4.67, "low": -5.95, "high": -3.9}
        },
        "notes": [],
    },
    "ask_importance": {
        "sentence": "For rmse, alpha mattered the most.",
        "task": "progression",
        "metric": "rmse",
        "runs": 43,
        "explained": 0.85,
        "items": [
            {
                "name": "alpha",
                "importance": 0.41,
                "deviation": 0.05,
                "matters": True,
                "values": 5,
                "lowest": 0.1,
                "highest": 10,
            }
        ],
        "notes": [],
    },
    "ask_test_set_wear": {
        "sentence": "holdout was used for 40 choices: the best run scored rmse 52.3.",
        **_ASKED,
        "items": [
            {
                "dataset": "holdout",
                "choices": 40,
                "validation": 0,
                "configurations": 40,
                "first": _TIME,
                "last": _TIME,
                "raw_best": 52.3,
                "honest": None,
                "low": None,
                "high": None,
                "if_all_equal": 56.4,
                "noise": "",
                "why_not": "no configuration was repeated with another seed",
                "records": [[1, 60.1], [37, 52.3]],
            }
        ],
        "notes": [],
    },
    "ask_compare": {
        "sentence": "2 runs differ in params and metrics, not in data, features, code and environment.",
        "runs": ["net-1", "net-2"],
        "ids": ["run/net-1", "run/net-2"],
        "differences": [
            {"section": "params", "name": "rate", "values": [0.01, 0.001]},
            {"section": "metrics", "name": "rmse", "values": [55.0, 56.0]},
        ],
        "same": {"params": 3, "metrics": 1, "data": 2, "features": 5, "code": 3, "environment": 3},
        "notes": [],
    },
    "ask_explain_difference": {
        "sentence": "rmse changes by +1 from net-1 to net-2; likely by rate (0.01 → 0.001).",
        "first": "net-1",
        "second": "net-2",
        "metric": "rmse",
        "task": "progression",
        "before": 55.0,
        "after": 56.0,
        "noise": None,
        "causes": [
            {
                "section": "params",
                "name": "rate",
                "before": 0.01,
                "after": 0.001,
                "pairs": 2,
                "moved": 2,
                "typical": 1.0,
            }
        ],
        "notes": ["No run was repeated, so the noise is not known: any change counts as moved."],
    },
}
"""What questions answer."""
