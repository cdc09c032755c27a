"""Who listens where a collector with these settings would, and how a running one does."""

from __future__ import annotations

from collections.abc import Iterator

from taximeter_collector.configuration import Config
from taximeter_collector.settings import Address

from taximeter_cli.doctoring.finding import Finding, error, note, ok, warning
from taximeter_cli.doctoring.running import Running, ask, is_listening, listener, running
from taximeter_cli.doctoring.subject import Subject

__all__ = ["TITLE", "check"]

TITLE = "Collector and ports"


def check(subject: Subject) -> Iterator[Finding]:
    """A collector that runs says where it listens; each place of the settings is knocked at."""
    config = subject.config
    found = running(config)
    if found:
        yield from _health(found, config)
    else:
        yield note(
            f"no collector runs on {config.data}",
            "taximeter collect; or taximeter run -- COMMAND, which starts one for as long as the command runs",
        )
    for name in ("http", "grpc", "status"):
        place: Address | None = getattr(config.receive, name)
        if place and place.port:
            yield _place(f"receive.{name}", place, found)


def _health(found: Running, config: Config) -> Iterator[Finding]:
    url = found.http
    if not url and config.receive.status and config.receive.status.port:
        url = f"http://{config.receive.status}"
    if not url:
        yield ok(
            f"a collector runs, process {found.pid}; it asks senders who they are, so its health is not looked at",
            pid=found.pid,
        )
        return
    alive, ready = ask(f"{url}/healthz"), ask(f"{url}/readyz")
    if alive[0] != 200:
        yield error(
            f"a collector runs, process {found.pid}, and does not answer at {url}/healthz: {alive[1] or alive[0]}",
            "look at what it says on stderr; if it hangs, restart it: what it has acknowledged is on disk",
        )
    elif ready[0] != 200:
        yield error(
            f"a collector runs at {url}, process {found.pid}, and takes nothing in: {ready[1].strip()}",
            "see the part on the journal below, and docs/operations.md",
        )
    else:
        yield ok(f"a collector runs at {url}, process {found.pid}; /healthz and /readyz say ok", pid=found.pid)


def _place(name: str, place: Address, found: Running | None) -> Finding:
    told = f"{name} = {place}"
    if not is_listening(place):
        if found:
            return note(f"{told}: nobody listens; the collector that runs was started with other places")
        return ok(f"{told}: free")
    pid, who = listener(place.port)
    if found and (pid is None or found.is_its_own(pid)):
        return ok(f"{told}: the collector listens")
    whose = f"process {pid} ({who or 'unknown'})" if pid else "a process that is not yours"
    if who == "taximeter":
        return warning(
            f"{told}: a Taximeter of another data folder listens, {whose}",
            f"use its data folder (--data), stop it (kill {pid}), or choose another port: --set {name}=HOST:PORT",
            pid=pid,
        )
    say = warning if found else error
    return say(
        f"{told}: another program listens, {whose}; a collector with these settings cannot start",
        f"stop it, or choose another port: --set {name}=HOST:PORT, and OTEL_EXPORTER_OTLP_ENDPOINT for apps",
        pid=pid,
    )
