"""Samples to where they are looked at: a file for each process, and Prometheus' text."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from taximeter_collector.telemetry import metrics
from taximeter_collector.telemetry.metrics import Registry, Sample

__all__ = ["CONTENT_TYPE", "publish", "published", "render"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def publish(registry: Registry, folder: Path, process: str) -> None:
    """Leave this process's samples where the others find them. A full disk makes them old, and nothing worse."""
    observe_process(registry, process)
    beside = folder / f".{process}.json"
    with suppress(OSError):
        beside.write_text(json.dumps(registry.samples()))
        beside.replace(folder / f"{process}.json")


def published(folder: Path, *, but: str = "") -> list[Sample]:
    """What the processes have left there."""
    samples: list[Sample] = []
    for file in sorted(folder.glob("[!.]*.json")):
        if file.stem != but:
            with suppress(OSError, ValueError):
                samples += [(name, tuple(labels), value) for name, labels, value in json.loads(file.read_bytes())]
    return samples


def observe_process(registry: Registry, process: str) -> None:
    """What this process itself takes."""
    this = psutil.Process()
    times = this.cpu_times()
    registry.set(metrics.PROCESS_CPU, times.user + times.system, process)
    registry.set(metrics.PROCESS_MEMORY, this.memory_info().rss, process)


def render(samples: Iterable[Sample]) -> str:
    """Prometheus' text format.

    >>> print(render([("taximeter.journal.size", (), 7)]), end="")
    # HELP taximeter_journal_size_bytes What the journal takes of the disk.
    # TYPE taximeter_journal_size_bytes gauge
    taximeter_journal_size_bytes 7
    """
    by_name: dict[str, list[Sample]] = {}
    for sample in samples:
        by_name.setdefault(sample[0], []).append(sample)
    lines: list[str] = []
    for metric in metrics.ALL:
        if found := by_name.get(metric.name):
            name = metric.prometheus_name
            lines += [f"# HELP {name} {metric.help}", f"# TYPE {name} {metric.kind}"]
            lines += [f"{name}{_labels(metric.labels, labels)} {_number(value)}" for _, labels, value in found]
    return "".join(f"{line}\n" for line in lines)


def _labels(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    pairs = (f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True))
    return f"{{{','.join(pairs)}}}" if names else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if math.isfinite(value) and value == int(value) else repr(value)
