"""Rows for lakes, ways to look at what has landed, and landers that are killed or race with upkeep.

The tests start it as `python -m tests.collector.lakes hammer FOLDER KILLS`, `land FOLDER JOURNAL COMMITS` and
`starve FOLDER BYTES`.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa  # type: ignore[import-untyped]
from deltalake import DeltaTable
from taximeter_collector.lake import Lake, LakeConfig, LakeError, LakeUnavailable, Superseded
from taximeter_collector.lake.schema import TABLES, Column

DAY = date(2026, 11, 20)
DAY_NANO = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp()) * 10**9
ROOT = Path(__file__).parents[2]


def config(folder: Path, **more: Any) -> LakeConfig:
    """Settings for a lake of small files, where nothing waits."""
    return LakeConfig(dir=folder, **{"target_file_size": 1 << 20, "grace_s": 0.0, **more})


def rows(
    table: str, positions: Sequence[int], items: int = 1, journal: str = "j", day: date = DAY, **more: Any
) -> pa.Table:
    """So many rows of each position; what may not be NULL has a value, and the rest what `more` says, or NULL."""
    count = len(positions) * items
    known: dict[str, Any] = {
        "date": [day] * count,
        "journal_id": [journal] * count,
        "journal_position": [position for position in positions for _ in range(items)],
        "journal_item": [item for _ in positions for item in range(items)],
        **more,
    }
    nanos = [_nano(day) + position * 10**9 + item for position in positions for item in range(items)]
    columns = {column.name: _values(column, known, nanos) for column in TABLES[table].columns}
    return pa.table(columns)


def call_rows(positions: Sequence[int], items: int = 1, **more: Any) -> pa.Table:
    """Calls that keep the ledger's invariants."""
    cost = [Decimal(position % 7 + 1).scaleb(-3) for position in positions for _ in range(items)]
    priced = {"cost_usd": cost, "input_cost_usd": cost, "cost_status": ["priced"] * len(cost)}
    return rows(
        "calls", positions, items, **{"billable": [True] * len(cost), "status": ["ok"] * len(cost), **priced, **more}
    )


def _nano(day: date) -> int:
    return DAY_NANO + (day - DAY).days * 86400 * 10**9


def _values(column: Column, known: dict[str, Any], nanos: list[int]) -> pa.Array:
    name, kind = column.name, column.type
    if name in known:
        return pa.array(known[name], kind)
    if name in ("start_time", "time"):
        return pa.array([nano // 1000 for nano in nanos], pa.int64()).cast(kind)
    if name.endswith("unix_nano") and column.always:
        return pa.array(nanos, kind)
    if column.always:
        return pa.array([False if pa.types.is_boolean(kind) else "x"] * len(nanos), kind)
    return pa.nulls(len(nanos), kind)


def landed(folder: Path, table: str, columns: str = "journal_position") -> list[Any]:
    """What a query sees: by the table's own list of files, in order."""
    files = DeltaTable(folder / table).file_uris()
    if not files:
        return []
    query = f"SELECT {columns} FROM read_parquet({files}, hive_partitioning = true, union_by_name = true) ORDER BY ALL"
    found = duckdb.sql(query).fetchall()
    return [row[0] for row in found] if "," not in columns else found


def identities(folder: Path, table: str) -> list[tuple[str, int, int]]:
    """The identity of every row."""
    return landed(folder, table, "journal_id, journal_position, journal_item")


def files_in(folder: Path, table: str) -> set[str]:
    """Names of data files, whether the table knows them or not."""
    return {file.name for file in (folder / table).glob("*/*") if file.parent.name != "_delta_log"}


def known_files(folder: Path, table: str) -> set[str]:
    """Names of the files that the table has."""
    return {Path(file).name for file in DeltaTable(folder / table).file_uris()}


def superseded(position: int, item: int = 0, *, journal: str = "j", day: date = DAY) -> Superseded:
    """A correction of the row with this identity."""
    return Superseded(day, journal, position, item, "better_view", f"{journal}/{position + 1}.{item}")


def land(folder: Path, journal: str, until: int, *, corrects: bool = True) -> None:
    """Land positions one by one, each with as many rows as its number says; the one before loses its bill."""
    lake = Lake.open(config(folder), journal)
    for position in range(min(lake.positions.values()) + 1, until):
        lake.append("calls", call_rows([position], position % 3 + 1, journal=journal))
        lake.append("spans", rows("spans", [position], 2, journal=journal, day=date(2026, 11, 1 + position % 3)))
        before = [superseded(position - 1, journal=journal)] if corrects and position % 4 == 3 else []
        lake.commit(position, before)
    lake.close()


def expected_calls(journal: str, until: int) -> list[tuple[str, int, int]]:
    """What `land` has made of that."""
    return [(journal, position, item) for position in range(until) for item in range(position % 3 + 1)]


def starve(folder: Path, most_bytes: int) -> None:
    """Land a row; then one more, where no file may be larger than that; then the same with the limit gone."""
    import resource

    lake = Lake.open(config(folder), "j")
    lake.append("calls", call_rows([0]))
    lake.commit(0)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, resource.RLIM_INFINITY))
    try:
        lake.append("calls", call_rows([1]))
        lake.commit(1, [superseded(0)])
    except LakeUnavailable as error:
        said = str(error)
    lake.abandon()
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    taken = lake.append("calls", call_rows([1]))
    lake.commit(1, [superseded(0)])
    print(said, taken, landed(folder, "calls", "journal_position, billable"), sep="|")
    lake.close()


def hammer(folder: Path, kills: int) -> None:
    """A lander that is killed at random moments, so many times; each begins where the one before has ended."""
    chance = random.Random(kills)
    for number in range(kills + 1):
        child = os.fork()  # nothing of the Delta library runs in this process
        if child == 0:
            land(folder, "j", 10**6 if number < kills else 0)
            os._exit(0)
        if number < kills:
            if number % 2:  # the others are often killed before they have landed anything
                before = _versions(folder)
                while _versions(folder) == before:
                    time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.1))
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _versions(folder: Path) -> int:
    return len(list((folder / "calls/_delta_log").glob("[0-9]*.json")))


def main(arguments: Sequence[str]) -> None:
    """As the tests start it."""
    what, folder = arguments[0], Path(arguments[1])
    if what == "hammer":
        hammer(folder, int(arguments[2]))
    elif what == "starve":
        starve(folder, int(arguments[2]))
    elif what == "land":
        try:
            land(folder, arguments[2], int(arguments[3]))
        except LakeError as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
