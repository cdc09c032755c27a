"""Looking into a journal from outside: what is there, who has read it, what is wrong with it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from taximeter_collector.journal import Entry, JournalConfig, JournalReader, JournalWriter, Record, Signal
from taximeter_collector.journal.format import RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES, encode_record
from taximeter_collector.journal.inspection import Damaged, Disorder, list_segments, readers, verify
from taximeter_collector.journal.segments import Cursor, Folder

from tests.collector.test_journal import later_version

HOUR = 3600 * 10**9
RECORD_BYTES = RECORD_HEADER_BYTES + len(b"0")


@contextlib.contextmanager
def writing(folder: Path, *payloads: bytes, items: int = 1, received_unix_nano: int = HOUR) -> Iterator[None]:
    """A journal with these records, while its writer is there."""
    done = threading.Semaphore(0)
    journal = JournalWriter(JournalConfig(dir=folder), lambda group: done.release(len(group)))
    for payload in payloads:
        journal.append(Entry(Signal.LOGS, items, "", payload, received_unix_nano=received_unix_nano))
    for _ in payloads:
        assert done.acquire(timeout=20)
    yield
    journal.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A journal with two segments of three records each, received an hour apart."""
    folder = tmp_path / "journal"
    for number in (1, 2):
        with writing(folder, b"0", b"1", b"2", items=number, received_unix_nano=number * HOUR):
            pass
    return folder


def damage(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


def read_some(folder: Path, name: str, records: int) -> None:
    with contextlib.closing(JournalReader(folder, name)) as reader:
        if records:
            reader.commit(reader.read()[records - 1].position)


def test_of_a_folder_that_is_not_there_nothing_is_said(tmp_path: Path) -> None:
    assert list_segments(tmp_path / "none") == []
    assert readers(tmp_path / "none") == []
    assert verify(tmp_path / "none").head == "missing"


def test_segments_are_listed_with_what_is_in_them(folder: Path) -> None:
    read_some(folder, "lander", 4)
    read_some(folder, "slow", 1)
    first, second = list_segments(folder)
    assert (first.first, first.state, first.records, first.items) == (0, "sealed", 3, 3)
    assert (second.first, second.state, second.records, second.items) == (3, "last", 3, 6)
    assert first.bytes == first.path.stat().st_size == SEGMENT_HEADER_BYTES + 3 * RECORD_BYTES
    assert (first.first_received_unix_nano, second.last_received_unix_nano) == (HOUR, 2 * HOUR)
    assert (first.unread_by, second.unread_by) == (["slow"], ["lander", "slow"])
    assert first.damaged_bytes == 0


def test_of_a_segment_that_is_being_written_only_what_is_durable_is_told(tmp_path: Path) -> None:
    with writing(tmp_path / "journal", b"0", b"1"):
        (segment,) = list_segments(tmp_path / "journal")
        assert (segment.state, segment.records, segment.damaged_bytes) == ("last", 2, 0)
        assert segment.bytes == SEGMENT_HEADER_BYTES + 2 * RECORD_BYTES < segment.path.stat().st_size
        assert verify(tmp_path / "journal").is_sound


def test_readers_are_listed_with_how_far_they_are_behind(folder: Path) -> None:
    read_some(folder, "lander", 6)
    read_some(folder, "new", 0)
    read_some(folder, "slow", 4)
    lander, new, slow = readers(folder)
    assert (lander.name, lander.next, lander.lag_records, lander.lag_bytes) == ("lander", 6, 0, 0)
    assert lander.oldest_unread_unix_nano is None
    assert (new.name, new.next, new.lag_records, new.lag_bytes) == ("new", 0, 6, 6 * RECORD_BYTES)
    assert new.oldest_unread_unix_nano == HOUR
    assert (slow.name, slow.next, slow.lag_records, slow.lag_bytes) == ("slow", 4, 2, 2 * RECORD_BYTES)
    assert slow.oldest_unread_unix_nano == 2 * HOUR


def test_a_sound_journal_is_found_sound(folder: Path) -> None:
    for name, records in (("lander", 6), ("new", 0), ("slow", 4)):
        read_some(folder, name, records)
    finding = verify(folder)
    assert finding.is_sound
    assert (finding.head, finding.segments, finding.records) == ("whole", 2, 6)
    assert finding.bytes == sum(segment.bytes for segment in list_segments(folder))


ZEROS = bytes(RECORD_BYTES)
PLACES = [(segment, record, content) for segment in (0, 1) for record in (0, 1, 2) for content in (b"!", ZEROS)]
PLACES.remove((0, 2, ZEROS))  # zeros at the end of a closed segment are room that was not used


@pytest.mark.parametrize(("segment", "record", "content"), PLACES)
def test_damage_is_found_where_it_is(folder: Path, segment: int, record: int, content: bytes) -> None:
    offset = SEGMENT_HEADER_BYTES + record * RECORD_BYTES
    damage(list_segments(folder)[segment].path, offset, content)
    finding = verify(folder)
    assert not finding.is_sound
    assert finding.damaged == [Damaged(segment * 3, offset, RECORD_BYTES)]
    assert finding.records == 5
    assert [info.damaged_bytes for info in list_segments(folder)][segment] == RECORD_BYTES


def test_a_damaged_segment_header_is_found(folder: Path) -> None:
    damage(list_segments(folder)[0].path, 9, b"!")
    finding = verify(folder)
    assert finding.damaged == [Damaged(0, 0, SEGMENT_HEADER_BYTES)]
    assert finding.records == 6


def test_a_record_out_of_order_is_found(folder: Path) -> None:
    again = b"".join(encode_record(Record(1, HOUR, Signal.LOGS, 1, "", b"0")))
    offset = SEGMENT_HEADER_BYTES + 2 * RECORD_BYTES
    damage(list_segments(folder)[0].path, offset, again)
    finding = verify(folder)
    assert finding.disorder == [Disorder(0, offset, position=1, after=1)]
    assert finding.damaged == []


def test_a_segment_of_a_later_version_is_told_of_and_the_others_are_read(folder: Path) -> None:
    path = list_segments(folder)[0].path
    path.write_bytes(later_version(path.read_bytes()))
    first, second = list_segments(folder)
    assert "has format 2" in first.problem
    assert (first.records, second.records) == (0, 3)
    assert [problem for problem in verify(folder).problems if "has format 2" in problem]


def test_the_state_of_the_head_is_told(folder: Path) -> None:
    (folder / "head").write_bytes(b"?")
    assert (verify(folder).head, verify(folder).records) == ("damaged", 6)
    (folder / "head").unlink()
    assert (verify(folder).head, verify(folder).records) == ("missing", 6)
    assert [info.state for info in list_segments(folder)] == ["sealed", "last"]


@pytest.mark.parametrize(
    ("cursor", "problem"),
    [
        (Cursor(9, 3, SEGMENT_HEADER_BYTES), "wants position 9, and the journal goes up to 6"),
        (Cursor(4, 3, SEGMENT_HEADER_BYTES + 7), "no record begins at its cursor, 39 in segment 3"),
    ],
)
def test_a_cursor_that_points_nowhere_is_found(folder: Path, cursor: Cursor, problem: str) -> None:
    read_some(folder, "lander", 1)
    Folder(folder).set_cursor("lander", cursor)
    assert [problem in told for told in verify(folder).problems] == [True]


def test_a_cursor_whose_segment_is_gone_is_found(folder: Path) -> None:
    read_some(folder, "lander", 1)
    list_segments(folder)[0].path.unlink()
    assert verify(folder).problems == ["reader lander: its next segment, 0, is gone; it goes on with 3"]
    assert readers(folder)[0].lag_records == 3


def test_a_damaged_cursor_is_found(folder: Path) -> None:
    read_some(folder, "lander", 1)
    (folder / "cursors" / "lander.json").write_bytes(b"?")
    assert "is damaged" in readers(folder)[0].problem
    assert ["lander.json is damaged" in problem for problem in verify(folder).problems] == [True]


def test_looking_changes_nothing(folder: Path) -> None:
    damage(list_segments(folder)[0].path, SEGMENT_HEADER_BYTES, b"!")

    def everything() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    before = everything()
    list_segments(folder), readers(folder), verify(folder)
    assert everything() == before
    assert list((folder / "damaged").iterdir()) == []
