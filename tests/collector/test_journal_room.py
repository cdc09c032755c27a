"""What of a journal may go, and what happens when there is no room; and when its writer is killed."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from taximeter_collector.journal import (
    JournalError,
    JournalFull,
    files,
    writer,
)
from taximeter_collector.journal.segments import Folder

from tests.collector.journaling import (
    Sender,
    all_payloads,
    open_reader,
    payloads_of,
    positions_in,
    read_all,
    segments,
    set_aside,
    until,
    write_all,
)

# Letting go


def test_a_segment_goes_when_all_named_readers_have_passed_it(folder: Path, quick: None) -> None:
    one, other = open_reader(folder, "one"), open_reader(folder, "other")
    with Sender(folder, segment_size=512) as sender:
        sender.accepted(*[b"%d" % number for number in range(100)])
        before = len(segments(folder))
        one.commit(one.read()[-1].position)
        sender.journal.retention.release()
        assert len(segments(folder)) == before
        records = other.read()
        other.commit(records[49].position)
        until(lambda: len(segments(folder)) < before)
        assert all_payloads(folder)[-51:] == [b"%d" % number for number in range(49, 100)]
        other.commit(records[-1].position)
        until(lambda: len(segments(folder)) == 1)


def test_without_a_named_reader_nothing_goes(folder: Path) -> None:
    with Sender(folder, segment_size=512) as sender:
        sender.accepted(*[b"%d" % number for number in range(100)])
        assert len(all_payloads(folder)) == 100
        sender.journal.retention.release()
        assert len(all_payloads(folder)) == 100


def test_a_forgotten_reader_holds_nothing_back(folder: Path, quick: None) -> None:
    open_reader(folder, "gone").close()
    reader = open_reader(folder, "lander")
    with Sender(folder, segment_size=512) as sender:
        sender.accepted(*[b"%d" % number for number in range(100)])
        reader.commit(reader.read()[-1].position)
        Folder(folder).forget("gone")
        until(lambda: len(segments(folder)) == 1)
    with pytest.raises(JournalError, match=r"no reader named 'gone' .* there are: lander"):
        Folder(folder).forget("gone")


def test_damage_at_the_end_of_a_segment_does_not_hold_it_back(folder: Path, quick: None) -> None:
    reader = open_reader(folder, "lander")
    with Sender(folder, segment_size=8192, max_size=40_000) as sender:
        accepted = fill(sender)
        last = segments(folder)[-1]
        last.write_bytes(last.read_bytes()[:-1] + b"!")
        records = reader.read()
        assert len(records) == accepted - 1
        reader.commit(records[-1].position)
        until(lambda: not last.exists())


# Limits


def fill(sender: Sender, payload: bytes = bytes(1000)) -> int:
    """Send until it is refused; how much was accepted."""
    accepted = 0
    while (refusal := sender.refusal(b"%06d" % accepted + payload)) is None:
        accepted += 1
    assert isinstance(refusal, JournalFull)
    return accepted


def test_at_its_size_limit_the_journal_refuses_until_a_reader_has_passed(folder: Path) -> None:
    reader = open_reader(folder, "lander")
    with Sender(folder, segment_size=8192, max_size=40_000) as sender:
        for _ in range(3):
            accepted = fill(sender)
            assert sum(path.stat().st_size for path in segments(folder)) <= 40_000
            assert isinstance(sender.refusal(b"still"), JournalFull)
            assert "limit" in sender.journal.refusing
            records = reader.read()
            assert len(records) == accepted >= 20
            reader.commit(records[-1].position)
            assert sender.refusal(b"again") is None
            assert not sender.journal.refusing
            reader.commit(reader.read()[-1].position)


def test_a_refusing_journal_sees_for_itself_that_there_is_room_again(folder: Path, quick: None) -> None:
    reader = open_reader(folder, "lander")
    with Sender(folder, segment_size=8192, max_size=40_000) as sender:
        fill(sender)
        reader.commit(reader.read()[-1].position)
        until(lambda: not sender.journal.refusing)


def test_a_limit_smaller_than_a_segment_is_still_room_for_something(folder: Path) -> None:
    with Sender(folder, segment_size=1 << 20, max_size=100_000) as sender:
        assert fill(sender) > 40


def test_the_oldest_is_dropped_and_counted_where_that_is_chosen(folder: Path) -> None:
    late = open_reader(folder, "late")
    with Sender(folder, segment_size=8192, max_size=40_000, at_limit="drop-oldest") as sender:
        for number in range(100):
            sender.accepted(b"%06d" % number + bytes(1000))
        assert sum(path.stat().st_size for path in segments(folder)) <= 40_000
        read = [int(payload[:6]) for payload in payloads_of(late)]
        assert read == list(range(read[0], 100))
        assert sender.journal.retention.dropped_records == read[0] > 0
        assert sender.journal.retention.dropped_segments > 1


def test_a_reader_knows_that_it_came_too_late(folder: Path) -> None:
    reader = open_reader(folder, "late")
    with Sender(folder, segment_size=8192, max_size=40_000, at_limit="drop-oldest") as sender:
        sender.accepted(b"000000")
        reader.commit(reader.read()[-1].position)
        reader.close()
        for _ in range(100):
            sender.accepted(bytes(1000))
        reader = open_reader(folder, "late")
        reader.read()
        assert reader.missed == 1


def test_a_request_larger_than_the_limit_drops_nothing(folder: Path) -> None:
    with Sender(folder, segment_size=8192, max_size=40_000, at_limit="drop-oldest") as sender:
        sender.accepted(b"kept")
        assert isinstance(sender.refusal(bytes(50_000)), JournalFull)
        assert all_payloads(folder) == [b"kept"]
        assert sender.journal.retention.dropped_segments == 0


def test_what_waits_for_too_long_makes_the_journal_refuse(folder: Path, quick: None) -> None:
    reader = open_reader(folder, "lander")
    with Sender(folder, max_age_s=1800) as sender:
        sender.accepted(b"fresh")
        sender.accepted(b"old", received_unix_nano=time.time_ns() - 3600 * 10**9)
        reader.commit(reader.read()[0].position)
        until(lambda: sender.journal.retention.too_old)
        refusal = sender.refusal(b"new")
        assert isinstance(refusal, JournalFull)
        assert "age" in str(refusal)
        reader.commit(1)
        until(lambda: not sender.journal.refusing)
        sender.accepted(b"new again")
        assert payloads_of(reader) == [b"new again"]


def test_what_waits_for_too_long_is_dropped_where_that_is_chosen(folder: Path, quick: None) -> None:
    with Sender(folder, max_age_s=0.2, at_limit="drop-oldest") as sender:
        for number in (1, 2):
            sender.accepted(b"will be old")
            until(lambda wanted: sender.journal.retention.dropped_records == wanted, number)
            assert all_payloads(folder) == []
        assert segments(folder) == []


def test_an_old_segment_of_an_earlier_run_is_dropped_too(folder: Path, quick: None) -> None:
    write_all(folder, b"old")
    old_s = time.time() - 3600
    os.utime(segments(folder)[0], (old_s, old_s))
    with Sender(folder, max_age_s=1800, at_limit="drop-oldest") as sender:
        until(lambda: sender.journal.retention.dropped_records == 1)
        sender.accepted(b"new")
    assert all_payloads(folder) == [b"new"]


# A full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 2 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a file system can be mounted by root on Linux only")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def take_all_that_is_left(path: Path) -> None:
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass


def test_on_a_full_disk_the_journal_refuses_and_recovers_when_there_is_space(small_disk: Path, quick: None) -> None:
    folder = small_disk / "journal"
    open_reader(folder, "lander").close()
    with Sender(folder, segment_size=256 << 10) as sender:
        sender.accepted(b"before")
        take_all_that_is_left(small_disk / "somebody else's")
        accepted = fill(sender)
        assert str(sender.refusal(bytes(1000))) == "the disk is full"
        (small_disk / "somebody else's").unlink()
        until(lambda: not sender.journal.refusing)
        sender.accepted(b"after")
        assert sender.journal.written.failures == 0
        read = all_payloads(folder)
    assert (read[0], read[-1], len(read)) == (b"before", b"after", accepted + 2)
    assert [payload[:6] for payload in read[1:-1]] == [b"%06d" % number for number in range(accepted)]


def test_readers_free_a_disk_that_the_journal_itself_has_filled(small_disk: Path) -> None:
    folder = small_disk / "journal"
    reader = open_reader(folder, "lander")
    with Sender(folder, segment_size=256 << 10) as sender:
        accepted = fill(sender)
        assert accepted > 1000
        take_all_that_is_left(small_disk / "somebody else's")
        records = reader.read()
        assert len(records) == accepted
        reader.commit(records[-1].position)  # without room for so much as a cursor
        until(lambda: sender.refusal(b"after") is None)
        assert payloads_of(reader)[-1] == b"after"
    assert open_reader(folder, "lander").read()[0].position > records[-1].position


def test_a_journal_starts_and_is_read_on_a_full_disk(small_disk: Path) -> None:
    folder = small_disk / "journal"
    reader = open_reader(folder, "lander")
    write_all(folder, b"before", b"damaged")
    with segments(folder)[0].open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"!")
    take_all_that_is_left(small_disk / "somebody else's")
    with Sender(folder) as sender:
        assert sender.journal.written.damaged_bytes
        assert set_aside(folder) == []  # there is no room for it
        assert isinstance(sender.refusal(bytes(10_000)), JournalFull)
        assert payloads_of(reader) == [b"before"]


LIMITED = """
import resource, sys, threading
from pathlib import Path
from taximeter_collector.journal import *

resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
answers = []
answered = threading.Semaphore(0)
journal = JournalWriter(JournalConfig(dir=Path(sys.argv[1])), lambda group: [answers.extend(group), answered.release()])
for size in (1000, 30_000, 2000, 12_000):
    journal.append(Entry(Signal.TRACES, 1, "", bytes(size)))
    answered.acquire()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.append(Entry(Signal.TRACES, 1, "", bytes(30_000)))
answered.acquire()
journal.close()
print([type(entry.error).__name__ for entry in answers])
"""


def test_a_limit_on_files_makes_the_journal_refuse_what_does_not_fit(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(folder)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "['NoneType', 'JournalFull', 'NoneType', 'NoneType', 'NoneType']"
    assert [len(payload) for payload in all_payloads(folder)] == [1000, 2000, 12_000, 30_000]


@pytest.mark.parametrize("fails", ["sync", "truncate too"])
def test_what_a_failing_disk_may_have_taken_is_refused_and_its_positions_are_not_used_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    def failing(descriptor: int) -> None:
        monkeypatch.setattr(writer, "sync", files.sync)
        if fails == "truncate too":
            with Path(os.devnull).open("r+b") as nowhere:
                os.dup2(nowhere.fileno(), descriptor)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with Sender(folder) as sender:
        sender.accepted(b"one")
        reader = open_reader(folder)
        assert payloads_of(reader) == [b"one"]
        monkeypatch.setattr(writer, "sync", failing)
        assert [str(entry.error) for entry in sender.send(b"two", b"three")[:1]] == ["the disk: Input/output error"]
        sender.accepted(b"four")
        assert sender.journal.written.failures == 1
        found = positions_in(reader.read())
    positions = [position for position, _ in found]
    assert positions == sorted(set(positions))
    assert found[-1] == (max(positions), b"four")
    if fails == "sync":
        assert b"two" not in all_payloads(folder)


# kill -9


KILLED = """
import os, random, sys
from pathlib import Path
from taximeter_collector.journal import *

run = sys.argv[2]

def answer(group):
    os.write(1, b"".join(b"%d\\n" % entry.ticket for entry in group if entry.error is None))

journal = JournalWriter(JournalConfig(dir=Path(sys.argv[1]), segment_size=32 << 10), answer)
for number in range(1_000_000):
    payload = f"{run}/{number}/".encode() + random.Random(f"{run}/{number}").randbytes(number * 97 % 4000)
    journal.append(Entry(Signal.TRACES, 1, "", payload, ticket=number))
    if number % 20 == 0:
        sys.stdin.readline()
"""


def run_and_kill(folder: Path, run: int, after: int) -> list[int]:
    """Let a process write until so many records are acknowledged, then kill it; all that it acknowledged."""
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder), str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdin and process.stdout
        process.stdin.write(b"\n" * (after // 20 + 20))
        said = b""
        while said.count(b"\n") < after:
            said += process.stdout.read(65536)
        process.kill()
        said += process.stdout.read()
    return [int(line) for line in said.splitlines(keepends=True) if line.endswith(b"\n")]


def test_kill_9_at_any_moment_loses_nothing_that_was_acknowledged(folder: Path) -> None:
    chosen = random.Random(9)
    reader, read = open_reader(folder, "lander"), []
    stop = threading.Event()

    def follow() -> None:
        while not stop.is_set():
            read.extend(reader.read(wait_s=0.05))

    thread = threading.Thread(target=follow)
    thread.start()
    acknowledged = []
    for run in range(6):
        acknowledged += [(run, number) for number in run_and_kill(folder, run, chosen.choice([1, 2, 30, 200, 400]))]
    Sender(folder).journal.close()
    stop.set()
    thread.join(60)
    read += reader.read()
    for records in (read, read_all(folder)):
        found = []
        for record in records:
            run, number = map(int, record.payload.split(b"/", 2)[:2])
            found.append((run, number))
            content = random.Random(f"{run}/{number}").randbytes(number * 97 % 4000)
            assert record.payload == f"{run}/{number}/".encode() + content
        assert len(found) == len(set(found))
        assert found == sorted(found)
        assert set(acknowledged) <= set(found)
        positions = [record.position for record in records]
        assert positions == sorted(set(positions))
