"""What can be wrong with a lake."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["LakeError", "LakeUnavailable", "NewerSchema", "UnfitRows", "reaching"]


class LakeError(Exception):
    """A lake cannot be used as asked; the sentence is for a person.

    LakeError
    ├── LakeUnavailable   the disk is full, cannot be written, or is not there; it can be tried again
    └── NewerSchema       a table was written by a later Taximeter, and is left alone
    """


class LakeUnavailable(LakeError):
    """The disk is full, cannot be written, or is not there."""


class NewerSchema(LakeError):
    """A table was written by a later Taximeter."""


class UnfitRows(Exception):
    """Rows that cannot be written, whatever the disk: no LakeError, for trying again is of no use."""


_OS_ERROR = re.compile(r"(?:\(os error |\[errno )(\d+)[)\]]")  # as Rust says it, and as Arrow does
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@contextmanager
def reaching(folder: Path) -> Iterator[None]:
    """What the disk, the Delta library or Arrow says of a folder, as a LakeError."""
    from deltalake.exceptions import DeltaError
    from pyarrow import ArrowException  # type: ignore[import-untyped]

    try:
        yield
    except (OSError, DeltaError, ArrowException) as error:
        reason = _reason(error)
        if reason is None:
            raise LakeError(f"{folder}: {_plain(error)}") from error
        raise LakeUnavailable(f"{folder}: {reason}") from error


def _reason(error: Exception) -> str | None:
    """What the operating system said, if it was that."""
    if told := _OS_ERROR.search(str(error)):
        return os.strerror(int(told[1]))
    if isinstance(error, OSError):
        return error.strerror or _plain(error)
    return None


def _plain(error: Exception) -> str:
    return " ".join(_COLOUR.sub("", str(error)).replace("↳", ":").split())
