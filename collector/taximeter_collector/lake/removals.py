"""Files that are no longer in a table, as its log has them until they are forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq  # type: ignore[import-untyped]

__all__ = ["removals"]


def removals(log_folder: Path) -> Iterator[tuple[str, int]]:
    """Each with the time of its removal in milliseconds."""
    start = -1
    hint = log_folder / "_last_checkpoint"
    if hint.exists():
        start = int(json.loads(hint.read_bytes())["version"])
        yield from _in_checkpoint(log_folder / f"{start:020}.checkpoint.parquet")
    for version in sorted(log_folder.glob("[0-9]*.json")):
        if int(version.stem) > start:
            yield from _in_version(version)


def _in_checkpoint(file: Path) -> Iterator[tuple[str, int]]:
    with pq.ParquetFile(file) as checkpoint:
        removes = checkpoint.read(columns=["remove.path", "remove.deletionTimestamp"])["remove"]
    found = removes.combine_chunks().drop_null()
    yield from zip(found.field("path").to_pylist(), found.field("deletionTimestamp").to_pylist(), strict=True)


def _in_version(file: Path) -> Iterator[tuple[str, int]]:
    for line in file.read_bytes().splitlines():
        if line.startswith(b'{"remove"'):
            remove = json.loads(line)["remove"]
            yield remove["path"], remove["deletionTimestamp"]
