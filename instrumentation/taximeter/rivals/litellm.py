"""LiteLLM's OpenTelemetry callback makes its span after the call, from its own log of it.

The meter has made one by then. The callback is handed that span's identity in place of a second span, and is kept from
writing the call's tokens onto a span of the app. Calls that the meter did not see are left to the callback.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import wrapt
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext

from taximeter.rivals import frames
from taximeter.taps import Patches

__all__ = ["install", "note"]

_CALLBACK = "litellm.integrations.opentelemetry"
_MOST_NOTED = 1024  # calls whose callback has not run yet
_noted: OrderedDict[str, SpanContext] = OrderedDict()


def note(span: Span) -> None:
    """Remember that LiteLLM's call on this stack, if there is one, has this span."""
    if _CALLBACK not in sys.modules:
        return
    for frame in frames():
        if str(frame.f_globals.get("__name__", "")).startswith("litellm."):
            call_id = getattr(frame.f_locals.get("logging_obj"), "litellm_call_id", None)
            if isinstance(call_id, str):
                _noted[call_id] = span.get_span_context()
                while len(_noted) > _MOST_NOTED:
                    _noted.popitem(last=False)
                return


def install(module: Any, metering: Any, patches: Patches) -> None:
    def hook(callback: Any) -> None:
        if metering.active:
            patches.replace(callback.OpenTelemetry, "get_tracer_to_use_for_request", _tracer)
            patches.replace(callback.OpenTelemetry, "set_attributes", _set_attributes)

    if _CALLBACK in sys.modules:
        hook(sys.modules[_CALLBACK])
    else:
        wrapt.register_post_import_hook(hook, _CALLBACK)


def _span_of(kwargs: Any) -> SpanContext | None:
    return _noted.get(kwargs.get("litellm_call_id", "")) if isinstance(kwargs, dict) else None


def _tracer(get_tracer: Callable[..., Any]) -> Callable[..., Any]:
    def get_tracer_to_use_for_request(self: Any, kwargs: Any) -> Any:
        tracer = get_tracer(self, kwargs)
        known = _span_of(kwargs)
        return tracer if known is None else _SecondTracer(tracer, self._get_span_name(kwargs), known)

    return get_tracer_to_use_for_request


def _set_attributes(set_attributes: Callable[..., None]) -> Callable[..., None]:
    def set_attributes_once(self: Any, span: Any, kwargs: Any, response_obj: Any) -> None:
        if _span_of(kwargs) is None:
            set_attributes(self, span, kwargs, response_obj)

    return set_attributes_once


class _SecondTracer:
    """The callback's tracer, which gives the meter's span for the call and makes all others itself."""

    def __init__(self, tracer: Any, call_name: str, known: SpanContext) -> None:
        self._tracer = tracer
        self._call_name = call_name
        self._known = known

    def start_span(self, name: str, *args: Any, **options: Any) -> Any:
        if name == self._call_name:
            return NonRecordingSpan(self._known)
        return self._tracer.start_span(name, *args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tracer, name)
