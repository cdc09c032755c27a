"""Our own errors: counted, visible in the debug log, never the app's problem.

>>> from taximeter import faults
>>> faults.counts()
{}
"""

from __future__ import annotations

import logging
from collections import Counter

__all__ = ["count", "counts", "reset"]

_log = logging.getLogger("taximeter")
_counts: Counter[str] = Counter()


def count(where: str, error: BaseException | None = None) -> None:
    """Note that something of ours went wrong, or was given up, at `where`."""
    _counts[where] += 1
    if _log.isEnabledFor(logging.DEBUG):
        _log.debug("taximeter: %s (%d so far)", where, _counts[where], exc_info=error)


def counts() -> dict[str, int]:
    """How often each thing went wrong or was given up since the process started."""
    return dict(_counts)


def reset() -> None:
    _counts.clear()
