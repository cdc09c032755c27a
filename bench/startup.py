"""What the meter adds to the start of a program under `opentelemetry-instrument`.

    python bench/startup.py [--runs 15] ['import openai']

The same program under the vanilla distribution with the meter switched off, in turn; wall clock and CPU, the median of
the differences between neighbours. Without an SDK it is what every program pays.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

EXPORTERS = ("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER")


def start(program: str, *, metered: bool) -> tuple[float, float]:
    """Wall and CPU milliseconds of one run."""
    distribution = ("taximeter", "taximeter") if metered else ("distro", "configurator")
    others = "openai,anthropic,langchain,llama_index,httpx,httpx2,requests,urllib3,threading"
    environment = os.environ | dict.fromkeys(EXPORTERS, "none")
    environment["OTEL_PYTHON_DISTRO"], environment["OTEL_PYTHON_CONFIGURATOR"] = distribution
    environment["OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"] = others if metered else f"{others},taximeter"
    command = [str(Path(sys.executable).with_name("opentelemetry-instrument")), sys.executable, "-c", program]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, env=environment, check=True, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall * 1e3, cpu * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", nargs="*", default=["pass", "import httpx", "import openai"])
    parser.add_argument("--runs", type=int, default=15)
    given = parser.parse_args()
    print(f"median of {given.runs} differences, milliseconds added to the start")
    print(f"{'program':<24}{'wall':>8}{'CPU':>8}{'of (wall)':>12}")
    for program in given.programs:
        start(program, metered=True), start(program, metered=False)
        pairs = [(start(program, metered=True), start(program, metered=False)) for _ in range(given.runs)]
        wall = statistics.median(on[0] - off[0] for on, off in pairs)
        cpu = statistics.median(on[1] - off[1] for on, off in pairs)
        print(f"{program:<24}{wall:>8.1f}{cpu:>8.1f}{statistics.median(off[0] for _, off in pairs):>12.0f}")


if __name__ == "__main__":
    main()
