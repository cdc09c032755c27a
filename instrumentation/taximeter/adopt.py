"""Never twice: find the inference span that somebody else has put around a call, and complete it.

SDKs, official packages, OpenInference, OpenLLMetry and frameworks make inference spans too. With two of them a call is
recorded, and billed, twice. So before the meter makes a span it looks, in this order, for

1. the context keys of the official library (handled by that library: see `emit`),
2. the current span,
3. spans that were started in this context without being made current (OpenLLMetry's Anthropic, LlamaIndex streams),
4. what the callbacks of a framework hold in their own tables (`rivals/`).

What is found is completed with what it lacks. It keeps its name, its owner, and all that its owner wrote.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, Protocol

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.trace import Span

from taximeter import faults
from taximeter.context import situation
from taximeter.metering import Metering
from taximeter.rivals import held_span, openllmetry
from taximeter.settings import Settings

__all__ = ["SpanWatcher", "give_back", "is_inference", "spend", "standing_span"]

SCOPE = "taximeter"

_INFERENCE_OPERATIONS = frozenset({"chat", "text_completion", "generate_content", "embeddings", "rerank", "completion"})
_INFERENCE_KINDS = frozenset({"LLM", "EMBEDDING", "RERANKER"})
_REQUEST_TYPES = frozenset({"chat", "completion", "embedding", "rerank"})
_MODEL_KEYS = ("gen_ai.request.model", "llm.model_name", "llm.request.model", "embedding.model_name")

# Instrumentations that say what a span is only when it ends: known by their scope, and by the names of its spans.
_SILENT_SCOPES: Mapping[str, re.Pattern[str]] = {
    "opentelemetry.util.genai.handler": re.compile(r"^(chat|text_completion|embeddings|generate_content)\b"),
    "openinference.instrumentation.llama_index": re.compile(
        r"\.a?(stream_)?(chat|complete)$|\.(_?a?get_(text|query)_embeddings?)$"
    ),
    "openinference.instrumentation.langchain": re.compile(r"^(Azure)?Chat|LLM$|OpenAI$|Anthropic$|Bedrock$"),
    "openlit.instrumentation.": re.compile(r"^(chat|text_completion|embeddings)\b"),
    "opentelemetry.instrumentation.anthropic": re.compile(r"^anthropic\.(chat|completion)"),
    "opentelemetry.instrumentation.openai": re.compile(r"^openai\.(chat|completion|embeddings|response)"),
}

# Our own started-but-not-current candidates are few; a chain of nested frameworks is rarely deeper than this.
_MOST_REMEMBERED = 4
_started: ContextVar[tuple[weakref.ref[SdkSpan], ...]] = ContextVar("taximeter_started", default=())


class Awaits(Protocol):
    """A call whose span somebody makes when its answer is there."""

    def meet(self, span: Span) -> None: ...


awaited: ContextVar[Awaits | None] = ContextVar("taximeter_awaited", default=None)


def attributes_of(span: Any) -> Mapping[str, Any]:
    found = getattr(span, "attributes", None)
    return found if isinstance(found, Mapping) else {}


def is_inference(span: Any) -> bool:
    """Whether a span stands for one call to a model: by what it says of itself, else by who made it."""
    attributes = attributes_of(span)
    if operation := attributes.get("gen_ai.operation.name"):
        return operation in _INFERENCE_OPERATIONS
    if kind := attributes.get("openinference.span.kind"):
        return kind in _INFERENCE_KINDS
    if request_type := attributes.get("llm.request.type"):
        return request_type in _REQUEST_TYPES
    if "traceloop.span.kind" in attributes:
        return False
    return _made_for_inference(span)


def _made_for_inference(span: Any) -> bool:
    scope = getattr(getattr(span, "instrumentation_scope", None), "name", None)
    name = getattr(span, "name", None)
    if not isinstance(scope, str) or not isinstance(name, str):
        return False
    if scope == SCOPE:
        return False
    return any(scope.startswith(start) and names.search(name) for start, names in _SILENT_SCOPES.items())


# Spans that a call has been told on. A second call needs one of its own, and a span that its owner forgot to end must
# not collect the calls that come after.
_spent: weakref.WeakSet[Any] = weakref.WeakSet()


def spend(span: Any) -> None:
    """This span has its call."""
    _spent.add(span)


def give_back(span: Any) -> None:
    """The attempt came to nothing; the next one may have the span."""
    _spent.discard(span)


def standing_span(model: str | None) -> Span | None:
    """The recording inference span that this call belongs to, if it has one."""
    current = trace.get_current_span()
    if current.is_recording() and is_inference(current) and current not in _spent and _fits(current, model):
        return current
    for reference in reversed(_started.get()):
        span = reference()
        if span is not None and span.is_recording() and span not in _spent and _fits(span, model):
            return span
    held = held_span(model)
    return held if held is not None and held not in _spent else None


def _fits(span: Any, model: str | None) -> bool:
    """A span that names another model is for another call."""
    attributes = attributes_of(span)
    named = next((attributes[key] for key in _MODEL_KEYS if attributes.get(key)), None)
    return named is None or model is None or str(named).endswith(model) or model.endswith(str(named))


class SpanWatcher(SpanProcessor):
    """Sees every span start: tells it its conversation, and remembers it if it may be somebody's inference."""

    def __init__(self, switched_on: Callable[[], Metering | None]) -> None:
        self._switched_on = switched_on

    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
        try:
            metering = self._switched_on()
            if metering is not None:
                _watch(span, parent_context, metering.settings)
        except Exception as error:
            faults.count("adopt.on_start", error)

    def on_end(self, span: ReadableSpan) -> None:
        return None


def _watch(span: SdkSpan, parent_context: Context | None, settings: Settings) -> None:
    scope = span.instrumentation_scope
    if scope is not None and scope.name == SCOPE:
        return  # ours says all this itself
    known = situation(parent_context, from_baggage=settings.baggage).attributes()
    if known:
        span.set_attributes(known)
    if span.name == openllmetry.SPAN_NAME and (call := awaited.get()) is not None:
        awaited.set(None)
        call.meet(span)
        return
    if is_inference(span):
        alive = [ref for ref in _started.get() if (kept := ref()) is not None and kept.is_recording()]
        _started.set((*alive[1 - _MOST_REMEMBERED :], weakref.ref(span)))
