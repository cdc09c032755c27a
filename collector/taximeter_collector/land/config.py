"""What a user sets about landing."""

from __future__ import annotations

from dataclasses import dataclass

from taximeter_collector.settings import count, duration, flag, setting, size

__all__ = ["LandConfig"]


@dataclass(frozen=True, slots=True)
class LandConfig:
    """`[land]`: from the journal into the lake."""

    enabled: bool = setting(flag, True, "Whether what is received is landed. If not, it waits in the journal.")
    content: bool = setting(flag, True, "Whether prompts and answers are kept, if they were sent.")
    commit_interval_s: float = setting(
        duration, "2s", "The longest that rows wait before they can be seen.", at_least=0.1, at_most=60
    )
    commit_size: int = setting(
        size, "96MiB", "OTLP after which rows are committed, however short they waited.", at_least=1 << 20
    )
    commit_calls: int = setting(
        count, "75000", "Calls after which rows are committed, likewise.", at_least=1000, at_most=10_000_000
    )
    batch_size: int = setting(
        size, "12MiB", "OTLP that is decoded at once. More is a little faster, and takes more memory.", at_least=1 << 16
    )
