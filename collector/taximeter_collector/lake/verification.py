"""Whether a lake is what its log says, each row is there once, and the ledger keeps its rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from taximeter_collector.lake.errors import LakeError
from taximeter_collector.lake.ledger import LEDGER_COLUMNS, broken_rules
from taximeter_collector.lake.log import ActiveFile, DeltaLog
from taximeter_collector.lake.reading import read_file, steadily
from taximeter_collector.lake.schema import TABLES, LakeTable

__all__ = ["Verdict", "verify_table"]

_SLICE_ROWS = 4 << 20  # of identities at one time: 80 MB
_IDENTITY = ("journal_id", "journal_position", "journal_item")
_OF_CONTENT = (*_IDENTITY, "source", "piece")  # a record can have several pieces of content


@dataclass(slots=True)
class Verdict:
    """What was found of one table; sound if there are no problems."""

    table: str
    version: int = -1
    files: int = 0
    rows: int = 0
    bytes: int = 0
    problems: list[str] = field(default_factory=list)


def verify_table(folder: Path, table: str) -> Verdict:
    """Read a table of a lake and compare it with its log, its schema and its rules. Nothing is written."""
    verdict = Verdict(table)
    try:
        log = DeltaLog(folder / table, TABLES[table])
        log.refuse_newer()
        verdict.problems += _columns(log)
        return steadily(log, lambda files: _verified(log, files, verdict.problems))
    except LakeError as error:
        verdict.problems.append(str(error))
        return verdict


def _verified(log: DeltaLog, files: Sequence[ActiveFile], problems: list[str]) -> Verdict:
    verdict = Verdict(log.table.name, log.version, problems=list(problems))
    verdict.files, verdict.rows, verdict.bytes = len(files), sum(f.rows for f in files), sum(f.bytes for f in files)
    readable = [file for file in files if _is_as_told(log, file, verdict)]
    verdict.problems += _doubles(log.folder, readable, log.table)
    if log.table.name == "calls":
        verdict.problems += _ledger(log.folder, readable)
    return verdict


def _columns(log: DeltaLog) -> Iterator[str]:
    types = log.column_types
    for column in log.table.columns:
        if column.name not in types:
            yield f"the column {column.name} is missing; it is added when a collector starts"
        elif types[column.name] != column.type:
            yield f"the column {column.name} is {types[column.name]} and should be {column.type}"
    for name in types.keys() - {column.name for column in log.table.columns}:
        yield f"the column {name} is not of this schema"


def _is_as_told(log: DeltaLog, file: ActiveFile, verdict: Verdict) -> bool:
    """Whether a file is there, whole, and of the size and the number of rows that the log says."""
    try:
        size = (log.folder / file.path).stat().st_size
        metadata = pq.read_metadata(log.folder / file.path)
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, FileNotFoundError) and not log.still_has(file):
            raise
        verdict.problems.append(f"{file.path}: cannot be read: {' '.join(str(error).split())}")
        return False
    if size != file.bytes:
        verdict.problems.append(f"{file.path}: has {size:,} bytes, and {file.bytes:,} in the log")
    if metadata.num_rows != file.rows:
        verdict.problems.append(f"{file.path}: has {metadata.num_rows:,} rows, and {file.rows:,} in the log")
    return True


def _doubles(folder: Path, files: Sequence[ActiveFile], table: LakeTable) -> Iterator[str]:
    """Identities that are there more than once: looked for among files whose positions overlap, a part at a time."""
    for first, last, part in _parts(files):
        seen = pa.concat_tables(
            [_identities(folder, file, table, first, last) for file in part], promote_options="permissive"
        )
        counted = seen.group_by(seen.column_names).aggregate([([], "count_all")])
        doubles = counted.filter(pc.greater(counted["count_all"], 1))
        for row in doubles.slice(0, 3).to_pylist():
            name = f"{row['journal_id']}/{row['journal_position']}.{row['journal_item']}"
            yield f"{name} is there {row['count_all']} times"
        if doubles.num_rows > 3:
            yield f"and {doubles.num_rows - 3:,} more"


def _parts(files: Sequence[ActiveFile]) -> Iterator[tuple[int, int, list[ActiveFile]]]:
    """Ranges of positions, with the files that have some of them."""
    cuts, held = [0], 0
    for file in sorted(files, key=lambda file: file.first_position):
        held += file.rows
        if held > _SLICE_ROWS and file.first_position > cuts[-1]:
            cuts.append(file.first_position)
            held = file.rows
    for first, beyond in zip(cuts, [*cuts[1:], 1 << 62], strict=True):
        part = [file for file in files if file.first_position < beyond and file.last_position >= first]
        if part:
            yield first, beyond - 1, part


def _identities(folder: Path, file: ActiveFile, table: LakeTable, first: int, last: int) -> pa.Table:
    names = _OF_CONTENT if table.name == "content" else _IDENTITY
    found = pa.Table.from_batches(
        list(read_file(folder, file, names, table)),
        pa.schema([(column.name, column.type) for column in table.columns if column.name in names]),
    )
    if file.first_position < first or file.last_position > last:
        positions = found["journal_position"]
        found = found.filter(pc.and_(pc.greater_equal(positions, first), pc.less_equal(positions, last)))
    return found


def _ledger(folder: Path, files: Sequence[ActiveFile]) -> Iterator[str]:
    totals: dict[str, int] = {}
    examples: dict[str, str] = {}
    for file in files:
        for batch in read_file(folder, file, [*_IDENTITY, *LEDGER_COLUMNS], TABLES["calls"]):
            for rule, broken in broken_rules(batch).items():
                where = np.flatnonzero(broken)
                totals[rule] = totals.get(rule, 0) + len(where)
                if len(where):
                    examples.setdefault(rule, _name(batch, int(where[0])))
    for rule, total in totals.items():
        if total:
            yield f"{rule}: not so in {total:,} rows, {examples[rule]} for one"


def _name(batch: Any, row: int) -> str:
    journal, position, item = (batch.column(name)[row].as_py() for name in _IDENTITY)
    return f"{journal}/{position}.{item}"
