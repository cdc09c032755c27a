"""The demo, collected: the app of `taximeter_cli.demo` sends to a collector, whose journal is then shown.

Run by `make demo`. Everything is on the loopback interface and in a temporary folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["main"]

_TAXIMETER = (sys.executable, "-m", "taximeter_cli.main")
_INSTRUMENTED = ("opentelemetry-instrument", sys.executable, "-m", "taximeter_cli.demo")
# The spans are printed as they go out, too.
_EXPORTERS = {"OTEL_TRACES_EXPORTER": "taximeter_print,otlp_proto_http", "OTEL_LOGS_EXPORTER": "none"}


def main() -> int:
    """Start a collector, run the app, show what the collector has."""
    with tempfile.TemporaryDirectory(prefix="taximeter-demo-") as data, _collector(data) as endpoint:
        print(f"A collector listens at {endpoint}. The app:\n", flush=True)
        environment = os.environ | _EXPORTERS | {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
        ended = subprocess.run(_INSTRUMENTED, env=environment, check=False)
        for title, command in (
            ("What the collector has on disk (taximeter journal cat):", ("journal", "cat")),
            (
                "Every record of it, read and compared with its checksum (taximeter journal verify):",
                ("journal", "verify"),
            ),
        ):
            print(f"\n{title}\n", flush=True)
            subprocess.run((*_TAXIMETER, *command, "--data", data), check=True)
    return ended.returncode


@contextmanager
def _collector(data: str) -> Iterator[str]:
    """A collector on free ports; where its HTTP is."""
    command = (*_TAXIMETER, "collect", "--data", data, "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield process.stdout.readline().split()[1]
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
