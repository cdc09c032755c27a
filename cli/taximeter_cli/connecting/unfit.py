"""What keeps a file from being edited."""

from __future__ import annotations

__all__ = ["Unfit"]


class Unfit(Exception):
    """The file cannot be read as what it should be, or has something else where a setting would go; in a sentence."""
