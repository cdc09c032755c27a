"""What the coding agents are answered: a tool call first, then words. Counts are those of the loopback provider.

The tool is the agent's own one for shell commands, whatever it is called there. `m?status=429` in a model's name fails.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.collector.corpus.make.capture import Asked, Loopback, Reply

COMMAND = "echo 42"
_SHELLS = ("Bash", "exec_command", "shell_command", "shell", "run_shell_command", "bash")
_events: Any = None


def install(loopback: Loopback, of: str) -> None:
    """Put these answers in place of the usual ones; their ids are made `of` this and a number."""
    count = iter(range(1, 1000))
    for path, answer in {
        "/messages": _anthropic,
        "/responses": _responses,
        "/chat/completions": _chat,
        ":generateContent": _gemini,
        ":streamGenerateContent": _gemini,
    }.items():
        loopback.answers[path] = _numbered(answer, of, count)
    loopback.answers["/count_tokens"] = lambda asked: _json({"input_tokens": 20})
    loopback.answers[":countTokens"] = lambda asked: _json({"totalTokens": 40})


def _numbered(answer: Callable[[Asked, str], Reply], of: str, count: Any) -> Callable[[Asked], Reply]:
    return lambda asked: answer(asked, f"{of}{next(count):016d}"[-20:])


def _json(value: Any, **headers: str) -> Reply:
    return Reply([json.dumps(value).encode()], headers={"content-type": "application/json", **headers})


def _stream(events: list[Any], done: bool = False, **headers: str) -> Reply:
    chunks = []
    for event in events:
        name = f"event: {event['type']}\n" if "type" in event else ""
        chunks.append(f"{name}data: {json.dumps(event)}\n\n".encode())
    if done:
        chunks.append(b"data: [DONE]\n\n")
    return Reply(chunks, headers={"content-type": "text/event-stream", **headers})


def _shell(names: list[str]) -> str | None:
    return next((name for name in _SHELLS if name in names), None)


def _anthropic(asked: Asked, number: str) -> Reply:
    tools = _shell([str(tool.get("name")) for tool in asked.body.get("tools") or []])
    answered = "tool_result" in json.dumps(asked.body.get("messages", [])[-1:])
    calls = tools is not None and not answered
    usage = {
        "input_tokens": 20,
        "cache_read_input_tokens": 1000,
        "cache_creation_input_tokens": 50,
        "cache_creation": {"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 30,
        "service_tier": "standard",
    }
    message = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": f"{asked.model}-20250929",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**usage, "output_tokens": 1},
    }
    tool = {"type": "tool_use", "id": f"toolu_{number}", "name": tools, "input": {}}
    block = tool if calls else {"type": "text", "text": ""}
    given = json.dumps({"command": COMMAND, "description": "Say it"})
    delta = (
        {"type": "input_json_delta", "partial_json": given} if calls else {"type": "text_delta", "text": "It is 42."}
    )
    reason = "tool_use" if calls else "end_turn"
    ids = {"request-id": f"req_{number}"}
    if not asked.body.get("stream"):
        whole = [{**tool, "input": json.loads(given)}] if calls else [{"type": "text", "text": "It is 42."}]
        return _json({**message, "content": whole, "stop_reason": reason, "usage": usage}, **ids)
    events: list[Any] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": None},
            "usage": {"output_tokens": 30},
        },
        {"type": "message_stop"},
    ]
    return _stream(events, **ids)


def _responses(asked: Asked, number: str) -> Reply:
    tools = _shell([str(tool.get("name")) for tool in asked.body.get("tools") or []])
    answered = "function_call_output" in json.dumps(asked.body.get("input", [])[-1:])
    usage = {
        "input_tokens": 120,
        "input_tokens_details": {"cached_tokens": 100},
        "output_tokens": 30,
        "output_tokens_details": {"reasoning_tokens": 12},
        "total_tokens": 150,
    }
    text = {"type": "output_text", "text": "It is 42.", "annotations": []}
    item: dict[str, Any] = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [text],
    }
    if tools is not None and not answered:
        key = "cmd" if tools == "exec_command" else "command"
        given: Any = {key: COMMAND if key == "cmd" or tools != "shell" else ["echo", "42"]}
        item = {"id": f"fc_{number}", "type": "function_call", "call_id": f"call_{number}", "name": tools}
        item |= {"arguments": json.dumps(given), "status": "completed"}
    response: dict[str, Any] = {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 1,
        "model": asked.model,
        "status": "completed",
        "output": [item],
        "usage": usage,
        "service_tier": "default",
    }
    events: list[Any] = [
        {"type": "response.created", "response": {**response, "status": "in_progress", "output": [], "usage": None}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": response},
    ]
    return _stream(
        [{**event, "sequence_number": index} for index, event in enumerate(events)], **{"x-request-id": f"req_{number}"}
    )


def _chat(asked: Asked, number: str) -> Reply:
    tools = _shell([str(tool.get("function", {}).get("name")) for tool in asked.body.get("tools") or []])
    calls = tools is not None and asked.body["messages"][-1]["role"] != "tool"
    usage = {
        "prompt_tokens": 120,
        "completion_tokens": 30,
        "total_tokens": 150,
        "prompt_tokens_details": {"cached_tokens": 100},
        "completion_tokens_details": {"reasoning_tokens": 12},
    }
    called = {"id": f"call_{number}", "type": "function"}
    given = json.dumps({"command": COMMAND, "description": "Say it", "is_background": False})
    called["function"] = {"name": tools, "arguments": given}  # type: ignore[assignment]
    reason = "tool_calls" if calls else "stop"
    base = {"id": f"chatcmpl-{number}", "created": 1, "model": asked.model}
    said = (
        {"role": "assistant", "content": None, "tool_calls": [called]}
        if calls
        else {"role": "assistant", "content": "It is 42."}
    )
    if not asked.body.get("stream"):
        choice = {"index": 0, "message": said, "finish_reason": reason}
        return _json({**base, "object": "chat.completion", "choices": [choice], "usage": usage})
    if calls:
        said = {**said, "tool_calls": [{"index": 0, **called}]}
    base["object"] = "chat.completion.chunk"
    events: list[Any] = [
        {**base, "choices": [{"index": 0, "delta": said, "finish_reason": None}]},
        {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]},
        {**base, "choices": [], "usage": usage},
    ]
    return _stream(events, done=True)


def _gemini(asked: Asked, number: str) -> Reply:
    declared = [one for tool in asked.body.get("tools") or [] for one in tool.get("functionDeclarations", [])]
    tools = _shell([str(one.get("name")) for one in declared])
    answered = "functionResponse" in json.dumps(asked.body.get("contents", [])[-1:])
    usage = {
        "promptTokenCount": 40,
        "candidatesTokenCount": 10,
        "thoughtsTokenCount": 25,
        "cachedContentTokenCount": 32,
        "totalTokenCount": 75,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 40}],
    }
    part: dict[str, Any] = {"text": "It is 42."}
    if tools is not None and not answered:
        part = {"functionCall": {"name": tools, "args": {"command": COMMAND, "description": "Say it"}}}
    if "responseJsonSchema" in json.dumps(asked.body) or "responseSchema" in json.dumps(asked.body):
        part = {
            "text": json.dumps(
                {
                    "complexity_reasoning": "It is simple.",
                    "complexity_score": 10,
                    "reasoning": "It is simple.",
                    "model_choice": "flash",
                }
            )
        }
    candidate = {"content": {"role": "model", "parts": [part]}, "index": 0, "finishReason": "STOP"}
    answer = {
        "candidates": [candidate],
        "modelVersion": asked.model,
        "responseId": f"gem-{number}",
        "usageMetadata": usage,
    }
    return _stream([answer]) if "stream" in asked.path else _json(answer)
