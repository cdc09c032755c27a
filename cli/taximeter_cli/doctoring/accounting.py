"""What became of each record that is still in the journal: landed, put aside, unread; or missing.

Exact while a collector runs, too: the lander's cursor is read first, and what is behind it is in the lake by then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from taximeter_collector.configuration import Config
from taximeter_collector.journal import Record, Signal
from taximeter_collector.journal.format import SEGMENT_HEADER_BYTES, Damage, Head, read_records, read_segment_header
from taximeter_collector.journal.segments import Folder
from taximeter_collector.lake.log import ActiveFile, DeltaLog
from taximeter_collector.lake.reading import read_file, steadily
from taximeter_collector.lake.schema import TABLES
from taximeter_collector.land.process import READER

__all__ = ["TABLE_OF", "Account", "Accounts", "accounts"]

Positions = npt.NDArray[np.int64]

TABLE_OF = {Signal.TRACES: "spans", Signal.METRICS: "metrics", Signal.LOGS: "logs"}
_MOST_EXPLAINED = 4096  # records that are decoded to see whether their days were dropped


@dataclass(slots=True)
class Account:
    """Of one signal, in items: spans, data points or log records."""

    accepted: int = 0
    landed: int = 0
    dead_letters: int = 0
    unread: int = 0
    dropped: int = 0
    """Landed, on days that were dropped since, as the settings say."""
    missing: dict[int, int] = field(default_factory=dict)
    """By the record's position."""
    surplus: dict[int, int] = field(default_factory=dict)
    """Rows that are more than there were items."""

    @property
    def is_balanced(self) -> bool:
        """Whether the law holds."""
        return not self.missing and not self.surplus


@dataclass(slots=True)
class Accounts:
    """All signals, and between which positions of the journal was looked."""

    journal: str = ""
    first: int = 0
    cursor: int = 0
    """What the lander was to read next when it began."""
    gone_before: int = 0
    """And when all records had been read: what is before that may have been deleted."""
    head: int = 0
    records: int = 0
    bytes: int = 0
    left_out: int = 0
    """Segments that were not read, because there are too many."""
    damaged_bytes: int = 0
    lake_at: dict[str, int] = field(default_factory=dict)
    """Up to which position of this journal each table has landed."""
    gaps: list[tuple[int, int]] = field(default_factory=list)
    """Positions, both included, that are unread and in no segment."""
    by_signal: dict[Signal, Account] = field(default_factory=dict)


@dataclass(slots=True)
class _Journal:
    """The records that were seen, without their payloads."""

    positions: list[int] = field(default_factory=list)
    signals: list[int] = field(default_factory=list)
    items: list[int] = field(default_factory=list)


def accounts(config: Config, most_bytes: int | None) -> Accounts:
    """Read the journal, the newest segments up to so many bytes or all, and compare it with the lake."""
    folder = Folder(config.journal.dir)
    cursor = folder.cursor(READER)
    found = Accounts(cursor=cursor.next if cursor else 0)
    found.journal = folder.identity() if (folder.path / "id").exists() else ""
    dead = _dead_letters(config.data / "dead-letter", found.journal)
    head = folder.head()
    found.head = head.next if head else 0
    seen = _read(folder, head, most_bytes, found)
    cursor = folder.cursor(READER)  # once more: segments that the lander has passed meanwhile may be gone
    found.gone_before = cursor.next if cursor else 0
    found.first = seen.positions[0] if seen.positions else found.head
    found.gaps = list(_gaps(seen.positions, found))
    for signal, table in TABLE_OF.items():
        account = _account(seen, signal, config, table, found, dead)
        if account.missing:
            _explain(account, signal, folder, head, config, found)
        found.by_signal[signal] = account
    return found


def _read(folder: Folder, head: Head | None, most_bytes: int | None, found: Accounts) -> _Journal:
    seen = _Journal()
    for first in _newest(folder, head, most_bytes, found):
        for _, one in _scan(folder, first, head):
            if isinstance(one, Damage):
                found.damaged_bytes += one.end - one.start
            else:
                seen.positions.append(one.position)
                seen.signals.append(int(one.signal))
                seen.items.append(one.items)
                found.bytes += len(one.payload)
    found.records = len(seen.positions)
    return seen


def _newest(folder: Folder, head: Head | None, most_bytes: int | None, found: Accounts) -> list[int]:
    segments = [first for first in folder.segments() if head is None or head.announces(first)]
    if most_bytes is None:
        return segments
    kept: list[int] = []
    taken = 0
    for first in reversed(segments):
        taken += _end(folder, first, head)
        if kept and taken > most_bytes:
            break
        kept.append(first)
    found.left_out = len(segments) - len(kept)
    return kept[::-1]


def _scan(folder: Folder, first: int, head: Head | None) -> Iterator[tuple[int, Record | Damage]]:
    """Records of a segment, as far as it is durable. Room that was reserved and not used is no damage."""
    try:
        file = folder.segment(first).open("rb", buffering=0)
    except FileNotFoundError:
        return  # deleted this moment
    with file:
        begin = read_segment_header(file) or SEGMENT_HEADER_BYTES
        for next_offset, one in read_records(file, begin, _end(folder, first, head), first - 1):
            if isinstance(one, Damage):
                file.seek(one.start)
                if not file.read(one.end - one.start).strip(b"\0"):
                    continue
            yield next_offset, one


def _end(folder: Folder, first: int, head: Head | None) -> int:
    """How far a segment is durable; of the last one, more may be reserved."""
    if head and head.segment == first:
        return head.offset
    try:
        return folder.segment(first).stat().st_size
    except FileNotFoundError:
        return 0  # deleted this moment


def _gaps(positions: list[int], found: Accounts) -> Iterator[tuple[int, int]]:
    """Between what the lander wants and the journal's end."""
    wanted = found.gone_before if not found.left_out else max(found.gone_before, found.first)
    for position in [*positions, found.head]:
        if position > wanted:
            yield wanted, position - 1
        wanted = max(wanted, position + 1)


def _account(seen: _Journal, signal: Signal, config: Config, table: str, found: Accounts, dead: Positions) -> Account:
    own = np.asarray(seen.signals, dtype=np.int8) == int(signal)
    positions = np.asarray(seen.positions, dtype=np.int64)[own]
    items = np.asarray(seen.items, dtype=np.int64)[own]
    rows = _rows(config.lake.dir, table, positions, found)
    is_unread = positions >= found.cursor
    is_dead = np.isin(positions, dead) & ~is_unread
    is_landed = ~is_unread & ~is_dead
    short = np.where(is_landed, items - rows, 0)
    return Account(
        accepted=int(items.sum()),
        landed=int(np.minimum(rows, items)[is_landed].sum()),
        dead_letters=int(items[is_dead].sum()),
        unread=int(items[is_unread].sum()),
        missing={int(positions[n]): int(short[n]) for n in np.flatnonzero(short > 0)},
        surplus={int(positions[n]): int(-short[n]) for n in np.flatnonzero(short < 0)},
    )


def _rows(lake: Path, table: str, positions: Positions, found: Accounts) -> Positions:
    """How many rows there are of each record."""
    if not (lake / table / "_delta_log").is_dir():
        return np.zeros(len(positions), dtype=np.int64)
    log = DeltaLog(lake / table, TABLES[table])
    found.lake_at[table] = log.position(found.journal)
    if not len(positions):
        return np.zeros(0, dtype=np.int64)
    low, high = int(positions[0]), int(positions[-1])
    return steadily(log, lambda files: _counted(log, files, positions, (low, high), found.journal))


def _counted(
    log: DeltaLog, files: Sequence[ActiveFile], positions: Positions, between: tuple[int, int], journal: str
) -> Positions:
    counts = np.zeros(len(positions), dtype=np.int64)
    for file in files:
        overlaps = file.first_position <= between[1] and file.last_position >= between[0]
        if overlaps and file.journals[0] <= journal <= file.journals[1]:
            for batch in read_file(log.folder, file, ["journal_id", "journal_position"], log.table):
                own = batch.filter(pc.equal(batch.column("journal_id"), journal))
                values, times = np.unique(own.column("journal_position").to_numpy(), return_counts=True)
                places = np.searchsorted(positions, values)
                places = np.minimum(places, len(positions) - 1)
                is_wanted = positions[places] == values
                np.add.at(counts, places[is_wanted], times[is_wanted])
    return counts


def _dead_letters(folder: Path, journal: str) -> Positions:
    names = (file.stem.rpartition("-") for file in folder.glob(f"land-{journal}-*.json"))
    return np.asarray([int(number) for begin, _, number in names if number.isdigit()], dtype=np.int64)


def _explain(
    account: Account, signal: Signal, folder: Folder, head: Head | None, config: Config, found: Accounts
) -> None:
    """What is missing may have landed on a day that was dropped since."""
    table = TABLE_OF[signal]
    if not getattr(config.lake, f"{table}_max_age_s") and not getattr(config.lake, f"{table}_max_size"):
        return
    wanted = set(list(account.missing)[:_MOST_EXPLAINED])
    first = max((one for one in folder.segments() if one <= min(wanted)), default=0)
    records = [
        one
        for segment in folder.segments()
        if segment >= first
        for _, one in _scan(folder, segment, head)
        if isinstance(one, Record) and one.position in wanted
    ]
    for position, days in _days(records, table, config, found.journal).items():
        gone = sum(count for day, count in days.items() if _is_dropped(day, table, config))
        less = min(gone, account.missing[position])
        account.dropped += less
        account.missing[position] -= less
    account.missing = {position: items for position, items in account.missing.items() if items}


def _days(records: list[Record], table: str, config: Config, journal: str) -> dict[int, dict[date, int]]:
    """On which days rows of these records would be."""
    from taximeter_collector.land.stages import Stages
    from taximeter_collector.redact import Redaction

    found: dict[int, dict[date, int]] = {}
    for rows in Stages(journal, Redaction.of(config.redact), keep_content=False).run(records).rows.get(table, []):
        pairs = pa.table({"position": rows["journal_position"], "date": rows["date"]})
        for row in pairs.group_by(["position", "date"]).aggregate([([], "count_all")]).to_pylist():
            found.setdefault(row["position"], {})[row["date"]] = row["count_all"]
    return found


def _is_dropped(day: date, table: str, config: Config) -> bool:
    max_age_s: Any = getattr(config.lake, f"{table}_max_age_s")
    today = datetime.now(UTC).date()
    if max_age_s and day < today - timedelta(seconds=max_age_s):
        return True
    kept = [file.date for file in DeltaLog(config.lake.dir / table, TABLES[table]).files()]
    return bool(getattr(config.lake, f"{table}_max_size")) and day < min(kept, default=today)
