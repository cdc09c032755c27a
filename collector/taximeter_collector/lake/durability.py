"""What a power failure may leave of a Delta log, which its library neither makes durable nor repairs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from taximeter_collector.journal.files import sync

__all__ = ["remove_torn_end", "sync_file"]


def sync_file(path: Path) -> None:
    """Return when a file's content is on the medium; one that has gone needs nothing."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def remove_torn_end(log_folder: Path) -> None:
    """Remove versions and checkpoints at the end of a log that a power failure has torn.

    A version appears whole, by a link, and nothing is acknowledged before it is durable: what is torn never was.
    """
    if not log_folder.is_dir():
        return
    for version in sorted(log_folder.glob("[0-9]*.json"), reverse=True):
        if _is_whole(version):
            break
        version.unlink()
    torn = [file for file in sorted(log_folder.glob("*.checkpoint.parquet"))[-1:] if not _is_checkpoint(file)]
    for file in torn:
        file.unlink()
    hint = log_folder / "_last_checkpoint"
    if hint.exists() and (torn or not _is_whole(hint)):
        hint.unlink()  # it only saves a listing


def _is_whole(file: Path) -> bool:
    try:
        lines = file.read_bytes().splitlines()
        return bool(lines) and all(isinstance(json.loads(line), dict) for line in lines)
    except FileNotFoundError:  # trimmed at this moment
        return True
    except ValueError:
        return False


def _is_checkpoint(file: Path) -> bool:
    try:
        pq.read_metadata(file)
    except (pa.ArrowInvalid, OSError):
        return False
    return True
