"""The Anthropic SDK makes a span of its own for each call, even inside another's inference span.

Where one stands already the SDK is told what it tells itself when nobody listens: no span for this call. Standing
alone, its span is left as it is, and adopted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from taximeter import faults
from taximeter.metering import Metering
from taximeter.taps import Patches

__all__ = ["install"]

_CALLS = ("messages.create", "messages.stream", "messages.parse", "completions.create")


def install(module: Any, metering: Metering, patches: Patches) -> None:
    client = module._base_client
    if not hasattr(client, "start_api_call_span"):
        return  # before 2.0 it made none

    def once(start: Callable[..., Any]) -> Callable[..., Any]:
        def start_api_call_span(tracer: Any, base_url: Any, options: Any, *args: Any, **named: Any) -> Any:
            if _stands(options):
                return None
            return start(tracer, base_url, options, *args, **named)

        return start_api_call_span

    patches.replace(client, "start_api_call_span", once)


def _stands(options: Any) -> bool:
    try:
        name = str(getattr(options, "span_name", None) or "")
        if not name.endswith(_CALLS):
            return False
        from opentelemetry.context import get_current

        from taximeter.adopt import standing_span
        from taximeter.official import has_official_span

        model = (getattr(options, "json_data", None) or {}).get("model")
        return has_official_span(get_current()) or standing_span(model) is not None
    except Exception as error:
        faults.count("rivals.anthropic", error)
        return False
