"""`taximeter collect` as a process of its own, with what a test wants to know of it."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil
from taximeter_collector.journal import JournalReader, Record
from taximeter_collector.journal.inspection import readers

Found = TypeVar("Found")
PATIENCE_S = 60.0


class NotStarted(Exception):
    """It ended instead of listening; with its exit code and what it said."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(f"exit code {code}: {said}")
        self.code = code
        self.said = said


class Collector:
    """A collector that listens. `http` is a URL, `grpc` a target."""

    def __init__(
        self,
        data: Path,
        *arguments: str,
        http: str = "127.0.0.1:0",
        grpc: str = "127.0.0.1:0",
        environment: Mapping[str, str] | None = None,
        lands: bool = False,
    ) -> None:
        """Without `lands`, everything stays in the journal, where a test finds it."""
        data.mkdir(parents=True, exist_ok=True)
        self.data = data
        self.stderr = data.parent / f"{data.name}.stderr"
        self._said_before = self.stderr.stat().st_size if self.stderr.exists() else 0
        command = [command_path(), "collect", "--data", str(data), "--http", http, "--grpc", grpc, *arguments]
        command += [] if lands else ["--set", "land.enabled=false"]
        with self.stderr.open("ab") as stderr:
            self.process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                cwd=data.parent,
                env=clean_environment(data.parent) | dict(environment or {}),
                start_new_session=True,  # a group that can be killed as a whole, or be sent a Ctrl-C
            )
        self.places: dict[str, str] = {}

    def listening(self) -> Collector:
        """Itself, as soon as it has said where it listens. NotStarted if it never will."""
        assert self.process.stdout
        for line in self.process.stdout:
            title, _, place = line.strip().partition("  ")
            self.places[title] = place.strip()
            if title == "journal":
                return self
        self.process.stdout.close()
        raise NotStarted(self.process.wait(PATIENCE_S), self.said())

    @property
    def http(self) -> str:
        return self.places["OTLP/HTTP"]

    @property
    def grpc(self) -> str:
        return self.places["OTLP/gRPC"]

    @property
    def journal(self) -> Path:
        return Path(self.places["journal"])

    def worker(self, name: str = "receiver") -> psutil.Process:
        """The process of a worker."""
        return until(lambda: next(iter(self.workers(name)), None), f"there is no {name}")

    def workers(self, name: str) -> list[psutil.Process]:
        """Its processes at this moment: none while it waits to be started again."""
        with suppress(psutil.Error):
            return [one for one in psutil.Process(self.process.pid).children() if one.cmdline()[-1:] == [name]]
        return []

    def said(self) -> str:
        """Its stderr so far."""
        return self.stderr.read_bytes()[self._said_before :].decode()

    def events(self) -> list[dict[str, Any]]:
        """Its log so far. A line that is not JSON is a failure."""
        return [json.loads(line) for line in self.said().splitlines()]

    def ask(self, path: str, token: str = "") -> tuple[int, str]:
        """Status and text of /healthz, /readyz or /metrics."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        try:
            with urllib.request.urlopen(
                urllib.request.Request(self.http + path, headers=headers), timeout=PATIENCE_S
            ) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name: str, **labels: str) -> float:
        """The sum over all labels that are not given."""
        found = 0.0
        for line in self.ask("/metrics")[1].splitlines():
            match = re.fullmatch(rf"{name}(?:\{{(.*)\}})? (\S+)", line)
            if match and labels.items() <= dict(re.findall(r'(\w+)="([^"]*)"', match[1] or "")).items():
                found += float(match[2])
        return found

    def journaled(self) -> list[Record]:
        """All records in the journal."""
        return list(records(self.journal))

    def unread(self, reader: str) -> int:
        """How many records a reader has not passed. At this moment: the metric is as old as its publication."""
        return next((one.lag_records for one in readers(self.journal) if one.name == reader), 0)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, as a service manager would; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE_S * 2)

    def kill(self) -> None:
        """All its processes, at once, without a word."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)
        assert self.process.stdout
        self.process.stdout.close()

    def is_gone(self) -> bool:
        """Whether none of its processes is left."""
        mine = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, ProcessLookupError):
                if os.getpgid(process.pid) == self.process.pid and process.status() != psutil.STATUS_ZOMBIE:
                    mine.append(process)
        return not mine


@contextmanager
def collecting(data: Path, *arguments: str, **options: Any) -> Iterator[Collector]:
    """A collector that listens, and is no more afterwards."""
    collector = Collector(data, *arguments, **options)
    try:
        yield collector.listening()
    finally:
        if collector.process.poll() is None:
            collector.stop()
        collector.kill()


def records(journal: Path) -> Iterator[Record]:
    """All records of a journal, oldest first; holds back nothing."""
    reader = JournalReader(journal)
    try:
        while some := reader.read():
            yield from some
    finally:
        reader.close()


def until(look: Callable[[], Found | None], otherwise: str, patience_s: float = PATIENCE_S) -> Found:
    """What there is to see as soon as there is something."""
    deadline = time.monotonic() + patience_s
    while not (found := look()):
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.02)
    return found


def free_port() -> int:
    """One that is nobody's, below those that systems give to whoever asks for any: so it is free until it is taken."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_768)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def command_path() -> str:
    """The `taximeter` command beside this Python."""
    found = shutil.which("taximeter", path=str(Path(sys.executable).parent))
    assert found, "taximeter is not installed beside this Python"
    return found


def clean_environment(home: Path) -> dict[str, str]:
    """Nothing of who runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TAXIMETER", "XDG_"))}
    return kept | {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_DATA_HOME": str(home)}
