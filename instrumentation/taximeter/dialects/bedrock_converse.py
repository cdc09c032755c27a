"""Amazon Bedrock's Converse and ConverseStream: one shape for every model family."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from taximeter.call import Call, Content
from taximeter.dialect import Dialect, WireRequest, WireResponse
from taximeter.dialects._anthropic import finish_reason
from taximeter.dialects._fields import arguments, integer, items, number, obj, strings, text, total
from taximeter.dialects._openai import append_piece, media
from taximeter.framing import Frame

__all__ = ["DIALECT"]

_ENDPOINTS = ("/converse", "/converse-stream")


def model_id(path: str) -> str | None:
    """The model of `/model/{id}/...`: a name, an inference profile or a whole ARN."""
    _, found, rest = path.partition("/model/")
    return unquote(rest.rpartition("/")[0]) or None if found else None


def read_exception(call: Call, body: dict[str, Any], frame: Frame) -> bool:
    """An error in mid-stream: its name is in the frame's headers, or is the only key of the message."""
    name = frame.headers.get(":exception-type") or frame.headers.get(":error-code")
    if name is None:
        return False
    call.fail(name, text(body.get("message")) or frame.headers.get(":error-message"))
    return True


def read_error_type(call: Call, response: WireResponse) -> None:
    """Bedrock names an error in a header and explains it in the body."""
    if response.status >= 400 and (kind := response.headers.get("x-amzn-errortype")):
        call.fail(kind.partition(":")[0])


def _open(request: WireRequest) -> Call | None:
    if not request.path.endswith(_ENDPOINTS) or "/model/" not in request.path:
        return None
    body = request.json()
    call = Call("chat", model_id(request.path), stream=request.path.endswith("-stream"))
    config = obj(body.get("inferenceConfig"))
    call.max_tokens = integer(config.get("maxTokens"))
    call.temperature = number(config.get("temperature"))
    call.top_p = number(config.get("topP"))
    call.stop_sequences = strings(config.get("stopSequences"))
    more = obj(body.get("additionalModelRequestFields"))
    call.top_k = integer(more.get("top_k")) or integer(obj(more.get("inferenceConfig")).get("topK"))
    call.reasoning_level = text(obj(more.get("output_config")).get("effort"))
    if guardrail := text(obj(body.get("guardrailConfig")).get("guardrailIdentifier")):
        call.attributes["aws.bedrock.guardrail.id"] = guardrail
    if tier := text(obj(body.get("serviceTier")).get("type")):
        call.attributes["aws.bedrock.request.service_tier"] = tier
    if request.prose:
        call.content = Content()
        _read_content(call.content, body)
    return call


def _read(call: Call, body: Any, frame: Frame) -> None:
    body = obj(body)
    if read_exception(call, body, frame):
        return
    event = frame.event or "whole"
    if event == "messageStop" or event == "whole":
        if reason := text(body.get("stopReason")):
            call.finish_reasons[0] = finish_reason(reason)
    if event == "metadata" or event == "whole":
        call.complete = True
        read_usage(call, obj(body.get("usage")))
        if tier := text(obj(body.get("serviceTier")).get("type")):
            call.attributes["aws.bedrock.response.service_tier"] = tier
        routed = text(obj(obj(body.get("trace")).get("promptRouter")).get("invokedModelId"))
        call.response_model = routed or call.response_model
    if call.content is not None:
        _read_answer(call, call.content, event, body)


_COUNTS = {
    "fresh": ("inputTokens", "inputTokenCount"),
    "output": ("outputTokens", "outputTokenCount"),
    "read": ("cacheReadInputTokens", "cacheReadInputTokenCount"),
    "write": ("cacheWriteInputTokens", "cacheWriteInputTokenCount"),
}


def read_usage(call: Call, usage: dict[str, Any]) -> None:
    """`inputTokens` leaves the cache out. Nova spells the cache counts another way, and some answers have both.

    What an earlier message said stands until a later one says otherwise.
    """
    if not usage:
        return
    known = call.state.setdefault("aws usage", {})
    for field, names in _COUNTS.items():
        if (count := _either(usage, *names)) is not None:
            known[field] = count
    mine = call.usage
    mine.cache_read_tokens, mine.cache_write_tokens = known.get("read"), known.get("write")
    if (fresh := known.get("fresh")) is not None:
        mine.input_tokens = total(fresh, mine.cache_read_tokens, mine.cache_write_tokens)
    mine.output_tokens = known.get("output")
    for detail in items(usage.get("cacheDetails")):
        if (ttl := text(detail.get("ttl"))) and (count := integer(detail.get("inputTokens"))):
            call.attributes[f"taximeter.usage.cache_write_{ttl}_tokens"] = count


def _either(usage: dict[str, Any], *names: str) -> int | None:
    return next((count for name in names if (count := integer(usage.get(name))) is not None), None)


# ---------------------------------------------------------------------------------------------------------------------
# Content


def _read_content(content: Content, body: dict[str, Any]) -> None:
    content.system += [{"type": "text", "content": said} for p in items(body.get("system")) if (said := p.get("text"))]
    for message in items(body.get("messages")):
        content.input.append(
            {"role": text(message.get("role")) or "user", "parts": list(_parts(message.get("content")))}
        )
    for tool in items(obj(body.get("toolConfig")).get("tools")):
        spec = obj(tool.get("toolSpec"))
        if name := text(spec.get("name")):
            schema = obj(spec.get("inputSchema")).get("json")
            described = text(spec.get("description"))
            content.tools.append({"type": "function", "name": name, "description": described, "parameters": schema})


def _parts(value: object) -> Iterator[dict[str, Any]]:
    for block in items(value):
        if "text" in block:
            yield {"type": "text", "content": block["text"] or ""}
        elif reasoning := obj(block.get("reasoningContent")):
            yield {"type": "reasoning", "content": text(obj(reasoning.get("reasoningText")).get("text")) or ""}
        elif used := obj(block.get("toolUse")):
            called = {"id": text(used.get("toolUseId")), "name": text(used.get("name")) or ""}
            yield {"type": "tool_call", **called, "arguments": used.get("input")}
        elif result := obj(block.get("toolResult")):
            answered = {"id": text(result.get("toolUseId")), "response": result.get("content")}
            yield {"type": "tool_call_response", **answered}
        else:
            kind = next(iter(block), "unknown")
            source = obj(obj(block.get(kind)).get("source"))
            if kind in ("image", "document", "video", "audio") and source:
                address = obj(source.get("s3Location")).get("uri")
                yield media(kind, url=address, data=source.get("bytes"), mime=text(obj(block[kind]).get("format")))
            else:
                yield {"type": kind}


def _read_answer(call: Call, content: Content, event: str, body: dict[str, Any]) -> None:
    if event == "whole":
        message = obj(obj(body.get("output")).get("message"))
        parts = list(_parts(message.get("content")))
        ended = call.finish_reasons.get(0)
        content.output = [{"role": "assistant", "parts": parts, "finish_reason": ended}]
        return
    if not content.output:
        content.output.append({"role": "assistant", "parts": []})
    said = content.output[0]
    key = (body.get("contentBlockIndex"), "block")
    match event:
        case "contentBlockStart":
            for part in _parts([obj(body.get("start"))]):
                call.state[key] = part | ({"arguments": ""} if part["type"] == "tool_call" else {})
                said["parts"].append(call.state[key])
        case "contentBlockDelta":
            delta = obj(body.get("delta"))
            if piece := text(delta.get("text")):
                append_piece(said["parts"], "text", piece)
            elif piece := text(obj(delta.get("reasoningContent")).get("text")):
                append_piece(said["parts"], "reasoning", piece)
            elif (piece := text(obj(delta.get("toolUse")).get("input"))) and key in call.state:
                call.state[key]["arguments"] += piece
        case "contentBlockStop":
            begun = call.state.get(key)
            if begun is not None and begun["type"] == "tool_call":
                begun["arguments"] = arguments(begun["arguments"] or "{}")
        case "messageStop":
            said["finish_reason"] = call.finish_reasons.get(0)


DIALECT = Dialect(
    name="bedrock_converse",
    provider="aws.bedrock",
    endpoints=_ENDPOINTS,
    open=_open,
    finishes=True,
    read=_read,
    answer=read_error_type,
    telling=(b"messageS", b"metadata", b"xception", b":error-code"),
)
