"""What redaction costs the lander, by how many patterns there are: spans as in payloads.py, without and with content.

python bench/redaction.py
"""

from __future__ import annotations

import json
import random
import statistics
import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from payloads import spans_request
from taximeter_collector.decode import Spans, decode_spans
from taximeter_collector.journal import Record, Signal
from taximeter_collector.redact import RedactConfig, Redaction

REQUESTS, ROUNDS = 16, 7
WORDS = ("the", "invoice", "of", "last", "month", "was", "sent", "to", "another", "address;", "please", "look it up,")
RULES = {
    "nothing": RedactConfig(),
    "1 pattern (email)": RedactConfig(patterns=("email",)),
    "5 patterns": RedactConfig(patterns=("email", "credit-card", "api-key", "jwt", "re:ACME-[0-9]{6}")),
    "all 10 built-in patterns": RedactConfig(
        patterns=(
            "email",
            "credit-card",
            "iban",
            "us-ssn",
            "ip-address",
            "api-key",
            "authorization",
            "jwt",
            "private-key",
            "url-password",
        )
    ),
    "1 key, found nowhere": RedactConfig(keys=("password",)),
    "1 key, found everywhere": RedactConfig(keys=("user.id",)),
    "drop of 1, found everywhere": RedactConfig(drop=("user.id",)),
}


def main() -> None:
    for name, spans in (
        ("without content", batch(content=False)),
        ("with content", batch(content=True)),
        ("with content, an address in each", batch(content=True, address=" jane@example.com ")),
    ):
        size = spans.attributes.text.nbytes / len(spans)
        print(f"spans {name}, {size:,.0f} B of values each")
        for rules, config in RULES.items():
            print(f"  {rules:28} {statistics.median(cost_us(config, spans) for _ in range(ROUNDS)):7.2f} us a span")


def cost_us(config: RedactConfig, spans: Spans) -> float:
    redaction = Redaction.of(config)
    redaction.spans(spans)
    started = time.process_time()
    redaction.spans(spans)
    return (time.process_time() - started) / len(spans) * 1e6


def batch(*, content: bool, address: str = "") -> Spans:
    payloads = [spans_request(512, seed) for seed in range(REQUESTS)]
    if content:
        payloads = [with_content(payload, seed, address) for seed, payload in enumerate(payloads)]
    return decode_spans([Record(at, 1, Signal.TRACES, 512, "", payload) for at, payload in enumerate(payloads)])


def with_content(payload: bytes, seed: int, address: str) -> bytes:
    """The same spans with a conversation of some 2,400 bytes, of which no two are the same."""
    chance = random.Random(seed)
    request = ExportTraceServiceRequest.FromString(payload)
    for span in request.resource_spans[0].scope_spans[0].spans:
        for key, messages in (("gen_ai.input.messages", 3), ("gen_ai.output.messages", 1)):
            said = [
                {
                    "role": "user",
                    "parts": [
                        {
                            "type": "text",
                            "content": "\\n".join(" ".join(chance.choices(WORDS, k=20)) for _ in range(5)) + address,
                        }
                    ],
                }
                for _ in range(messages)
            ]
            span.attributes.append(KeyValue(key=key, value=AnyValue(string_value=json.dumps(said))))
    return request.SerializeToString()


if __name__ == "__main__":
    main()
