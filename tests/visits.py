"""Visits to pages over HTTP, without a browser: the same address as HTML and as its data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from arangopipe.store.base import Store
from served import serving

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@contextmanager
def visiting(store: Store) -> Iterator[httpx.Client]:
    with serving(store) as address, httpx.Client(base_url=address, headers=HTML, timeout=20) as client:
        yield client


def view(client: httpx.Client, path: str, **query: Any) -> Any:
    answer = client.get(f"{path}.json", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def page(client: httpx.Client, path: str, **query: Any) -> str:
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    return answer.text
