"""The journal: what was acknowledged is there, once, in order, byte for byte, whatever happens to process and disk."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from taximeter_collector.journal import (
    Entry,
    JournalClosed,
    JournalConfig,
    JournalError,
    JournalFull,
    JournalReader,
    JournalWriter,
    Record,
    Signal,
    files,
    writer,
)
from taximeter_collector.journal.errors import UnknownVersion
from taximeter_collector.journal.format import (
    RECORD_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    Head,
    encode_record,
    encode_segment_header,
    segment_name,
)
from taximeter_collector.journal.segments import Folder

MAGIC = b"\xf5TXR"


class Sender:
    """Appends to a journal, as the receiver does, and waits for the answer."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self._answered = threading.Condition()
        self.groups: list[list[Entry]] = []
        self.config = JournalConfig(dir=folder, **{"segment_size": 1 << 16, "max_size": 1 << 30, **options})
        self.journal = JournalWriter(self.config, self._settled)

    def _settled(self, entries: list[Entry]) -> None:
        with self._answered:
            self.groups.append(entries)
            self._answered.notify_all()

    def send(self, *payloads: bytes, **more: Any) -> list[Entry]:
        entries = [Entry(Signal.TRACES, 1, "", payload, **more) for payload in payloads]
        for entry in entries:
            self.journal.append(entry)
        self.answered(entries)
        return entries

    def answered(self, entries: list[Entry]) -> None:
        wanted = set(map(id, entries))
        with self._answered:
            assert self._answered.wait_for(lambda: wanted <= set(map(id, chain.from_iterable(self.groups))), 20)

    def accepted(self, *payloads: bytes, **more: Any) -> None:
        assert [entry.error for entry in self.send(*payloads, **more)] == [None] * len(payloads)

    def refusal(self, payload: bytes) -> JournalError | None:
        return self.send(payload)[0].error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.journal.close()


def until(condition: Callable[..., object], *arguments: object) -> None:
    """Waits for what another thread or process will do."""
    deadline = time.monotonic() + 20
    while not condition(*arguments):
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.005)


def payloads_of(reader: JournalReader) -> list[bytes]:
    return [record.payload for record in reader.read()]


def read_all(folder: Path) -> list[Record]:
    with contextlib.closing(JournalReader(folder)) as reader:
        return reader.read(max_bytes=1 << 30)


def all_payloads(folder: Path) -> list[bytes]:
    return [record.payload for record in read_all(folder)]


_open: list[JournalReader] = []


def open_reader(folder: Path, name: str | None = None, **options: Any) -> JournalReader:
    """A reader that is closed after the test."""
    _open.append(JournalReader(folder, name, **options))
    return _open[-1]


@pytest.fixture(autouse=True)
def _readers_are_closed() -> Iterator[None]:
    yield
    while _open:
        _open.pop().close()


def write_all(folder: Path, *payloads: bytes, **options: Any) -> None:
    with Sender(folder, **options) as sender:
        sender.accepted(*payloads)


def segments(folder: Path) -> list[Path]:
    return [Folder(folder).segment(first) for first in Folder(folder).segments()]


def record_ends(segment: Path, payloads: list[bytes]) -> list[int]:
    """Where each record of a segment ends, by the format's description: there is no escaping in these payloads."""
    ends = [SEGMENT_HEADER_BYTES]
    for payload in payloads:
        ends.append(ends[-1] + RECORD_HEADER_BYTES + len(payload))
    assert ends[-1] == segment.stat().st_size
    return ends[1:]


def positions_in(records: list[Record]) -> list[tuple[int, bytes]]:
    return [(record.position, record.payload) for record in records]


def set_aside(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in sorted((folder / "damaged").iterdir())]


def forged(position: int) -> bytes:
    return b"".join(encode_record(Record(position, 1, Signal.LOGS, 1, "mallory", b"I was never accepted")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal looks at limits and readers each 10 ms, instead of each second."""
    monkeypatch.setattr(writer, "_TICK_S", 0.01)


# ---------------------------------------------------------------------------------------------------------------------
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
        assert go_on.wait(20)

    journal = JournalWriter(JournalConfig(dir=folder), answer)
    journal.append(Entry(Signal.TRACES, 1, "", b"first"))
    assert answering.wait(20)
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
        thread = threading.Thread(target=lambda: read.extend(reader.read(wait_s=20)))
        thread.start()
        sender.accepted(b"here it is")
        thread.join(20)
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
        while len(got[name]) < len(payloads) and (records := reader.read(max_bytes=3000, wait_s=20)):
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
            thread.join(20)
        until(lambda: sender.journal.retention.segments <= 2)
    for name in names:
        assert [record.payload for record in got[name]] == payloads
        assert [record.position for record in got[name]] == list(range(3000))
    assert len(segments(folder)) <= 2


# ---------------------------------------------------------------------------------------------------------------------
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


# ---------------------------------------------------------------------------------------------------------------------
# Torn ends


@pytest.mark.parametrize("head", ["head", "no head"])
@pytest.mark.parametrize("then", ["nothing", "zeros", "garbage"])
def test_a_torn_end_costs_only_what_was_torn(tmp_path: Path, head: str, then: str) -> None:
    whole = tmp_path / "whole"
    payloads = [b"one", b"two", b"three"]
    write_all(whole, *payloads)
    content = segments(whole)[0].read_bytes()
    ends = record_ends(segments(whole)[0], payloads)
    folder = tmp_path / "torn"
    for offset in range(len(content)):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole, folder)
        behind = len(content) - offset
        tail = {"nothing": b"", "zeros": bytes(behind), "garbage": b"\xf5" * behind}[then]
        segments(folder)[0].write_bytes(content[:offset] + tail)
        if head == "no head":
            (folder / "head").unlink()
        sender = Sender(folder)
        kept = [payload for payload, end in zip(payloads, ends, strict=True) if end <= offset]
        assert all_payloads(folder) == kept
        if head == "head":  # it knows that all was acknowledged
            assert sender.journal.written.damaged_bytes
        if offset in (*ends, ends[0] + 1, ends[1] + RECORD_HEADER_BYTES):
            sender.accepted(b"four")
            records = read_all(folder)
            assert [record.payload for record in records] == [*kept, b"four"]
            if head == "head":
                assert records[-1].position >= 3
        sender.journal.close()


def test_a_torn_record_does_not_give_way_to_one_in_its_payload(folder: Path) -> None:
    write_all(folder, b"one", b"two" + forged(50) + b"the end")
    segment = segments(folder)[0]
    content = segment.read_bytes()
    for cut in range(1, len(b"the end") + 1):
        segment.write_bytes(content[:-cut])
        Sender(folder).journal.close()
        assert all_payloads(folder) == [b"one"], cut


def test_what_was_being_written_at_the_crash_is_cut_and_not_kept_aside(folder: Path) -> None:
    write_all(folder, b"acknowledged")
    with segments(folder)[0].open("ab") as file:
        file.write(MAGIC + b"half a record" + bytes(5000))
    with Sender(folder) as sender:
        assert sender.journal.written.cut_bytes == len(MAGIC + b"half a record")
        assert sender.journal.written.damaged_bytes == 0
    assert all_payloads(folder) == [b"acknowledged"]
    assert set_aside(folder) == []


def test_a_reader_that_is_in_a_new_segment_at_the_crash_reads_on_in_the_next(folder: Path) -> None:
    write_all(folder, b"before")
    (folder / segment_name(1)).write_bytes(encode_segment_header(1, 0) + bytes(4096))
    (folder / "head").write_bytes(Head(1, SEGMENT_HEADER_BYTES, 1).encode())
    reader = open_reader(folder, "lander")
    assert payloads_of(reader) == [b"before"]  # and it has the new segment open
    with Sender(folder) as sender:
        sender.accepted(b"after")
        assert payloads_of(reader) == [b"after"]


def test_a_reader_does_not_enter_a_segment_that_is_being_made(folder: Path) -> None:
    Sender(folder).journal.close()
    (folder / segment_name(0)).write_bytes(bytes(4096))
    reader = open_reader(folder)
    assert payloads_of(reader) == []
    (folder / segment_name(0)).unlink()  # as when the disk is full
    with Sender(folder) as sender:
        sender.accepted(b"whole")
        assert payloads_of(reader) == [b"whole"]
        assert not reader.damaged_bytes


# ---------------------------------------------------------------------------------------------------------------------
# Damage


class Image:
    """A journal with three segments in memory, to be damaged and laid out again and again."""

    payloads = [b"%d:" % number + random.Random(number).randbytes(5 + number * 7 % 60) for number in range(24)]

    def __init__(self, folder: Path) -> None:
        for start in (0, 8, 16):
            write_all(folder, *self.payloads[start : start + 8])
        self.files = {path.name: path.read_bytes() for path in segments(folder)}
        self.extents: dict[str, list[int]] = {}
        for number, name in enumerate(self.files):
            ends = record_ends(folder / name, self.payloads[number * 8 : number * 8 + 8])
            self.extents[name] = [SEGMENT_HEADER_BYTES, *ends]
        self.head = (folder / "head").read_bytes()

    def lay_out(self, folder: Path, damaged: int, start: int, span: bytes) -> list[bytes]:
        """Write it with a span of one segment overwritten; the payloads that this does not touch."""
        shutil.rmtree(folder, ignore_errors=True)
        Folder(folder).create()
        (folder / "head").write_bytes(self.head)
        left = []
        for number, (name, content) in enumerate(self.files.items()):
            group, ends = self.payloads[number * 8 : number * 8 + 8], self.extents[name]
            if number == damaged:
                span = span[: len(content) - start]
                content = content[:start] + span + content[start + len(span) :]
                group = [
                    payload
                    for payload, (begin, end) in zip(group, pairwise(ends), strict=True)
                    if content[begin:end] == self.files[name][begin:end]
                ]
            left += group
            (folder / name).write_bytes(content)
        return left

    def spans(self, contents: st.SearchStrategy[bytes]) -> st.SearchStrategy[tuple[int, int, bytes]]:
        starts = [(number, start) for number, file in enumerate(self.files.values()) for start in range(len(file))]
        return st.builds(lambda place, content: (*place, content), st.sampled_from(starts), contents)

    def copies(self) -> st.SearchStrategy[bytes]:
        """Stretches of the segments, as of a block that was written to the wrong place."""
        return st.builds(
            lambda content, start, size: content[start : start + size],
            st.sampled_from(list(self.files.values())),
            st.integers(0, 400),
            st.integers(1, 400),
        )


_one = st.sampled_from([b"\0", b"\xff", b"\xf5", MAGIC])
garbage = st.binary(min_size=1, max_size=40) | st.builds(lambda one, times: one * times, _one, st.integers(1, 400))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return Image(tmp_path_factory.mktemp("image") / "journal")


def examples(number: int) -> Callable[[Any], Any]:
    return settings(max_examples=number, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@examples(250)
@given(data=st.data())
def test_damage_costs_only_the_records_that_it_hits(image: Image, tmp_path: Path, data: st.DataObject) -> None:
    left = image.lay_out(tmp_path / "journal", *data.draw(image.spans(garbage)))
    assert all_payloads(tmp_path / "journal") == left


@examples(100)
@given(data=st.data())
def test_nothing_is_read_twice_or_out_of_order(image: Image, tmp_path: Path, data: st.DataObject) -> None:
    image.lay_out(tmp_path / "journal", *data.draw(image.spans(image.copies())))
    records = read_all(tmp_path / "journal")
    positions = [record.position for record in records]
    assert positions == sorted(set(positions))
    assert [record.payload for record in records] == [image.payloads[position] for position in positions]


@examples(120)
@given(data=st.data())
def test_a_writer_starts_on_whatever_was_damaged(image: Image, tmp_path: Path, data: st.DataObject) -> None:
    folder = tmp_path / "journal"
    left = image.lay_out(folder, *data.draw(image.spans(garbage)))
    with Sender(folder) as sender:
        assert all_payloads(folder) == left
        sender.accepted(b"new")
        records = read_all(folder)
    assert [record.payload for record in records] == [*left, b"new"]
    assert records[-1].position >= len(image.payloads)


@pytest.mark.parametrize("segment", [0, 1, 2])
def test_damage_is_counted_and_kept_aside(image: Image, folder: Path, segment: int) -> None:
    name, content = list(image.files.items())[segment]
    begin, end = image.extents[name][3:5]
    for span in (b"\xff", b"\0" * (end - begin), b"\xee" * (end - begin)):
        image.lay_out(folder, segment, begin, span)
        reader = open_reader(folder)
        assert len(reader.read()) == len(image.payloads) - 1
        assert reader.damaged_bytes == end - begin
        assert set_aside(folder) == [span + content[begin + len(span) : end]]


def test_damage_at_the_end_of_what_was_acknowledged_is_counted_and_kept_aside(image: Image, folder: Path) -> None:
    name, content = list(image.files.items())[-1]
    begin, end = image.extents[name][-2:]
    for span in (b"\xff", b"\0" * (end - begin)):
        image.lay_out(folder, 2, begin, span)
        with Sender(folder) as sender:
            assert sender.journal.written.damaged_bytes == end - begin
            assert sender.journal.written.cut_bytes == 0
        assert set_aside(folder) == [span + content[begin + len(span) : end]]


def test_a_damaged_segment_header_costs_no_record(image: Image, folder: Path) -> None:
    for offset in range(SEGMENT_HEADER_BYTES):
        for segment in (0, 2):
            original = list(image.files.values())[segment][offset]
            image.lay_out(folder, segment, offset, bytes([original ^ 0x41]))
            assert all_payloads(folder) == image.payloads
            Sender(folder).journal.close()
            assert all_payloads(folder) == image.payloads


def test_a_forged_record_never_surfaces_wherever_the_damage_is(tmp_path: Path) -> None:
    whole, folder = tmp_path / "whole", tmp_path / "damaged"
    payloads = [b"one", b"two" + forged(1) + forged(2) + forged(50), b"three"]
    write_all(whole, *payloads)
    assert all_payloads(whole) == payloads
    content = segments(whole)[0].read_bytes()
    shutil.copytree(whole, folder)
    for offset in range(SEGMENT_HEADER_BYTES, len(content)):
        segments(folder)[0].write_bytes(content[:offset] + bytes([content[offset] ^ 0x80]) + content[offset + 1 :])
        read = all_payloads(folder)
        assert len(read) == 2
        assert set(read) < set(payloads)


like_a_magic = st.lists(st.sampled_from([b"\xf5", b"T", b"X", b"x", b"R", b"\xf5TX", MAGIC])).map(b"".join)


@examples(300)
@given(payload=like_a_magic)
@example(payload=b"\xf5" * 5000 + MAGIC)
def test_no_payload_contains_what_a_record_begins_with(payload: bytes) -> None:
    front, stored = encode_record(Record(0, 0, Signal.TRACES, 1, "", payload))
    assert MAGIC not in stored
    assert MAGIC not in (front + stored)[1:]


@examples(30)
@given(payloads=st.lists(like_a_magic))
def test_a_payload_of_any_bytes_is_read_as_it_was(folder: Path, payloads: list[bytes]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    write_all(folder, *payloads, b"\xf5TX" * 3000)
    assert all_payloads(folder) == [*payloads, b"\xf5TX" * 3000]


# ---------------------------------------------------------------------------------------------------------------------
# What is beside the segments: head and cursors


def test_a_lost_head_costs_nothing(folder: Path) -> None:
    reader = open_reader(folder, "lander")
    for payload in (b"one", b"two"):
        write_all(folder, payload)
    (folder / "head").unlink()
    assert payloads_of(reader) == [b"one"]  # how much of the last segment is durable, nobody can tell now
    with Sender(folder) as sender:
        assert payloads_of(reader) == [b"two"]
        sender.accepted(b"three")
        assert positions_in(reader.read()) == [(2, b"three")]


def test_a_head_that_is_torn_while_it_is_read_costs_nothing(folder: Path) -> None:
    with Sender(folder) as sender:
        sender.accepted(b"one")
        reader = open_reader(folder)
        assert payloads_of(reader) == [b"one"]
        (folder / "head").write_bytes(b"?" * 36)
        assert payloads_of(reader) == []
        sender.accepted(b"two")
        assert payloads_of(reader) == [b"two"]


@pytest.mark.parametrize("content", [b"", bytes(36), b"TAXIHEAD", b"\xff" * 36])
def test_a_damaged_head_costs_nothing(folder: Path, content: bytes) -> None:
    write_all(folder, b"one", b"two")
    (folder / "head").write_bytes(content)
    read_all(folder)
    with Sender(folder) as sender:
        sender.accepted(b"three")
        assert all_payloads(folder) == [b"one", b"two", b"three"]


def test_without_the_segment_that_the_head_tells_of_the_others_are_read_and_positions_go_on(folder: Path) -> None:
    for payload in (b"one", b"two"):
        write_all(folder, payload)
    segments(folder)[-1].unlink()
    assert all_payloads(folder) == [b"one"]
    with Sender(folder) as sender:
        sender.accepted(b"three")
        assert positions_in(read_all(folder)) == [(0, b"one"), (2, b"three")]


def test_without_any_segment_positions_go_on_where_the_readers_are(folder: Path) -> None:
    write_all(folder, b"one", b"two")
    reader = open_reader(folder, "lander")
    reader.commit(reader.read()[-1].position)
    for path in (*segments(folder), folder / "head"):
        path.unlink()
    with Sender(folder) as sender:
        sender.accepted(b"three")
        assert positions_in(reader.read()) == [(2, b"three")]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"next": 1}', b"\xff\xfe"])
def test_a_damaged_cursor_stops_its_reader_only_and_lets_nothing_go(folder: Path, content: bytes, quick: None) -> None:
    reader, other = open_reader(folder, "lander"), open_reader(folder, "other")
    write_all(folder, b"one")
    other.commit(other.read()[-1].position)
    reader.close()
    (folder / "cursors" / "lander.json").write_bytes(content)
    with pytest.raises(JournalError, match=r"lander\.json is damaged .* Delete it"):
        open_reader(folder, "lander")
    with Sender(folder, segment_size=512) as sender:
        sender.accepted(*[b"%d" % number for number in range(100)])
        other.commit(other.read()[-1].position)
    (folder / "cursors" / "lander.json").unlink()
    assert len(open_reader(folder, "lander").read()) == 101


def test_a_foreign_file_among_the_cursors_is_nobody(folder: Path) -> None:
    Folder(folder).create()
    (folder / "cursors" / "._lander.json").write_bytes(b"\0\5\26\7")
    write_all(folder, b"one")
    assert Folder(folder).cursors() == {}


# ---------------------------------------------------------------------------------------------------------------------
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


# ---------------------------------------------------------------------------------------------------------------------
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


# ---------------------------------------------------------------------------------------------------------------------
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
        [sys.executable, "-c", LIMITED, str(folder)], capture_output=True, text=True, timeout=30, check=True
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


# ---------------------------------------------------------------------------------------------------------------------
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
    thread.join(20)
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
