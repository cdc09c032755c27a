"""What a span costs from the wire to the ledger: received, journaled, decoded, normalised, priced, settled, committed.

    python bench/lander.py                    # spans of 775 bytes, and of 3.2 kB with content
    python bench/lander.py --repeated         # the same 16 requests for ever: all but the first are retransmissions

CPU is user and system time of all processes of the collector, from the first request until the lander has passed the
last record. The stages are the lander's own account of its CPU time. Rates are medians of `--rounds`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from deltalake import DeltaTable
from payloads import Fresh, spans_request

from collector import Collector, http_sender, started

SPANS = 512
SENDERS = 4
TABLES = ("calls", "spans", "content")


@dataclass
class Run:
    """What a stretch of sending and landing came to."""

    spans: int
    cpu_s: float
    send_s: float
    lag_s: float
    peak_bytes: int
    stages: dict[str, float] = field(default_factory=dict)

    @property
    def spans_per_cpu_second(self) -> float:
        return self.spans / self.cpu_s


@contextmanager
def landing() -> Iterator[tuple[Collector, Path]]:
    """A collector that lands, and its lake."""
    with tempfile.TemporaryDirectory(prefix="taximeter-bench-") as data, started(data) as collector:
        yield collector, Path(data) / "lake"


def run(collector: Collector, bodies: Callable[[int], bytes], seconds: float) -> Run:
    """Send as fast as it is answered, and wait until all of it is landed."""
    accepted = [0] * SENDERS
    cpu, began = collector.cpu_s(), time.monotonic()
    before = stages(collector)
    stop = began + seconds

    def send_all(number: int) -> None:
        send, index = http_sender(collector.http), number
        while time.monotonic() < stop:
            if send(bodies(index)):
                accepted[number] += 1
            else:
                time.sleep(0.05)
            index += SENDERS

    threads = [threading.Thread(target=send_all, args=(number,)) for number in range(SENDERS)]
    for thread in threads:
        thread.start()
    peak = 0
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.2)
        peak = max(peak, collector.memory_bytes())
    sent = time.monotonic()
    while unread(collector):
        time.sleep(0.1)
        peak = max(peak, collector.memory_bytes())
    landed = time.monotonic()
    time.sleep(2)  # the readings are published every second
    after = stages(collector)
    spent = {name: after[name] - before.get(name, 0) for name in after}
    return Run(sum(accepted) * SPANS, collector.cpu_s() - cpu, sent - began, landed - sent, peak, spent)


def metrics(collector: Collector) -> list[str]:
    with urllib.request.urlopen(f"{collector.http}/metrics", timeout=10) as answer:
        return answer.read().decode().splitlines()


def unread(collector: Collector) -> float:
    found = [line for line in metrics(collector) if line.startswith("taximeter_journal_reader_unread_records{")]
    return sum(float(line.rsplit(" ", 1)[1]) for line in found if 'reader="lander"' in line)


def stages(collector: Collector) -> dict[str, float]:
    """CPU time of the lander by stage, so far."""
    name = "taximeter_lander_stage_time_seconds_total{stage="
    found = (line[len(name) :].split("} ") for line in metrics(collector) if line.startswith(name))
    return {stage.strip('"'): float(seconds) for stage, seconds in found}


def report(title: str, lake: Path, runs: list[Run]) -> None:
    rates = sorted(one.spans_per_cpu_second for one in runs)
    spans = sum(one.spans for one in runs)
    print(
        f"{title}: {statistics.median(rates):,.0f} spans per CPU second ({rates[0]:,.0f} to {rates[-1]:,.0f}), "
        f"peak memory {max(one.peak_bytes for one in runs) / 1e6:.0f} MB; "
        f"sent for {sum(one.send_s for one in runs):.0f} s, landed {sum(one.lag_s for one in runs):.0f} s later"
    )
    total_us = sum(one.cpu_s for one in runs) / spans * 1e6
    parts = {name: sum(one.stages.get(name, 0) for one in runs) / spans * 1e6 for name in runs[0].stages}
    parts = {name: us for name, us in sorted(parts.items(), key=lambda part: -part[1]) if us > 0.005}
    parts["all else (receiving, supervising)"] = total_us - sum(parts.values())
    print(f"  {total_us:.2f} us a span: " + ", ".join(f"{name} {us:.2f}" for name, us in parts.items()))
    for name in TABLES:
        rows, size = _size(lake / name)
        if rows:
            print(f"  {name}: {rows:,} rows, {size / rows:.0f} bytes a row")


def _size(table: Path) -> tuple[int, int]:
    files = DeltaTable(table).get_add_actions(flatten=True)
    names = files.schema.names if hasattr(files.schema, "names") else [one.name for one in files.schema]
    columns = {name: files.column(name).to_pylist() for name in ("num_records", "size_bytes") if name in names}
    return sum(columns["num_records"]), sum(columns["size_bytes"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--repeated", action="store_true", help="send the same requests again and again")
    options = parser.parse_args()
    for content in (False, True):
        requests = [spans_request(SPANS, seed, content=content) for seed in range(16)]
        fresh = [Fresh(one) for one in requests]

        def bodies(index: int, fresh: list[Fresh] = fresh, requests: list[bytes] = requests) -> bytes:
            return requests[index % 16] if options.repeated else fresh[index % 16].again()

        with landing() as (collector, lake):
            runs = [run(collector, bodies, options.seconds) for _ in range(options.rounds)]
            title = f"spans of {len(requests[0]) // SPANS} bytes{', repeated' if options.repeated else ''}"
            report(title, lake, runs)


if __name__ == "__main__":
    main()
