"""Links from signatures to public names.

Signatures name a class by the module that defines it; the reference documents it as `arangopipe.Name`.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import arangopipe


def _resolve(
    app: Sphinx, env: BuildEnvironment, reference: pending_xref, content: nodes.TextElement
) -> nodes.Node | None:
    package, _, rest = str(reference.get("reftarget", "")).partition(".")
    name = rest.rpartition(".")[2]
    if reference.get("refdomain") != "py" or package != "arangopipe" or name == rest:
        return None
    if name not in arangopipe.__all__:
        return content
    domain = env.get_domain("py")
    return domain.resolve_xref(
        env,
        reference["refdoc"],
        app.builder,
        reference["reftype"],
        f"arangopipe.{name}",
        reference,
        content,
    )


def setup(app: Sphinx) -> dict[str, Any]:
    """Follow up on names that Sphinx cannot find."""
    app.connect("missing-reference", _resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
