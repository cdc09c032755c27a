"""A provider on the loopback interface: it answers in the shapes that real ones use, whole and streamed, for nothing.

The demo and the tests put real SDKs in front of it. What it is asked for decides what it does: it knows the APIs by
their paths, streams where it is asked to, and follows the directions in the model's name (`m?status=429`, `m?cut=3`,
`m?pause=0.2`, `m?usage=no`). Who wants it to say something of their own gives it `says` (see `Said`).
"""

from __future__ import annotations

import gzip
import json
import struct
import sys
import threading
import time
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

__all__ = ["Asked", "Loopback", "Reply", "Said", "Spent"]

WORDS = ["The", " meter", " is", " running", "."]


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens as the ledger counts them: caches are part of the input, reasoning is part of the output."""

    input: int
    output: int
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0


@dataclass(slots=True)
class Said:
    """What the model says to chat, messages and embeddings. What is None is as always here."""

    words: list[str] = field(default_factory=lambda: list(WORDS))
    tools: list[tuple[str, dict[str, Any]]] | None = None
    """The tools that it calls instead, with their arguments."""
    spent: Spent | None = None
    model: str | None = None
    """The model that says that it answered."""
    id: str | None = None
    wait_s: float = 0.0
    """Until anything is sent."""
    pace_s: float = 0.0
    """Between the pieces of a stream."""
    status: int = 200


@dataclass(slots=True)
class Asked:
    """A request as it arrived."""

    path: str
    query: str
    headers: dict[str, str]
    raw: bytes
    body: dict[str, Any]
    model: str
    directions: dict[str, str]
    said: Said = field(default_factory=Said)


@dataclass(slots=True)
class Reply:
    """What goes back: the chunks are sent one by one, `pause_s` apart; `cut` hangs up after so many."""

    chunks: list[bytes]
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    pause_s: float = 0.0
    cut: int | None = None
    wait_s: float = 0.0


Answer = Callable[[Asked], Reply]
Says = Callable[[Asked], Said]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """That clients hang up between two requests is no news."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Loopback:
    """The server, on a free port, for as long as the `with` lasts."""

    def __init__(self, says: Says = lambda _: Said()) -> None:
        self._says = says
        self.asked: list[Asked] = []
        self.answers: dict[str, Answer] = dict(_ANSWERS)
        self._failures_left: dict[str, int] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                outer._serve(self)

            do_GET = do_POST  # noqa: N815 - the name is http.server's

            def log_message(self, *args: Any) -> None:
                return None

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fail_first(self, model: str, times: int) -> None:
        """Answer the next calls for a model with 503, so that an SDK tries again."""
        self._failures_left[model] = times

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        asked = _read(handler)
        self.asked.append(asked)
        try:
            _send(handler, asked, self._reply(asked))
        except (BrokenPipeError, ConnectionResetError):
            handler.close_connection = True

    def _reply(self, asked: Asked) -> Reply:
        if self._failures_left.get(asked.model, 0) > 0:
            self._failures_left[asked.model] -= 1
            return _error(asked, 503)
        if status := asked.directions.get("status"):
            return _error(asked, int(status))
        asked.said = self._says(asked)
        if asked.said.status >= 400:
            return _error(asked, asked.said.status)
        for ending, answer in self.answers.items():
            if asked.path.endswith(ending):
                reply = answer(asked)
                reply.wait_s = asked.said.wait_s
                reply.pause_s = float(asked.directions.get("pause", asked.said.pace_s))
                if "cut" in asked.directions:
                    reply.cut = int(asked.directions["cut"])
                return reply
        return Reply([b'{"error": {"message": "no such path", "type": "not_found"}}'], status=404)


def _read(handler: BaseHTTPRequestHandler) -> Asked:
    headers = {name.lower(): value for name, value in handler.headers.items()}
    raw = handler.rfile.read(int(headers.get("content-length", 0)))
    if headers.get("transfer-encoding") == "chunked":
        raw = b"".join(_chunks(handler))
    url = urlsplit(handler.path)
    try:
        body = json.loads(raw)
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    named = str(body.get("model") or _model_in(url.path))
    model, _, directions = named.partition("?")
    return Asked(url.path, url.query, headers, raw, body, model, dict(parse_qsl(directions)))


def _chunks(handler: BaseHTTPRequestHandler) -> Iterator[bytes]:
    while size := int(handler.rfile.readline().split(b";")[0], 16):
        yield handler.rfile.read(size)
        handler.rfile.readline()
    handler.rfile.readline()


def _model_in(path: str) -> str:
    for marker in ("/models/", "/model/", "/deployments/"):
        _, found, rest = path.partition(marker)
        if found:
            return unquote(rest.partition("/")[0].rpartition(":")[0] or rest.partition("/")[0])
    return ""


def _send(handler: BaseHTTPRequestHandler, asked: Asked, reply: Reply) -> None:
    headers = dict(reply.headers)
    chunks = reply.chunks
    if "gzip" in asked.headers.get("accept-encoding", "") and headers.get("content-type") == "application/json":
        headers["content-encoding"] = "gzip"
        chunks = [gzip.compress(b"".join(chunks))]
    if reply.wait_s:
        time.sleep(reply.wait_s)
    handler.send_response(reply.status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("transfer-encoding", "chunked")
    handler.end_headers()
    for number, chunk in enumerate(chunks):
        if reply.cut is not None and number >= reply.cut:
            handler.close_connection = True
            handler.connection.close()
            return
        if reply.pause_s:
            time.sleep(reply.pause_s)
        if chunk:  # an empty one would mean the end
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        handler.wfile.flush()
    handler.wfile.write(b"0\r\n\r\n")


# ---------------------------------------------------------------------------------------------------------------------
# Answers, by the end of the path


def _json(value: Any, **headers: str) -> Reply:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply([json.dumps(value).encode()], headers={"content-type": "application/json", **named})


def _events(events: list[Any], *, named: bool = False, done: bool = True) -> Reply:
    """Server-sent events; `named` ones carry their type as the event's name too."""
    chunks = []
    for event in events:
        name = f"event: {event['type']}\n".encode() if named else b""
        chunks.append(name + b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n")
    if done:
        chunks.append(b"data: [DONE]\n\n")
    return Reply(chunks, headers={"content-type": "text/event-stream"})


def _lines(values: list[Any]) -> Reply:
    chunks = [json.dumps(value).encode() + b"\n" for value in values]
    return Reply(chunks, headers={"content-type": "application/x-ndjson"})


def _aws_frames(events: list[tuple[str, Any]]) -> Reply:
    chunks = [_aws_frame(kind, json.dumps(payload).encode()) for kind, payload in events]
    return Reply(chunks, headers={"content-type": "application/vnd.amazon.eventstream"})


def _aws_frame(kind: str, payload: bytes) -> bytes:
    headers = b"".join(
        bytes([len(name)]) + name + b"\x07" + struct.pack(">H", len(value)) + value
        for name, value in (
            (b":event-type", kind.encode()),
            (b":content-type", b"application/json"),
            (b":message-type", b"event"),
        )
    )
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack(">I", zlib.crc32(message))


def _error(asked: Asked, status: int) -> Reply:
    if "/model/" in asked.path:
        kind = "ThrottlingException" if status in (429, 503) else "ValidationException"
        headers = {"content-type": "application/json", "x-amzn-errortype": kind}
        return Reply([b'{"message": "too many"}'], status=status, headers=headers)
    if ":generateContent" in asked.path or ":streamGenerateContent" in asked.path:
        error: dict[str, Any] = {"code": status, "message": "too many", "status": "RESOURCE_EXHAUSTED"}
        return Reply([json.dumps({"error": error}).encode()], status=status)
    error = {"type": "rate_limit_error", "message": "too many", "code": "rate_limit_exceeded", "param": None}
    if asked.path.endswith("/messages"):
        error = {"type": "rate_limit_error", "message": "too many"}
    headers = {"content-type": "application/json", "retry-after-ms": "1"}
    return Reply([json.dumps({"type": "error", "error": error}).encode()], status=status, headers=headers)


def _openai_chat(asked: Asked) -> Reply:
    model, body, said = asked.model, asked.body, asked.said
    spent = said.spent or Spent(120, 30, cache_read=100, reasoning=12)
    usage: dict[str, Any] = {
        "prompt_tokens": spent.input,
        "completion_tokens": spent.output,
        "total_tokens": spent.input + spent.output,
        "prompt_tokens_details": {"cached_tokens": spent.cache_read},
        "completion_tokens_details": {"reasoning_tokens": spent.reasoning},
    }
    if "openrouter" in asked.path:
        usage["cost"] = 0.00042
    asks_for_tool = bool(body.get("tools")) and body["messages"][-1]["role"] == "user"
    tools = said.tools if said.tools is not None else [("weather", {"city": "Oslo"})] if asks_for_tool else []
    called: list[dict[str, Any]] = [
        {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
        for number, (name, given) in enumerate(tools, 1)
    ]
    reason = "tool_calls" if called else "stop"
    base = {"id": said.id or "chatcmpl-1", "created": 1, "model": said.model or f"{model}-2024-07-18"}
    base["system_fingerprint"] = "fp_1"
    if not body.get("stream"):
        message: dict[str, Any] = {"role": "assistant", "content": None if called else "".join(said.words)}
        if called:
            message["tool_calls"] = called
        choices = [{"index": index, "message": message, "finish_reason": reason} for index in range(body.get("n") or 1)]
        whole = {**base, "object": "chat.completion", "choices": choices, "usage": usage, "service_tier": "default"}
        return _json(whole)
    base["object"] = "chat.completion.chunk"
    deltas: list[Any] = [{"role": "assistant", "content": ""}]
    deltas += [{"tool_calls": [{"index": index, **one}]} for index, one in enumerate(called)]
    deltas += [] if called else [{"content": word} for word in said.words]
    events: list[Any] = [{**base, "choices": [{"index": 0, "delta": d, "finish_reason": None}]} for d in deltas]
    events.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    wanted = (body.get("stream_options") or {}).get("include_usage") or "mistral" in model
    if wanted and asked.directions.get("usage") != "no":
        events.append({**base, "choices": [], "usage": usage})
    if "groq" in model:
        events[-1]["x_groq"] = {"id": "req_1", "usage": usage}
    return _events(events)


def _openai_completions(asked: Asked) -> Reply:
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    choice = {"index": 0, "text": "".join(WORDS), "finish_reason": "length", "logprobs": None}
    whole = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": asked.model, "choices": [choice]}
    return _json({**whole, "usage": usage})


def _openai_responses(asked: Asked) -> Reply:
    usage = {
        "input_tokens": 120,
        "input_tokens_details": {"cached_tokens": 100},
        "output_tokens": 30,
        "output_tokens_details": {"reasoning_tokens": 12},
        "total_tokens": 150,
    }
    text = {"type": "output_text", "text": "".join(WORDS), "annotations": []}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [text]}
    response = {
        "id": asked.directions.get("id", "resp_1"),
        "object": "response",
        "created_at": 1,
        "model": f"{asked.model}-2025-04-14",
        "status": "completed",
        "output": [message],
        "usage": usage,
        "service_tier": "default",
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    if not asked.body.get("stream"):
        return _json(response)
    started = {**response, "status": "in_progress", "output": [], "usage": None}
    delta = {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0}
    events: list[Any] = [{"type": "response.created", "response": started}]
    events += [{**delta, "delta": word, "logprobs": []} for word in WORDS]
    events.append({"type": "response.completed", "response": response})
    numbered = [{**event, "sequence_number": number} for number, event in enumerate(events)]
    return _events(numbered, named=True, done=False)


def _openai_embeddings(asked: Asked) -> Reply:
    vector: Any = b64encode(struct.pack("<4f", 0.1, 0.2, 0.3, 0.4)).decode()
    if asked.body.get("encoding_format") != "base64":
        vector = [0.1, 0.2, 0.3, 0.4]
    data = [{"object": "embedding", "index": 0, "embedding": vector}]
    count = asked.said.spent.input if asked.said.spent else 8
    usage = {"prompt_tokens": count, "total_tokens": count}
    return _json({"object": "list", "id": "emb-1", "model": asked.model, "data": data, "usage": usage})


def _openai_images(asked: Asked) -> Reply:
    details = {"text_tokens": 10, "image_tokens": 0}
    usage = {"input_tokens": 10, "output_tokens": 1056, "total_tokens": 1066, "input_tokens_details": details}
    return _json({"created": 1, "data": [{"b64_json": "AAAA"}], "usage": usage})


def _openai_transcription(asked: Asked) -> Reply:
    usage = {"type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59}
    return _json({"text": "hello", "usage": {**usage, "input_token_details": {"text_tokens": 0, "audio_tokens": 14}}})


def _openai_speech(asked: Asked) -> Reply:
    return Reply([b"\xff\xfb\x90\x00" * 100], headers={"content-type": "audio/mpeg"})


def _anthropic(asked: Asked) -> Reply:
    said = asked.said
    spent = said.spent or Spent(1070, 30, cache_read=1000, cache_write=50)
    usage = {
        "input_tokens": spent.input - spent.cache_read - spent.cache_write,
        "cache_read_input_tokens": spent.cache_read,
        "cache_creation_input_tokens": spent.cache_write,
        "cache_creation": {"ephemeral_5m_input_tokens": spent.cache_write, "ephemeral_1h_input_tokens": 0},
        "output_tokens": spent.output,
        "service_tier": "standard",
    }
    calls_tool = bool(asked.body.get("tools"))
    message = {
        "id": said.id or "msg_1",
        "type": "message",
        "role": "assistant",
        "model": said.model or (f"{asked.model}-20250929" if asked.model else "claude"),
        "stop_sequence": None,
        "usage": usage,
    }
    called = {"type": "tool_use", "id": "toolu_1", "name": "weather"}
    block = {**called, "input": {"city": "Oslo"}} if calls_tool else {"type": "text", "text": "".join(said.words)}
    reason = "tool_use" if calls_tool else "end_turn"
    if not asked.body.get("stream") and "stream" not in asked.path:
        return _json({**message, "content": [block], "stop_reason": reason}, request_id="req_1")
    first: dict[str, Any] = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    pieces = [{"type": "text_delta", "text": word} for word in said.words]
    opened = {"type": "text", "text": ""}
    if calls_tool:
        pieces = [{"type": "input_json_delta", "partial_json": piece} for piece in ('{"city":', ' "Oslo"}')]
        opened = {**called, "input": {}}  # type: ignore[dict-item]
    events: list[Any] = [{"type": "message_start", "message": first}]
    events.append({"type": "content_block_start", "index": 0, "content_block": opened})
    events.append({"type": "ping"})
    events += [{"type": "content_block_delta", "index": 0, "delta": piece} for piece in pieces]
    events.append({"type": "content_block_stop", "index": 0})
    ended = {"stop_reason": reason, "stop_sequence": None}
    events.append({"type": "message_delta", "delta": ended, "usage": {"output_tokens": spent.output}})
    events.append({"type": "message_stop"})
    if asked.directions.get("error") == "midway":
        failed = {"type": "error", "error": {"type": "overloaded_error", "message": "overloaded"}}
        events[4:] = [failed]
    return _events(events, named=True, done=False)


def _gemini(asked: Asked) -> Reply:
    usage = {
        "promptTokenCount": 40,
        "candidatesTokenCount": 10,
        "thoughtsTokenCount": 25,
        "cachedContentTokenCount": 32,
        "totalTokenCount": 75,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 40}],
    }
    named = {"modelVersion": asked.model, "responseId": "gem-1"}

    def said(text: str, **more: Any) -> dict[str, Any]:
        content = {"role": "model", "parts": [{"text": text}]}
        return {"candidates": [{"content": content, "index": 0, **more}], **named}

    if "stream" not in asked.path:
        return _json({**said("".join(WORDS), finishReason="STOP"), "usageMetadata": usage})
    early = {"promptTokenCount": 41, "totalTokenCount": 41}
    events = [{**said(word), "usageMetadata": early} for word in WORDS[:-1]]
    events.append({**said(WORDS[-1], finishReason="STOP"), "usageMetadata": usage})
    return _events(events, done=False)


def _gemini_embed(asked: Asked) -> Reply:
    return _json({"embeddings": [{"values": [0.1, 0.2]}]})


def _cohere_chat(asked: Asked) -> Reply:
    usage = {
        "billed_units": {"input_tokens": 15, "output_tokens": 9},
        "tokens": {"input_tokens": 80, "output_tokens": 9},
    }
    content = [{"type": "text", "text": "".join(WORDS)}]
    if not asked.body.get("stream"):
        message = {"role": "assistant", "content": content}
        return _json({"id": "coh-1", "finish_reason": "COMPLETE", "message": message, "usage": usage})
    events: list[Any] = [{"type": "message-start", "id": "coh-1", "delta": {"message": {"role": "assistant"}}}]
    events += [
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": word}}}} for word in WORDS
    ]
    events.append({"type": "message-end", "id": "coh-1", "delta": {"finish_reason": "COMPLETE", "usage": usage}})
    return _events(events, named=True)


def _cohere_embed(asked: Asked) -> Reply:
    meta = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 6}}
    return _json({"id": "emb-1", "embeddings": {"float": [[0.1, 0.2]]}, "texts": ["x"], "meta": meta})


def _cohere_rerank(asked: Asked) -> Reply:
    meta = {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}
    return _json({"id": "rr-1", "results": [{"index": 0, "relevance_score": 0.9}], "meta": meta})


def _ollama_chat(asked: Asked) -> Reply:
    base = {"model": asked.model, "created_at": "2026-01-01T00:00:00Z"}
    counted = {"done": True, "done_reason": "stop", "prompt_eval_count": 26, "eval_count": 5, "total_duration": 5}
    if asked.body.get("stream") is False:
        return _json({**base, "message": {"role": "assistant", "content": "".join(WORDS)}, **counted})
    lines: list[Any] = [{**base, "message": {"role": "assistant", "content": word}, "done": False} for word in WORDS]
    return _lines([*lines, {**base, "message": {"role": "assistant", "content": ""}, **counted}])


def _ollama_generate(asked: Asked) -> Reply:
    base = {"model": asked.model, "created_at": "2026-01-01T00:00:00Z"}
    counted = {"done": True, "done_reason": "stop", "prompt_eval_count": 26, "eval_count": 5}
    return _json({**base, "response": "".join(WORDS), **counted})


def _ollama_embed(asked: Asked) -> Reply:
    return _json({"model": asked.model, "embeddings": [[0.1, 0.2]], "prompt_eval_count": 4})


def _converse(asked: Asked) -> Reply:
    usage = {
        "inputTokens": 20,
        "outputTokens": 30,
        "totalTokens": 1050,
        "cacheReadInputTokens": 1000,
        "cacheWriteInputTokens": 0,
    }
    message = {"role": "assistant", "content": [{"text": "".join(WORDS)}]}
    whole = {"output": {"message": message}, "stopReason": "end_turn", "usage": usage, "metrics": {"latencyMs": 5}}
    return _json(whole)


def _converse_stream(asked: Asked) -> Reply:
    usage = {"inputTokens": 20, "outputTokens": 30, "totalTokens": 50}
    events: list[tuple[str, Any]] = [("messageStart", {"role": "assistant"})]
    events += [("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": word}}) for word in WORDS]
    events.append(("contentBlockStop", {"contentBlockIndex": 0}))
    events.append(("messageStop", {"stopReason": "end_turn"}))
    events.append(("metadata", {"usage": usage, "metrics": {"latencyMs": 5}}))
    return _aws_frames(events)


def _invoke(asked: Asked) -> Reply:
    counts = {"x_amzn_bedrock_input_token_count": "12", "x_amzn_bedrock_output_token_count": "34"}
    if "anthropic_version" in asked.body:
        return _anthropic(asked)
    return _json({"outputs": [{"text": "".join(WORDS), "stop_reason": "stop"}]}, **counts)


def _invoke_stream(asked: Asked) -> Reply:
    events = []
    for chunk in _anthropic(asked).chunks:
        event = json.loads(chunk.partition(b"data: ")[2])
        if event["type"] == "message_stop":
            counts = {"inputTokenCount": 20, "outputTokenCount": 30, "cacheReadInputTokenCount": 1000}
            event["amazon-bedrock-invocationMetrics"] = {**counts, "cacheWriteInputTokenCount": 50}
        events.append(("chunk", {"bytes": b64encode(json.dumps(event).encode()).decode(), "p": "abc"}))
    return _aws_frames(events)


_ANSWERS: dict[str, Answer] = {
    "/chat/completions": _openai_chat,
    "/v1/completions": _openai_completions,
    "/responses": _openai_responses,
    "/api/embed": _ollama_embed,
    "/embeddings": _openai_embeddings,
    "/images/generations": _openai_images,
    "/audio/transcriptions": _openai_transcription,
    "/audio/speech": _openai_speech,
    "/messages": _anthropic,
    ":rawPredict": _anthropic,
    ":streamRawPredict": _anthropic,
    ":generateContent": _gemini,
    ":streamGenerateContent": _gemini,
    ":batchEmbedContents": _gemini_embed,
    ":embedContent": _gemini_embed,
    "/v2/chat": _cohere_chat,
    "/embed": _cohere_embed,
    "/rerank": _cohere_rerank,
    "/api/chat": _ollama_chat,
    "/api/generate": _ollama_generate,
    "/converse": _converse,
    "/converse-stream": _converse_stream,
    "/invoke": _invoke,
    "/invoke-with-response-stream": _invoke_stream,
}
