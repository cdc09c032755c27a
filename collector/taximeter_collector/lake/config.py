"""What a user sets about the lake."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from taximeter_collector.settings import count, duration, folder, setting, size

__all__ = ["LakeConfig"]

_NO_LIMIT = "0B"
_FOR_EVER = "0s"


@dataclass(frozen=True, slots=True)
class LakeConfig:
    """`[lake]`: the tables, and for how long what is kept in them."""

    dir: Path = setting(folder, "lake", "Its folder; a relative one is below `data`.")
    compression_level: int = setting(count, 1, "Zstandard's level in data files.", at_least=1, at_most=19)
    target_file_size: int = setting(
        size,
        "64MiB",
        "What small files are merged into; of `calls`, a quarter of it.",
        at_least=1 << 20,
        at_most=1 << 30,
    )
    upkeep_interval_s: float = setting(
        duration, "1m", "How often the lake is tidied: files merged, old days dropped, the log trimmed.", at_least=1
    )
    grace_s: float = setting(
        duration,
        "10m",
        "How long a file that was replaced is kept for queries that are reading it.",
        at_least=0,
        at_most=2 * 3600,  # the log remembers replaced files for four
    )
    calls_max_age_s: float = setting(duration, _FOR_EVER, "How long days of `calls` are kept; 0 is for ever.")
    calls_max_size: int = setting(size, _NO_LIMIT, "How much of `calls` is kept; 0 is no limit.")
    spans_max_age_s: float = setting(duration, _FOR_EVER, "How long days of `spans` are kept; 0 is for ever.")
    spans_max_size: int = setting(size, _NO_LIMIT, "How much of `spans` is kept; 0 is no limit.")
    logs_max_age_s: float = setting(duration, _FOR_EVER, "How long days of `logs` are kept; 0 is for ever.")
    logs_max_size: int = setting(size, _NO_LIMIT, "How much of `logs` is kept; 0 is no limit.")
    metrics_max_age_s: float = setting(duration, _FOR_EVER, "How long days of `metrics` are kept; 0 is for ever.")
    metrics_max_size: int = setting(size, _NO_LIMIT, "How much of `metrics` is kept; 0 is no limit.")
    content_max_age_s: float = setting(duration, "30d", "How long days of `content` are kept; 0 is for ever.")
    content_max_size: int = setting(size, _NO_LIMIT, "How much of `content` is kept; 0 is no limit.")

    def target_bytes(self, table: str) -> int:
        """The size of a merged file of a table. Of `calls` a quarter: a correction writes a whole file again."""
        return self.target_file_size // 4 if table == "calls" else self.target_file_size
