"""Ways to end that pass all exit handlers by: what was measured goes out before.

Forked `multiprocessing` workers leave by `os._exit`. And SIGTERM, where nobody handles it, ends Python at once: with it
go five seconds of spans at each deployment of a web server: uvicorn raises the signal once more when it is done.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any

import wrapt
from opentelemetry import metrics, trace
from opentelemetry._logs import get_logger_provider

from taximeter import faults

__all__ = ["flush", "flush_before_sigterm", "flush_before_workers_leave"]

_MODULE = "multiprocessing.util"
_FIRST = 100  # of the finalizers: those of queues and pools have up to 15
_hooked = False


def flush_before_workers_leave() -> None:
    """Arrange it for the workers of this process, should it ever have any."""
    global _hooked
    if not _hooked:
        _hooked = True
        wrapt.register_post_import_hook(_arrange, _MODULE)


def flush_before_sigterm() -> None:
    """Arrange it for this process, if SIGTERM would end it without a word."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    if in_main_thread and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _end)


def flush() -> None:
    """Send what the batch processors hold."""
    for provider in (trace.get_tracer_provider(), metrics.get_meter_provider(), get_logger_provider()):
        try:
            send = getattr(provider, "force_flush", None)
            if send is not None:
                send()
        except Exception as error:
            faults.count("endings.flush", error)


def _arrange(util: Any) -> None:
    # In the worker the finalizers of its parent have been cleared, so ours is added there.
    util.register_after_fork(flush, lambda _: util.Finalize(None, flush, exitpriority=_FIRST))


def _end(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)  # a second one ends it at once
    flush()
    os.kill(os.getpid(), number)
