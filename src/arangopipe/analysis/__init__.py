"""The aggregate questions: what was tried, what of it helped, and how sure that is."""

from arangopipe.errors import MissingExtra

try:
    from arangopipe.analysis.questions import Analysis
except ImportError as error:
    if (error.name or "").startswith("arangopipe"):
        raise
    raise MissingExtra(error.name or "scipy", "analysis") from error

__all__ = ["Analysis"]
