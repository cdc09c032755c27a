"""What `taximeter forward` asks of a forwarder that may be running: files that it looks for."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from taximeter_collector.journal.files import replace_durably
from taximeter_collector.journal.segments import Cursor, Folder

__all__ = ["READER", "ask_to_skip", "reader", "skip", "skip_as_asked", "skip_is_asked"]

READER = "forward-"


def reader(destination: str) -> str:
    """The name of a destination's cursor in the journal."""
    return f"{READER}{destination}"


def skip(journal: Path, destination: str, to: Cursor | None = None) -> int:
    """Move its cursor behind everything that is in the journal, or was when that was asked for; how many records that
    leaves out.
    """
    folder = Folder(journal)
    end, cursor = to or _end(folder), folder.cursor(reader(destination))
    if end is None or (cursor and cursor.next >= end.next):
        return 0
    folder.create()
    folder.set_cursor(reader(destination), end)
    oldest = min(folder.segments(), default=0)
    return max(0, end.next - max(cursor.next if cursor else 0, oldest))


def ask_to_skip(data: Path, journal: Path, destination: str) -> None:
    """Have a running forwarder do it, which has the cursor in its hands."""
    end = _end(Folder(journal)) or Cursor(0, 0, 0)
    file = _skip_file(data, destination)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_durably(file, json.dumps(asdict(end)).encode())


def skip_is_asked(data: Path, destination: str) -> bool:
    """Whether somebody has asked."""
    return _skip_file(data, destination).exists()


def skip_as_asked(data: Path, journal: Path, destination: str) -> int:
    """Do it; how many records that leaves out. What came since it was asked for stays."""
    file = _skip_file(data, destination)
    try:
        skipped = skip(journal, destination, Cursor(**json.loads(file.read_bytes())))
    except (FileNotFoundError, TypeError, ValueError):  # nobody has asked, or it was not us whom they asked
        skipped = 0
    file.unlink(missing_ok=True)
    return skipped


def _end(folder: Folder) -> Cursor | None:
    head = folder.head()
    return Cursor(head.next, head.segment, head.offset) if head else None


def _skip_file(data: Path, destination: str) -> Path:
    return data / "forward" / f"{destination}.skip"
