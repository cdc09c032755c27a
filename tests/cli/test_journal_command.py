"""`taximeter journal`, as a person uses it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from taximeter_collector.journal.segments import Folder

from tests.collector.journaling import Sender, open_reader, segments, until, write_all
from tests.e2e.collector import clean_environment, command_path
from tests.e2e.sending import spans


def journal(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command over the journal of a data folder named `data`."""
    return subprocess.run(
        [command_path(), "journal", *arguments, "--data", str(home / "data")],
        env=clean_environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def written(tmp_path: Path) -> list[bytes]:
    """What is in a journal of three requests."""
    payloads = [spans(f"call {number}", count=number) for number in (1, 2, 3)]
    write_all(tmp_path / "data" / "journal", *payloads)
    return payloads


def test_ls_tells_of_segments_and_of_who_has_yet_to_read_them(tmp_path: Path, written: list[bytes]) -> None:
    reader = open_reader(tmp_path / "data" / "journal", "audit")
    first = reader.read()[0]
    reader.commit(first.position)
    listed = journal(tmp_path, "ls")
    assert listed.returncode == 0, listed.stderr
    assert "audit" in listed.stdout
    assert "reader audit: 2 records" in listed.stdout


def test_cat_prints_records_as_lines_as_json_and_raw(tmp_path: Path, written: list[bytes]) -> None:
    lines = journal(tmp_path, "cat").stdout.splitlines()
    assert [line.split()[2:5] for line in lines] == [["0", "traces", "1"], ["1", "traces", "1"], ["2", "traces", "1"]]
    (second,) = journal(tmp_path, "cat", "--from", "1", "--limit", "1", "--format", "json").stdout.splitlines()
    spans_in_json = json.loads(second)["request"]["resourceSpans"][0]["scopeSpans"][0]["spans"]
    sent = ExportTraceServiceRequest.FromString(written[1]).resource_spans[0].scope_spans[0].spans
    assert [span["traceId"] for span in spans_in_json] == [span.trace_id.hex() for span in sent]
    raw = subprocess.run(
        [command_path(), "journal", "cat", "--raw", "--from", "2", "--limit", "1", "--data", str(tmp_path / "data")],
        env=clean_environment(tmp_path),
        capture_output=True,
        check=True,
        timeout=120,
    )
    assert raw.stdout == written[2]


def test_a_sender_cannot_write_on_the_terminal(tmp_path: Path) -> None:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().resource.attributes.add(key="service.name").value.string_value = "red\x1b[31m\nforged"
    write_all(tmp_path / "data" / "journal", request.SerializeToString())
    (line,) = journal(tmp_path, "cat").stdout.splitlines()
    assert line.endswith("red\ufffd[31m\ufffdforged")


def test_damage_is_told_by_verify_and_by_cat(tmp_path: Path, written: list[bytes]) -> None:
    assert journal(tmp_path, "verify").stdout.endswith("sound\n")
    (segment,) = segments(tmp_path / "data" / "journal")
    damaged = bytearray(segment.read_bytes())
    damaged[-1] ^= 1
    segment.write_bytes(damaged)
    found = journal(tmp_path, "verify")
    assert (found.returncode, "damaged: segment 0" in found.stdout) == (1, True)
    shown = journal(tmp_path, "cat")
    assert len(shown.stdout.splitlines()) == 2
    assert "damaged bytes" in shown.stderr


def test_tail_goes_on_where_the_last_one_of_its_name_ended(tmp_path: Path, written: list[bytes]) -> None:
    folder = tmp_path / "data" / "journal"

    def tail() -> list[str]:
        process = subprocess.Popen(
            [command_path(), "journal", "tail", "--reader", "me", "--data", str(tmp_path / "data")],
            env=clean_environment(tmp_path),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        seen = [process.stdout.readline().split()[2]]
        with Sender(folder) as sender:
            sender.accepted(b"")
        while seen[-1] != str(last[0]):
            seen.append(process.stdout.readline().split()[2])
        until(lambda: (cursor := Folder(folder).cursor("me")) is not None and cursor.next == last[0] + 1)
        process.terminate()
        process.wait(60)
        process.stdout.close()
        return seen

    last = [3]
    assert tail() == ["0", "1", "2", "3"]
    with Sender(folder) as sender:
        sender.accepted(b"")
    last = [5]
    assert tail() == ["4", "5"]


def test_a_reader_can_be_forgotten(tmp_path: Path, written: list[bytes]) -> None:
    open_reader(tmp_path / "data" / "journal", "audit")
    assert journal(tmp_path, "forget", "audit").returncode == 0
    again = journal(tmp_path, "forget", "audit")
    assert (again.returncode, "no reader named 'audit'" in again.stderr) == (2, True)


@pytest.mark.parametrize(
    "arguments", [["ls"], ["cat"], ["verify"], ["tail", "--reader", "Bad Name"], ["cat", "--raw"], ["forget", "x"]]
)
def test_what_cannot_be_done_is_one_sentence(tmp_path: Path, arguments: list[str]) -> None:
    failed = journal(tmp_path, *arguments)
    assert failed.returncode in (1, 2)
    assert failed.stderr.strip().splitlines()[-1].startswith("taximeter: ")
    assert "Traceback" not in failed.stderr
