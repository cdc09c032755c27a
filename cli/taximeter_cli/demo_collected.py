"""The demo, collected: the app of `taximeter_cli.demo` sends to a collector, whose ledger is then shown.

Run by `make demo`. Everything is on the loopback interface and in a temporary folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

__all__ = ["main"]

_TAXIMETER = (sys.executable, "-m", "taximeter_cli.main")
_INSTRUMENTED = ("opentelemetry-instrument", sys.executable, "-m", "taximeter_cli.demo")
# The spans are printed as they go out, too.
_EXPORTERS = {"OTEL_TRACES_EXPORTER": "taximeter_print,otlp_proto_http", "OTEL_LOGS_EXPORTER": "none"}


def main() -> int:
    """Start a collector, run the app, show what the collector has made of it."""
    with tempfile.TemporaryDirectory(prefix="taximeter-demo-") as data:
        with _collector(data) as endpoint:
            print(f"A collector listens at {endpoint}. The app:\n", flush=True)
            environment = os.environ | _EXPORTERS | {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
            ended = subprocess.run(_INSTRUMENTED, env=environment, check=False)
        print("\nThe ledger: what is billed.\n", flush=True)
        _show_ledger(Path(data) / "lake" / "calls")
        for title, command in (
            ("All tables of the lake (taximeter lake stats):", ("lake", "stats")),
            ("And whether everything in it is as it must be (taximeter lake verify):", ("lake", "verify")),
        ):
            print(f"\n{title}\n", flush=True)
            subprocess.run((*_TAXIMETER, *command, "--data", data), check=True)
    return ended.returncode


_COLUMNS = (
    "operation",
    "model",
    "input_tokens",
    "cache_read_tokens",
    "output_tokens",
    "ttft_ms",
    "cost_usd",
    "cost_status",
    "price_id",
)


def _show_ledger(table: Path) -> None:
    """The rows that are billed, oldest first, and their sum."""
    from deltalake import DeltaTable
    from rich.console import Console
    from rich.table import Table

    calls = DeltaTable(table).to_pyarrow_table().sort_by("start_unix_nano")
    billed = [row for row in calls.select(["billable", *_COLUMNS]).to_pylist() if row["billable"]]
    shown = Table(*_COLUMNS, box=None, show_footer=False)
    for row in billed:
        shown.add_row(*(_shown(row[name]) for name in _COLUMNS))
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(shown)
    known = [row["cost_usd"] for row in billed if row["cost_usd"] is not None]
    console.print(
        f"\n{sum(known):f} USD for {len(known)} of {len(billed)} calls; of the others nobody knows the price."
    )


def _shown(value: Any) -> str:
    """As people read it; what is not known is not 0."""
    if value is None:
        return "-"
    return f"{value:.1f}" if isinstance(value, float) else f"{value:f}" if isinstance(value, Decimal) else str(value)


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
