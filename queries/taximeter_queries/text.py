"""Names and values as SQL has them."""

from __future__ import annotations

__all__ = ["literal", "quoted"]


def literal(text: str) -> str:
    """A text as a constant.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A name that may be any text.

    >>> quoted("tag.team")
    '"tag.team"'
    """
    return '"' + name.replace('"', '""') + '"'
