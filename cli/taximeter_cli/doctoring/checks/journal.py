"""The journal: its size against its limit, who has yet to read it, and what is damaged."""

from __future__ import annotations

import time
from collections.abc import Iterator

from taximeter_collector.configuration import Config
from taximeter_collector.forward.orders import READER as FORWARDER
from taximeter_collector.forward.orders import reader as reader_of
from taximeter_collector.journal.format import SEGMENT_HEADER_BYTES, Head
from taximeter_collector.journal.inspection import ReaderInfo, readers, verify
from taximeter_collector.journal.retention import has_passed
from taximeter_collector.journal.segments import Folder
from taximeter_collector.land.process import READER as LANDER
from taximeter_collector.settings import size

from taximeter_cli.doctoring.finding import Finding, counted, error, note, ok, warning
from taximeter_cli.doctoring.running import running
from taximeter_cli.doctoring.subject import Subject

__all__ = ["TITLE", "check"]

TITLE = "Journal"

_LEAST_SEGMENTS = 4  # of max_size, a new segment takes a quarter at most
_NEARLY = 0.8
_LATE_S = 60


def check(subject: Subject) -> Iterator[Finding]:
    """By its small files, unless all of it is to be read."""
    config = subject.config
    folder = Folder(config.journal.dir)
    if not folder.segments() and not (config.journal.dir / "head").exists():
        yield note(f"there is no journal at {config.journal.dir} yet")
        return
    is_running = running(config) is not None
    found = readers(config.journal.dir)
    yield _size(config, folder, found)
    yield from _head(folder, is_running=is_running)
    for one in found:
        yield _reader(one, config, is_running=is_running)
    yield from _damaged(config)
    if subject.full:
        yield from _verified(config)


def _size(config: Config, folder: Folder, found: list[ReaderInfo]) -> Finding:
    sizes = [taken for first in folder.segments() if (taken := _bytes_of(folder, first)) is not None]
    taken, limit = sum(sizes), config.journal.max_size
    facts = {"bytes": taken, "max_bytes": limit, "segments": len(sizes)}
    told = f"{taken:,} of {limit:,} bytes ({size.write(limit)}) in {counted(len(sizes), 'segment')}"
    slow = max(found, key=lambda one: one.lag_bytes, default=None)
    behind = f"; {slow.name} has the most before it, {slow.lag_bytes:,} bytes" if slow and slow.lag_bytes else ""
    behind = behind if found else "; it has no reader, so nothing is ever let go"
    next_segment = min(config.journal.segment_size, limit // _LEAST_SEGMENTS)
    if taken + next_segment > limit and behind:
        if config.journal.at_limit == "drop-oldest":
            return warning(
                f"{told}: at its limit, where the oldest is deleted, unread or not (journal.at_limit){behind}",
                "see why that reader is slow, or raise journal.max_size",
                **facts,
            )
        return error(
            f"{told}: at its limit{behind}. Senders are told to come again, and may give up",
            "see why that reader is slow, or raise journal.max_size",
            **facts,
        )
    if taken > limit * _NEARLY and behind:
        return warning(f"{told}{behind}", "see why that reader is slow, or raise journal.max_size", **facts)
    return ok(told, **facts)


def _bytes_of(folder: Folder, first: int) -> int | None:
    """None for a segment that is deleted this moment."""
    try:
        return folder.segment(first).stat().st_size
    except FileNotFoundError:
        return None


def _head(folder: Folder, *, is_running: bool) -> Iterator[Finding]:
    head, segments = _seen_at_once(folder)
    if head is None:
        what = "damaged" if (folder.path / "head").exists() else "missing"
        yield error(
            f"the journal's head is {what}: readers wait until its writer has said how far it is durable",
            "restart the collector" if is_running else "start a collector, which finds out",
        )
    elif head.segment not in segments and _is_unread(folder, head):
        yield error(
            f"segment {head.segment} is missing, in which the journal ends: what of it was not read is lost",
            "restore its file; otherwise restart the collector, which goes on behind it",
            segment=head.segment,
        )
    else:
        yield ok(f"{head.next:,} positions were given so far", next=head.next)


def _seen_at_once(folder: Folder) -> tuple[Head | None, list[int]]:
    """The head, and the segments that there were while it said that: a writer may begin another and delete this one."""
    head = folder.head()
    while True:
        segments = folder.segments()
        before, head = head, folder.head()
        if (head and head.segment) == (before and before.segment):
            return head, segments


def _is_unread(folder: Folder, head: Head) -> bool:
    """Whether somebody wants what is before the head; asked after the segments, which go when nobody does.

    The last one goes, too, when it is closed and all have read it; the head goes on naming it.
    """
    cursors = folder.cursors().values()
    has_content = head.offset > SEGMENT_HEADER_BYTES
    return has_content and not (cursors and all(has_passed(one, head.segment, head.offset) for one in cursors))


def _reader(one: ReaderInfo, config: Config, *, is_running: bool) -> Finding:
    facts = {"reader": one.name, "next": one.next, "records": one.lag_records, "bytes": one.lag_bytes}
    if one.problem:
        return error(one.problem, "it then begins anew; what has landed is not landed twice", **facts)
    forget = f"taximeter journal forget {one.name}"
    unread = f"{counted(one.lag_records, 'record')}, {one.lag_bytes:,} bytes before it"
    if one.name.startswith(FORWARDER) and one.name not in {reader_of(name) for name in config.forward}:
        return warning(
            f"{one.name} is the cursor of a destination in no settings, for which the journal keeps all: {unread}",
            f"{forget}, or put the destination back into the settings",
            **facts,
            orphan=True,
        )
    if one.name == LANDER and not config.land.enabled:
        return warning(
            f"nothing is landed (land.enabled = false), and the journal keeps all for the lander: {unread}",
            f"set land.enabled, or {forget}",
            **facts,
        )
    if one.name != LANDER and not one.name.startswith(FORWARDER):
        return note(f"{one.name}, a reader of your own: {unread}", f"if it is needed no more: {forget}", **facts)
    if not one.lag_records or not one.oldest_unread_unix_nano:
        return ok(f"{one.name} has read all", **facts)
    age_s = time.time() - one.oldest_unread_unix_nano / 1e9
    told = f"{one.name}: {unread}, the oldest from {age_s:,.0f} s ago"
    if not is_running:
        return note(told, "a collector goes on with it as soon as it is started", **facts)
    if age_s > _LATE_S:
        return warning(told, "see the log of the collector, and the parts on lake and destinations below", **facts)
    return ok(told, **facts)


def _damaged(config: Config) -> Iterator[Finding]:
    files = sorted((config.journal.dir / "damaged").glob("*.bin"))
    if files:
        taken = sum(file.stat().st_size for file in files)
        yield warning(
            f"{taken:,} bytes in {counted(len(files), 'place')} cannot be read, and are "
            f"kept in {config.journal.dir / 'damaged'}",
            "see docs/journal.md; look at the disk (dmesg, SMART), then delete them",
            files=len(files),
            bytes=taken,
        )


def _verified(config: Config) -> Iterator[Finding]:
    finding = verify(config.journal.dir)
    problems = [f"{one.bytes:,} damaged bytes at {one.offset:,} in {one.segment}" for one in finding.damaged]
    problems += [f"position {one.position} behind {one.after} in {one.segment}" for one in finding.disorder]
    problems += finding.problems
    if problems:
        yield error(
            f"not all is as it was written: {'; '.join(problems[:5])}",
            "readers pass over what is damaged, and keep it in damaged/; see docs/journal.md",
        )
    else:
        yield ok(f"all {finding.records:,} records are as they were written")
