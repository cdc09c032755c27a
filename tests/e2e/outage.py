"""A destination that is down for the middle third of many spans: `python tests/e2e/outage.py`.

One Taximeter receives and forwards, over HTTP and over gRPC, to two others. While the middle third of the spans is
sent, both are killed, without a word; then they come back. With --kill the forwarders are killed, too, again and
again, as long as spans are sent. At the end every span must be in the journal of each destination. How many are there
twice is counted: those whose requests were under way, or taken since the cursor was last moved, when a process was
killed.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.e2e.collector import Collector, free_port, records, until
from tests.e2e.sending import HttpSender, spans

__all__ = ["Report", "run"]

_SPANS_A_REQUEST = 500
_WAYS = ("http", "grpc")
_LIVES_S = 2.0


@dataclass
class Arrived:
    """What a destination has."""

    spans: int = 0
    missing: int = 0
    twice: int = 0
    failed_attempts: int = 0
    dead_letters: int = 0


@dataclass
class Report:
    """What came of it."""

    sent: int = 0
    kills: int = 0
    backlog_records: int = 0
    down_s: float = 0
    caught_up_s: float = 0
    peak_bytes: int = 0
    arrived: dict[str, Arrived] = field(default_factory=dict)
    took_s: float = 0

    @property
    def is_good(self) -> bool:
        """Whether everything is everywhere."""
        return self.sent > 0 and all(not one.missing and not one.dead_letters for one in self.arrived.values())

    def __str__(self) -> str:
        lines = [
            f"spans acknowledged         {self.sent:>12,}",
            f"forwarders killed          {self.kills:>12,}",
            f"destinations down for      {self.down_s:>12,.1f} s",
            f"  requests waiting then    {self.backlog_records:>12,}   in the journal, for the one further behind",
            f"  all delivered after      {self.caught_up_s:>12,.1f} s   from when they were back",
            f"largest forwarder          {self.peak_bytes / 1e6:>12,.0f} MB",
        ]
        for way, one in self.arrived.items():
            lines += [
                f"over {way:<4}  arrived         {one.spans:>12,}",
                f"           missing         {one.missing:>12,}",
                f"           twice or more   {one.twice:>12,}   ({one.twice / max(1, self.sent):.3%})",
                f"           failed attempts {one.failed_attempts:>12,}",
            ]
        return "\n".join([*lines, f"took                       {self.took_s:>12,.0f} s", self._verdict()])

    def _verdict(self) -> str:
        return "PASSED" if self.is_good else "FAILED"


class _Destinations:
    """Two collectors that are killed, and started again where they were."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places = {way: (f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}") for way in _WAYS}
        self.running: dict[str, Collector] = {}
        self.start()

    def start(self) -> None:
        for way in _WAYS:
            http, grpc = self._places[way]
            self.running[way] = Collector(self._folder / way, http=http, grpc=grpc).listening()

    def kill(self) -> None:
        for collector in self.running.values():
            collector.kill()

    def flags(self) -> list[str]:
        return [
            "--forward",
            f"http={self.running['http'].http}",
            "--forward",
            f"grpc=grpc://{self.running['grpc'].grpc}",
        ]


class _Watch:
    """Looks at the forwarders' memory, and kills them at moments that nobody chose, if that is wanted."""

    def __init__(self, front: Collector, report: Report, *, kills: bool) -> None:
        self._front, self._report, self.kills = front, report, kills
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._go)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _go(self) -> None:
        while not self._stopping.wait(random.uniform(0.2, 1.5)):
            for way in _WAYS:
                for process in self._front.workers(f"forward-{way}"):
                    with suppress(psutil.Error):
                        self._report.peak_bytes = max(self._report.peak_bytes, process.memory_info().rss)
            victims = self._front.workers(f"forward-{random.choice(_WAYS)}") if self.kills else []
            for victim in victims:
                with suppress(psutil.Error):
                    if time.time() - victim.create_time() > _LIVES_S:  # it has to begin with something
                        victim.kill()
                        self._report.kills += 1


def run(folder: Path, count: int, *, kills: bool = False, enrich: bool = False, progress: bool = False) -> Report:
    """Send so many spans, with an outage in the middle, and look what arrived."""
    report, began = Report(), time.monotonic()
    destinations = _Destinations(folder)
    settings = [
        f"forward.{way}.{one}" for way in _WAYS for one in (f"enrich={str(enrich).lower()}", "longest_pause=2s")
    ]
    more = [part for one in settings for part in ("--set", one)]
    front = Collector(folder / "front", *destinations.flags(), *more)
    try:
        sent = _work(front.listening(), destinations, count, report, kills, progress)
        front.stop()
        report.sent = len(sent)
        for way in _WAYS:
            report.arrived[way] = _audit(front, destinations.running[way], way, sent)
    finally:
        for collector in (front, *destinations.running.values()):
            collector.stop()
            collector.kill()
    report.took_s = time.monotonic() - began
    return report


def _work(
    front: Collector, destinations: _Destinations, count: int, report: Report, kills: bool, progress: bool
) -> set[bytes]:
    """A third while all is well, a third while nobody is there, a third when they are back; what was sent."""
    sent: set[bytes] = set()
    watch = _Watch(front, report, kills=kills)
    try:
        with HttpSender(front.http) as sender:
            _send(sender, count // 3, sent, progress)
            destinations.kill()
            down_at = time.monotonic()
            _send(sender, count // 3, sent, progress)
            until(lambda: kills or all(_failed(front, way) for way in _WAYS), "nobody misses them")
            report.backlog_records = max(_unread(front, way) for way in _WAYS)
            destinations.start()
            back_at = time.monotonic()
            report.down_s = back_at - down_at
            _send(sender, count - 2 * (count // 3), sent, progress)
        until(lambda: report.kills >= kills, "nobody is killed", 60)
        watch.kills = False
        until(lambda: not any(_unread(front, way) for way in _WAYS), "not all is delivered", 1800)
        report.caught_up_s = time.monotonic() - back_at
    finally:
        watch.stop()
    return sent


def _send(sender: HttpSender, count: int, sent: set[bytes], progress: bool) -> None:
    while count > 0:
        payload = spans(count=min(count, _SPANS_A_REQUEST))
        assert sender.send(payload).acknowledged
        ids = _ids(payload)
        sent.update(ids)
        count -= len(ids)
        if progress:
            print(f"\r{len(sent):,} spans", end="", file=sys.stderr, flush=True)


def _ids(payload: bytes) -> list[bytes]:
    request = ExportTraceServiceRequest.FromString(payload)
    return [
        span.span_id for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans
    ]


def _unread(front: Collector, way: str) -> int:
    return front.unread(f"forward-{way}")


def _failed(front: Collector, way: str) -> float:
    return front.metric("taximeter_forward_failed_attempts_total", destination=way)


def _audit(front: Collector, destination: Collector, way: str, sent: set[bytes]) -> Arrived:
    from taximeter_collector.forward.state import read_state

    found: Counter[bytes] = Counter()
    for record in records(destination.journal):
        found.update(_ids(record.payload))
    totals = read_state(front.data, way).get("totals", {})
    return Arrived(
        spans=sum(found.values()),
        missing=len(sent - found.keys()),
        twice=sum(times > 1 for times in found.values()),
        failed_attempts=totals.get("failed_attempts", 0),
        dead_letters=totals.get("dead_letters", 0),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--kill", action="store_true", help="kill the forwarders all the while")
    parser.add_argument("--enrich", action="store_true", help="price calls on the way, instead of passing them through")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="taximeter-outage-") as folder:
        report = run(Path(folder), given.spans, kills=given.kill, enrich=given.enrich, progress=os.isatty(2))
    print(report)
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
