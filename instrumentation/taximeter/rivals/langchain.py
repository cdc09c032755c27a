"""LangChain: callback handlers hold a span for each run in a table of their own, and make none of them current.

The run that a call belongs to is found where LangChain keeps it: as `run_manager`, a local of the frame that calls the
model. OpenInference and OpenLLMetry can both be asked for the span of a run.
"""

from __future__ import annotations

from typing import Any

from opentelemetry.trace import Span

from taximeter.rivals import frames

__all__ = ["held_span"]


def held_span(model: str | None) -> Span | None:
    for frame in frames():
        if not str(frame.f_globals.get("__name__", "")).startswith("langchain"):
            continue
        run_manager = frame.f_locals.get("run_manager")
        run_id = getattr(run_manager, "run_id", None)
        if run_id is None:
            continue
        for handler in getattr(run_manager, "handlers", ()):
            if (span := _span_of(handler, run_id)) is not None and span.is_recording():
                return span
    return None


def _span_of(handler: Any, run_id: Any) -> Span | None:
    if callable(ask := getattr(handler, "get_span", None)):  # OpenInference
        found: Span | None = ask(run_id)
        return found
    held = getattr(handler, "spans", None)  # OpenLLMetry
    if isinstance(held, dict) and run_id in held:
        found = getattr(held[run_id], "span", None)
        return found
    return None
