"""Sphinx settings. The build touches no network and treats every warning as an error."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "Arangopipe"
author = "The Arangopipe contributors"
copyright = author
release = installed_version("arangopipe")
version = ".".join(release.split(".")[:2])
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "http_operations",
    "public_names",
    "sphinx_click",
    "vocabulary_tables",
]
exclude_patterns = ["_build", "_ext"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# In docstrings, `single backticks` are code.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
maximum_signature_line_length = 88

# Our own names must resolve; other projects' names are not looked up anywhere.
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(?!arangopipe\b).*")]

# Examples run in an empty memory store, so that building the documentation leaves no file behind.
doctest_global_setup = """
import os
os.environ["ARANGOPIPE_URL"] = "memory://"
os.environ["ARANGOPIPE_CAPTURE"] = "off"
"""
doctest_test_doctest_blocks = "default"

html_theme = "furo"
smartquotes = False
html_title = f"Arangopipe {release}"
html_copy_source = False
html_show_sourcelink = False
