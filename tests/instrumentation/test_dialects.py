"""What a dialect makes of an exchange, from the bytes on; and that it makes the same of them however they are cut."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from taximeter import dialects
from taximeter.call import Call
from taximeter.dialect import WireRequest, WireResponse, all_dialects, find, is_endpoint
from taximeter.framing import AwsFrames, EventStream, Frame, Lines, Whole, framer_for
from taximeter.jsonbytes import load, skeleton
from taximeter.salvage import salvage
from taximeter_cli.loopback import _ANSWERS, Asked

RECORDINGS = Path(os.environ.get("TAXIMETER_RECORDINGS", Path(__file__).parents[3] / "shared" / "recordings"))


def read(call: Call, dialect: Any, content_type: str, pieces: list[bytes], *, all_of_it: bool = False) -> Call:
    framer = framer_for(content_type)
    framer.telling = None if all_of_it else dialect.telling
    frames = [frame for piece in pieces for frame in framer.feed(piece)] + list(framer.rest())
    for frame in frames:
        body = None if frame.data == b"[DONE]" else load(frame.data, prose=all_of_it or dialect.wraps)
        for message in body if isinstance(body, list) else [body]:
            dialect.read(call, message, frame)
    return call


def facts(call: Call) -> dict[str, Any]:
    """What a span will say."""
    said = asdict(call)
    for name in ("content", "state"):
        del said[name]
    return said


# ---------------------------------------------------------------------------------------------------------------------
# The registry


def test_every_module_is_a_dialect_or_private() -> None:
    modules = {path.stem for path in Path(dialects.__path__[0]).glob("*.py")} - {"__init__"}
    public = {name for name in modules if not name.startswith("_")}
    assert {dialect.name for dialect in all_dialects()} == public


def test_paths_of_others_are_left_alone() -> None:
    for path in ("/", "/v1/users", "/v1/messages/1/read", "/completions/list", "/v1/embeddings.json", "/chat"):
        assert not is_endpoint("POST", path), path
    for path in ("/v1/models", "/v1/chat/completions", "/v1/messages"):
        assert not is_endpoint("GET", path), path


def test_counting_tokens_is_no_call() -> None:
    for path in ("/v1/messages/count_tokens", "/v1beta/models/gemini:countTokens", "/v1/responses/input_tokens"):
        assert find(WireRequest("POST", "h", path, body=b'{"model": "m", "messages": []}')) is None, path


# ---------------------------------------------------------------------------------------------------------------------
# Cutting


ASKS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [], "stream_options": {"include_usage": True}},
    "/v1/responses": {"input": "x"},
    "/v1/messages": {"messages": [], "max_tokens": 5},
    "/v1beta/models/gemini-2.5-flash:streamGenerateContent": {"contents": []},
    "/v2/chat": {"messages": []},
    "/api/chat": {"messages": []},
    "/model/nova/converse-stream": {"messages": []},
    "/model/claude/invoke-with-response-stream": {"anthropic_version": "x", "messages": [], "max_tokens": 5},
}


def streamed(path: str) -> tuple[WireRequest, str, bytes]:
    body = {"model": "m", "stream": True, **ASKS[path]}
    asked = Asked(path, "", {}, b"", body, "m", {})
    answer = next(make for ending, make in _ANSWERS.items() if path.endswith(ending))(asked)
    request = WireRequest("POST", "localhost", path, body=json.dumps(body).encode())
    return request, answer.headers["content-type"], b"".join(answer.chunks)


@pytest.mark.parametrize("path", ASKS)
@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.integers(0, 4000), max_size=12), crlf=st.booleans())
def test_a_stream_reads_the_same_however_it_is_cut(path: str, cuts: list[int], crlf: bool) -> None:
    request, content_type, body = streamed(path)
    found = find(request)
    assert found is not None
    dialect, expected = found
    read(expected, dialect, content_type, [body], all_of_it=True)
    assert expected.usage.output_tokens
    if crlf and "event-stream" in content_type and "amazon" not in content_type:
        body = body.replace(b"\n", b"\r\n")
    edges = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    pieces = [body[start:end] for start, end in pairwise(edges)]
    again = find(request)
    assert again is not None
    assert facts(read(again[1], dialect, content_type, pieces)) == facts(expected)


@given(st.binary(max_size=400), st.sampled_from([EventStream, Lines, Whole, AwsFrames]))
def test_no_framer_fails_but_with_a_value_error(data: bytes, framer: Any) -> None:
    cutting = framer()
    try:
        list(cutting.feed(data)), list(cutting.rest())
    except ValueError:
        pass


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=20), inner, max_size=6),
    max_leaves=30,
)
KEYS = sorted(
    set(re.findall(r'"(\w+)"', "".join(path.read_text() for path in Path(dialects.__path__[0]).glob("*.py"))))
)
SHAPED = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**12) | st.floats() | st.sampled_from(KEYS) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=8),
    max_leaves=25,
)


@pytest.mark.parametrize("dialect", all_dialects(), ids=lambda dialect: dialect.name)
@settings(max_examples=150, deadline=None)
@given(
    asked=SHAPED, answered=SHAPED, prose=st.booleans(), event=st.sampled_from(["", "chunk", "metadata", "messageStop"])
)
def test_nothing_that_is_json_makes_a_dialect_fail(
    dialect: Any, asked: Any, answered: Any, prose: bool, event: str
) -> None:
    for ending in dialect.endpoints:
        path = f"/model/m{ending}" if "bedrock" in dialect.name else f"/v1/models/m{ending}"
        request = WireRequest("POST", "h", path, body=json.dumps(asked).encode(), prose=prose)
        call = dialect.open(request)
        if call is not None:
            dialect.read(call, answered, Frame(b"{}", event))
            dialect.read(call, answered, Frame(b"{}", event))


# ---------------------------------------------------------------------------------------------------------------------
# Reading JSON without its prose


@given(JSON)
def test_a_skeleton_is_the_same_but_for_long_strings(value: Any) -> None:
    body = json.dumps(value).encode()
    assert load(skeleton(body)) == json.loads(body)


@given(st.text(min_size=600, max_size=3000), st.text(max_size=50), st.booleans())
def test_a_skeleton_keeps_what_stands_beside_the_prose(prose: str, model: str, ascii_only: bool) -> None:
    value = {"messages": [{"content": prose}], "model": model, "stop": ['"', "\\", '\\"']}
    reduced = load(skeleton(json.dumps(value, ensure_ascii=ascii_only).encode()))
    assert (reduced["model"], reduced["stop"]) == (model, ['"', "\\", '\\"'])


def test_what_is_left_of_a_large_body_is_salvaged() -> None:
    piece = b'4, 0.5]}], "usage": {"prompt_tokens": 8, "details": {"a": 1}}, "model": "m-1"}'
    assert salvage(piece) == {"model": "m-1", "usage": {"prompt_tokens": 8, "details": {"a": 1}}}
    assert salvage(b'"usage": {"prompt_tok') == {}


# ---------------------------------------------------------------------------------------------------------------------
# Single facts that recordings taught


def whole(path: str, asked: dict[str, Any], answer: dict[str, Any], host: str = "h", **headers: str) -> Call:
    request = WireRequest("POST", host, path, body=json.dumps(asked).encode(), headers=headers)
    found = find(request)
    assert found is not None
    dialect, call = found
    if dialect.answer is not None:
        dialect.answer(call, WireResponse(200, headers))
    return read(call, dialect, "application/json", [json.dumps(answer).encode()])


CHAT = "/v1/chat/completions"
ASKED = {"model": "m", "messages": []}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        # xAI leaves reasoning out of its output, and the total shows it
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 25,
                "completion_tokens_details": {"reasoning_tokens": 10},
            },
            (10, 15, 10),
        ),
        # OpenAI counts it in
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 15,
                "total_tokens": 25,
                "completion_tokens_details": {"reasoning_tokens": 10},
            },
            (10, 15, 10),
        ),
        # Numbers as others write them
        ({"prompt_tokens": 10.0, "completion_tokens": "15", "total_tokens": 25}, (10, 15, None)),
        ({"prompt_tokens": None, "completion_tokens": None}, (None, None, None)),
    ],
)
def test_reasoning_is_part_of_the_output(usage: dict[str, Any], expected: tuple[Any, ...]) -> None:
    used = whole(CHAT, ASKED, {"id": "1", "choices": [], "usage": usage}).usage
    assert (used.input_tokens, used.output_tokens, used.reasoning_tokens) == expected


def test_geminis_imitation_of_openai_hides_its_thoughts_in_the_total() -> None:
    usage = {"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109}
    answer = {"id": "1", "choices": [], "usage": usage}
    hidden = whole("/v1beta/openai/chat/completions", ASKED, answer, "generativelanguage.googleapis.com").usage
    assert (hidden.output_tokens, hidden.reasoning_tokens) == (74, 62)
    assert whole(CHAT, ASKED, answer).usage.output_tokens == 12


def test_reported_costs_in_three_currencies() -> None:
    def cost(usage: dict[str, Any]) -> Any:
        call = whole(CHAT, ASKED, {"id": "1", "choices": [], "usage": {"prompt_tokens": 1, **usage}})
        return call.attributes.get("taximeter.reported_cost_usd")

    assert cost({"cost": 0.25}) == 0.25
    assert cost({"cost": {"total_cost": 0.5}}) == 0.5
    assert cost({"cost_in_usd_ticks": 200_000_000}) == 0.02
    assert cost({}) is None


def test_what_geminis_tools_put_in_is_input() -> None:
    usage = {
        "promptTokenCount": 32,
        "candidatesTokenCount": 477,
        "thoughtsTokenCount": 240,
        "toolUsePromptTokenCount": 764,
        "totalTokenCount": 1513,
    }
    answer = {"candidates": [{"finishReason": 1}], "usageMetadata": usage}
    call = whole("/v1/models/gemini:generateContent", {"contents": []}, answer)
    assert (call.usage.input_tokens, call.usage.output_tokens) == (796, 717)
    assert call.finish_reasons == {0: "stop"}  # as a number: old Vertex SDKs ask for that


def test_gemini_streams_without_sse_are_one_array() -> None:
    events = [{"candidates": [{"content": {}}]}, {"candidates": [{"finishReason": "STOP"}], "responseId": "r"}]
    request = WireRequest("POST", "h", "/v1/models/g:streamGenerateContent", body=b'{"contents": []}')
    found = find(request)
    assert found is not None
    call = read(found[1], found[0], "application/json", [json.dumps(events, indent=1).encode()])
    assert (call.response_id, call.finish_reasons, call.complete) == ("r", {0: "stop"}, True)


def test_a_compaction_by_anthropic_stands_apart() -> None:
    iterations = [
        {"type": "compaction", "input_tokens": 100, "output_tokens": 83, "cache_read_input_tokens": 55_096},
        {"type": "message", "input_tokens": 181, "output_tokens": 8},
    ]
    usage = {"input_tokens": 181, "output_tokens": 8, "iterations": iterations}
    answer = {"type": "message", "id": "m", "model": "c", "stop_reason": "end_turn", "usage": usage}
    call = whole("/v1/messages", {"model": "c", "messages": [], "max_tokens": 9}, answer)
    assert (call.usage.input_tokens, call.conversation_compacted) == (181, True)
    assert call.attributes["taximeter.usage.compaction.cache_read_input_tokens"] == 55_096


def test_bedrock_counts_in_headers() -> None:
    headers = {
        "x-amzn-bedrock-input-token-count": "4",
        "x-amzn-bedrock-output-token-count": "9",
        "x-amzn-bedrock-cache-read-input-token-count": "18131",
    }
    call = whole("/model/m/invoke", {"prompt": "x"}, {"generations": [{"finish_reason": "COMPLETE"}]}, **headers)
    assert (call.usage.input_tokens, call.usage.output_tokens) == (18_135, 9)


def test_a_running_batch_has_used_nothing_yet() -> None:
    for status, tokens in (("in_progress", None), ("completed", 500)):
        answer = {"id": "batch_1", "status": status, "model": "m", "usage": {"input_tokens": 500, "output_tokens": 9}}
        found = find(WireRequest("GET", "h", "/v1/batches/batch_1"))
        assert found is not None
        call = read(found[1], found[0], "application/json", [json.dumps(answer).encode()])
        assert (call.response_id, call.usage.input_tokens) == ("batch_1", tokens)


# ---------------------------------------------------------------------------------------------------------------------
# Real exchanges, where they are at hand (TAXIMETER_RECORDINGS names the folder)


def exchanges() -> Iterator[Any]:
    for path in sorted(RECORDINGS.glob("*/*.json")):
        for number, exchange in enumerate(json.loads(path.read_text())["exchanges"]):
            yield pytest.param(exchange, id=f"{path.parent.name}/{path.stem}-{number}")


def body_of(message: dict[str, Any]) -> bytes:
    if "body_base64" in message:
        return base64.b64decode(message["body_base64"])
    return str(message.get("body_text") or "").encode()


COUNTS = re.compile(
    r'"(?:usage|usageMetadata|billed_units)"\s*:\s*\{[^{}]*"(\w*(?:tokens|TokenCount|Tokens))"\s*:\s*[1-9]'
)
NOT_CALLS = re.compile(r"/(threads(/[^/]+/messages)?|assistants(/[^/]+)?)$")


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recordings at hand; TAXIMETER_RECORDINGS names their folder")
def test_every_recording_is_read(telemetry: Any, switch_on: Any) -> None:
    import httpx

    switch_on()
    read_so_far = 0
    for parameter in exchanges():
        exchange: Any = parameter.values[0]
        asked, answered = exchange["request"], exchange["response"]
        if NOT_CALLS.search(asked["url"].partition("?")[0]):
            continue
        telemetry.clear()
        replay(httpx, asked, answered)
        check(telemetry, parameter.id, asked, answered)
        read_so_far += 1
    assert read_so_far > 100


def replay(httpx: Any, asked: dict[str, Any], answered: dict[str, Any]) -> None:
    body = body_of(answered)

    class Body(httpx.SyncByteStream):  # type: ignore[misc]
        def __iter__(self) -> Iterator[bytes]:
            for start in range(0, len(body), 700):
                yield body[start : start + 700]

    dropped = ("content-encoding", "content-length", "transfer-encoding")
    headers = {name: value for name, value in answered["headers"].items() if name.lower() not in dropped}
    transport = httpx.MockTransport(lambda _: httpx.Response(answered["status"], headers=headers, stream=Body()))
    with httpx.Client(transport=transport) as client:
        sent = {name: value for name, value in asked["headers"].items() if name.lower() != "content-length"}
        client.request(asked["method"], asked["url"].partition("#")[0], headers=sent, content=body_of(asked))


def check(telemetry: Any, name: str | None, asked: dict[str, Any], answered: dict[str, Any]) -> None:
    """Against what the answer says, read in another way: as text."""
    (span,) = telemetry.spans
    said = dict(span.attributes)
    body = body_of(answered).decode("utf-8", "replace")
    if answered["status"] >= 400:
        assert said["error.type"], name
        return
    assert "error.type" not in said, (name, said)
    if COUNTS.search(body):
        assert said.get("gen_ai.usage.input_tokens", 0) + said.get("gen_ai.usage.output_tokens", 0) > 0, name
    totals = re.findall(r'"(?:total_tokens|totalTokenCount|totalTokens)"\s*:\s*(\d+)', body)
    if totals and {"gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"} <= said.keys():
        assert said["gen_ai.usage.input_tokens"] + said["gen_ai.usage.output_tokens"] == int(totals[-1]), name
    for attribute, names in (
        ("gen_ai.response.model", r"model|modelVersion"),
        ("gen_ai.response.id", r"id|responseId"),
    ):
        if attribute in said:
            assert re.search(rf'"(?:{names}|\w*_id)"\s*:\s*"{re.escape(said[attribute])}"', body) or "bytes" in body, (
                name
            )
    reasons = re.findall(r'"(?:finish_reason|finishReason|stop_reason|stopReason|done_reason)"\s*:\s*"(\w+)"', body)
    if reasons and "finish_reasons" not in said:
        assert said["gen_ai.response.finish_reasons"], name


@pytest.mark.parametrize(
    ("path", "answer", "error_type"),
    [
        (CHAT, {"error": {"message": "no", "type": "server_error", "code": "overloaded"}}, "overloaded"),
        (CHAT, {"error": {"message": "no", "code": 502}}, "502"),
        (CHAT, {"id": "1", "choices": [{"finish_reason": "error", "error": {"code": 429, "message": "no"}}]}, "429"),
        ("/v1/messages", {"type": "error", "error": {"type": "overloaded_error", "message": "no"}}, "overloaded_error"),
        ("/v1/responses", {"id": "r", "status": "failed", "error": {"code": "server_error"}}, "server_error"),
        ("/v1/models/g:generateContent", {"error": {"code": 503, "status": "UNAVAILABLE"}}, "UNAVAILABLE"),
        ("/api/chat", {"error": "model not found"}, "_OTHER"),
    ],
)
def test_an_error_inside_a_200_is_an_error(path: str, answer: dict[str, Any], error_type: str) -> None:
    asked = {"model": "m", "messages": [], "max_tokens": 5, "input": "x", "contents": []}
    assert whole(path, asked, answer).error_type == error_type
