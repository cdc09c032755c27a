"""What forwarding costs: spans per CPU second of a forwarder's process, to a server that throws away what it gets.

    python bench/forward.py                     # passed through, and priced; HTTP with each compression, gRPC
    python bench/forward.py --backlog 4000      # so many requests wait at the beginning: what memory that takes

The journal is written by this process, and read by the forwarder as `taximeter collect` runs it. CPU is user and system
time of that process, from the first request until its cursor has passed the last; starting is not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import grpc
import psutil
from payloads import Fresh, spans_request
from taximeter_collector.configuration import Config, load
from taximeter_collector.journal import Entry, JournalWriter, Signal
from taximeter_collector.journal.segments import Folder
from taximeter_collector.supervise.supervisor import _ALLOCATION
from taximeter_collector.supervise.worker import Order

SPANS = 512
WAYS = (
    ("http", "gzip", {"enrich": "false"}),
    ("http", "zstd", {"enrich": "false"}),
    ("http", "none", {"enrich": "false"}),
    ("grpc", "gzip", {"enrich": "false"}),
    ("grpc", "none", {"enrich": "false"}),
    ("http", "gzip", {"enrich": "true"}),
    ("http", "gzip", {"enrich": "true", "names": "langfuse"}),
    ("http", "none", {"enrich": "true"}),
)


@dataclass
class Run:
    """What a stretch of forwarding came to."""

    spans: int
    cpu_s: float
    took_s: float
    peak_bytes: int

    @property
    def spans_per_cpu_second(self) -> float:
        return self.spans / self.cpu_s


def _discard(told: Connection) -> None:
    """A process that takes everything, over both protocols."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
                while size > 0:
                    size -= len(await reader.read(min(size, 1 << 18)))
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", 0, limit=1 << 18)
        told.send((server.sockets[0].getsockname()[1], port))
        await server.serve_forever()

    class Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, details: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(lambda message, context: b"")

    options = [("grpc.max_receive_message_length", -1), ("grpc.per_message_decompression", 0)]
    over_grpc = grpc.server(ThreadPoolExecutor(4), handlers=[Handler()], options=options)
    port = over_grpc.add_insecure_port("127.0.0.1:0")
    over_grpc.start()
    asyncio.run(serve())


@contextmanager
def discarding() -> Iterator[dict[str, str]]:
    """Where it listens."""
    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_discard, args=(theirs,), daemon=True)
    process.start()
    http, over_grpc = mine.recv()
    try:
        yield {"http": f"http://127.0.0.1:{http}", "grpc": f"grpc://127.0.0.1:{over_grpc}"}
    finally:
        process.terminate()
        process.join()


class Forwarder:
    """The process, and the journal that it reads."""

    def __init__(self, data: Path, url: str, settings: dict[str, str]) -> None:
        flags = {f"forward.bench.{key}": value for key, value in settings.items()}
        self.config: Config = load({"data": str(data), "forward.bench.endpoint": url} | flags, {}).config
        self.config.run_folder.mkdir(parents=True)
        self._durable = threading.Semaphore(0)
        self.journal = JournalWriter(self.config.journal, lambda entries: self._durable.release(len(entries)))
        command = [sys.executable, "-P", "-m", "taximeter_collector.supervise", "forward-bench"]
        environment = _ALLOCATION | os.environ
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(Order(self.config, {}).encode())
        self.process.stdin.flush()
        self.process.stdout.readline()
        self._seen = psutil.Process(self.process.pid)

    def append(self, payload: bytes) -> None:
        self.journal.append(Entry(Signal.TRACES, SPANS, "", payload))
        self._durable.acquire()

    def unread(self) -> int:
        folder = Folder(self.config.journal.dir)
        head, cursor = folder.head(), folder.cursor("forward-bench")
        return head.next - cursor.next if head and cursor else 1

    def cpu_s(self) -> float:
        times = self._seen.cpu_times()
        return float(times.user + times.system)

    def stop(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(60)
        self.journal.close()

    def run(self, bodies: Callable[[int], bytes], requests: int, *, at_once: bool = False) -> Run:
        """Send so many through; `at_once`: they wait all together first."""
        if at_once:
            self._seen.suspend()
        cpu, began, peak = self.cpu_s(), time.monotonic(), 0
        for index in range(requests):
            self.append(bodies(index))
        self._seen.resume()
        while self.unread():
            peak = max(peak, self._seen.memory_info().rss)
            time.sleep(0.05)
        return Run(requests * SPANS, self.cpu_s() - cpu, time.monotonic() - began, peak)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=600, help="of 512 spans")
    parser.add_argument("--backlog", type=int, default=0)
    parser.add_argument("--only", default="", help="ways whose title has this in it")
    options = parser.parse_args()
    fresh = [Fresh(spans_request(SPANS, seed)) for seed in range(16)]
    print(f"spans of {len(spans_request(SPANS)) // SPANS} bytes for each CPU second; memory at its peak")
    with discarding() as urls:
        for way, compression, settings in WAYS:
            title = f"{way} {compression:4} " + ", ".join(f"{key}={value}" for key, value in settings.items())
            if options.only not in title:
                continue
            with tempfile.TemporaryDirectory(prefix="taximeter-bench-") as data:
                forwarder = Forwarder(Path(data), urls[way], settings | {"compression": compression})
                try:
                    forwarder.run(lambda index: fresh[index % 16].again(), 20)  # so that all is loaded
                    runs = [
                        forwarder.run(
                            lambda index: fresh[index % 16].again(),
                            options.backlog or options.requests,
                            at_once=bool(options.backlog),
                        )
                        for _ in range(options.rounds)
                    ]
                finally:
                    forwarder.stop()
            rates = sorted(one.spans_per_cpu_second for one in runs)
            median, peak = statistics.median(rates), max(one.peak_bytes for one in runs) / 1e6
            print(f"{title:36} {median:>9,.0f} ({rates[0]:,.0f} to {rates[-1]:,.0f}), {peak:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
