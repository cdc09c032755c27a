"""All destinations at one look, from outside: what is before them, what they got, what became of the rest."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from taximeter_collector.configuration import Config
from taximeter_collector.forward.dead_letter import DeadLetters
from taximeter_collector.forward.orders import READER, reader
from taximeter_collector.forward.sender import endpoints
from taximeter_collector.forward.state import read_state
from taximeter_collector.journal.files import is_locked
from taximeter_collector.journal.inspection import ReaderInfo, readers
from taximeter_collector.journal.segments import Folder

__all__ = ["DestinationInfo", "is_running", "orphans", "overview"]


@dataclass(slots=True)
class DestinationInfo:
    """One of them. Counts are since `counted_since_unix_nano`, over restarts."""

    name: str
    state: str
    endpoint: str = ""
    unread_records: int = 0
    unread_bytes: int = 0
    oldest_unread_age_s: float = 0.0
    sent_items: int = 0
    sent_requests: int = 0
    failed_attempts: int = 0
    dropped_items: dict[str, int] = field(default_factory=dict)
    dead_letters: int = 0
    dead_letters_waiting: int = 0
    dead_letter_bytes: int = 0
    skipped_records: int = 0
    counted_since_unix_nano: int | None = None
    last_error: dict[str, Any] | None = None


def overview(config: Config) -> list[DestinationInfo]:
    """Those of the settings, those that are running from other settings, and cursors that nobody moves any more."""
    cursors = {one.name.removeprefix(READER): one for one in _forwarders(config.journal.dir)}
    running = _running(config) if is_running(config) else set()
    names = [*config.forward, *sorted(set(cursors) | running)]
    return [_info(config, name, cursors.get(name), running) for name in dict.fromkeys(names)]


def orphans(config: Config) -> list[str]:
    """Readers in the journal that are of no destination in the settings: what they have not read is kept for nobody."""
    known = {reader(name) for name in config.forward}
    return [name for name in Folder(config.journal.dir).readers() if name.startswith(READER) and name not in known]


def is_running(config: Config) -> bool:
    """Whether a collector works on this data folder."""
    return is_locked(config.run_folder / "lock")


def _forwarders(journal: Path) -> list[ReaderInfo]:
    return [one for one in readers(journal) if one.name.startswith(READER)] if journal.is_dir() else []


def _running(config: Config) -> set[str]:
    return {file.stem.removeprefix(READER) for file in config.run_folder.glob(f"{READER}*.json")}


def _info(config: Config, name: str, cursor: ReaderInfo | None, running: set[str]) -> DestinationInfo:
    left = read_state(config.data, name)
    totals = Counter(left.get("totals") or {})
    letters = DeadLetters(config.data, name)
    kept, waiting = letters.letters(), letters.waiting()
    info = DestinationInfo(
        name,
        _state(config, name, left, running),
        endpoint=left.get("endpoint", "") if name in running else _endpoint(config, name) or left.get("endpoint", ""),
        sent_items=totals["sent_items"],
        sent_requests=totals["sent_requests"],
        failed_attempts=totals["failed_attempts"],
        dropped_items={
            key.removeprefix("dropped."): count for key, count in totals.items() if key.startswith("dropped.")
        },
        dead_letters=len(kept),
        dead_letters_waiting=len(waiting),
        dead_letter_bytes=sum(one.bytes for one in (*kept, *waiting)),
        skipped_records=totals["skipped_records"],
        counted_since_unix_nano=left.get("counted_since_unix_nano"),
        last_error=left.get("last_error"),
    )
    if cursor:
        info.unread_records, info.unread_bytes = cursor.lag_records, cursor.lag_bytes
        if cursor.oldest_unread_unix_nano:
            info.oldest_unread_age_s = round((time.time_ns() - cursor.oldest_unread_unix_nano) / 1e9, 1)
    return info


def _state(config: Config, name: str, left: dict[str, Any], running: set[str]) -> str:
    if name in running:
        return str(left.get("state", "sending"))
    if name not in config.forward:
        return "orphan"
    return "stopped" if config.forward[name].enabled else "off"


def _endpoint(config: Config, name: str) -> str:
    if name not in config.forward:
        return ""
    return " ".join(dict.fromkeys(place.shown for place in endpoints(config.forward[name]).values()))
