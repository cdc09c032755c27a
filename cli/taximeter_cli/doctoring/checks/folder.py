"""The data folder: whether it can be written, by whom it can be read, on what it is, and the clock."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil
from taximeter_collector.configuration import Config
from taximeter_collector.journal.inspection import readers
from taximeter_collector.settings import size

from taximeter_cli.doctoring.finding import Finding, error, note, ok, warning
from taximeter_cli.doctoring.subject import Subject

__all__ = ["TITLE", "check"]

TITLE = "Data folder"

_NETWORK = frozenset(
    [
        "9p",
        "afs",
        "afpfs",
        "beegfs",
        "ceph",
        "cifs",
        "cephfs",
        "fuse.ceph",
        "fuse.glusterfs",
        "fuse.gcsfuse",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "macfuse",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "osxfuse",
        "smb",
        "smb2",
        "smb3",
        "smbfs",
        "vboxsf",
        "virtiofs",
        "webdav",
    ]
)
_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs"})
_LEAST_BYTES = 512 << 20
_OLDEST = datetime(2026, 1, 1, tzinfo=UTC)
_AHEAD_S = 60


def check(subject: Subject) -> Iterator[Finding]:
    """The folders may be on different disks; each is looked at."""
    config = subject.config
    yield from _permissions(config.data)
    folders = dict.fromkeys((config.data, config.journal.dir, config.lake.dir))
    told: set[tuple[str, int]] = set()
    for folder in folders:
        there = _existing(folder)
        kind, device = _file_system(there), there.stat().st_dev
        if (kind, device) not in told:
            told.add((kind, device))
            yield _kind(folder, kind)
            yield _room(folder, there, config)
    yield _clock(config)


def _permissions(data: Path) -> Iterator[Finding]:
    if not data.exists():
        there = _existing(data)
        if os.access(there, os.W_OK):
            yield note(f"{data} is not there yet; the first collector makes it", "elsewhere: --data, TAXIMETER_DATA")
        else:
            yield error(
                f"{data} is not there, and cannot be made: {there} is not writable", "--data FOLDER, or TAXIMETER_DATA"
            )
        return
    if not data.is_dir():
        yield error(f"{data} is no folder", "--data FOLDER, or TAXIMETER_DATA")
    elif not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        yield error(f"{data} cannot be read and written by this user", f"chown it, or run as {_owner(data)}")
    else:
        open_to = stat.S_IMODE(data.stat().st_mode) & 0o077
        if open_to and sys.platform != "win32":
            yield note(f"{data} can be entered by others; what is in it is for its owner alone", f"chmod 700 {data}")
        else:
            yield ok(f"{data}, for this user alone")


def _owner(path: Path) -> str:
    with suppress(KeyError, NotImplementedError, OSError):
        return path.owner()
    return "its owner"


def _existing(path: Path) -> Path:
    """The folder itself, or the one above it that is there."""
    return next((one for one in (path, *path.parents) if one.is_dir()), Path("/"))


def _file_system(folder: Path) -> str:
    whole = str(folder.resolve())
    best, kind = "", ""
    with suppress(psutil.Error, OSError):
        for one in psutil.disk_partitions(all=True):
            mount = one.mountpoint.rstrip("/") or "/"
            inside = whole == mount or whole.startswith(mount if mount.endswith(("/", "\\")) else mount + os.sep)
            if inside and len(mount) >= len(best):
                best, kind = mount, one.fstype.lower()
    return kind


def _kind(folder: Path, kind: str) -> Finding:
    if kind in _NETWORK:
        return warning(
            f"{folder} is on a network file system ({kind}): locks and syncs there may not mean what they say",
            "keep journal and lake on a local disk, or make sure that only one machine uses them; "
            "for several collectors see docs/deploy.md",
            file_system=kind,
        )
    if kind in _MEMORY:
        return warning(
            f"{folder} is in memory ({kind}): all of it is gone when the machine restarts",
            "name a folder on a disk: --data FOLDER, or TAXIMETER_DATA",
            file_system=kind,
        )
    return ok(f"{folder} is on {kind or 'a file system of unknown kind'}", file_system=kind)


def _room(folder: Path, there: Path, config: Config) -> Finding:
    free = shutil.disk_usage(there).free
    journal = sum(file.stat().st_size for file in config.journal.dir.glob("*.segment") if file.exists())
    wanted = max(0, config.journal.max_size - journal)
    inodes = os.statvfs(there).f_favail if hasattr(os, "statvfs") and os.statvfs(there).f_files else None
    facts = {"free_bytes": free, "journal_bytes": journal, "journal_max_bytes": config.journal.max_size}
    if free < _LEAST_BYTES or (inodes is not None and inodes < 1000):
        few = "" if inodes is None or inodes >= 1000 else f" and for {inodes} files"
        return error(
            f"{folder}: room for {_shown(free)}{few} is left on the disk",
            "make room; until then senders may be told to come again, and nothing that was acknowledged is lost",
            **facts,
        )
    if free < wanted:
        return warning(
            f"{folder}: {_shown(free)} are free, and the journal may still grow by {_shown(wanted)} "
            f"(journal.max_size = {size.write(config.journal.max_size)})",
            "make room, or set journal.max_size to what there is; the lake needs room beside it",
            **facts,
        )
    return ok(f"{_shown(free)} are free; the journal may still grow by {_shown(wanted)}", **facts)


def _clock(config: Config) -> Finding:
    now = datetime.now(UTC)
    if now < _OLDEST:
        return error(f"the clock says {now:%Y-%m-%d %H:%M}", "set it: calls are priced by their time")
    newest = max((_newest(config.journal.dir), 0))
    if newest / 1e9 > time.time() + _AHEAD_S:
        return warning(
            f"the clock says {now:%Y-%m-%d %H:%M:%S} UTC, and the journal has a record of "
            f"{datetime.fromtimestamp(newest / 1e9, UTC):%Y-%m-%d %H:%M:%S}: it has gone back",
            "have it synchronised (NTP)",
        )
    return ok(f"the clock says {now:%Y-%m-%d %H:%M:%S} UTC")


def _newest(journal: Path) -> int:
    """When what is unread was received, or files were written."""
    found = [int(file.stat().st_mtime_ns) for file in journal.glob("*.segment") if file.exists()]
    found += [one.oldest_unread_unix_nano or 0 for one in readers(journal)] if journal.is_dir() else []
    return max(found, default=0)


def _shown(amount: int) -> str:
    for unit, name in ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB")):
        if amount >= unit:
            return f"{amount / unit:.1f} {name}"
    return f"{amount / 1024:.1f} KiB"
