"""Lakes of plain dicts: what is not told is NULL, and what may not be NULL is made up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
from taximeter_collector.lake import Lake as WritableLake
from taximeter_collector.lake import LakeConfig
from taximeter_collector.lake.schema import TABLES
from taximeter_queries import Lake

__all__ = ["NOON_NANO", "Row", "landed"]

Row = dict[str, Any]
"""A row of a table. A column that is not in it is NULL."""
NOON_NANO = 1_795_176_000_000_000_000  # 2026-11-20 12:00 UTC


def landed(
    folder: Path,
    calls: Sequence[Row] = (),
    *,
    spans: Sequence[Row] = (),
    logs: Sequence[Row] = (),
    content: Sequence[Row] = (),
    metrics: Sequence[Row] = (),
    commits: int = 3,
) -> Lake:
    """A lake with these rows, written in several commits. A row without an identity gets one."""
    given = {"calls": calls, "spans": spans, "logs": logs, "content": content, "metrics": metrics}
    whole = {name: [_whole(name, row, at) for at, row in enumerate(rows)] for name, rows in given.items()}
    last = max((row["journal_position"] for rows in whole.values() for row in rows), default=-1)
    lake = WritableLake.open(LakeConfig(dir=folder, grace_s=0.0), "j")
    step = max(1, last // commits + 1)
    for first in range(0, last + 1, step):
        for name, rows in whole.items():
            some = [row for row in rows if first <= row["journal_position"] < first + step]
            if some:
                lake.append(name, _table(name, some))
        lake.commit(min(first + step - 1, last))
    lake.close()
    return Lake(folder)


def _whole(table: str, row: Row, at: int) -> Row:
    """The row with all that may not be NULL."""
    own = "start_unix_nano" if table in ("calls", "spans") else "time_unix_nano"
    nano = row.get(own, NOON_NANO)
    usual = {"journal_id": "j", "journal_position": at, "journal_item": 0, "received_unix_nano": nano}
    usual |= {column.name: "x" for column in TABLES[table].columns if column.always and column.type == pa.string()}
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=nano // 1000)
    times = {own: nano, own.replace("_unix_nano", ""): moment, "date": moment.date()}
    times |= {"start_time": times.pop("start")} if "start" in times else {}
    return {**usual, **times, **row}


def _table(table: str, rows: Sequence[Row]) -> pa.Table:
    return pa.table(
        {column.name: pa.array([row.get(column.name) for row in rows], column.type) for column in TABLES[table].columns}
    )
