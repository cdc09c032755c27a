"""The journal: what was acknowledged is there, once, in order, byte for byte."""

from __future__ import annotations

import os
import threading
import zlib
from pathlib import Path

import pytest
from taximeter_collector.journal import (
    Entry,
    JournalClosed,
    JournalConfig,
    JournalError,
    JournalWriter,
    Record,
    Signal,
)
from taximeter_collector.journal.errors import UnknownVersion
from taximeter_collector.journal.format import (
    SEGMENT_HEADER_BYTES,
)

from tests.collector.journaling import (
    Sender,
    all_payloads,
    open_reader,
    payloads_of,
    read_all,
    segments,
    set_aside,
    until,
    write_all,
)

# Writing and reading


def test_a_record_is_read_as_it_was_appended(folder: Path) -> None:
    with Sender(folder) as sender:
        entry = Entry(Signal.METRICS, 7, "team-ü", bytes(range(256)), received_unix_nano=1_700_000_000_000_000_000)
        sender.journal.append(entry)
        sender.answered([entry])
        assert entry.error is None
        assert read_all(folder) == [
            Record(0, 1_700_000_000_000_000_000, Signal.METRICS, 7, "team-ü", bytes(range(256)))
        ]


def test_each_reader_passes_over_all_records_at_its_own_pace(folder: Path) -> None:
    with Sender(folder) as sender:
        sender.accepted(b"one", b"two", b"three")
        slow, fast = open_reader(folder, "slow"), open_reader(folder, "fast")
        assert payloads_of(fast) == [b"one", b"two", b"three"]
        assert [record.payload for record in slow.read(max_bytes=1)] == [b"one"]
        sender.accepted(b"four")
        assert payloads_of(fast) == [b"four"]
        assert payloads_of(slow) == [b"two", b"three", b"four"]
        assert payloads_of(slow) == []


def test_what_was_committed_is_not_read_again_and_what_was_not_is(folder: Path) -> None:
    write_all(folder, b"one", b"two", b"three")
    reader = open_reader(folder, "lander")
    first, *_ = reader.read()
    reader.commit(first.position)
    reader.close()
    reader = open_reader(folder, "lander")
    records = reader.read()
    assert [record.payload for record in records] == [b"two", b"three"]
    reader.commit(records[-1].position)
    assert payloads_of(open_reader(folder, "lander")) == []


def test_all_is_read_once_and_in_order_across_many_segments(folder: Path) -> None:
    payloads = [b"%d:" % number + bytes(number % 300) for number in range(400)]
    write_all(folder, *payloads, segment_size=1024)
    assert len(segments(folder)) > 50
    reader, read = open_reader(folder), []
    while records := reader.read(max_bytes=700):
        read += records
    assert [record.payload for record in read] == payloads
    assert [record.position for record in read] == list(range(400))


def test_a_record_larger_than_a_segment_has_one_of_its_own(folder: Path) -> None:
    payloads = [b"small", os.urandom(3 << 20), b"small again", b""]
    write_all(folder, *payloads, segment_size=4096)
    assert all_payloads(folder) == payloads


def test_many_appended_during_one_sync_share_the_next(folder: Path) -> None:
    answering, go_on = threading.Event(), threading.Event()

    def answer(entries: list[Entry]) -> None:
        answering.set()
        assert go_on.wait(60)

    journal = JournalWriter(JournalConfig(dir=folder), answer)
    journal.append(Entry(Signal.TRACES, 1, "", b"first"))
    assert answering.wait(60)
    for number in range(3000):
        journal.append(Entry(Signal.TRACES, 1, "", b"%d" % number))
    go_on.set()
    journal.close()
    assert (journal.written.records, journal.written.syncs) == (3001, 2)
    assert all_payloads(folder) == [b"first", *(b"%d" % number for number in range(3000))]


def test_positions_rise_over_restarts(folder: Path) -> None:
    for number in range(4):
        write_all(folder, b"%d" % number)
    records = read_all(folder)
    assert [record.payload for record in records] == [b"0", b"1", b"2", b"3"]
    positions = [record.position for record in records]
    assert positions == sorted(set(positions))


def test_a_start_without_a_record_leaves_nothing_behind(folder: Path) -> None:
    for _ in range(3):
        Sender(folder).journal.close()
    assert segments(folder) == []


def test_a_named_reader_begins_where_it_is_told_to(folder: Path) -> None:
    with Sender(folder) as sender:
        sender.accepted(b"old")
        newest, oldest = open_reader(folder, "newest", start="newest"), open_reader(folder, "oldest")
        tail = open_reader(folder, start="newest")
        sender.accepted(b"new")
        assert payloads_of(newest) == payloads_of(tail) == [b"new"]
        assert payloads_of(oldest) == [b"old", b"new"]


def test_a_reader_waits_for_what_is_to_come(folder: Path) -> None:
    with Sender(folder) as sender:
        reader, read = open_reader(folder), []
        thread = threading.Thread(target=lambda: read.extend(reader.read(wait_s=60)))
        thread.start()
        sender.accepted(b"here it is")
        thread.join(60)
        assert [record.payload for record in read] == [b"here it is"]


def test_a_reader_may_come_before_any_writer(folder: Path) -> None:
    named, unnamed = open_reader(folder, "early"), open_reader(folder)
    assert named.read() == unnamed.read() == []
    with Sender(folder) as sender:
        sender.accepted(b"at last")
        assert payloads_of(named) == payloads_of(unnamed) == [b"at last"]
        assert not named.missed


def test_a_reader_needs_a_name_that_can_be_a_file(folder: Path) -> None:
    with pytest.raises(JournalError, match=r"'\.\./x' cannot name a reader"):
        open_reader(folder, "../x")


def test_nothing_is_taken_in_after_the_end(folder: Path) -> None:
    sender = Sender(folder)
    sender.journal.close()
    with pytest.raises(JournalClosed):
        sender.journal.append(Entry(Signal.TRACES, 1, "", b"too late"))


def test_all_that_was_taken_in_is_answered_before_the_end(folder: Path) -> None:
    with Sender(folder) as sender:
        entries = [Entry(Signal.TRACES, 1, "", b"%d" % number) for number in range(500)]
        for entry in entries:
            sender.journal.append(entry)
    sender.answered(entries)
    assert all_payloads(folder) == [entry.payload for entry in entries]


def test_the_journal_outlives_an_error_of_whoever_is_told(folder: Path) -> None:
    told: list[Entry] = []

    def answer(entries: list[Entry]) -> None:
        told.extend(entries)
        raise RuntimeError("the event loop is closed")

    journal = JournalWriter(JournalConfig(dir=folder), answer)
    for number in range(3):
        journal.append(Entry(Signal.TRACES, 1, "", b"%d" % number))
        until(lambda before: len(told) > before, number)
    journal.close()
    assert all_payloads(folder) == [b"0", b"1", b"2"]


def test_readers_keep_up_with_a_writer_that_rolls_and_deletes_tiny_segments(folder: Path) -> None:
    payloads = [b"%d:" % number + os.urandom(number % 200) for number in range(3000)]
    names = ["lander", "forwarder", "slow"]
    open_reader(folder, "slow").close()
    got: dict[str, list[Record]] = {name: [] for name in names}

    def follow(name: str) -> None:
        reader = open_reader(folder, name)
        while len(got[name]) < len(payloads) and (records := reader.read(max_bytes=3000, wait_s=60)):
            got[name] += records
            reader.commit(records[-1].position)

    threads = [threading.Thread(target=follow, args=(name,)) for name in names]
    with Sender(folder, segment_size=2048) as sender:
        for thread in threads[:2]:
            thread.start()
        for start in range(0, 3000, 50):
            sender.accepted(*payloads[start : start + 50])
        threads[2].start()
        for thread in threads:
            thread.join(60)
        until(lambda: sender.journal.retention.segments <= 2)
    for name in names:
        assert [record.payload for record in got[name]] == payloads
        assert [record.position for record in got[name]] == list(range(3000))
    assert len(segments(folder)) <= 2


# One writer


def test_a_second_writer_is_told_that_there_is_one(folder: Path) -> None:
    with Sender(folder) as sender:
        with pytest.raises(JournalError, match="another process writes the journal"):
            Sender(folder)
        sender.accepted(b"undisturbed")
    write_all(folder, b"now it may")
    assert all_payloads(folder) == [b"undisturbed", b"now it may"]


def later_version(segment: bytes) -> bytes:
    header = segment[:8] + (2).to_bytes(2, "little") + segment[10 : SEGMENT_HEADER_BYTES - 4]
    return header + zlib.crc32(header).to_bytes(4, "little") + segment[SEGMENT_HEADER_BYTES:]


def test_a_segment_of_a_later_version_is_left_alone(folder: Path) -> None:
    for payload in (b"ours", b"theirs"):
        write_all(folder, payload)
    theirs = segments(folder)[1]
    theirs.write_bytes(content := later_version(theirs.read_bytes()))
    for _ in range(2):  # the lock is free again each time
        with pytest.raises(UnknownVersion, match=r"0001\.segment has format 2, and this Taximeter reads format 1"):
            Sender(folder)
    reader = open_reader(folder)
    assert payloads_of(reader) == [b"ours"]
    for _ in range(2):
        with pytest.raises(UnknownVersion):
            reader.read()
    assert theirs.read_bytes() == content
    assert set_aside(folder) == []
