"""Who else makes spans of model calls here, and whether `opentelemetry-instrument` would switch our meter on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any

from taximeter_cli.doctoring.checks.rivals import Rival, rivals
from taximeter_cli.doctoring.finding import Finding, error, note, ok, warning
from taximeter_cli.doctoring.subject import Subject

__all__ = ["TITLE", "check"]

TITLE = "Instrumentation"

_PATIENCE_S = 60
# SDKs that do not, or not always, speak HTTP through a client that has a tap; what they use instead, and what helps.
_UNTAPPED = {
    "google-generativeai": ("gRPC", 'configure it with transport="rest", or use google-genai'),
    "google-cloud-aiplatform": ("gRPC", "use google-genai with vertexai=True"),
    "replicate": ("HTTP that no dialect of ours reads", "calls that emit OpenTelemetry of their own are landed"),
    "tritonclient": ("gRPC", "calls that emit OpenTelemetry of their own are landed"),
    "ibm-watsonx-ai": ("HTTP that no dialect of ours reads", "calls that emit OpenTelemetry of their own are landed"),
}
# Started by `opentelemetry-instrument` here, it says what came of that. Clients are imported, since that taps them.
_PROBE = """
import importlib, json, sys
from importlib.util import find_spec
there = [name for name in ("httpx", "httpx2", "aiohttp", "urllib3") if find_spec(name)]
failed = {}
for name in there:
    try: importlib.import_module(name)
    except Exception as error: failed[name] = f"{type(error).__name__}: {error}"
from taximeter import faults
from taximeter.instrumentor import TaximeterInstrumentor
metered = TaximeterInstrumentor().is_instrumented_by_opentelemetry
json.dump({"metered": metered, "clients": there, "failed": failed, "faults": faults.counts()}, sys.stdout)
"""


def check(subject: Subject) -> Iterator[Finding]:
    """In this environment: apps in another one have to be looked at there."""
    yield from _distributions(subject.environment)
    by_sdk: dict[str, list[Rival]] = defaultdict(list)
    for rival in rivals():
        by_sdk[rival.of].append(rival)
    for sdk, found in sorted(by_sdk.items()):
        yield _beside(sdk, found)
    yield from _untapped()
    yield from _instrument(subject.environment)


def _distributions(environment: Mapping[str, str]) -> Iterator[Finding]:
    others = {
        one.dist.name if one.dist else one.value: one.value
        for one in entry_points(group="opentelemetry_distro")
        if not one.value.startswith("taximeter.")
    }
    named = environment.get("OTEL_PYTHON_DISTRO", "")
    if named and named != "taximeter":
        yield note(
            f"OTEL_PYTHON_DISTRO={named}: its defaults hold, and not Taximeter's; calls are metered all the same",
            "unset it for OTLP over HTTP to localhost:4318 without a variable",
        )
    elif set(others.values()) == {"opentelemetry.distro:OpenTelemetryDistro"}:
        yield ok("opentelemetry-distro is here, too; Taximeter's defaults are used")
    elif others and not named:
        yield warning(
            f"{', '.join(others)}: a distribution of somebody else, whose defaults hold if it is found first",
            "export OTEL_PYTHON_DISTRO=taximeter OTEL_PYTHON_CONFIGURATOR=taximeter, if Taximeter's should",
        )


def _beside(sdk: str, found: list[Rival]) -> Finding:
    packages = ", ".join(sorted(f"{one.package} ({one.family})" for one in found))
    if len(found) == 1:
        return ok(f"{sdk}: {packages} makes spans of its own; ours completes them, and makes no second one")
    return warning(
        f"{sdk}: {len(found)} instrumentations beside ours, each with a span for the same call: {packages}. One of "
        "them "
        "is completed, and a call is billed once in the ledger; other backends see all of them",
        f"keep one of them, or none: pip uninstall {' '.join(sorted(one.package for one in found))}",
    )


def _untapped() -> Iterator[Finding]:
    for package, (what, help_) in _UNTAPPED.items():
        try:
            found = version(package)
        except PackageNotFoundError:
            continue
        yield warning(f"{package} {found} speaks {what}: its calls are not metered by us", help_)


def _instrument(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Try it."""
    command = shutil.which("opentelemetry-instrument", path=str(Path(sys.executable).parent))
    if not command:
        yield error("there is no opentelemetry-instrument beside this Python", "pip install taximeter, once more")
        return
    on_path = shutil.which("opentelemetry-instrument", path=environment.get("PATH"))
    if on_path and Path(on_path).resolve() != Path(command).resolve():
        yield warning(
            f"`opentelemetry-instrument` on PATH is {on_path}, which is of another environment",
            f"activate this one, or call {command}",
        )
    silent = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
    done = subprocess.run(
        [command, sys.executable, "-c", _PROBE],
        env={**environment, **silent, "OTEL_SDK_DISABLED": "false"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
        cwd=Path.home() if not os.access(".", os.X_OK) else None,
    )
    yield from _tried(done)


def _tried(done: subprocess.CompletedProcess[str]) -> Iterator[Finding]:
    said = done.stdout.rpartition("\n")[2]
    if done.returncode or not said.startswith("{"):
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        yield error(f"opentelemetry-instrument does not start a program here: {last}", "put right what it says")
        return
    told: dict[str, Any] = json.loads(said)
    if not told["metered"]:
        yield error(
            "opentelemetry-instrument starts programs here that are not metered",
            "see OTEL_PYTHON_DISABLED_INSTRUMENTATIONS; else pip install --force-reinstall taximeter",
        )
    elif wrong := {**told["failed"], **told["faults"]}:
        listed = ", ".join(f"{name}: {why}" for name, why in wrong.items())
        yield error(
            f"an HTTP client has no tap, so calls through it are not metered: {listed}",
            "install a version of it that docs/instrumentation.md knows, or report it",
            faults=wrong,
        )
    else:
        yield ok(f"opentelemetry-instrument meters programs here: {', '.join(told['clients'])} are tapped")
