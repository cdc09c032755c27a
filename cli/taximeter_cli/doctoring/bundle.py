"""A support bundle: what a bug report needs in one file, without secrets, content, and names of users."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taximeter_cli.doctoring.examining import Examined
from taximeter_cli.doctoring.masking import Masking
from taximeter_cli.doctoring.showing import as_json
from taximeter_cli.doctoring.subject import Subject
from taximeter_cli.main import version
from taximeter_cli.options import Mistake

if TYPE_CHECKING:
    from taximeter_collector.configuration import Config

__all__ = ["write"]

_LOG_BYTES = 64 << 10
_ABOUT = """\
Written by `taximeter doctor --bundle`. Look into it before you send it.
It has no telemetry: no prompts, no answers, no attributes, no payloads. Secrets are ***, your home folder is ~.
What it does have: versions, settings, names of hosts in settings, names of models without a price, figures.

version.txt        taximeter --version, and all OpenTelemetry packages
findings.json      what taximeter doctor found
settings.toml      taximeter config show
variables.txt      OTEL_* and TAXIMETER_*: which are set; their values where these are known to be harmless
metrics.txt        what the processes that run have counted
journal.json       readers, and segments by their size
lake.json          figures of each table
destinations.json  figures of each destination
collector.log      the end of the log of a collector that `taximeter run` started, if it did
"""
_HARMLESS = ("PROTOCOL", "EXPORTER", "SAMPLER", "SAMPLER_ARG", "DISABLED", "DISTRO", "CONFIGURATOR", "INSTRUMENTATIONS")


def write(file: Path, subject: Subject, examined: Sequence[Examined]) -> None:
    """Write it. Mistake if that cannot be done; a part that cannot be had says why."""
    masking = Masking(subject, paths=True)
    try:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
            for name, make in _parts(subject, examined):
                bundle.writestr(name, _masked(_said(make), masking))
        file.chmod(0o600)
    except OSError as error:
        raise Mistake(f"taximeter: --bundle {file}: {error.strerror}", 1) from error


def _said(make: Callable[[], str]) -> str:
    try:
        return make()
    except Exception as error:  # whatever it is, the rest is of use
        return f"{type(error).__name__}: {error}\n"


def _masked(said: str, masking: Masking) -> str:
    """JSON text by text, so that what is masked cannot break what is around it."""
    if not said.startswith(("{", "[")):
        return masking.text(said)
    try:
        return json.dumps(masking.value(json.loads(said)), indent=2) + "\n"
    except ValueError:  # it only begins like JSON, as settings do
        return masking.text(said)


def _parts(subject: Subject, examined: Sequence[Examined]) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "README.txt", lambda: _ABOUT
    yield "version.txt", _versions
    yield "findings.json", lambda: json.dumps(as_json(examined, version()), default=str)
    yield "variables.txt", lambda: "".join(_variables(subject))
    if subject.configuration is None:
        return
    configuration, config = subject.configuration, subject.configuration.config

    def settings() -> str:
        from taximeter_cli.configure import written

        return "\n".join(written(configuration)) + "\n"

    yield "settings.toml", settings
    yield "metrics.txt", lambda: _metrics(config)
    yield "journal.json", lambda: _json(_journal(config))
    yield "lake.json", lambda: _json(_lake(config))
    yield "destinations.json", lambda: _json(_destinations(config))
    if (log := config.run_folder / "collector.log").exists():
        yield "collector.log", lambda: log.read_bytes()[-_LOG_BYTES:].decode("utf-8", "replace")


def _versions() -> str:
    from importlib.metadata import distributions

    beginnings = ("opentelemetry", "openinference", "traceloop", "openlit", "logfire", "taximeter")
    found = {one.name: one.version for one in distributions() if one.name.lower().startswith(beginnings)}
    return version() + "\n\n" + "".join(f"{name} {found[name]}\n" for name in sorted(found))


def _variables(subject: Subject) -> Iterator[str]:
    for name, value in sorted(subject.environment.items()):
        if name.startswith(("OTEL_", "TAXIMETER_")):
            yield f"{name}={value if name.endswith(_HARMLESS) else '(set)'}\n"


def _metrics(config: Config) -> str:
    from taximeter_collector.telemetry.exposition import published, render

    # A sender's name is somebody's.
    return render((name, labels, value) for name, labels, value in published(config.run_folder) if len(labels) < 3)


def _journal(config: Config) -> dict[str, Any]:
    from taximeter_collector.journal.inspection import readers
    from taximeter_collector.journal.segments import Folder

    folder = Folder(config.journal.dir)
    head = folder.head()
    sizes = {first: folder.segment(first).stat().st_size for first in folder.segments()}
    return {"head": head and asdict(head), "segments": sizes, "readers": [asdict(one) for one in readers(folder.path)]}


def _lake(config: Config) -> list[dict[str, Any]]:
    from taximeter_collector.lake.figures import table_figures
    from taximeter_collector.lake.schema import TABLES

    there = [name for name in TABLES if (config.lake.dir / name / "_delta_log").is_dir()]
    return [asdict(table_figures(config.lake.dir, name)[0]) for name in there]


def _destinations(config: Config) -> list[dict[str, Any]]:
    from taximeter_collector.forward.overview import overview

    # What a backend said may quote what was sent.
    return [asdict(one) | {"last_error": (one.last_error or {}).get("reason")} for one in overview(config)]


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, default=str) + "\n"
