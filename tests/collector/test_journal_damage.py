"""What a crash or a bad disk does to a journal costs what it hits, and nothing else."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from taximeter_collector.journal import (
    JournalError,
    Record,
    Signal,
)
from taximeter_collector.journal.format import (
    RECORD_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    Head,
    encode_record,
    encode_segment_header,
    segment_name,
)
from taximeter_collector.journal.segments import Folder

from tests.collector.journaling import (
    MAGIC,
    Sender,
    all_payloads,
    forged,
    open_reader,
    payloads_of,
    positions_in,
    read_all,
    record_ends,
    segments,
    set_aside,
    write_all,
)

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
