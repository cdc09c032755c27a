"""Fills the disk under a collector, and looks whether it kept its word: `python tests/e2e/full_disk.py`.

The data folder is on a file system of 24 MB of its own (a tmpfs, which takes Linux and root), on which something else
takes room, too. Clients send until they are refused, which must be in a way that has them try again. Then room is made:
once because that something goes, once because a reader has read the journal. Each time the collector must recover by
itself. At the end, every request that was answered OK must have been in the journal exactly once, byte for byte.

Where no small file system can be had, `journal.max_size` stands in for it, and only the reader makes room.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from taximeter_collector.journal import JournalReader

from tests.e2e.collector import Collector, collecting, until
from tests.e2e.sending import Answer, GrpcSender, HttpSender, Sender, spans

__all__ = ["Report", "can_mount", "run", "small_file_system"]

_DISK = 24 << 20
_BALLAST = 8 << 20
_PAD_BYTES = 20_000
_READER = "lander"


@dataclass
class Report:
    """What came of it."""

    place: str
    filled: list[str] = field(default_factory=list)
    acknowledged: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    wrong_refusals: Counter[str] = field(default_factory=Counter)
    found: int = 0
    missing: int = 0
    duplicates: int = 0
    strangers: int = 0
    same_process: bool = False
    log_lines: int = 0

    @property
    def is_good(self) -> bool:
        """Whether nothing acknowledged was lost or doubled, all refusals could be retried, and nobody restarted it."""
        wrong = self.missing + self.duplicates + self.strangers + self.wrong_refusals.total()
        protocols = {key.split()[0] for key in self.refused}
        return not wrong and self.acknowledged > 0 and self.same_process and protocols == {"HTTP", "gRPC"}

    def __str__(self) -> str:
        return "\n".join(
            (
                f"disk                              {self.place}",
                *(f"  {line}" for line in self.filled),
                *(f"refused {what:<25} {count:>8,}" for what, count in sorted(self.refused.items())),
                *(f"WRONGLY {what:<25} {count:>8,}" for what, count in sorted(self.wrong_refusals.items())),
                f"acknowledged                      {self.acknowledged:>8,}",
                f"  of them found, byte for byte    {self.found:>8,}",
                f"  of them missing                 {self.missing:>8,}",
                f"found more than once              {self.duplicates:>8,}",
                f"found, but not acknowledged       {self.strangers:>8,}",
                f"lines in its log                  {self.log_lines:>8,}",
                f"one and the same receiver         {'yes' if self.same_process else 'NO':>8}",
                "PASSED" if self.is_good else "FAILED",
            )
        )


def can_mount() -> bool:
    """Whether a small file system can be had."""
    return sys.platform == "linux" and os.geteuid() == 0


@contextmanager
def small_file_system(folder: Path, size_bytes: int = _DISK) -> Iterator[Path]:
    """A tmpfs. OSError if it cannot be mounted, which containers may forbid to root, too."""
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "taximeter-test", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mount.returncode:
        raise OSError(mount.stderr.strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


class _Clients:
    """Two senders for each protocol. They are paused while it is looked at what there is."""

    def __init__(self, collector: Collector, report: Report) -> None:
        self.acknowledged: list[bytes] = []
        self._report = report
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        senders: list[Sender] = []
        for _ in range(2):
            senders += (HttpSender(collector.http), GrpcSender(collector.grpc))
        self._threads = [threading.Thread(target=self._go, args=(sender,)) for sender in senders]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def until_refused(self) -> None:
        """Come back when both protocols are refused."""
        before = self._refusals()
        until(lambda: all(now > then for now, then in zip(self._refusals(), before, strict=True)), "never full")

    def until_acknowledged(self) -> None:
        """Come back when something more is on disk."""
        before = len(self.acknowledged)
        until(lambda: len(self.acknowledged) > before, "it does not recover")

    def _refusals(self) -> list[int]:
        with self._lock:
            return [
                sum(count for what, count in self._report.refused.items() if what.startswith(protocol))
                for protocol in ("HTTP", "gRPC")
            ]

    def _go(self, sender: Sender) -> None:
        with sender:
            while not self._stopping.is_set():
                payload = spans(pad_bytes=_PAD_BYTES)
                try:
                    answer = sender.send(payload)
                except (OSError, http.client.HTTPException) as error:
                    answer = Answer(type(error).__name__)
                self._note(payload, answer)
                if not answer.acknowledged:
                    self._stopping.wait(0.02)  # sooner than it asks for, so that it is really tried

    def _note(self, payload: bytes, answer: Answer) -> None:
        with self._lock:
            if answer.acknowledged:
                self.acknowledged.append(_digest(payload))
            elif answer.status == 503 and "retry-after" in answer.headers:
                self._report.refused["HTTP 503 + Retry-After"] += 1
            elif answer.status == "UNAVAILABLE" and answer.retry_delay_s is not None:
                self._report.refused["gRPC UNAVAILABLE + RetryInfo"] += 1
            else:
                self._report.wrong_refusals[f"{answer.status} {answer.message[:60]}"] += 1


class _Reader:
    """A reader of the journal, for which segments wait."""

    def __init__(self, journal: Path) -> None:
        self.found: Counter[bytes] = Counter()
        self._reader = JournalReader(journal, _READER)

    def read_all(self) -> None:
        """Everything there is; what is behind it may go."""
        while some := self._reader.read():
            self.found.update(_digest(record.payload) for record in some)
            self._reader.commit(some[-1].position)

    def close(self) -> None:
        self._reader.close()


def _digest(payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=16).digest()


def run(folder: Path, *, on_small_disk: bool, rounds: int = 2) -> Report:
    """Fill it and make room, in each way, `rounds` times."""
    settings = ["journal.segment_size=1MiB", "receive.max_request=1MiB"]
    if not on_small_disk:
        settings.append(f"journal.max_size={_DISK}B")
    arguments = [word for item in settings for word in ("--set", item)]
    report = Report(f"tmpfs of {_DISK >> 20} MiB" if on_small_disk else f"journal.max_size = {_DISK >> 20} MiB")
    with collecting(folder / "data", *arguments) as collector:
        receiver = collector.worker().pid
        reader = _Reader(collector.journal)
        with _Clients(collector, report) as clients:
            clients.until_acknowledged()
            for _ in range(rounds):
                if on_small_disk:
                    _fill_and_free_by_ballast(folder / "ballast", collector, clients, report)
                _fill_and_free_by_reader(reader, collector, clients, report)
        report.same_process = collector.worker().pid == receiver
        assert collector.stop() == 0
        reader.read_all()
        reader.close()
        report.log_lines = len(collector.events())
    _compare(report, clients.acknowledged, reader.found)
    return report


def _fill_and_free_by_ballast(ballast: Path, collector: Collector, clients: _Clients, report: Report) -> None:
    with suppress(OSError), ballast.open("wb") as file:  # as much of it as there is room for
        file.write(bytes(_BALLAST))
    _fill(collector, clients, report)
    ballast.unlink()
    _recover("a file of somebody else's was deleted", collector, clients, report)


def _fill_and_free_by_reader(reader: _Reader, collector: Collector, clients: _Clients, report: Report) -> None:
    _fill(collector, clients, report)
    reader.read_all()
    _recover("a reader has read all", collector, clients, report)


def _fill(collector: Collector, clients: _Clients, report: Report) -> None:
    clients.until_refused()
    status, reason = until(lambda: _unready(collector), "/readyz does not tell")
    so_far = f"{len(clients.acknowledged):,} acknowledged so far"
    report.filled.append(f"full:  {so_far}; /readyz {status}: {reason.strip()}")


def _unready(collector: Collector) -> tuple[int, str] | None:
    answer = collector.ask("/readyz")
    return answer if answer[0] != 200 else None


def _recover(how: str, collector: Collector, clients: _Clients, report: Report) -> None:
    clients.until_acknowledged()
    until(lambda: collector.ask("/readyz")[0] == 200, "/readyz does not tell")
    report.filled.append(f"room:  {how}; /readyz 200")


def _compare(report: Report, acknowledged: list[bytes], found: Counter[bytes]) -> None:
    report.acknowledged = len(acknowledged)
    report.found = len(found.keys() & set(acknowledged))
    report.missing = len(set(acknowledged) - found.keys())
    report.duplicates = sum(times > 1 for times in found.values())
    report.strangers = len(found.keys() - set(acknowledged))


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with tempfile.TemporaryDirectory(prefix="taximeter-disk-") as temporary:
        folder = Path(temporary)
        if not can_mount():
            print("a small file system takes Linux and root: journal.max_size stands in for it")
            report = run(folder, on_small_disk=False)
        else:
            with small_file_system(folder):
                report = run(folder, on_small_disk=True)
    print(report)
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
