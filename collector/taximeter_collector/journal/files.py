"""What the journal asks of an operating system, where they differ: durable writes, reserved space, one writer."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path
from typing import IO

__all__ = [
    "DISK_FULL",
    "LockTaken",
    "is_locked",
    "lock",
    "overwrite_durably",
    "replace_durably",
    "reserve",
    "sync",
    "sync_folder",
]

_TAKEN = frozenset({errno.EAGAIN, errno.EACCES, errno.EDEADLK})
_CANNOT_RESERVE = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS})
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


class LockTaken(OSError):
    """Another process, or another writer in this one, has the lock."""


def lock(path: Path) -> IO[bytes]:
    """Take the lock that this file stands for, until it is closed or the process ends. LockTaken if another has it."""
    file = path.open("ab")
    try:
        _lock(file)
    except OSError as error:
        file.close()
        if error.errno in _TAKEN:
            raise LockTaken(*error.args) from error
        raise
    return file


def is_locked(path: Path) -> bool:
    """Whether somebody has the lock that this file stands for; where there is no file, nobody has."""
    if not path.exists():
        return False
    try:
        lock(path).close()
    except LockTaken:
        return True
    return False


def sync(descriptor: int) -> None:
    """Return when what was written is on the medium, as far as the operating system can say."""
    if sys.platform == "darwin":
        try:
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # fsync there stops at the drive's own cache
        except OSError:  # not every file system has it
            os.fsync(descriptor)
    elif hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Windows has no such thing, and does not need it."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def reserve(descriptor: int, size_bytes: int) -> None:
    """Make room ahead, so that a sync need not record a new file size each time. OSError where there is no room."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, size_bytes)
            return
        except OSError as error:  # a C library that does not make up for what a file system lacks, such as musl
            if error.errno not in _CANNOT_RESERVE:
                raise
    os.truncate(descriptor, size_bytes)


def replace_durably(path: Path, content: bytes) -> None:
    """Replace a small file as a whole: whoever reads it sees the old content or the new, before and after a crash."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            sync(file.fileno())
        beside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    sync_folder(path.parent)


def overwrite_durably(path: Path, content: bytes) -> None:
    """Overwrite a small file of the same size where it is, which takes no room. Its one block is written as a whole."""
    with path.open("r+b", buffering=0) as file:
        file.write(content)
        sync(file.fileno())
