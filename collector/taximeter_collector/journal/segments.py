"""The folder of a journal: its segments, its head, the cursors of its readers, and what was kept aside."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from taximeter_collector.journal.errors import JournalError
from taximeter_collector.journal.files import DISK_FULL, overwrite_durably, replace_durably
from taximeter_collector.journal.format import Head, segment_name, segment_position

__all__ = ["Cursor", "Folder"]

_CURSOR_BYTES = 128  # the same for each, so that one can be overwritten with another
_READER_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a reader has come: the next position that it wants, and where that is or will be."""

    next: int
    segment: int
    offset: int


@dataclass(frozen=True, slots=True)
class Folder:
    """Paths and small files of a journal. Whoever reads one needs nothing else."""

    path: Path

    def create(self) -> None:
        """Make the folder and those in it, for this user alone: what passes through is not for everyone."""
        for folder in (self.path, self.path / "cursors", self.path / "damaged"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def identity(self, *, anew: bool = False) -> str:
        """What tells this journal from every other, for those who remember its positions; made where there is none."""
        file = self.path / "id"
        if anew or not file.exists():
            self.create()
            replace_durably(file, secrets.token_hex(6).encode())
        return file.read_text("ascii")

    def segments(self) -> list[int]:
        """The first positions of all segments, oldest first."""
        found = (segment_position(entry.name) for entry in self.path.iterdir()) if self.path.is_dir() else ()
        return sorted(position for position in found if position is not None)

    def segment(self, first: int) -> Path:
        """The file of the segment that begins with a position."""
        return self.path / segment_name(first)

    def head(self) -> Head | None:
        """How far the journal is durable, by its writer's last word."""
        for _ in range(3):  # a head that is being written at this moment is whole at the next
            try:
                head = Head.decode((self.path / "head").read_bytes())
            except FileNotFoundError:
                return None
            if head:
                return head
        return None

    def cursors(self) -> dict[str, Cursor]:
        """The places of all readers that hold back segments. One whose place cannot be told holds back everything."""
        return {name: cursor for name in self.readers() if (cursor := self._cursor(name))}

    def readers(self) -> list[str]:
        """The names of all readers that hold back segments."""
        names = (file.stem for file in (self.path / "cursors").glob("*.json"))
        return sorted(name for name in names if _READER_NAME.fullmatch(name))

    def _cursor(self, reader: str) -> Cursor | None:
        try:
            return self.cursor(reader)
        except JournalError:
            return Cursor(0, 0, 0)

    def cursor(self, reader: str) -> Cursor | None:
        """A reader's place; None for one that has never committed."""
        try:
            data = json.loads(self._cursor_file(reader).read_bytes())
            return Cursor(int(data["next"]), int(data["segment"]), int(data["offset"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise JournalError(
                f"{self._cursor_file(reader)} is damaged ({error!r}). "
                "Delete it to let this reader begin anew at the oldest record."
            ) from error

    def set_cursor(self, reader: str, cursor: Cursor) -> None:
        """Record a reader's place, durably; on a full disk too, since otherwise nothing there could ever be let go."""
        file = self._cursor_file(reader)
        content = json.dumps(asdict(cursor)).ljust(_CURSOR_BYTES - 1).encode() + b"\n"
        try:
            replace_durably(file, content)
        except OSError as error:
            if error.errno not in DISK_FULL or not file.exists():
                raise
            overwrite_durably(file, content)

    def forget(self, reader: str) -> None:
        """Remove a reader; nothing is held back for it any more."""
        try:
            self._cursor_file(reader).unlink()
        except FileNotFoundError:
            known = ", ".join(self.cursors()) or "none"
            raise JournalError(f"no reader named {reader!r} in {self.path}; there are: {known}") from None

    def keep_aside(self, first: int, start: int, data: bytes) -> None:
        """Keep bytes that cannot be read, once, named for where they were."""
        file = self.path / "damaged" / f"{first:020}-{start}.bin"
        if not file.exists():
            replace_durably(file, data)

    def _cursor_file(self, reader: str) -> Path:
        if not _READER_NAME.fullmatch(reader):
            raise JournalError(f"{reader!r} cannot name a reader: use a-z, 0-9, '.', '_' and '-', at most 64 of them")
        return self.path / "cursors" / f"{reader}.json"
