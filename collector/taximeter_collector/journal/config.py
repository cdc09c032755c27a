"""What a user sets about the journal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from taximeter_collector.settings import choice, duration, folder, setting, size

__all__ = ["JournalConfig"]


@dataclass(frozen=True, slots=True)
class JournalConfig:
    """`[journal]`: where what was acknowledged is kept until all readers have passed it."""

    dir: Path = setting(folder, "journal", "Its folder; a relative one is below `data`.")
    segment_size: int = setting(
        size, "64MiB", "Size of a segment file; a whole segment is deleted at once.", at_least=1 << 20, at_most=1 << 30
    )
    max_size: int = setting(size, "10GiB", "The most that the journal takes of the disk.", at_least=4 << 20)
    max_age_s: float = setting(duration, "0s", "The longest that a record waits for a reader; 0 is for ever.")
    at_limit: str = setting(
        choice("refuse", "drop-oldest"),
        "refuse",
        "At a limit: `refuse` answers senders that they should try again later; `drop-oldest` deletes what is unread.",
    )
