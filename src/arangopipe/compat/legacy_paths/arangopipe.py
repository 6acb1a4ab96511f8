"""The doubled path of 2021: `arangopipe.arangopipe.arangopipe_storage` is `arangopipe.arangopipe_storage`."""

from __future__ import annotations

import pkgutil
import sys
from importlib import import_module

arangopipe_analytics = import_module("arangopipe.arangopipe_analytics")
arangopipe_storage = import_module("arangopipe.arangopipe_storage")

for _package in (arangopipe_analytics, arangopipe_storage):
    _modules = [found.name for found in pkgutil.iter_modules(_package.__path__, f"{_package.__name__}.")]
    for _name in (_package.__name__, *_modules):
        # An alias, not a second module: old programs mix both paths in one file.
        sys.modules[f"arangopipe.{_name}"] = import_module(_name)
