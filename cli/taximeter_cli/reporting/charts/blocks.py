"""Bars of characters: to an eighth of a character with blocks, to a whole one in ASCII."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["bar", "columns", "span"]

_LEFT = " ▏▎▍▌▋▊▉█"
_LOW = " ▁▂▃▄▅▆▇█"
_LOW_ASCII = " ....:::#"
_EIGHTHS = 8


def bar(share: float, room: int, ascii_only: bool = False) -> str:
    """A bar from the left, over a share of the room. What is not nothing is seen.

    >>> bar(0.5, 5), bar(0.0001, 5), bar(1, 3, ascii_only=True)
    ('██▌  ', '▏    ', '###')
    """
    share = min(max(share, 0.0), 1.0)
    if ascii_only:
        full = max(round(share * room), 1 if share else 0)
        return "#" * full + " " * (room - full)
    eighths = max(round(share * room * _EIGHTHS), 1 if share else 0)
    full, rest = divmod(eighths, _EIGHTHS)
    return ("█" * full + (_LEFT[rest] if rest else "")).ljust(room)


def span(begin: float, end: float, room: int, ascii_only: bool = False) -> str:
    """A bar between two shares of the room, as in a waterfall.

    >>> span(0.5, 1.0, 6), span(0.25, 0.25, 4), span(0.5, 1, 4, ascii_only=True)
    ('   ███', ' ▏  ', '  ==')
    """
    begin, end = min(max(begin, 0.0), 1.0), min(max(end, 0.0), 1.0)
    first = min(int(begin * room), room - 1)
    if ascii_only:
        return (" " * first + "=" * max(1, round(end * room) - first)).ljust(room)[:room]
    # There are blocks for the left seven eighths of a character, and for its right half.
    cells = " " * first
    ends = end * room
    if begin * room - first >= 0.5 and ends >= first + 1:
        cells, first = cells + "▐", first + 1
    full, rest = divmod(max(round((ends - first) * _EIGHTHS), 0 if cells.endswith("▐") else 1), _EIGHTHS)
    return (cells + "█" * full + (_LEFT[rest] if rest else "")).ljust(room)[:room]


def columns(values: Sequence[float | None], most: float, height: int, wide: int, ascii_only: bool = False) -> list[str]:
    """Columns beside each other, from the top line down, each so many characters wide.

    >>> columns([1, None, 2], 2, 2, 1)
    ['  █', '█ █']
    """
    blocks = _LOW_ASCII if ascii_only else _LOW
    levels = [_level(value, most, height) for value in values]
    return [
        "".join(_column(blocks[min(max(level - row * _EIGHTHS, 0), _EIGHTHS)], wide) for level in levels)
        for row in range(height - 1, -1, -1)
    ]


def _column(block: str, wide: int) -> str:
    """With a gap to the next, where there is room for one."""
    return block * wide if wide < 3 else block * (wide - 1) + " "


def _level(value: float | None, most: float, height: int) -> int:
    if not value or value < 0 or not most:
        return 0
    return max(1, math.floor(value / most * height * _EIGHTHS + 0.5))
