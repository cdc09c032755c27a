"""The Anthropic Messages API's request and response, wherever they travel: direct, Vertex, Bedrock, Azure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from taximeter.call import Call, Content
from taximeter.dialects._fields import arguments, integer, items, number, obj, strings, text, total
from taximeter.dialects._openai import append_piece, media

__all__ = ["TELLING", "ends", "finish_reason", "read_body", "read_content", "read_message", "read_usage"]

# Messages that are no piece of a content block.
TELLING = (b"message_", b'"error"')

_FINISH_REASONS = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_call"}


def ends(data: bytes) -> bool:
    """Whether a piece of a stream has the last event in it, which is short and comes last."""
    return data.find(b"message_stop", -128) >= 0


def finish_reason(reason: str | None) -> str | None:
    """The conventions' word for a stop reason, as the official instrumentation has it; others stay as they are."""
    return _FINISH_REASONS.get(reason, reason) if reason else None


def read_body(call: Call, body: dict[str, Any]) -> None:
    call.max_tokens = integer(body.get("max_tokens")) or integer(body.get("max_tokens_to_sample"))
    call.temperature = number(body.get("temperature"))
    call.top_p = number(body.get("top_p"))
    call.top_k = integer(body.get("top_k"))
    call.stop_sequences = strings(body.get("stop_sequences"))
    call.reasoning_level = text(obj(body.get("output_config")).get("effort"))
    output_format = obj(obj(body.get("output_config")).get("format")) or obj(body.get("output_format"))
    if output_format.get("type") == "json_schema":
        call.output_type = "json"
    if (tier := text(body.get("service_tier"))) and tier != "auto":
        call.attributes["anthropic.request.service_tier"] = tier


def read_message(call: Call, message: dict[str, Any]) -> None:
    """A whole message."""
    call.response_id = text(message.get("id")) or call.response_id
    call.response_model = text(message.get("model")) or call.response_model
    _read_stop(call, message)
    read_usage(call, obj(message.get("usage")))
    if call.content is not None and message.get("content"):
        said = {"role": "assistant", "parts": list(_parts(message["content"]))}
        call.content.output = [said | {"finish_reason": call.finish_reasons.get(0)}]


def read_event(call: Call, event: dict[str, Any]) -> bool:
    """One event of a streamed message; False if it is none."""
    match event.get("type"):
        case "message_start":
            read_message(call, obj(event.get("message")))
        case "message_delta":
            _read_stop(call, obj(event.get("delta")))
            read_usage(call, obj(event.get("usage")))
        case "message_stop":
            call.complete = True
        case "content_block_start" | "content_block_delta" | "content_block_stop":
            if call.content is not None:
                _read_block(call, call.content, event)
        case "error":
            error = obj(event.get("error"))
            call.fail(text(error.get("type")), error.get("message"))
        case "ping":
            pass
        case _:
            return False
    return True


def _read_stop(call: Call, source: dict[str, Any]) -> None:
    if reason := text(source.get("stop_reason")):
        call.finish_reasons[0] = finish_reason(reason)
    else:
        call.finish_reasons.setdefault(0, None)


def read_usage(call: Call, usage: dict[str, Any]) -> None:
    """Counts are cumulative over a stream, and a later event may leave some out: what was said last stands.

    `input_tokens` is what was neither read from nor written to the cache; the conventions want the whole.
    """
    known = call.state.setdefault("usage", {})
    known.update({name: value for name, value in usage.items() if value is not None})
    if not known:
        return
    mine = call.usage
    mine.cache_read_tokens = integer(known.get("cache_read_input_tokens"))
    mine.cache_write_tokens = integer(known.get("cache_creation_input_tokens"))
    mine.input_tokens = integer(known.get("input_tokens"))
    if mine.input_tokens is not None:
        mine.input_tokens = total(mine.input_tokens, mine.cache_read_tokens, mine.cache_write_tokens)
    mine.output_tokens = integer(known.get("output_tokens"))
    mine.reasoning_tokens = integer(obj(known.get("output_tokens_details")).get("thinking_tokens"))
    # The names that the SDK gives them on its own spans.
    for name in ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"):
        if count := integer(obj(known.get("cache_creation")).get(name)):
            call.attributes[f"anthropic.usage.cache_creation.{name}"] = count
    for name, value in obj(known.get("server_tool_use")).items():
        if count := integer(value):
            call.attributes[f"taximeter.usage.{name}"] = count
    for name in ("service_tier", "speed", "inference_geo"):
        if value := text(known.get(name)):
            call.attributes[f"anthropic.response.{name}"] = value
    _read_iterations(call, known.get("iterations"))


def _read_iterations(call: Call, iterations: object) -> None:
    """A server-side compaction uses tokens that the totals leave out; they are kept apart, and in sight."""
    compacted = [item for item in items(iterations) if item.get("type") == "compaction"]
    if not compacted:
        return
    call.conversation_compacted = True
    counted = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    for name in counted:
        if count := total(*(integer(item.get(name)) for item in compacted)):
            call.attributes[f"taximeter.usage.compaction.{name}"] = count


# ---------------------------------------------------------------------------------------------------------------------
# Content


def read_content(content: Content, body: dict[str, Any]) -> None:
    system = body.get("system")
    content.system += [part for part in _parts(system) if part["type"] == "text"]
    for message in items(body.get("messages")):
        content.input.append(
            {"role": text(message.get("role")) or "user", "parts": list(_parts(message.get("content")))}
        )
    for tool in items(body.get("tools")):
        name = text(tool.get("name")) or ""
        if "input_schema" in tool:
            content.tools.append(
                {
                    "type": "function",
                    "name": name,
                    "description": text(tool.get("description")),
                    "parameters": tool["input_schema"],
                }
            )
        else:
            content.tools.append({"type": text(tool.get("type")) or "function", "name": name})


def _parts(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, str):
        yield {"type": "text", "content": value}
    for block in items(value):
        yield _part(block)


def _part(block: dict[str, Any]) -> dict[str, Any]:
    kind = text(block.get("type")) or "text"
    match kind:
        case "text":
            return {"type": "text", "content": block.get("text") or ""}
        case "thinking":
            return {"type": "reasoning", "content": block.get("thinking") or ""}
        case "tool_use":
            return {
                "type": "tool_call",
                "id": text(block.get("id")),
                "name": text(block.get("name")) or "",
                "arguments": arguments(block.get("input")),
            }
        case "tool_result":
            return {
                "type": "tool_call_response",
                "id": text(block.get("tool_use_id")),
                "response": block.get("content"),
            }
        case "image" | "document":
            source = obj(block.get("source"))
            modality = "image" if kind == "image" else "document"
            mime = text(source.get("media_type"))
            return media(
                modality, url=source.get("url"), data=source.get("data"), file=source.get("file_id"), mime=mime
            )
        case "compaction":
            return {"type": "compaction", "content": text(block.get("content"))}
    if kind.endswith("_tool_result"):
        answer = {"type": kind, "content": block.get("content")}
        return {
            "type": "server_tool_call_response",
            "id": text(block.get("tool_use_id")),
            "server_tool_call_response": answer,
        }
    if kind in ("server_tool_use", "mcp_tool_use"):
        return {
            "type": "server_tool_call",
            "id": text(block.get("id")),
            "name": text(block.get("name")) or kind,
            "server_tool_call": {"type": kind, "input": block.get("input")},
        }
    return {"type": kind}


def _read_block(call: Call, content: Content, event: dict[str, Any]) -> None:
    """A piece of a content block."""
    if not content.output:
        content.output.append({"role": "assistant", "parts": []})
    parts = content.output[0]["parts"]
    index = (event.get("index"), "block")
    if event["type"] == "content_block_start":
        part = _part(obj(event.get("content_block")))
        if part["type"] == "tool_call":
            part["arguments"] = ""
        call.state[index] = part
        parts.append(part)
        return
    begun = call.state.get(index)
    if begun is None:
        return
    part = begun
    if event["type"] == "content_block_stop":
        if part["type"] == "tool_call":
            part["arguments"] = arguments(part["arguments"] or "{}")
        return
    delta = obj(event.get("delta"))
    match delta.get("type"):
        case "text_delta" | "thinking_delta":
            append_piece([part], part["type"], str(delta.get("text") or delta.get("thinking") or ""))
        case "input_json_delta" if part["type"] == "tool_call":
            part["arguments"] += str(delta.get("partial_json") or "")
