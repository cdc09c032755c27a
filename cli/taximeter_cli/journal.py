"""`taximeter journal`."""

from __future__ import annotations

import enum
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from taximeter_cli.options import Mistake, OfConfig, OfData, OfSet, settings

if TYPE_CHECKING:
    from taximeter_collector.journal import JournalReader, Record, Source

__all__ = ["app", "is_of_a_journal"]

app = typer.Typer(help="Look into the journal: what was acknowledged, and who has read it.", no_args_is_help=True)

_READ_BYTES = 8 << 20


class Format(enum.StrEnum):
    """How records are printed."""

    text = "text"
    json = "json"


class SignalName(enum.StrEnum):
    """Which records are meant."""

    traces = "traces"
    metrics = "metrics"
    logs = "logs"


OfFormat = Annotated[Format, typer.Option("--format", help="A line a record: for people, or the whole as JSON.")]
OfSignal = Annotated[SignalName | None, typer.Option("--signal", help="These only.")]


@app.command("ls")
def list_all(data: OfData = None, config: OfConfig = None, sets: OfSet = None) -> None:
    """List segments and readers: what there is, from when, and who has yet to read it."""
    from rich.console import Console
    from rich.table import Table
    from taximeter_collector.journal.inspection import list_segments, readers

    from taximeter_cli.requests import moment

    folder = _folder(data, config, sets)
    segments, names = list_segments(folder), readers(folder)
    table = Table(box=None, pad_edge=False)
    for title in ("segment", "state", "records", "items", "bytes", "damaged", "from", "to", "unread by"):
        table.add_column(title, justify="right" if title in ("records", "items", "bytes", "damaged") else "left")
    for segment in segments:
        times = (segment.first_received_unix_nano, segment.last_received_unix_nano)
        table.add_row(
            str(segment.first),
            segment.problem or segment.state,
            *(f"{number:,}" for number in (segment.records, segment.items, segment.bytes, segment.damaged_bytes)),
            *(moment(received)[:-4] if received else "" for received in times),
            ", ".join(segment.unread_by),
        )
    # A terminal that is no terminal (a pipe, a log) has no width to fit into.
    console = Console() if sys.stdout.isatty() else Console(width=200)
    console.print(table)
    for reader in names:
        lag = f"{reader.lag_records:,} records, {reader.lag_bytes:,} bytes before it"
        console.print(reader.problem or f"reader {reader.name}: {lag}{_age(reader.oldest_unread_unix_nano)}")
    if not names:
        console.print("no reader holds anything back; what is here stays until a limit is reached")


@app.command()
def verify(data: OfData = None, config: OfConfig = None, sets: OfSet = None) -> None:
    """Read every record, and compare its checksum. Exit code 1 if something is not as it was written."""
    from taximeter_collector.journal.inspection import verify as read_all

    folder = _folder(data, config, sets)
    finding = read_all(folder)
    print(f"{finding.segments} segments, {finding.records:,} records, {finding.bytes:,} bytes; head {finding.head}")
    for damaged in finding.damaged:
        print(f"damaged: segment {damaged.segment}, {damaged.bytes:,} bytes at offset {damaged.offset:,}")
    for wrong in finding.disorder:
        print(f"out of order: segment {wrong.segment}, position {wrong.position} behind {wrong.after}")
    for problem in finding.problems:
        print(problem)
    if not finding.is_sound:
        raise typer.Exit(1)
    print("sound")


@app.command()
def cat(
    start: Annotated[int, typer.Option("--from", metavar="POSITION", help="The first record.")] = 0,
    limit: Annotated[int | None, typer.Option(help="So many records.")] = None,
    signal: OfSignal = None,
    form: OfFormat = Format.text,
    raw: Annotated[bool, typer.Option("--raw", help="The request's bytes, as they were sent; with --limit 1.")] = False,
    data: OfData = None,
    config: OfConfig = None,
    sets: OfSet = None,
) -> None:
    """Print what is in the journal."""
    from taximeter_collector.journal import JournalReader

    reader = JournalReader(_folder(data, config, sets), start=start)
    if raw and limit != 1:
        raise Mistake("taximeter: --raw prints one record: add --limit 1, and --from POSITION")
    shown = 0
    for record in _until_the_end(reader.read):
        if record.position < start or not _is_wanted(record, signal):
            continue
        if limit is not None and shown >= limit:
            break
        shown += 1
        if raw:
            sys.stdout.buffer.write(record.payload)
        else:
            print(_printed(record, form))
    _tell_losses(reader)


@app.command()
def tail(
    reader: Annotated[
        str | None, typer.Option(help="A durable cursor of this name: the next tail goes on where this one ended.")
    ] = None,
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin with the oldest record.")] = False,
    signal: OfSignal = None,
    form: OfFormat = Format.text,
    data: OfData = None,
    config: OfConfig = None,
    sets: OfSet = None,
) -> None:
    """Print what arrives, live. With --reader the journal keeps what this reader has not seen; see `journal forget`."""
    from taximeter_collector.journal import JournalReader

    folder = _folder(data, config, sets, must_exist=False)
    source = JournalReader(folder, reader, start="oldest" if from_start or reader else "newest")
    _print_all(source, lambda record: _is_wanted(record, signal), form)
    _tell_losses(source)


def _print_all(source: Source, is_wanted: Callable[[Record], bool], form: Format) -> None:
    """What comes from a source, for ever, or until Ctrl-C."""
    try:
        while True:
            records = source.read(max_bytes=_READ_BYTES, wait_s=1.0)
            for record in records:
                if is_wanted(record):
                    print(_printed(record, form))
            sys.stdout.flush()
            if records:
                source.commit(records[-1].position)
    except KeyboardInterrupt:
        source.close()


@app.command()
def forget(reader: str, data: OfData = None, config: OfConfig = None, sets: OfSet = None) -> None:
    """Remove a reader's cursor, so that nothing is held back for it any more."""
    from taximeter_collector.journal import JournalError
    from taximeter_collector.journal.segments import Folder

    try:
        Folder(_folder(data, config, sets)).forget(reader)
    except JournalError as error:
        raise Mistake(f"taximeter: {error}") from error


def is_of_a_journal(error: Exception) -> bool:
    """Whether it is a sentence for a person about a journal."""
    from taximeter_collector.journal import JournalError

    return isinstance(error, JournalError)


def _folder(data: Path | None, config: Path | None, sets: list[str] | None, *, must_exist: bool = True) -> Path:
    folder = settings(config, sets, data=data).config.journal.dir
    if must_exist and not folder.is_dir():
        raise Mistake(
            f"taximeter: there is no journal at {folder}; name its data folder with --data, or the journal itself "
            "with --set journal.dir=FOLDER",
            1,
        )
    if not folder.is_dir():
        print(f"waiting for a journal at {folder}", file=sys.stderr)
    return folder


def _until_the_end(read: Callable[..., list[Record]]) -> Iterator[Record]:
    while records := read(max_bytes=_READ_BYTES):
        yield from records


def _tell_losses(reader: JournalReader) -> None:
    if reader.damaged_bytes:
        print(f"passed over {reader.damaged_bytes:,} damaged bytes; see `taximeter journal verify`", file=sys.stderr)
    if reader.missed:
        print("what came before was dropped at the journal's limit", file=sys.stderr)


def _is_wanted(record: Record, signal: SignalName | None) -> bool:
    return signal is None or record.signal.name.lower() == signal


def _printed(record: Record, form: Format) -> str:
    from taximeter_cli.requests import as_json, as_line

    return as_json(record) if form is Format.json else as_line(record)


def _age(oldest_unix_nano: int | None) -> str:
    return f", the oldest is {(time.time_ns() - oldest_unix_nano) / 1e9:,.0f} s old" if oldest_unix_nano else ""
