"""Kills a collector under load, again and again, and looks whether it kept its word: `python tests/e2e/kill.py`.

Clients send requests of which no two are alike, over HTTP and gRPC. At random moments `kill -9` hits the receiver, the
supervisor, or both, also while they start. At the end, every request that was answered OK must be in the journal
exactly once, byte for byte. What was not acknowledged may be there, too: a client that hears nothing sends it again.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
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

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.e2e.collector import Collector, free_port, records, until
from tests.e2e.sending import REQUESTS, GrpcSender, HttpSender, Sender

__all__ = ["Report", "run"]

_SETTINGS = ("--set", "journal.segment_size=1MiB")  # so that the kills hit changes of segments, too
_WAYS = {"both": 5, "both_twice": 1, "receiver": 3, "supervisor": 1}  # and how often, of ten


@dataclass
class Report:
    """What came of it."""

    kills: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    acknowledged: int = 0
    found: int = 0
    present_unacknowledged: int = 0
    missing: int = 0
    duplicates_of_acknowledged: int = 0
    duplicates_of_others: int = 0
    strangers: int = 0
    recoveries: int = 0
    cut_bytes: int = 0
    damaged_bytes: int = 0
    journal_bytes: int = 0
    took_s: float = 0

    @property
    def is_good(self) -> bool:
        """Whether nothing acknowledged was lost or doubled, and nothing is there that nobody sent."""
        wrong = self.missing + self.duplicates_of_acknowledged + self.strangers + self.damaged_bytes
        return not wrong and self.acknowledged > 0

    def __str__(self) -> str:
        kills = ", ".join(f"{count} {what}" for what, count in sorted(self.kills.items()))
        return "\n".join(
            (
                f"kills                           {sum(self.kills.values()):>10,}   ({kills})".replace("_", " "),
                f"requests tried                  {self.requests:>10,}",
                f"acknowledged                    {self.acknowledged:>10,}",
                f"  of them found, byte for byte  {self.found:>10,}",
                f"  of them missing               {self.missing:>10,}",
                f"  of them found more than once  {self.duplicates_of_acknowledged:>10,}",
                f"not acknowledged, but present   {self.present_unacknowledged:>10,}",
                f"  of them found more than once  {self.duplicates_of_others:>10,}",
                f"found, but never sent           {self.strangers:>10,}",
                f"recoveries that cut a torn end  {self.recoveries:>10,}",
                f"torn bytes cut                  {self.cut_bytes:>10,}",
                f"damaged bytes                   {self.damaged_bytes:>10,}",
                f"journal                         {self.journal_bytes / 1e6:>10,.0f} MB",
                f"took                            {self.took_s:>10,.0f} s",
                "PASSED" if self.is_good else "FAILED",
            )
        )


class _Clients:
    """Senders that never give up, and remember what they were told."""

    def __init__(self, http_port: int, grpc_port: int, clients: int) -> None:
        self.sent: set[bytes] = set()
        self.acknowledged: set[bytes] = set()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads = []
        for number in range(clients):
            sender: Sender = (
                HttpSender(f"http://127.0.0.1:{http_port}") if number % 2 else GrpcSender(f"127.0.0.1:{grpc_port}")
            )
            self._threads.append(threading.Thread(target=self._go, args=(sender,)))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _go(self, sender: Sender) -> None:
        with sender:
            while not self._stopping.is_set():
                signal, payload = _request()
                digest = hashlib.blake2b(payload, digest_size=16).digest()
                with self._lock:
                    self.sent.add(digest)
                if _is_acknowledged(sender, payload, signal):
                    with self._lock:
                        self.acknowledged.add(digest)
                else:
                    self._stopping.wait(0.02)


def _request() -> tuple[str, bytes]:
    """Mostly spans, from a few hundred bytes to 128 kB, seldom megabytes, and never the same twice."""
    signal = random.choice(("traces", "traces", "traces", "metrics", "logs"))
    if signal != "traces":
        return signal, REQUESTS[signal](count=random.randint(1, 20))
    powers = (20, 22) if random.random() < 0.01 else (4, 17)
    return signal, REQUESTS[signal](pad_bytes=int(2 ** random.uniform(*powers)))


def _is_acknowledged(sender: Sender, payload: bytes, signal: str) -> bool:
    try:
        return sender.send(payload, signal).acknowledged
    except (OSError, http.client.HTTPException):
        return False


class _Victim:
    """A collector at fixed ports that is killed and comes back."""

    def __init__(self, folder: Path, report: Report) -> None:
        self.http_port, self.grpc_port = free_port(), free_port()
        self._folder = folder
        self._report = report
        self.collector = self._start()

    def kill(self, clients: _Clients) -> None:
        """In one of the ways in which processes die, at a moment that nobody chose."""
        before = len(clients.acknowledged)
        until(lambda: len(clients.acknowledged) > before, "nothing is acknowledged any more")
        time.sleep(random.uniform(0, 0.3))  # a random moment is what is wanted here
        way = random.choices(list(_WAYS), list(_WAYS.values()))[0]
        self._report.kills[way] += 1
        getattr(self, f"_kill_{way}")()

    def _kill_both(self) -> None:
        self.collector.kill()
        self.collector = self._start()

    def _kill_both_twice(self) -> None:
        """The second time while it starts, and looks at what the first left behind."""
        self.collector.kill()
        self.collector = self._begin()
        time.sleep(random.uniform(0.1, 0.8))
        self._report.kills["both"] += 1
        self._kill_both()

    def _kill_receiver(self) -> None:
        """The supervisor starts it again."""
        receiver = self.collector.worker()
        receiver.kill()
        until(lambda: self.collector.worker().pid != receiver.pid, "it is not started again")

    def _kill_supervisor(self) -> None:
        """The receiver notices, and ends by itself."""
        self.collector.process.kill()
        until(self.collector.is_gone, "the receiver goes on without a supervisor")
        self.collector.kill()
        self.collector = self._start()

    def _begin(self) -> Collector:
        return Collector(
            self._folder / "data",
            *_SETTINGS,
            http=f"127.0.0.1:{self.http_port}",
            grpc=f"127.0.0.1:{self.grpc_port}",
        )

    def _start(self) -> Collector:
        return self._begin().listening()

    def stop(self) -> None:
        """In order."""
        assert self.collector.stop() == 0, self.collector.said()
        self.collector.kill()
        for line in self.collector.stderr.read_text().splitlines():
            self._read_log(line)

    def _read_log(self, line: str) -> None:
        with suppress(ValueError):
            event = json.loads(line)
            self._report.cut_bytes += event.get("cut_bytes", 0)
            self._report.damaged_bytes += event.get("damaged_bytes", 0)
            self._report.recoveries += event.get("cut_bytes", 0) > 0


def run(folder: Path, kills: int, clients: int = 6, *, progress: bool = False) -> Report:
    """Kill so many times, then compare what was acknowledged with what there is."""
    report = Report()
    began = time.monotonic()
    victim = _Victim(folder, report)
    senders = _Clients(victim.http_port, victim.grpc_port, clients)
    senders.start()
    try:
        while sum(report.kills.values()) < kills:
            victim.kill(senders)
            if progress:
                so_far = f"{sum(report.kills.values())} kills, {len(senders.acknowledged):,} acknowledged"
                print(f"\r{so_far}", end="", file=sys.stderr, flush=True)
    finally:
        senders.stop()
        victim.stop()
    if progress:
        print(file=sys.stderr)
    _compare(report, senders, folder / "data" / "journal")
    report.took_s = time.monotonic() - began
    return report


def _compare(report: Report, clients: _Clients, journal: Path) -> None:
    there = Counter(hashlib.blake2b(record.payload, digest_size=16).digest() for record in records(journal))
    report.requests, report.acknowledged = len(clients.sent), len(clients.acknowledged)
    report.journal_bytes = sum(file.stat().st_size for file in journal.glob("*.segment"))
    for digest, times in there.items():
        if digest in clients.acknowledged:
            report.found += 1
            report.duplicates_of_acknowledged += times > 1
        elif digest in clients.sent:
            report.present_unacknowledged += 1
            report.duplicates_of_others += times > 1
        else:
            report.strangers += 1
    report.missing = report.acknowledged - report.found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--seed", type=int, default=None, help="of the random moments")
    parser.add_argument("--folder", type=Path, default=None, help="where the data is kept; a temporary one otherwise")
    given = parser.parse_args()
    random.seed(given.seed)
    with tempfile.TemporaryDirectory(prefix="taximeter-kill-") as temporary:
        report = run(given.folder or Path(temporary), given.kills, given.clients, progress=os.isatty(2))
    print(report)
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
