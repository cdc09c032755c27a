"""Ids by as much of them as tells one from others: its beginning, or beginning and end, as narrow tables show them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from taximeter_queries.errors import NotFound
from taximeter_queries.text import literal

__all__ = ["MOST", "ends", "like", "only_one"]

MOST = 4
"""As many ids as are asked for, to name some of those that might be meant."""
_LEFT_OUT = re.compile(r"…|\.\.\.")


def ends(said: str) -> tuple[str, str] | None:
    """What an id begins and ends with, where its middle was left out; None if nothing was.

    >>> ends("b4e7b3…6a8940d"), ends("b4e7b3")
    (('b4e7b3', '6a8940d'), None)
    """
    parts = _LEFT_OUT.split(said)
    return (parts[0], parts[1]) if len(parts) == 2 and all(parts) else None


def like(column: str, head: str, tail: str = "") -> str:
    """SQL that holds for ids that begin and end so."""
    begins = f"left({column}, {len(head)}) = {literal(head)}"
    if not tail:
        return begins
    return f"{begins} AND right({column}, {len(tail)}) = {literal(tail)} AND length({column}) > {len(head + tail)}"


def only_one(found: Sequence[tuple[Any, ...]], kind: str, said: str) -> str | None:
    """The one that is meant; None if there is none. NotFound, with those that it may be, if there are several."""
    if len(found) > 1:
        several = ", ".join(row[0] for row in found[: MOST - 1]) + (", ..." if len(found) >= MOST else "")
        raise NotFound(f"several {kind} begin with {said}: {several}; say more of the one you mean")
    return str(found[0][0]) if found else None
