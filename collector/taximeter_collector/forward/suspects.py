"""Which records a process died of. What kills one cannot be caught; in smaller and smaller portions it is found."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from taximeter_collector.journal import Record
from taximeter_collector.land.attempts import TOO_OFTEN

__all__ = ["Suspects"]

_PORTIONS = 8
_NOTE_BYTES = 256


@dataclass(frozen=True, slots=True)
class _Suspicion:
    """Records by their journal positions, or a dead letter; and how often a process ended over just them."""

    first: int = -1
    last: int = -1
    letter: str = ""
    times: int = 1


class Suspects:
    """A note of what is being treated, in a small file that outlives the process.

    Without a sync: a machine that goes down takes the suspicion with it, which is as it should be.
    """

    def __init__(self, file: Path) -> None:
        self._before = _read(file)
        self._passed: set[int] = set()
        self._note: int | None = None
        with suppress(OSError):  # a full disk is somebody else's trouble
            self._note = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)

    @property
    def letter(self) -> str:
        """The name of the dead letter that the process before us was treating when it ended."""
        return self._before.letter if self._before else ""

    def portions(self, records: Sequence[Record]) -> Iterator[list[Record]]:
        """Records to be treated together: all at once, but those of the last suspicion some at a time."""
        before = self._before
        left = [record for record in records if record.position not in self._passed]
        if before is None or before.letter:
            inside, size = [], 1
        else:
            inside = [record for record in left if before.first <= record.position <= before.last]
            size = max(1, len(inside) // _PORTIONS)
        others = [left] if not inside else [_until(left, inside[0]), _behind(left, inside[-1])]
        yield from (some for some in others[:1] if some)
        yield from (inside[begin : begin + size] for begin in range(0, len(inside), size))
        yield from (some for some in others[1:] if some)

    def begin(self, portion: Sequence[Record]) -> bool:
        """They are to be treated now; False for a record over which processes have ended too often."""
        first, last, before = portion[0].position, portion[-1].position, self._before
        times = before.times if before and (before.first, before.last) == (first, last) == (first, first) else 0
        if times >= TOO_OFTEN:
            self._before = None
            return False
        self._write(_Suspicion(first, last, times=times + 1))
        return True

    def begin_letter(self, name: str) -> None:
        """A dead letter is to be treated now."""
        self._write(_Suspicion(letter=name))

    def over(self) -> None:
        """The process is alive: the work is done."""
        self._write(None)

    def failed(self, portion: Sequence[Record]) -> None:
        """They could not be treated, and the process lives: next time in smaller portions."""
        self._write(None)
        self._before = _Suspicion(portion[0].position, portion[-1].position)

    def pass_over(self, record: Record) -> None:
        """It was put aside, and is not treated when it is read again."""
        self._passed.add(record.position)

    def close(self) -> None:
        """Let go of the file."""
        if self._note is not None:
            os.close(self._note)
            self._note = None

    def _write(self, suspicion: _Suspicion | None) -> None:
        if self._note is not None:
            text = json.dumps(asdict(suspicion)) if suspicion else ""
            with suppress(OSError):
                os.lseek(self._note, 0, os.SEEK_SET)
                os.write(self._note, text.encode().ljust(_NOTE_BYTES))


def _read(file: Path) -> _Suspicion | None:
    with suppress(OSError, ValueError, TypeError):
        return _Suspicion(**json.loads(file.read_text()))
    return None


def _until(records: Sequence[Record], end: Record) -> list[Record]:
    return [record for record in records if record.position < end.position]


def _behind(records: Sequence[Record], begin: Record) -> list[Record]:
    return [record for record in records if record.position > begin.position]
