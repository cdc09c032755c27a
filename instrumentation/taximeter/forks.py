"""Forked `multiprocessing` workers leave by `os._exit`, past all exit handlers: what they measured goes out before."""

from __future__ import annotations

from typing import Any

import wrapt
from opentelemetry import metrics, trace

from taximeter import faults

__all__ = ["flush_before_workers_leave"]

_MODULE = "multiprocessing.util"
_FIRST = 100  # of the finalizers: those of queues and pools have up to 15
_hooked = False


def flush_before_workers_leave() -> None:
    """Arrange it for the workers of this process, should it ever have any."""
    global _hooked
    if not _hooked:
        _hooked = True
        wrapt.register_post_import_hook(_arrange, _MODULE)


def _arrange(util: Any) -> None:
    # In the worker the finalizers of its parent have been cleared, so ours is added there.
    util.register_after_fork(flush, lambda _: util.Finalize(None, flush, exitpriority=_FIRST))


def flush() -> None:
    """Send what the batch processors hold."""
    for provider in (trace.get_tracer_provider(), metrics.get_meter_provider()):
        try:
            send = getattr(provider, "force_flush", None)
            if send is not None:
                send()
        except Exception as error:
            faults.count("forks.flush", error)
