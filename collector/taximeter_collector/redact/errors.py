"""What can be wrong with rules."""

from __future__ import annotations

__all__ = ["RedactionError"]


class RedactionError(Exception):
    """A pattern that cannot be used: which one, and why."""
