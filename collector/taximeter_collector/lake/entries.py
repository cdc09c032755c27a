"""Entries of a Delta log that its library does not list: removed files, and the positions of journals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq  # type: ignore[import-untyped]

__all__ = ["positions", "removals"]


def removals(log_folder: Path) -> dict[str, int]:
    """Files that are no longer in the table, and since when in milliseconds, until the log forgets them."""
    return dict(_entries(log_folder, "remove", "path", "deletionTimestamp"))


def positions(log_folder: Path) -> dict[str, int]:
    """What the last transaction of each application said."""
    return dict(_entries(log_folder, "txn", "appId", "version"))


def _entries(log_folder: Path, kind: str, key: str, value: str) -> Iterator[tuple[Any, Any]]:
    """The oldest first."""
    start = -1
    hint = log_folder / "_last_checkpoint"
    if hint.exists():
        start = int(json.loads(hint.read_bytes())["version"])
        with pq.ParquetFile(log_folder / f"{start:020}.checkpoint.parquet") as checkpoint:
            found = checkpoint.read(columns=[f"{kind}.{key}", f"{kind}.{value}"])[kind].combine_chunks().drop_null()
        yield from zip(found.field(key).to_pylist(), found.field(value).to_pylist(), strict=True)
    for version in sorted(log_folder.glob("[0-9]*.json")):
        if int(version.stem) > start:
            for line in version.read_bytes().splitlines():
                if line.startswith(f'{{"{kind}"'.encode()):
                    entry = json.loads(line)[kind]
                    yield entry[key], entry[value]
