"""Spans for a person to read: `OTEL_TRACES_EXPORTER=taximeter_print opentelemetry-instrument python app.py`."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

__all__ = ["PrintingSpanExporter", "line", "tree"]

_WIDTH = 44


class PrintingSpanExporter(SpanExporter):
    """Prints each batch as trees of one line a span."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        out = self._out or sys.stdout
        for text in tree(spans):
            print(text, file=out)
        out.flush()
        return SpanExportResult.SUCCESS


def tree(spans: Sequence[ReadableSpan]) -> Iterator[str]:
    """One line a span, children below their parents, in the order that they began."""
    known = {span.context.span_id for span in spans if span.context}
    below: dict[int | None, list[ReadableSpan]] = defaultdict(list)
    for span in sorted(spans, key=lambda span: span.start_time or 0):
        parent = span.parent.span_id if span.parent and span.parent.span_id in known else None
        below[parent].append(span)

    def walk(parent: int | None, depth: int) -> Iterator[str]:
        for span in below[parent]:
            yield line(span, depth)
            if span.context:
                yield from walk(span.context.span_id, depth + 1)

    return walk(None, 0)


def line(span: ReadableSpan, depth: int = 0) -> str:
    """A span in one line: name, time, tokens, how it ended, whose it was."""
    said: Mapping[str, Any] = span.attributes or {}
    name = f"{'  ' * depth}{span.name}"
    took_ms = ((span.end_time or 0) - (span.start_time or 0)) / 1e6
    facts = [f"{took_ms:8.1f} ms", *_facts(said)]
    return f"{name:<{_WIDTH}} {'  '.join(facts)}"


def _facts(said: Mapping[str, Any]) -> Iterator[str]:
    if (first := said.get("gen_ai.response.time_to_first_chunk")) is not None:
        yield f"first chunk {first * 1e3:.1f} ms"
    if (read := said.get("gen_ai.usage.input_tokens")) is not None:
        yield f"in {read:,}" + _among(said, cached="cache_read.input_tokens", written="cache_write.input_tokens")
    if (wrote := said.get("gen_ai.usage.output_tokens")) is not None:
        yield f"out {wrote:,}" + _among(said, reasoning="reasoning.output_tokens")
    if attempt := said.get("http.request.resend_count"):
        yield f"attempt {attempt + 1}"
    if error := said.get("error.type"):
        yield f"FAILED: {error}"
    elif reasons := said.get("gen_ai.response.finish_reasons"):
        yield ",".join(reasons)
    if conversation := said.get("gen_ai.conversation.id"):
        yield f"[{conversation}]"


def _among(said: Mapping[str, Any], **details: str) -> str:
    given = [f"{name} {said[key]:,}" for name, rest in details.items() if (key := f"gen_ai.usage.{rest}") in said]
    return f" ({', '.join(given)})" if given else ""
