"""In a Python program that is run: what it could not deliver is noted, for the receipt.

The exporters of OpenTelemetry return whether a batch was taken, to nobody; here somebody listens. Records that are
dropped because a queue is full come by the thousand, so those are added up, and noted once a second and at the end.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wrapt

__all__ = ["FILE", "GIVEN_UP", "NOT_TAKEN", "TAKEN", "Notes", "note_what_is_lost"]

FILE = "undelivered"
TAKEN, NOT_TAKEN, GIVEN_UP = "taken", "not taken", "given up"
_EXPORTERS = {
    "opentelemetry.exporter.otlp.proto.http.trace_exporter": ("OTLPSpanExporter", "span"),
    "opentelemetry.exporter.otlp.proto.grpc.trace_exporter": ("OTLPSpanExporter", "span"),
    "opentelemetry.exporter.otlp.proto.http._log_exporter": ("OTLPLogExporter", "log record"),
    "opentelemetry.exporter.otlp.proto.grpc._log_exporter": ("OTLPLogExporter", "log record"),
}
_QUEUES = "opentelemetry.sdk._shared_internal._processor_metrics"
_OF_QUEUES = ("ProcessorMetrics", "NoOpProcessorMetrics")
_EVERY_S = 1.0


class Notes:
    """A file to which all processes of a run add lines: a count, of what, why, and where it was to go."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._lock = threading.Lock()
        self._pending: Counter[tuple[str, str, str]] = Counter()
        self._written_s = 0.0
        self._known: set[str] = set()

    def add(self, count: int, what: str, why: str, where: str = "", *, at_once: bool = True) -> None:
        """Note it."""
        with self._lock:
            self._pending[what, why, where] += count
            if at_once or time.monotonic() - self._written_s >= _EVERY_S:
                self._write()

    def reached(self, where: str) -> None:
        """Note that telemetry went there."""
        if where not in self._known:
            self._known.add(where)
            self.add(0, "", TAKEN, where)

    def write(self) -> None:
        """Note what is added up so far."""
        with self._lock:
            self._write()

    def begin_anew(self) -> None:
        """In a child, for which the parent's counts are the parent's."""
        self._lock = threading.Lock()
        self._pending.clear()

    def _write(self) -> None:
        pending, self._pending = self._pending, Counter()
        lines = [json.dumps([count, *what]) + "\n" for what, count in pending.items()]
        self._written_s = time.monotonic()
        try:
            with self._file.open("a", encoding="utf-8") as file:
                file.write("".join(lines))
        except OSError:
            pass  # a note is not worth a failure of somebody's program; and the run may be over


def note_what_is_lost(folder: str) -> None:
    """Listen, as soon as the exporters are imported."""
    notes = Notes(Path(folder))
    for module, (name, what) in _EXPORTERS.items():
        wrapt.register_post_import_hook(_listening(name, what, notes), module)
    wrapt.register_post_import_hook(lambda module: _follow_queues(module, notes), _QUEUES)
    atexit.register(_at_the_end, notes)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=notes.begin_anew)


def _at_the_end(notes: Notes) -> None:
    """What is added up; and what the meter has given up, if it was ever needed."""
    if faults := sys.modules.get("taximeter.faults"):
        for where, count in faults.counts().items():
            notes.add(count, where, GIVEN_UP, at_once=False)
    notes.write()


def _listening(name: str, what: str, notes: Notes) -> Callable[[Any], None]:
    def export(wrapped: Callable[..., Any], exporter: Any, args: Any, kwargs: Any) -> Any:
        taken = False
        try:
            result = wrapped(*args, **kwargs)
            taken = getattr(result, "name", "SUCCESS") == "SUCCESS"
            return result
        finally:
            where = str(getattr(exporter, "_endpoint", ""))
            if taken:
                notes.reached(where)
            else:
                notes.add(len(args[0]) if args else 0, what, NOT_TAKEN, where)

    def listen(module: Any) -> None:
        wrapt.wrap_function_wrapper(module, f"{name}.export", export)

    return listen


def _follow_queues(module: Any, notes: Notes) -> None:
    def drop_items(wrapped: Callable[..., Any], metrics: Any, args: Any, kwargs: Any) -> Any:
        why = args[1] if len(args) > 1 else kwargs.get("error_type", "queue_full")
        notes.add(args[0] if args else 1, "record", str(why), at_once=False)
        return wrapped(*args, **kwargs)

    for name in _OF_QUEUES:
        if hasattr(module, name):  # no part of what OpenTelemetry promises
            wrapt.wrap_function_wrapper(module, f"{name}.drop_items", drop_items)
