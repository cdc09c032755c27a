"""What it costs to bill once: microseconds of CPU a view, and bytes for each call that is remembered.

python bench/billing.py            # a million calls remembered before each measurement
python bench/billing.py --calls 10000000
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from taximeter_collector.bill import Register, SpanLinks

COMMIT = 80_000
_DAY = dt.date(2026, 11, 20)
_rng = np.random.default_rng(4)


class Ids:
    """As many random ids as are needed, as bytes and as digits."""

    def __init__(self, rows: int, size: int) -> None:
        self.raw = _rng.integers(0, 256, (rows, size), np.uint8)

    def text(self) -> pa.StringArray:
        digits = np.frombuffer(b"0123456789abcdef", np.uint8)
        letters = np.stack((digits[self.raw >> 4], digits[self.raw & 15]), axis=2).reshape(len(self.raw), -1)
        return _strings(letters)

    def binary(self) -> pa.BinaryArray:
        return pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(self.raw.shape[1]), len(self.raw), [None, pa.py_buffer(np.ascontiguousarray(self.raw))]
        ).cast(pa.binary())


def _strings(letters: np.ndarray) -> pa.StringArray:
    rows, size = letters.shape
    offsets = np.arange(0, (rows + 1) * size, size, dtype=np.int32)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(letters)))


_position = 0


def calls(trace: Ids, span: Ids, parent: Ids | None, response: pa.StringArray, rank: int = 0) -> pa.Table:
    """Views of calls, as the lander has them."""
    rows = len(span.raw)
    one = pa.array(np.zeros(rows, np.int32))
    named = {"source": "span", "dialect": "conventions", "operation": "chat", "status": "ok", "cost_status": "priced"}
    tokens = _rng.integers(1, 100_000, rows)
    pico = np.stack((tokens * 1_000_000, np.zeros(rows, np.int64)), axis=1)
    cost = pa.Array.from_buffers(pa.decimal128(18, 12), rows, [None, pa.py_buffer(pico)])
    return pa.table(
        {
            "trace_id": trace.text(),
            "span_id": span.text(),
            "parent_span_id": pa.nulls(rows, pa.string()) if parent is None else parent.text(),
            "response_id": response,
            **{name: pa.DictionaryArray.from_arrays(one, pa.array([value])) for name, value in named.items()},
            "input_tokens": tokens,
            "output_tokens": tokens // 10,
            "cache_read_tokens": tokens // 2,
            "cache_write_tokens": pa.nulls(rows, pa.int64()),
            "cost_usd": cost,
            "start_unix_nano": np.full(rows, 1_795_262_400_000_000_000),
            "duration_ms": _rng.random(rows),
            "date": pa.array([_DAY] * 1).take(one),
            "is_aggregate": np.zeros(rows, np.bool_),
            "verdict": pa.nulls(rows, pa.string()),
            "rank": np.full(rows, rank, np.int32),
        }
    )


def landed(table: pa.Table) -> pa.Table:
    """The same, received once more: at another place of the journal."""
    global _position
    _position += 1
    rows = table.num_rows
    return (
        table.append_column(
            "journal_id",
            pa.array(["0f3c8d1a9b7e4c22"]).dictionary_encode().take(pa.nulls(rows, pa.int32()).fill_null(0)),
        )
        .append_column("journal_position", pa.array(np.full(rows, _position)))
        .append_column("journal_item", pa.array(np.arange(rows, dtype=np.int32)))
    )


Commit = tuple[pa.Table, SpanLinks]


def flat(rows: int = COMMIT) -> Commit:
    """Calls in traces of their own, below a span of the app's that is no call."""
    trace, span, parent = Ids(rows, 16), Ids(rows, 8), Ids(rows, 8)
    nobody = pa.array([b""]).take(pa.array(np.zeros(rows, np.int32)))
    links = SpanLinks.join(
        [
            SpanLinks.of(trace.binary(), span.binary(), parent.binary()),
            SpanLinks.of(trace.binary(), parent.binary(), nobody),
        ]
    )
    return calls(trace, span, parent, response(rows)), links


def alone(rows: int = COMMIT) -> Commit:
    """Calls in traces of their own, and no other spans."""
    trace, span = Ids(rows, 16), Ids(rows, 8)
    nobody = pa.array([b""]).take(pa.array(np.zeros(rows, np.int32)))
    return calls(trace, span, None, response(rows)), SpanLinks.of(trace.binary(), span.binary(), nobody)


def nested(rows: int = COMMIT) -> Commit:
    """A framework's span around an SDK's, with the same response id."""
    half = rows // 2
    trace, inner, outer = Ids(half, 16), Ids(half, 8), Ids(half, 8)
    nobody, name = pa.array([b""]).take(pa.array(np.zeros(half, np.int32))), response(half)
    table = pa.concat_tables([calls(trace, inner, outer, name, 1), calls(trace, outer, None, name)])
    links = [
        SpanLinks.of(trace.binary(), inner.binary(), outer.binary()),
        SpanLinks.of(trace.binary(), outer.binary(), nobody),
    ]
    return table, SpanLinks.join(links)


def response(rows: int) -> pa.StringArray:
    head = np.broadcast_to(np.frombuffer(b"chatcmpl-", np.uint8), (rows, 9))
    return _strings(np.concatenate([head, _rng.integers(97, 123, (rows, 29), np.uint8)], axis=1))


def land(register: Register, commits: list[Commit]) -> float:
    """CPU seconds."""
    ready = [(landed(table), links) for table, links in commits]
    started = time.process_time()
    for table, links in ready:
        register.settle(table, links)
        register.commit()
    return time.process_time() - started


def resident_mb() -> tuple[float, float]:
    """Of its own, and mapped from files."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["RssAnon"].split()[0]) / 1024, int(status["RssFile"].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1_000_000, help="calls that are remembered already")
    parser.add_argument("--commits", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        register = Register.open(Path(folder) / "bill", lambda since: [])
        before = resident_mb()[0]
        filled, spent = 0, 0.0
        while filled < options.calls:
            spent += land(register, [alone()])
            filled += COMMIT
        print(f"{filled:,} calls landed at {spent / filled * 1e6:.2f} us each, merging included")
        print(
            f"  in memory {resident_mb()[0] - before:,.0f} MB more, {register.resident_bytes / filled:.1f} bytes a call"
        )
        on_disk = sum(file.stat().st_blocks * 512 for file in Path(folder).rglob("*"))
        print(f"  on disk {on_disk / filled:.1f} bytes a call")
        workloads: list[tuple[str, Callable[[], Commit]]] = [
            ("calls in traces of their own", alone),
            ("calls below a span that is no call", flat),
            ("half SDK, half framework around it", nested),
        ]
        for name, make in workloads:
            commits = [make() for _ in range(options.commits)]
            views = sum(table.num_rows for table, _ in commits)
            new, again = land(register, commits), land(register, commits)
            once = land(register, commits[:1] * options.commits)
            spent_on = {"new": new, "again": again, "the same for ever": once}
            print(f"{name}:", ", ".join(f"{said} {spent / views * 1e6:.2f} us" for said, spent in spent_on.items()))


if __name__ == "__main__":
    main()
