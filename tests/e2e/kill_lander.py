"""Kills the lander under load, again and again, and audits the ledger: `python tests/e2e/kill_lander.py`.

Clients send model calls, many of them told twice: by an SDK's span and by a framework's span around it, in one request
or in two, in either order; and a request that was not answered is sent again. At random moments `kill -9` hits the
lander, the process that tidies the lake, or the whole collector. At the end every call whose request was answered OK
must be billed exactly once, no row may be there twice, and the sums of tokens and of costs must be what plain
arithmetic says, to the last token and the last digit.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from deltalake import DeltaTable
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from tests.e2e.collector import Collector, free_port, until
from tests.e2e.sending import HttpSender

__all__ = ["Report", "run"]

_SETTINGS = (
    "journal.segment_size=1MiB",
    "land.commit_interval=100ms",
    "lake.upkeep_interval=1s",
    "lake.grace=1s",
)
# Of a client between its requests. A lander that is dead half of the time would be left behind without it.
_PAUSE_S = 0.04
_WAYS = {"lander": 4, "keeper": 1, "collector": 5}  # and how often, of ten
# Dollars for a million tokens: input, output, cache read, cache write.
_PRICES = {
    ("openai", "gpt-4o-mini-2024-07-18"): ("0.15", "0.60", "0.075", None),
    ("anthropic", "claude-sonnet-4-5-20250929"): ("3", "15", "0.30", "3.75"),
}


@dataclass(frozen=True)
class Call:
    """One call of a model as it was."""

    span_id: str
    provider: str
    model: str
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int

    @property
    def cost_usd(self) -> Decimal:
        of_input, of_output, of_read, _ = (Decimal(price or 0) for price in _PRICES[self.provider, self.model])
        fresh = self.input_tokens - self.cache_read_tokens
        return (fresh * of_input + self.output_tokens * of_output + self.cache_read_tokens * of_read) / 10**6


@dataclass
class Report:
    """What came of it."""

    kills: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    acknowledged: int = 0
    rows: int = 0
    billed: int = 0
    missing: int = 0
    billed_twice: int = 0
    strangers: int = 0
    rows_twice: int = 0
    tokens_sent: int = 0
    tokens_billed: int = 0
    usd_sent: Decimal = Decimal(0)
    usd_billed: Decimal = Decimal(0)
    reasons: Counter[str] = field(default_factory=Counter)
    versions: int = 0
    took_s: float = 0

    @property
    def is_good(self) -> bool:
        """Whether the ledger says what was sent, and nothing else."""
        wrong = self.missing + self.billed_twice + self.strangers + self.rows_twice
        sums = (self.tokens_sent, self.usd_sent) == (self.tokens_billed, self.usd_billed)
        return not wrong and sums and self.acknowledged > 0

    def __str__(self) -> str:
        kills = ", ".join(f"{count} {what}" for what, count in sorted(self.kills.items()))
        reasons = ", ".join(f"{count:,} {what}" for what, count in sorted(self.reasons.items()))
        return "\n".join(
            (
                f"kills                      {sum(self.kills.values()):>18,}   ({kills})",
                f"calls acknowledged         {self.acknowledged:>18,}   (of {self.calls:,} that were made)",
                f"  of them not billed       {self.missing:>18,}",
                f"calls billed               {self.billed:>18,}",
                f"  more than once           {self.billed_twice:>18,}",
                f"  that nobody made         {self.strangers:>18,}",
                f"rows of the ledger         {self.rows:>18,}   (not billed: {reasons})",
                f"  that are there twice     {self.rows_twice:>18,}",
                f"tokens of these calls      {self.tokens_sent:>18,}",
                f"tokens billed              {self.tokens_billed:>18,}",
                f"their cost, by hand        {self.usd_sent:>18} USD",
                f"cost billed                {self.usd_billed:>18} USD",
                f"commits to the ledger      {self.versions:>18,}",
                f"took                       {self.took_s:>18,.0f} s",
                "PASSED" if self.is_good else "FAILED",
            )
        )


class _Clients:
    """Make calls and tell of them, in requests that are sent until they are acknowledged."""

    def __init__(self, port: int, clients: int) -> None:
        self.made: dict[str, Call] = {}
        self.acknowledged: set[str] = set()
        self._port = port
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._go) for _ in range(clients)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _go(self) -> None:
        with HttpSender(f"http://127.0.0.1:{self._port}") as sender:
            while not self._stopping.is_set():
                calls, requests = _requests(random.randint(1, 40))
                with self._lock:
                    self.made |= {call.span_id: call for call in calls}
                for request in requests:
                    self._deliver(sender, request)
                with self._lock:
                    self.acknowledged |= {call.span_id for call in calls}
                time.sleep(random.uniform(0, 2 * _PAUSE_S))

    def _deliver(self, sender: HttpSender, request: bytes) -> None:
        """However often that takes: some of it may have been journaled each time."""
        while True:
            with suppress(OSError, http.client.HTTPException):
                if sender.send(request).acknowledged:
                    return
            time.sleep(0.02)


def _requests(count: int) -> tuple[list[Call], list[bytes]]:
    """Calls, and the one or two requests that tell of them."""
    calls = []
    messages = [ExportTraceServiceRequest() for _ in range(random.randint(1, 2))]
    spans = [message.resource_spans.add().scope_spans.add().spans for message in messages]
    trace_id = os.urandom(16)
    for _ in range(count):
        provider, model = random.choice(list(_PRICES))
        read = random.choice((0, random.randint(0, 10_000)))
        tokens = (read + random.randint(1, 100_000), random.randint(1, 5000), read)
        call = Call(os.urandom(8).hex(), provider, model, *tokens)
        framework = os.urandom(8) if random.random() < 0.5 else b""
        _tell(random.choice(spans).add(), call, trace_id, bytes.fromhex(call.span_id), framework)
        if framework:
            _tell(random.choice(spans).add(), call, trace_id, framework, b"", scope_only=True)
        calls.append(call)
    return calls, [message.SerializeToString() for message in messages]


def _tell(span: Any, call: Call, trace_id: bytes, own: bytes, parent: bytes, *, scope_only: bool = False) -> None:
    """A span of an SDK; or one of a framework around it, which has no id of the response."""
    span.trace_id, span.span_id, span.parent_span_id = trace_id, own, parent
    span.name, span.kind = f"chat {call.model}", 1 if scope_only else 3
    span.start_time_unix_nano = time.time_ns() - 10**9
    span.end_time_unix_nano = span.start_time_unix_nano + 10**8
    facts: dict[str, str | int] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": call.provider,
        "gen_ai.response.model": call.model,
        "gen_ai.usage.input_tokens": call.input_tokens,
        "gen_ai.usage.output_tokens": call.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": call.cache_read_tokens,
    }
    facts |= {} if scope_only else {"gen_ai.response.id": f"response-of-span-{call.span_id}"}
    for key, value in facts.items():
        told = AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)
        span.attributes.append(KeyValue(key=key, value=told))


class _Victim:
    """A collector whose processes are killed and come back."""

    def __init__(self, folder: Path, report: Report) -> None:
        self._folder = folder
        self._report = report
        self.port = free_port()
        self.collector = self._start()

    def _start(self) -> Collector:
        settings = [part for one in _SETTINGS for part in ("--set", one)]
        return Collector(self._folder / "data", *settings, http=f"127.0.0.1:{self.port}", lands=True).listening()

    def kill(self) -> None:
        """In one of the ways, at a moment that nobody chose; mostly some time after something was committed."""
        if random.random() < 0.8:  # the others hit one that is just starting
            before = self._version()
            until(lambda: self._version() > before, "nothing is committed any more", patience_s=60)
        time.sleep(random.uniform(0.0, 0.6))  # a random moment is what is wanted here
        way = random.choices(list(_WAYS), list(_WAYS.values()))[0]
        self._report.kills[way] += 1
        if way == "collector":
            self.collector.kill()
            self.collector = self._start()
        else:
            worker = self.collector.worker(way)
            worker.kill()
            # What dies often is started again after up to 30 s.
            until(lambda: self._others(way, worker.pid), "it is not started again", patience_s=90)

    def _others(self, way: str, pid: int) -> list[int]:
        return [one.pid for one in self.collector.workers(way) if one.pid != pid]

    def _version(self) -> int:
        ledger = self._folder / "data" / "lake" / "calls"
        return int(DeltaTable(ledger).version()) if DeltaTable.is_deltatable(str(ledger)) else -1

    def stop(self) -> None:
        """In order, when all is landed."""
        until(lambda: not self.collector.unread("lander"), "the lander does not come to the end", patience_s=120)
        assert self.collector.stop() == 0, self.collector.said()
        self.collector.kill()


def run(folder: Path, kills: int, clients: int = 3, *, progress: bool = False) -> Report:
    """Kill so many times, then audit the ledger."""
    report = Report()
    began = time.monotonic()
    victim = _Victim(folder, report)
    senders = _Clients(victim.port, clients)
    senders.start()
    try:
        while sum(report.kills.values()) < kills:
            victim.kill()
            if progress:
                so_far = f"{sum(report.kills.values())} kills, {len(senders.acknowledged):,} acknowledged"
                print(f"\r{so_far}", end="", file=sys.stderr, flush=True)
    finally:
        senders.stop()
        victim.stop()
    if progress:
        print(file=sys.stderr)
    _audit(report, senders, folder / "data" / "lake" / "calls")
    report.took_s = time.monotonic() - began
    return report


def _audit(report: Report, clients: _Clients, ledger: Path) -> None:
    table = DeltaTable(ledger)
    report.versions = table.version()
    report.calls, report.acknowledged = len(clients.made), len(clients.acknowledged)
    identities: Counter[tuple[Any, ...]] = Counter()
    billed: Counter[str] = Counter()
    for row in _rows(table):
        report.rows += 1
        identities[row["journal_id"], row["journal_position"], row["journal_item"]] += 1
        if row["billable"]:
            billed[row["span_id"]] += 1
            report.tokens_billed += row["input_tokens"] + row["output_tokens"]
            report.usd_billed += row["cost_usd"]
        else:
            report.reasons[row["not_billable_because"]] += 1
    report.rows_twice = sum(times > 1 for times in identities.values())
    report.billed = sum(billed.values())
    report.billed_twice = sum(times > 1 for times in billed.values())
    report.missing = len(clients.acknowledged - billed.keys())
    for span_id in billed:
        call = clients.made.get(span_id)
        if call is None:
            report.strangers += 1
        else:
            report.tokens_sent += call.input_tokens + call.output_tokens
            report.usd_sent += call.cost_usd


def _rows(table: DeltaTable) -> Iterator[dict[str, Any]]:
    columns = ["journal_id", "journal_position", "journal_item", "span_id", "billable", "not_billable_because"]
    columns += ["input_tokens", "output_tokens", "cost_usd"]
    for batch in table.to_pyarrow_dataset().to_batches(columns=columns):
        yield from batch.to_pylist()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--clients", type=int, default=3)
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
