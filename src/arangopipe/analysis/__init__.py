"""The aggregate questions: what was tried, what of it helped, and how sure that is."""

from arangopipe.analysis.questions import Analysis

__all__ = ["Analysis"]
