"""What it costs to tell of a call: a bare span, the short way (`_Plain`), the official library's way (`Official`).

    python bench/emission.py

CPU microseconds a call, the median of 15 rounds; the spans go to a batch processor whose exporter drops them. With the
metrics SDK on, both ways record the same metrics.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from overhead import cpu_us, provider
from taximeter.call import Call
from taximeter.dialect import WireRequest, all_dialects
from taximeter.emit import Emitter
from taximeter.settings import Settings

ROUNDS, CALLS = 15, 500
DIALECT = next(dialect for dialect in all_dialects() if dialect.name == "openai_chat")


def way(events: str) -> Callable[[], None]:
    os.environ["OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT"] = events
    emitter = Emitter(Settings())
    request = WireRequest("POST", "api.openai.com", "/v1/chat/completions")

    def tell() -> None:
        call = Call("chat", "gpt-4o-mini")
        emission = emitter.begin(DIALECT, call, request)
        emission.suspend()
        call.response_id, call.response_model = "chatcmpl-1", "gpt-4o-mini-2024-07-18"
        call.usage.input_tokens, call.usage.output_tokens = 10, 20
        call.finish_reasons = {0: "stop"}
        emission.finish(call)

    return tell


def bare() -> None:
    tracer = trace.get_tracer("bare")
    started: dict[str, Any] = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"}
    started |= {"gen_ai.request.model": "gpt-4o-mini", "server.address": "api.openai.com"}
    span = tracer.start_span("chat gpt-4o-mini", kind=trace.SpanKind.CLIENT, attributes=started)
    ended: dict[str, Any] = {"gen_ai.response.id": "chatcmpl-1", "gen_ai.response.model": "gpt-4o-mini-2024-07-18"}
    ended |= {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 20}
    span.set_attributes({**ended, "gen_ai.response.finish_reasons": ["stop"]})
    span.end()


def main() -> None:
    trace.set_tracer_provider(provider())
    print("CPU microseconds a call")
    for label in ("spans only", "spans and metrics"):
        if label == "spans and metrics":
            metrics.set_meter_provider(MeterProvider([InMemoryMetricReader()]))
        ways = {"a bare span": bare, "the short way": way("false"), "the official way, with its event": way("true")}
        for name, tell in ways.items():
            tell()
            print(f"{label:<20}{name:<36}{statistics.median(cpu_us(tell, CALLS) for _ in range(ROUNDS)):>6.0f}")


if __name__ == "__main__":
    main()
