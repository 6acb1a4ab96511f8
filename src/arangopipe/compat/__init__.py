"""Arangopipe 0.0.x on today's API: old names, old shapes, old import paths, and no storage of its own.

Two generations of old code are served. `flat` has the rules of 0.0.40, whose modules stood in the
package itself; `nested` those of 0.0.70, whose modules stood in ``arangopipe_storage``. What they
share stands in the other modules, what tells them apart in those two. `legacy_paths` has the modules
that old code imports; it is on the package's ``__path__``.
"""
