"""What goes out: content and its redaction, metrics, events, context, scopes and scores."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import taximeter
from opentelemetry.trace import SpanKind, StatusCode
from taximeter.instrumentor import TaximeterInstrumentor
from taximeter_cli.loopback import Loopback

from tests.conftest import Telemetry

CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
SECRET = "ada@example.com"


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda mode: monkeypatch.setenv(CAPTURE, mode)


def ask_openai(loopback: Loopback, **more: Any) -> Any:
    import openai

    client = openai.OpenAI(api_key="k", base_url=f"{loopback.url}/v1")
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"Write to {SECRET}"}]
    tools = [
        {"type": "function", "function": {"name": "mail", "description": SECRET, "parameters": {"type": "object"}}}
    ]
    asked: dict[str, Any] = {"model": "gpt-4o-mini", "messages": messages, "tools": tools, **more}
    answer = client.chat.completions.create(**asked)
    return list(answer) if more.get("stream") else answer


# ---------------------------------------------------------------------------------------------------------------------
# Content


def test_nothing_is_captured_unless_asked_for(meter: Telemetry, loopback: Loopback) -> None:
    ask_openai(loopback)
    assert SECRET not in repr(dict(meter.span().attributes or {}))
    assert meter.events == []


@pytest.mark.parametrize("stream", [False, True])
def test_content_on_spans(
    capture: Any, switch_on: Callable[..., None], telemetry: Telemetry, loopback: Loopback, stream: bool
) -> None:
    capture("span_only")
    switch_on()
    ask_openai(loopback, stream=stream)
    said = telemetry.span().attributes or {}
    assert json.loads(str(said["gen_ai.input.messages"]))[1] == {
        "role": "user",
        "parts": [{"type": "text", "content": f"Write to {SECRET}"}],
        "name": None,
    }
    (answer,) = json.loads(str(said["gen_ai.output.messages"]))
    called = {"type": "tool_call", "id": "call_1", "name": "weather", "arguments": {"city": "Oslo"}}
    assert (answer["parts"], answer["finish_reason"]) == ([called], "tool_calls")
    assert json.loads(str(said["gen_ai.tool.definitions"]))[0]["name"] == "mail"


def test_content_on_events(
    capture: Any, switch_on: Callable[..., None], telemetry: Telemetry, loopback: Loopback
) -> None:
    capture("EVENT_ONLY")
    switch_on()
    ask_openai(loopback)
    (event,) = telemetry.events
    assert event.event_name == "gen_ai.client.inference.operation.details"
    assert event.attributes["gen_ai.input.messages"][1]["parts"][0]["content"] == f"Write to {SECRET}"
    assert "gen_ai.input.messages" not in (telemetry.span().attributes or {})


def test_the_old_value_true_is_understood_and_explained(
    capture: Any,
    switch_on: Callable[..., None],
    telemetry: Telemetry,
    loopback: Loopback,
    caplog: pytest.LogCaptureFixture,
) -> None:
    capture("true")
    switch_on()
    ask_openai(loopback)
    assert "gen_ai.input.messages" in (telemetry.span().attributes or {})
    assert "SPAN_ONLY" in caplog.text


@pytest.mark.parametrize("mode", ["SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT"])
def test_what_is_captured_is_redacted_everywhere(
    capture: Any, switch_on: Callable[..., None], telemetry: Telemetry, loopback: Loopback, mode: str
) -> None:
    capture(mode)
    switch_on(redact_patterns=[r"[\w.]+@[\w.]+"], redact=lambda text: text.replace("Oslo", "[place]"))
    ask_openai(loopback)

    @taximeter.tool
    def mail(to: str) -> dict[str, str]:
        return {SECRET: "sent from Oslo"}

    mail(SECRET)
    taximeter.score("helpful", 1, explanation=f"{SECRET} said so")
    everything = repr([dict(span.attributes or {}) for span in telemetry.spans]) + repr(
        [event.attributes for event in telemetry.events]
    )
    assert "[redacted]" in everything
    assert SECRET not in everything
    assert "Oslo" not in everything


def test_an_error_message_is_redacted_too(
    switch_on: Callable[..., None], telemetry: Telemetry, loopback: Loopback
) -> None:
    import openai

    switch_on(redact_patterns=["many"])
    client = openai.OpenAI(api_key="k", base_url=f"{loopback.url}/v1", max_retries=0)
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="m?status=429", messages=[])
    assert telemetry.span().status.description == "too [redacted]"


def test_what_the_users_function_cannot_judge_does_not_get_out(
    capture: Any, switch_on: Callable[..., None], telemetry: Telemetry, loopback: Loopback
) -> None:
    from taximeter import faults

    def judge(text: str) -> str:
        raise ValueError(text)

    capture("SPAN_ONLY")
    switch_on(redact=judge)
    ask_openai(loopback)
    assert SECRET not in repr(dict(telemetry.span().attributes or {}))
    assert set(faults.counts()) == {"redact.failed"}
    faults.reset()


def test_a_bad_pattern_is_refused_at_the_start(telemetry: Telemetry) -> None:
    with pytest.raises(ValueError, match=r"redaction pattern '\[' is no regular expression"):
        taximeter.instrument(redact_patterns=["["], tracer_provider=telemetry.tracer_provider)
    TaximeterInstrumentor().uninstrument()


CONVERSATIONS: dict[str, dict[str, Any]] = {
    "/v1/messages": {
        "model": "m",
        "max_tokens": 5,
        "system": [{"type": "text", "text": "s"}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                    {"type": "document", "source": {"type": "url", "url": "http://x"}},
                    {"type": "tool_result", "tool_use_id": "t", "content": "r"},
                ],
            },
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "server_tool_use"}]},
        ],
        "tools": [{"name": "n", "input_schema": {}}, {"type": "web_search_20250305", "name": "web_search"}],
    },
    "/v1/responses": {
        "model": "m",
        "instructions": "s",
        "input": [
            {"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]},
            {"type": "reasoning", "summary": [{"text": "hm"}]},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "o"},
            {"type": "web_search_call", "id": "w"},
        ],
        "tools": [{"type": "function", "name": "f"}, {"type": "web_search"}],
    },
    "/v1beta/models/m:generateContent": {
        "systemInstruction": {"parts": [{"text": "s"}]},
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
                    {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://x"}},
                    {"functionResponse": {"name": "f", "response": {}}},
                    {"executableCode": {}},
                ],
            },
            {"role": "model", "parts": [{"text": "hm", "thought": True}, {"functionCall": {"name": "f", "args": {}}}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "f"}]}, {"googleSearch": {}}],
    },
    "/model/m/converse": {
        "system": [{"text": "s"}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"text": "t"},
                    {"image": {"format": "png", "source": {"bytes": "AAAA"}}},
                    {"toolUse": {"toolUseId": "u", "name": "f", "input": {}}},
                    {"toolResult": {"toolUseId": "u", "content": [{"text": "r"}]}},
                    {"reasoningContent": {"reasoningText": {"text": "hm"}}},
                    {"cachePoint": {"type": "default"}},
                ],
            }
        ],
        "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {}}}}]},
    },
    "/v2/chat": {"model": "m", "messages": [{"role": "user", "content": "t"}]},
    "/api/chat": {"model": "m", "messages": [{"role": "user", "content": "t"}], "stream": False},
}


@pytest.mark.parametrize("path", CONVERSATIONS)
def test_every_kind_of_part_is_told(
    capture: Any, switch_on: Callable[..., None], telemetry: Telemetry, loopback: Loopback, path: str
) -> None:
    import httpx

    capture("SPAN_ONLY")
    switch_on()
    httpx.post(loopback.url + path, json=CONVERSATIONS[path])
    said = telemetry.span().attributes or {}
    asked = json.loads(str(said["gen_ai.input.messages"]))
    kinds = {part["type"] for message in asked for part in message["parts"]}
    assert kinds and "unknown" not in kinds
    (answer,) = json.loads(str(said["gen_ai.output.messages"]))
    assert answer["role"] == "assistant" and answer["parts"]


# ---------------------------------------------------------------------------------------------------------------------
# Two ways out, one telemetry


@pytest.mark.parametrize("ask", ["chat", "stream", "error", "embeddings"])
def test_the_short_way_tells_what_the_official_library_tells(
    telemetry: Telemetry, loopback: Loopback, ask: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import openai

    def told(events: str) -> tuple[Any, ...]:
        monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT", events)
        TaximeterInstrumentor().instrument(
            tracer_provider=telemetry.tracer_provider,
            meter_provider=telemetry.meter_provider,
            logger_provider=telemetry.logger_provider,
        )
        telemetry.clear()
        client = openai.OpenAI(api_key="k", base_url=f"{loopback.url}/v1", max_retries=0)
        with taximeter.conversation("c-1", user="u-1", tags={"a": 1}):
            if ask == "embeddings":
                client.embeddings.create(model="text-embedding-3", input="x", dimensions=4)
            elif ask == "error":
                with pytest.raises(openai.RateLimitError):
                    client.chat.completions.create(model="m?status=429", messages=[])
            else:
                ask_openai(
                    loopback,
                    stream=ask == "stream",
                    stream_options={"include_usage": True} if ask == "stream" else None,
                )
        TaximeterInstrumentor().uninstrument()
        span = telemetry.span()
        facts = dict(span.attributes or {})
        facts.pop("gen_ai.response.time_to_first_chunk", None)
        scope = span.instrumentation_scope
        return span.name, span.kind, span.status.status_code, span.status.description, facts, scope

    assert told("false") == told("true")
    points = telemetry.metrics()
    for name in ("gen_ai.client.operation.duration", "gen_ai.client.token.usage"):
        assert all(point.count == 2 for point in points.get(name, [])), name  # both ways in the same series
    expected = {"gen_ai.client.operation.duration"}
    expected |= {"gen_ai.client.token.usage"} if ask != "error" else set()
    expected |= {"gen_ai.client.operation.time_to_first_chunk"} if ask == "stream" else set()
    assert set(points) == expected


def test_the_time_of_each_chunk_on_request(
    switch_on: Callable[..., None], telemetry: Telemetry, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAXIMETER_CHUNK_METRIC", "true")
    switch_on()
    ask_openai(loopback, stream=True)
    (point,) = telemetry.metrics()["gen_ai.client.operation.time_per_output_chunk"]
    assert point.count >= 1


# ---------------------------------------------------------------------------------------------------------------------
# Context


def conversation_of(span: Any) -> tuple[Any, ...]:
    said = span.attributes or {}
    return said.get("gen_ai.conversation.id"), said.get("user.id"), said.get("taximeter.tag.feature")


def test_a_conversation_reaches_every_span_inside(meter: Telemetry, loopback: Loopback) -> None:
    tracer = meter.tracer_provider.get_tracer("app")
    with taximeter.conversation("c-42", user="u-7", tags={"feature": "search"}):
        with tracer.start_as_current_span("mine"):
            ask_openai(loopback)
    ask_openai(loopback)
    inside, mine, outside = meter.spans
    assert conversation_of(inside) == conversation_of(mine) == ("c-42", "u-7", "search")
    assert conversation_of(outside) == (None, None, None)


def test_conversations_nest_and_add_up(meter: Telemetry, loopback: Loopback) -> None:
    with taximeter.conversation("outer", user="u", tags={"feature": "a"}), taximeter.conversation(tags={"step": 2}):
        ask_openai(loopback)
    (span,) = meter.spans
    assert conversation_of(span) == ("outer", "u", "a")
    assert (span.attributes or {})["taximeter.tag.step"] == "2"


def test_a_conversation_goes_along_into_tasks_and_threads(meter: Telemetry, loopback: Loopback) -> None:
    from opentelemetry.instrumentation.threading import ThreadingInstrumentor

    async def tasks() -> None:
        await asyncio.gather(*(asyncio.to_thread(ask_openai, loopback) for _ in range(2)))

    ThreadingInstrumentor().instrument()
    with taximeter.conversation("c-42"):
        asyncio.run(tasks())
        thread = threading.Thread(target=ask_openai, args=(loopback,))
        thread.start()
        thread.join()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(ask_openai, loopback).result()
    ThreadingInstrumentor().uninstrument()
    assert [conversation_of(span)[0] for span in meter.spans] == ["c-42"] * 4


def test_a_conversation_crosses_processes_in_baggage_when_asked(
    switch_on: Callable[..., None], telemetry: Telemetry
) -> None:
    from opentelemetry import context, propagate

    carrier: dict[str, str] = {}
    with taximeter.conversation("c-42", user="u-7", tags={"feature": "search"}):
        propagate.inject(carrier)
    assert "baggage" not in carrier
    with taximeter.conversation("c-42", user="u-7", tags={"feature": "search"}, in_baggage=True):
        propagate.inject(carrier)
    switch_on(baggage=True)
    token = context.attach(propagate.extract(carrier))
    telemetry.tracer_provider.get_tracer("other service").start_span("work").end()
    context.detach(token)
    (span,) = telemetry.spans
    assert conversation_of(span) == ("c-42", "u-7", "search")


def test_no_conversation_is_ever_invented(meter: Telemetry, loopback: Loopback) -> None:
    ask_openai(loopback)
    assert "gen_ai.conversation.id" not in (meter.span().attributes or {})


# ---------------------------------------------------------------------------------------------------------------------
# Scopes and scores


def test_scopes_around_functions_of_every_kind(meter: Telemetry) -> None:
    @taximeter.workflow("checkout")
    def plain() -> int:
        return 1

    @taximeter.agent
    async def planner() -> int:
        return 2

    @taximeter.tool("search")
    def generating() -> Iterator[int]:
        yield 3

    @taximeter.tool
    async def streaming() -> AsyncIterator[int]:
        yield 4

    async def main() -> list[int]:
        return [plain(), await planner(), *generating(), *[item async for item in streaming()]]

    assert asyncio.run(main()) == [1, 2, 3, 4]
    names = [span.name.rpartition(".")[2] for span in meter.spans]
    assert [span.name.split()[0] for span in meter.spans] == [
        "invoke_workflow",
        "invoke_agent",
        "execute_tool",
        "execute_tool",
    ]
    assert names[:2] == ["invoke_workflow checkout", "invoke_agent planner"]
    assert {span.kind for span in meter.spans} == {SpanKind.INTERNAL}


def test_a_scope_ends_with_the_error_that_leaves_it(meter: Telemetry) -> None:
    with pytest.raises(KeyError), taximeter.agent("planner"):
        raise KeyError("x")
    (span,) = meter.spans
    assert (span.status.status_code, (span.attributes or {})["error.type"]) == (StatusCode.ERROR, "KeyError")


def test_tool_arguments_are_kept_when_content_is_captured(
    capture: Any, switch_on: Callable[..., None], telemetry: Telemetry
) -> None:
    capture("SPAN_ONLY")
    switch_on()

    @taximeter.tool
    def weather(city: str, *, days: int = 1) -> list[str]:
        return ["sun"]

    weather("Oslo", days=2)
    (span,) = telemetry.spans
    said = span.attributes or {}
    assert json.loads(str(said["gen_ai.tool.call.arguments"])) == {"city": "Oslo", "days": 2}
    assert json.loads(str(said["gen_ai.tool.call.result"])) == ["sun"]


def test_a_score_is_an_evaluation_event_of_the_span(meter: Telemetry) -> None:
    tracer = meter.tracer_provider.get_tracer("app")
    with tracer.start_as_current_span("answer") as span, taximeter.conversation("c-1"):
        taximeter.score("helpful", 0.5, label="so-so", explanation="too long", response_id="r-1")
    (event,) = meter.events
    assert event.event_name == "gen_ai.evaluation.result"
    assert event.span_id == span.get_span_context().span_id
    assert dict(event.attributes) == {
        "gen_ai.evaluation.name": "helpful",
        "gen_ai.evaluation.score.value": 0.5,
        "gen_ai.evaluation.score.label": "so-so",
        "gen_ai.evaluation.explanation": "too long",
        "gen_ai.response.id": "r-1",
        "gen_ai.conversation.id": "c-1",
    }


def test_scopes_work_without_the_meter() -> None:
    with taximeter.workflow("w"), taximeter.tool("t"):
        pass


def test_public_names_are_those_in_all() -> None:
    public = {name for name, value in vars(taximeter).items() if not name.startswith("_")}
    modules = {name for name in public if type(getattr(taximeter, name)).__name__ == "module"}
    assert (public - modules - {"annotations"}) | {"__version__"} == set(taximeter.__all__)


def test_a_generator_does_not_leave_its_span_in_the_callers_code(meter: Telemetry) -> None:
    from opentelemetry import trace

    @taximeter.workflow("steps")
    def steps() -> Iterator[int]:
        yield 1
        yield 2

    tracer = meter.tracer_provider.get_tracer("app")
    walking = steps()
    with tracer.start_as_current_span("mine") as mine:
        assert next(walking) == 1
        assert trace.get_current_span() is mine
        walking.close()  # type: ignore[attr-defined]
        assert trace.get_current_span() is mine
    assert [(span.name, span.status.status_code) for span in meter.spans] == [
        ("invoke_workflow steps", StatusCode.UNSET),
        ("mine", StatusCode.UNSET),
    ]


def test_what_is_sent_to_an_async_generator_arrives(meter: Telemetry) -> None:
    @taximeter.tool
    async def echo() -> AsyncIterator[str]:
        got = "first"
        while True:
            got = yield got

    async def main() -> list[str]:
        echoing: Any = echo()
        said = [await anext(echoing), await echoing.asend("one")]
        await echoing.aclose()
        return said

    assert asyncio.run(main()) == ["first", "one"]
    assert len(meter.spans) == 1


def test_a_tools_error_is_redacted(switch_on: Callable[..., None], telemetry: Telemetry) -> None:
    switch_on(redact_patterns=[r"\d{16}"])

    @taximeter.tool
    def pay() -> None:
        raise ValueError("declined 4111111111111111")

    with pytest.raises(ValueError, match="4111111111111111"):
        pay()
    assert telemetry.spans[0].status.description == "declined [redacted]"


def test_no_key_and_no_number_is_a_way_around_redaction(
    capture: Any, switch_on: Callable[..., None], telemetry: Telemetry
) -> None:
    capture("SPAN_ONLY")
    switch_on(redact_patterns=["secret", r"\d{16}"])

    class Client:
        key = "secret"

        @taximeter.tool
        def pay(self, order: dict[str, Any]) -> dict[str, Any]:
            return order

    order = {"type": "secret", "role": "secret", "secret": "x", "card": 4111111111111111, "n": 5, "b": b"secret\xff"}
    Client().pay(order)
    said = repr(dict(telemetry.spans[0].attributes or {}))
    assert "secret" not in said
    assert "4111111111111111" not in said
    assert '"n":5' in said.replace(" ", "")


def test_parts_that_only_their_provider_knows_do_not_cost_the_span(
    capture: Any, switch_on: Callable[..., None], telemetry: Telemetry, loopback: Loopback
) -> None:
    import httpx

    capture("SPAN_ONLY")
    switch_on()
    parts = [{"type": "uri"}, {"type": "blob"}, {"type": "tool_call"}, {"type": "hologram"}]
    asked = {"model": "m", "messages": [{"role": "user", "content": parts}]}
    httpx.post(loopback.url + "/v1/chat/completions", json=asked)
    said = telemetry.span().attributes or {}
    assert said["gen_ai.usage.input_tokens"] == 120
    kinds = [part["type"] for part in json.loads(str(said["gen_ai.input.messages"]))[0]["parts"]]
    assert kinds == ["uri", "blob", "tool_call", "hologram"]


def test_redaction_can_be_added_to_a_meter_that_runs(capture: Any, telemetry: Telemetry, loopback: Loopback) -> None:
    """`opentelemetry-instrument` has switched it on, and cannot be given a function."""
    capture("SPAN_ONLY")
    TaximeterInstrumentor().instrument(tracer_provider=telemetry.tracer_provider)
    taximeter.instrument(redact=lambda text: "-", tracer_provider=telemetry.tracer_provider)
    ask_openai(loopback)
    taximeter.uninstrument()
    assert SECRET not in repr(dict(telemetry.span().attributes or {}))


def test_a_bad_pattern_in_the_environment_lets_nothing_out(
    capture: Any,
    switch_on: Callable[..., None],
    telemetry: Telemetry,
    loopback: Loopback,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    capture("SPAN_ONLY")
    monkeypatch.setenv("TAXIMETER_REDACT_PATTERNS", "[")
    switch_on()
    with taximeter.conversation("c"):
        ask_openai(loopback)
    said = telemetry.span().attributes or {}
    assert SECRET not in repr(dict(said))
    assert said["gen_ai.usage.input_tokens"] == 120
