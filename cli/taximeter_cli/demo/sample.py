"""The sample: a provider on the loopback interface, two services that call it, and a coding agent beside them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from taximeter_cli.demo.provider import provider
from taximeter_cli.running.environment import bootstrap_folder

__all__ = ["main"]


def main() -> int:
    """Run it to its end; the exit code says whether all of it did what it should."""
    with provider() as loopback:
        environment = os.environ | {"DEMO_PROVIDER": loopback.url}
        with _searching(environment) as search:
            assistant = _started("assistant", environment | {"DEMO_SEARCH": search})
            codes = [assistant.wait()]
        if environment.get("OTEL_EXPORTER_OTLP_ENDPOINT"):  # else there is nobody who would take OTLP
            codes.append(_started("coding_agent", _unmetered(environment)).wait())
    return max(map(abs, codes))


def _unmetered(environment: dict[str, str]) -> dict[str, str]:
    """For what stands for a program that is no Python: it tells by itself, and need not load what would meter it."""
    paths = environment.get("PYTHONPATH", "").split(os.pathsep)
    return environment | {"PYTHONPATH": os.pathsep.join(path for path in paths if path != str(bootstrap_folder()))}


@contextmanager
def _searching(environment: dict[str, str]) -> Iterator[str]:
    """The service of which the other one asks; where it is."""
    process = _started("search", environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    with process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            print(process.stdout.read(), end="", flush=True)


def _started(name: str, environment: dict[str, str], **streams: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"taximeter_cli.demo.{name}"]
    return subprocess.Popen(command, env=environment | {"OTEL_SERVICE_NAME": name}, text=True, **streams)  # type: ignore[call-overload,no-any-return]


if __name__ == "__main__":
    sys.exit(main())
