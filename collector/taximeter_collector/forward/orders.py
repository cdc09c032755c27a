"""What `taximeter forward` asks of a forwarder that may be running: files that it looks for."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from taximeter_collector.journal.files import replace_durably
from taximeter_collector.journal.segments import Cursor, Folder

__all__ = ["READER", "ask_to_skip", "reader", "skip", "skip_is_asked"]

READER = "forward-"


def reader(destination: str) -> str:
    """The name of a destination's cursor in the journal."""
    return f"{READER}{destination}"


def skip(journal: Path, destination: str) -> int:
    """Move its cursor behind everything that is in the journal now; how many records that leaves out."""
    folder = Folder(journal)
    head, cursor = folder.head(), folder.cursor(reader(destination))
    if head is None:
        return 0
    folder.create()
    folder.set_cursor(reader(destination), Cursor(head.next, head.segment, head.offset))
    oldest = min(folder.segments(), default=0)
    return max(0, head.next - max(cursor.next if cursor else 0, oldest))


def ask_to_skip(data: Path, destination: str) -> None:
    """Have a running forwarder do it, which has the cursor in its hands."""
    file = _skip_file(data, destination)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_durably(file, b"")


def skip_is_asked(data: Path, destination: str, *, done: bool = False) -> bool:
    """Whether somebody has asked; `done` answers it."""
    file = _skip_file(data, destination)
    asked = file.exists()
    if asked and done:
        with suppress(OSError):
            file.unlink()
    return asked


def _skip_file(data: Path, destination: str) -> Path:
    return data / "forward" / f"{destination}.skip"
