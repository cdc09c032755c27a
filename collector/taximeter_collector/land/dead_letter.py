"""What cannot be landed, kept with its reason."""

from __future__ import annotations

import json
from pathlib import Path

from taximeter_collector.journal.files import replace_durably
from taximeter_collector.land.stages import Refused

__all__ = ["DeadLetters"]


class DeadLetters:
    """Files in `dead-letter/`, two for each record: `NAME.otlp`, the request as it is in the journal, and `NAME.json`.

    Named by the record's place in the journal, so that one that is met again after a crash is there once.
    """

    def __init__(self, folder: Path, journal_id: str) -> None:
        self._folder = folder
        self._journal_id = journal_id

    def keep(self, refused: Refused) -> None:
        """Put one aside, durably."""
        record = refused.record
        facts = {
            "stage": "land",
            "reason": refused.reason,
            "signal": record.signal.name.lower(),
            "sender": record.sender,
            "received_unix_nano": record.received_unix_nano,
            "journal_id": self._journal_id,
            "journal_position": record.position,
            "bytes": len(record.payload),
        }
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"land-{self._journal_id}-{record.position:016d}"
        replace_durably(self._folder / f"{name}.otlp", record.payload)
        replace_durably(self._folder / f"{name}.json", json.dumps(facts, indent=2).encode())
