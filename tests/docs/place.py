"""Where the commands of the documentation are run: a home, a lake, a provider, and a collector if one is needed.

A reader has a machine to himself; tests have not. So the ports and folders of the system that a page names stand for
others here, in what is typed and, backwards, in what is said. Everything else is as it is written.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from taximeter_cli.loopback import Loopback

from tests.collector.receiving import Certificates
from tests.docs.pages import ROOT
from tests.e2e.collector import Collector, clean_environment

__all__ = ["Place", "Said"]

PORTS = ("4317", "4318", "4319")
_FOLDERS = re.compile(r"(?<![\w./$}-])/(?=(?:etc|var/lib|opt|usr/lib)/)")
_PATIENCE_S = 120
# What the sample of the demo is metered by; the tests' environment has others of the kind, a reader's has not.
_OURS = {"taximeter", "threading", "httpx", "httpx2"}
_SMALL_APP = """
import os, httpx
asked = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "How much?"}]}
httpx.post(os.environ["LOOPBACK"] + "/v1/chat/completions", json=asked).raise_for_status()
"""
# Silent: a receipt on a page stands alone.
_SAMPLE = """
import os, sys
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
from taximeter_cli.demo.sample import main
sys.exit(main())
"""


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it said: on stdout, then on stderr."""

    code: int
    text: str


class Place:
    """A home folder and the environment around it. Commands are run in `home/app`."""

    def __init__(self, folder: Path, loopback: Loopback, data: Path | None = None) -> None:
        """`data` is copied to where a reader's would be."""
        self.home, self.root = folder / "home", folder / "root"
        self.app = self.home / "app"
        self.data = self.home / ".local/share/taximeter"
        self.app.mkdir(parents=True)
        for name in ("etc/taximeter", "etc/systemd/system", "var/lib", "usr/lib", "opt"):
            (self.root / name).mkdir(parents=True)
        if data:
            shutil.copytree(data, self.data)
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.root / "var/lib/taximeter").symlink_to(self.data)
        self._secrets(self.root / "etc/taximeter")
        for name in ("deploy", "docs", "bench", "tests"):
            (self.app / name).symlink_to(ROOT / name)
        (self.app / "app.py").write_text(_SAMPLE)
        (self.app / "agent.py").write_text(_SMALL_APP)
        self.ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
        self.environment = self._environment(loopback)
        self._standing: Collector | None = None

    def _environment(self, loopback: Loopback) -> dict[str, str]:
        kept = {name: value for name, value in clean_environment(self.home).items() if not name.startswith("XDG_")}
        kept |= {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
        kept |= {"TAXIMETER_TIMEZONE": "UTC", "TZ": "UTC", "COLUMNS": "110", "LOOPBACK": loopback.url}
        kept |= {"TAXIMETER_RECEIVE_GRPC": self._at("4317"), "TAXIMETER_RECEIVE_HTTP": self._at("4318")}
        others = {found.name for found in entry_points(group="opentelemetry_instrumentor")} - _OURS
        kept |= {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ",".join(sorted(others))}
        return kept

    def _secrets(self, folder: Path) -> None:
        """The files that settings on pages name."""
        (folder / "tokens").write_text("shop TOKEN\n")
        (folder / "tempo.key").write_text("KEY\n")
        certificates = Certificates(folder)
        certificates.make_authority()
        certificates.make("tls")
        (folder / "tls.pem").rename(folder / "tls.crt")

    def _at(self, port: str) -> str:
        return f"127.0.0.1:{self.ports[port]}"

    def typed(self, text: str) -> str:
        """A command or a file of a page with this place's ports and folders."""
        for written, port in self.ports.items():
            text = re.sub(rf"(?<![\d.]){written}(?!\d)", port, text)
        return _FOLDERS.sub(f"{self.root}/", text)

    def shown(self, text: str) -> str:
        """What a command said, with the ports and folders of a reader, who needs no settings to have these ports."""
        text = text.replace(", 2 from environment", "")
        for written, port in self.ports.items():
            text = re.sub(rf"\b{port}\b", written, text)
        text = text.replace(str(self.root), "").replace(str(self.home), "/home/me")
        text = text.replace(str(ROOT / "instrumentation"), f"~/app/.venv/lib/{_python()}/site-packages")
        return text.replace(sys.prefix, "~/app/.venv")

    def run(self, command: str) -> Said:
        """Have a shell run it to its end."""
        done = subprocess.run(
            ["bash", "-c", self.typed(command)],
            cwd=self.app,
            env=self.environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_PATIENCE_S,
            check=False,
        )
        return Said(done.returncode, self.shown(done.stdout + done.stderr))

    def run_until(self, command: str, marker: str, meanwhile: Callable[[], object] = lambda: None) -> Said:
        """Have a shell run what goes on for ever, until it says something; then Ctrl-C."""
        out = self.home / "said"
        with out.open("wb") as file:
            process = subprocess.Popen(
                ["bash", "-c", self.typed(command)],
                cwd=self.app,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        try:
            while process.poll() is None and marker not in out.read_text("utf-8"):
                meanwhile()
                time.sleep(0.1)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
            code = process.wait(_PATIENCE_S)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(_PATIENCE_S)
        return Said(code, self.shown(out.read_text("utf-8")))

    def collector(self, *arguments: str) -> Collector:
        """The one that stands at this place's ports; started with these arguments if there is none."""
        if self._standing is None:
            own = ("--set", "land.commit_interval=200ms", "--set", f"receive.status={self._at('4319')}")
            addresses: dict[str, Any] = {"grpc": self._at("4317"), "http": self._at("4318")}
            self._standing = Collector(self.data, *own, *arguments, lands=True, **addresses)
            self._standing.listening()
        return self._standing

    def without_collector(self) -> None:
        """End it, if there is one."""
        if self._standing is not None:
            if self._standing.process.poll() is None:
                self._standing.stop()
            self._standing.kill()
            self._standing = None

    def run_small(self, command: str) -> Said:
        """The same with an app.py of one call, which tells the collector that stands here."""
        told = {"OTEL_EXPORTER_OTLP_ENDPOINT": self.collector().http}
        self.environment |= told
        (self.app / "app.py").write_text(_SMALL_APP)
        try:
            return self.run(command)
        finally:
            (self.app / "app.py").write_text(_SAMPLE)
            for name in told:
                del self.environment[name]


def _free_ports(count: int) -> list[str]:
    """Below those that systems give out by themselves, so that nobody takes one between two commands."""
    free: list[str] = []
    for port in random.sample(range(20_000, 32_000), 1000):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            free.append(str(port))
        if len(free) == count:
            break
    return free


def _python() -> str:
    return f"python{sys.version_info.major}.{sys.version_info.minor}"
