"""Export requests as an app's meter sends them: GenAI spans of about 775 bytes each."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

__all__ = ["Fresh", "spans_request"]

_MODELS = (
    ("openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
    ("anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
    ("gcp.gemini", "gemini-2.5-flash", "gemini-2.5-flash"),
)


_CONTENT = {
    "gen_ai.input.messages": json.dumps(
        [{"role": "user", "parts": [{"type": "text", "content": "What does a ride to the harbour cost? " * 30}]}]
    ),
    "gen_ai.output.messages": json.dumps(
        [{"role": "assistant", "parts": [{"type": "text", "content": "That depends on the hour, and the way. " * 30}]}]
    ),
}


def spans_request(spans: int = 512, seed: int = 0, *, content: bool = False) -> bytes:
    """One request, the same for the same seed but for its times. With content, spans are of 3.2 kB."""
    chance = random.Random(seed)
    request = ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    of_resource.resource.attributes.extend(
        _attributes(
            {
                "service.name": f"service-{seed % 5}",
                "service.version": "1.2.3",
                "deployment.environment.name": "production",
                "telemetry.sdk.language": "python",
                "telemetry.sdk.name": "opentelemetry",
                "telemetry.sdk.version": "1.45.2",
                "host.name": f"host-{seed % 7}",
                "process.pid": 1234,
            }
        )
    )
    of_scope = of_resource.scope_spans.add()
    of_scope.scope.name = "taximeter"
    trace_id = chance.randbytes(16)
    for index in range(spans):
        if index % 6 == 0:
            trace_id = chance.randbytes(16)
        _fill(of_scope.spans.add(), chance, trace_id, is_root=index % 6 == 0)
        if content:
            of_scope.spans[-1].attributes.extend(_attributes(_CONTENT))
    return request.SerializeToString()


def _fill(span: Any, chance: random.Random, trace_id: bytes, *, is_root: bool) -> None:
    provider, model, answered = chance.choice(_MODELS)
    span.trace_id, span.span_id = trace_id, chance.randbytes(8)
    span.parent_span_id = b"" if is_root else chance.randbytes(8)
    span.name, span.kind = f"chat {model}", 3
    span.start_time_unix_nano = time.time_ns() - chance.randrange(10**10)
    span.end_time_unix_nano = span.start_time_unix_nano + chance.randrange(10**9, 10**10)
    span.attributes.extend(
        _attributes(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": provider,
                "gen_ai.request.model": model,
                "gen_ai.response.model": answered,
                "gen_ai.request.temperature": chance.random(),
                "gen_ai.request.max_tokens": chance.choice([256, 512, 1024]),
                "gen_ai.response.id": f"chatcmpl-{chance.getrandbits(128):032x}",
                "gen_ai.output.type": "text",
                "gen_ai.usage.input_tokens": chance.randrange(10, 9000),
                "gen_ai.usage.output_tokens": chance.randrange(10, 2000),
                "gen_ai.usage.cache_read.input_tokens": chance.randrange(10),
                "gen_ai.response.time_to_first_chunk": chance.random(),
                "gen_ai.conversation.id": f"conversation-{chance.randrange(1000)}",
                "server.address": f"api.{provider}.com",
                "server.port": 443,
                "user.id": f"user-{chance.randrange(200)}",
                "taximeter.tag.tenant": f"tenant-{chance.randrange(50)}",
                "taximeter.tag.feature": chance.choice(["search", "summary", "agent"]),
            }
        )
    )


def _attributes(values: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in values.items()]


def _value(value: Any) -> AnyValue:
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    return AnyValue(string_value=value)


class Fresh:
    """A request that can be made again with other ids: other traces, spans and responses, and all else the same."""

    def __init__(self, request: bytes) -> None:
        self._bytes = np.frombuffer(request, dtype=np.uint8).copy()
        self._raw: list[tuple[int, int]] = []
        self._digits: list[int] = []
        at = 0
        for span in ExportTraceServiceRequest.FromString(request).resource_spans[0].scope_spans[0].spans:
            for one in (span.trace_id, span.span_id, span.parent_span_id):
                if one:
                    at = request.index(one, at)
                    self._raw.append((at, len(one)))
            at = request.index(b"chatcmpl-", at) + len(b"chatcmpl-")
            self._digits += range(at, at + 32)
        self._random = np.random.default_rng()
        self._traces = np.array([at for at, size in self._raw if size == 16])
        self._others = np.array([at for at, size in self._raw if size == 8])

    def again(self) -> bytes:
        """Spans of one trace get a new trace in common, more or less: every sixth begins one."""
        body = self._bytes.copy()
        traces = self._random.integers(0, 256, (len(self._traces) // 6 + 1, 16), dtype=np.uint8)
        body[self._traces[:, None] + np.arange(16)] = np.repeat(traces, 6, axis=0)[: len(self._traces)]
        body[self._others[:, None] + np.arange(8)] = self._random.integers(
            0, 256, (len(self._others), 8), dtype=np.uint8
        )
        digits = self._random.integers(0, 16, len(self._digits), dtype=np.uint8)
        body[self._digits] = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)[digits]
        return body.tobytes()
