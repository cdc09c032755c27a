"""A table from nothing, or from an older Taximeter; and what a later one wrote, which is left alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]

from taximeter_collector.journal.files import sync_folder
from taximeter_collector.lake.durability import remove_torn_end, sync_file
from taximeter_collector.lake.errors import LakeUnavailable, NewerSchema, reaching
from taximeter_collector.lake.parquet import statistics_columns
from taximeter_collector.lake.schema import SCHEMA_VERSION, LakeTable

__all__ = ["VERSION_KEY", "make_ready", "refuse_newer", "schema_version"]

VERSION_KEY = "taximeter.schema_version"
# Time travel is not what the log is kept for; whoever reads or writes has reached the newest version long before.
_LOG_KEPT = "interval 1 hours"
_REMOVALS_KEPT = "interval 4 hours"  # each is in every checkpoint; `lake.grace` is two hours at most
_ATTEMPTS = 10


def make_ready(folder: Path, table: LakeTable) -> None:
    """Create a table if it is not there, and add the columns that an older one lacks."""
    from deltalake import DeltaTable

    with reaching(folder):
        folder.mkdir(parents=True, exist_ok=True)
        remove_torn_end(folder / "_delta_log")
        if not DeltaTable.is_deltatable(str(folder)):
            _create(folder, table)
        _evolve(folder, table)


def schema_version(delta: Any) -> int:
    """Which version of our schema a Delta table has; 0 for one that is not ours."""
    return int(delta.metadata().configuration.get(VERSION_KEY, 0))


def refuse_newer(folder: Path, delta: Any) -> None:
    """NewerSchema for what a later Taximeter wrote."""
    found = schema_version(delta)
    if found > SCHEMA_VERSION:
        raise NewerSchema(
            f"{folder}: its schema has version {found}, and this Taximeter knows up to {SCHEMA_VERSION}; "
            "use a later Taximeter, or another folder (lake.dir)"
        )


def _create(folder: Path, table: LakeTable) -> None:
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        DeltaTable.create(
            folder,
            table.schema,
            partition_by=["date"],
            name=table.name,
            description=table.sentence,
            configuration=_configuration(table),
            raise_if_key_not_exists=False,
        )
    except DeltaError:
        if not DeltaTable.is_deltatable(str(folder)):  # else another collector was faster
            raise
    sync_file(folder / "_delta_log" / f"{0:020}.json")
    sync_folder(folder / "_delta_log")


def _configuration(table: LakeTable) -> Mapping[str, str | None]:
    return {
        VERSION_KEY: str(SCHEMA_VERSION),
        "delta.logRetentionDuration": _LOG_KEPT,
        "delta.deletedFileRetentionDuration": _REMOVALS_KEPT,
        "delta.dataSkippingStatsColumns": ",".join(statistics_columns(table)),
    }


def _evolve(folder: Path, table: LakeTable) -> None:
    from deltalake import DeltaTable, Schema
    from deltalake.exceptions import CommitFailedError

    for _ in range(_ATTEMPTS):
        delta = DeltaTable(folder)
        refuse_newer(folder, delta)
        there = {field.name for field in delta.schema().fields}
        missing = [column for column in table.columns if column.name not in there]
        if not missing and schema_version(delta) == SCHEMA_VERSION:
            return
        try:
            if missing:
                fields = pa.schema([pa.field(column.name, column.type) for column in missing])
                delta.alter.add_columns(list(Schema.from_arrow(fields).fields))
            delta.alter.set_table_properties({VERSION_KEY: str(SCHEMA_VERSION)}, raise_if_not_exists=False)
        except CommitFailedError:  # another collector does the same
            continue
    raise LakeUnavailable(f"{folder}: its columns could not be added")
