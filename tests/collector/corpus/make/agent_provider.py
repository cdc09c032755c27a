"""What the coding agents of agents.py are answered: a tool call for each step of what they are to do, then words.

The counts are those of the loopback provider. The tools are the agents' own, whatever they call them.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.collector.corpus.make.capture import Asked, Loopback, Reply

WORDS = "It is 42."
_SHELL = {"command": "echo 42", "description": "Say it", "is_background": False}
_COMMIT = "git init -q && git add -A && git -c user.name=a -c user.email=a@example.com commit -qm Notes"
_NOTES = "one\ntwo\nthree\n"
_DELEGATED = {"description": "Count", "prompt": "You are asked by another agent: how much?"}
TOOLS: dict[str, dict[str, dict[str, Any]]] = {
    "shell": {
        "Bash": {"command": "echo 42", "description": "Say it"},
        "exec_command": {"cmd": "echo 42"},
        "shell_command": {"command": "echo 42"},
        "shell": {"command": ["echo", "42"]},
        "run_shell_command": _SHELL,
        "bash": {"command": "echo 42", "description": "Say it"},
    },
    "write": {
        "Write": {"file_path": "NOTES/notes.txt", "content": _NOTES},
        "write_file": {"file_path": "NOTES/notes.txt", "content": _NOTES},
        "create": {"path": "NOTES/notes.txt", "file_text": _NOTES},
        "apply_patch": {"input": "*** Begin Patch\n*** Add File: notes.txt\n+one\n+two\n*** End Patch\n"},
    },
    "commit": {
        "Bash": {"command": _COMMIT, "description": "Commit"},
        "bash": {"command": _COMMIT, "description": "Commit"},
        "run_shell_command": {**_SHELL, "command": _COMMIT},
    },
    "delegate": {
        "Agent": {**_DELEGATED, "subagent_type": "general-purpose"},
        "Task": {**_DELEGATED, "subagent_type": "general-purpose"},
        "task": {**_DELEGATED, "agent_type": "general-purpose", "name": "counter", "mode": "sync"},
    },
}


@dataclass(slots=True)
class Script:
    """What is to happen. `failures` are statuses for the first requests; "failed" is a stream that ends so."""

    name: str
    steps: Sequence[str] = ("shell",)
    failures: list[int | str] = field(default_factory=list)
    request_ids: bool = True
    folder: str = ""
    numbers: Any = field(default_factory=lambda: count(1))

    def install(self, loopback: Loopback) -> None:
        """Put these answers in place of the usual ones."""
        answers: dict[str, Callable[[Asked, Turn], Reply]] = {
            "/messages": _anthropic,
            "/invoke-with-response-stream": _bedrock,
            "/responses": _responses,
            "/chat/completions": _chat,
            ":generateContent": _gemini,
            ":streamGenerateContent": _gemini,
        }
        for path, answer in answers.items():
            loopback.answers[path] = self._scripted(answer)
        loopback.answers["/count_tokens"] = lambda asked: _json({"input_tokens": 20})
        loopback.answers[":countTokens"] = lambda asked: _json({"totalTokens": 40})

    def _scripted(self, answer: Callable[[Asked, Turn], Reply]) -> Callable[[Asked], Reply]:
        def answered(asked: Asked) -> Reply:
            number = f"{self.name:0<14}"[:14].replace("-", "0") + f"{next(self.numbers):06d}"
            failure = self.failures.pop(0) if self.failures else 0
            if isinstance(failure, int) and failure:
                reply = _error(failure)
            else:
                reply = answer(asked, self._turn(asked, number, failure))
            if self.request_ids:
                reply.headers |= {"request-id": f"req_{number}", "x-request-id": f"req_{number}"}
            return reply

        return answered

    def _turn(self, asked: Asked, number: str, failure: object) -> Turn:
        body = asked.body
        said = body.get("messages") or body.get("input") or body.get("contents") or []
        done = sum(json.dumps(said).count(mark) for mark in _RESULTS)
        tools = set(_tool_names(body))
        step = "" if done >= len(self.steps) or _DELEGATED["prompt"] in json.dumps(said[:2]) else self.steps[done]
        for name, arguments in TOOLS.get(step, {}).items():
            if name in tools:
                given = json.loads(json.dumps(arguments).replace("NOTES", self.folder))
                return Turn(number, name, given, failure == "failed")
        return Turn(number, failed=failure == "failed")


@dataclass(slots=True)
class Turn:
    """One answer."""

    number: str
    tool: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    failed: bool = False


_RESULTS = ('"type": "tool_result"', '"type": "function_call_output"', '"role": "tool"', '"functionResponse":')


def _tool_names(body: dict[str, Any]) -> list[str]:
    found = []
    for tool in body.get("tools") or []:
        for one in (tool, tool.get("function") or {}, *tool.get("functionDeclarations", [])):
            found += [str(one.get("name"))]
    return found


def _error(status: int) -> Reply:
    error = {"type": "overloaded_error", "message": "too many", "code": status, "status": "UNAVAILABLE"}
    headers = {"content-type": "application/json", "retry-after-ms": "1"}
    return Reply([json.dumps({"type": "error", "error": error}).encode()], status=status, headers=headers)


def _json(value: Any) -> Reply:
    return Reply([json.dumps(value).encode()])


def _stream(events: list[Any], *, done: bool = False) -> Reply:
    chunks = []
    for event in events:
        name = f"event: {event['type']}\n" if "type" in event else ""
        chunks.append(f"{name}data: {json.dumps(event)}\n\n".encode())
    if done:
        chunks.append(b"data: [DONE]\n\n")
    return Reply(chunks, headers={"content-type": "text/event-stream"})


def _anthropic_events(asked: Asked, turn: Turn) -> tuple[dict[str, Any], list[Any]]:
    usage = {
        "input_tokens": 20,
        "cache_read_input_tokens": 1000,
        "cache_creation_input_tokens": 50,
        "cache_creation": {"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 30,
        "service_tier": "standard",
    }
    reason = "tool_use" if turn.tool else "end_turn"
    model = "claude-sonnet-4-5-20250929" if "sonnet-4-5" in asked.model else asked.model
    message = {"id": f"msg_{turn.number}", "type": "message", "role": "assistant", "model": model}
    message |= {"content": [], "stop_reason": None, "stop_sequence": None}
    tool = {"type": "tool_use", "id": f"toolu_{turn.number}", "name": turn.tool, "input": {}}
    given = json.dumps(turn.arguments)
    block, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": WORDS}
    if turn.tool:
        block, delta = tool, {"type": "input_json_delta", "partial_json": given}  # type: ignore[assignment]
    whole = [{**tool, "input": turn.arguments}] if turn.tool else [{"type": "text", "text": WORDS}]
    events: list[Any] = [
        {"type": "message_start", "message": {**message, "usage": {**usage, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 30}},
        {"type": "message_stop"},
    ]
    return {**message, "content": whole, "stop_reason": reason, "usage": usage}, events


def _anthropic(asked: Asked, turn: Turn) -> Reply:
    whole, events = _anthropic_events(asked, turn)
    return _stream(events) if asked.body.get("stream") else _json(whole)


def _bedrock(asked: Asked, turn: Turn) -> Reply:
    from taximeter_cli.loopback import _aws_frames  # capture.py has put it where it is found

    _, events = _anthropic_events(asked, turn)
    frames = [("chunk", {"bytes": b64encode(json.dumps(event).encode()).decode()}) for event in events]
    reply = _aws_frames(frames)
    reply.headers["x-amzn-requestid"] = f"aws-{turn.number}"
    return reply


def _responses(asked: Asked, turn: Turn) -> Reply:
    usage = {
        "input_tokens": 120,
        "input_tokens_details": {"cached_tokens": 100},
        "output_tokens": 30,
        "output_tokens_details": {"reasoning_tokens": 12},
        "total_tokens": 150,
    }
    text = {"type": "output_text", "text": WORDS, "annotations": []}
    item: dict[str, Any] = {"id": f"msg_{turn.number}", "type": "message", "role": "assistant", "status": "completed"}
    item |= {"content": [text]}
    if turn.tool:
        item = {"id": f"fc_{turn.number}", "type": "function_call", "call_id": f"call_{turn.number}"}
        item |= {"name": turn.tool, "arguments": json.dumps(turn.arguments), "status": "completed"}
    response: dict[str, Any] = {
        "id": f"resp_{turn.number}",
        "object": "response",
        "created_at": 1,
        "model": asked.model,
    }
    started = {"type": "response.created", "response": {**response, "status": "in_progress", "output": []}}
    if turn.failed:
        error = {"code": "server_error", "message": "It went wrong."}
        failed = {**response, "status": "failed", "error": error, "output": []}
        return _stream([started, {"type": "response.failed", "response": failed}])
    whole = {**response, "status": "completed", "output": [item], "usage": usage, "service_tier": "default"}
    events: list[Any] = [
        started,
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]
    return _stream([{**event, "sequence_number": index} for index, event in enumerate(events)])


def _chat(asked: Asked, turn: Turn) -> Reply:
    usage = {
        "prompt_tokens": 120,
        "completion_tokens": 30,
        "total_tokens": 150,
        "prompt_tokens_details": {"cached_tokens": 100},
        "completion_tokens_details": {"reasoning_tokens": 12},
    }
    function = {"name": turn.tool, "arguments": json.dumps(turn.arguments)}
    called = {"index": 0, "id": f"call_{turn.number}", "type": "function", "function": function}
    said = {"role": "assistant", "content": None if turn.tool else WORDS}
    if turn.tool:
        said["tool_calls"] = [called]  # type: ignore[assignment]
    reason = "tool_calls" if turn.tool else "stop"
    base = {"id": f"chatcmpl-{turn.number}", "created": 1, "model": asked.model}
    if not asked.body.get("stream"):
        choice = {"index": 0, "message": said, "finish_reason": reason}
        return _json({**base, "object": "chat.completion", "choices": [choice], "usage": usage})
    base["object"] = "chat.completion.chunk"
    events: list[Any] = [
        {**base, "choices": [{"index": 0, "delta": said, "finish_reason": None}]},
        {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]},
        {**base, "choices": [], "usage": usage},
    ]
    return _stream(events, done=True)


def _gemini(asked: Asked, turn: Turn) -> Reply:
    usage = {
        "promptTokenCount": 40,
        "candidatesTokenCount": 10,
        "thoughtsTokenCount": 25,
        "toolUsePromptTokenCount": 5,
        "cachedContentTokenCount": 32,
        "totalTokenCount": 80,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 40}],
    }
    part = {"functionCall": {"name": turn.tool, "args": turn.arguments}} if turn.tool else {"text": WORDS}
    candidate = {"content": {"role": "model", "parts": [part]}, "index": 0, "finishReason": "STOP"}
    answer = {"candidates": [candidate], "modelVersion": asked.model, "responseId": f"gem-{turn.number}"}
    answer |= {"usageMetadata": usage}
    return _stream([answer]) if "stream" in asked.path else _json(answer)
