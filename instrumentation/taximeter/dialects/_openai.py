"""What the OpenAI-shaped APIs share: parameters, usage, messages, errors. Spoken by a few dozen providers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

from taximeter.call import Call, Content
from taximeter.dialect import WireRequest
from taximeter.dialects._fields import (
    Table,
    arguments,
    assign,
    integer,
    items,
    more_than_one,
    number,
    obj,
    strings,
    text,
)

__all__ = [
    "append_piece",
    "media",
    "parts_of",
    "read_error",
    "read_identity",
    "read_messages",
    "read_parameters",
    "read_reported_cost",
    "read_tools",
    "read_usage",
    "shaped",
    "tool_call",
]

_XAI_TICKS_PER_USD = 10_000_000_000


_OUTPUT_TYPES: dict[str, str] = {"text": "text", "json_object": "json", "json_schema": "json"}
_PARAMETERS: Table = {
    "stream": ("stream", lambda value: value is True),
    "max_tokens": ("max_tokens", integer),
    "max_completion_tokens": ("max_tokens", integer),
    "temperature": ("temperature", number),
    "top_p": ("top_p", number),
    "top_k": ("top_k", integer),
    "frequency_penalty": ("frequency_penalty", number),
    "presence_penalty": ("presence_penalty", number),
    "stop": ("stop_sequences", strings),
    "seed": ("seed", integer),
    "random_seed": ("seed", integer),  # Mistral
    "n": ("choice_count", more_than_one),
    "reasoning_effort": ("reasoning_level", text),
    "reasoning": ("reasoning_level", lambda value: text(obj(value).get("effort"))),
    "response_format": ("output_type", lambda value: _OUTPUT_TYPES.get(str(obj(value).get("type")))),
    "modalities": ("output_type", lambda value: "speech" if "audio" in (strings(value) or ()) else None),
}


def read_parameters(call: Call, body: dict[str, Any]) -> None:
    assign(call, body, _PARAMETERS)
    if (tier := text(body.get("service_tier"))) and tier != "auto":
        call.attributes["openai.request.service_tier"] = tier


def read_identity(call: Call, body: dict[str, Any]) -> None:
    """Who answered. Azure's first event has them empty, so the first that say something count."""
    call.response_id = call.response_id or text(body.get("id"))
    call.response_model = call.response_model or text(body.get("model"))
    if tier := text(body.get("service_tier")):
        call.attributes["openai.response.service_tier"] = tier
    if fingerprint := text(body.get("system_fingerprint")):
        call.attributes["openai.response.system_fingerprint"] = fingerprint


_READ_DETAILS: Table = {
    "cached_tokens": ("cache_read_tokens", integer),
    "cache_read_input_tokens": ("cache_read_tokens", integer),  # Perplexity
    "cached_prompt_text_tokens": ("cache_read_tokens", integer),  # xAI
    "cache_write_tokens": ("cache_write_tokens", integer),
    "text_tokens": ("text_input_tokens", integer),
    "image_tokens": ("image_input_tokens", integer),
    "audio_tokens": ("audio_input_tokens", integer),
}
_WRITTEN_DETAILS: Table = {
    "reasoning_tokens": ("reasoning_tokens", integer),
    "text_tokens": ("text_output_tokens", integer),
    "image_tokens": ("image_output_tokens", integer),
    "audio_tokens": ("audio_output_tokens", integer),
}
_USAGE: Table = {
    "prompt_tokens": ("input_tokens", integer),
    "input_tokens": ("input_tokens", integer),
    "completion_tokens": ("output_tokens", integer),
    "output_tokens": ("output_tokens", integer),
    "reasoning_tokens": ("reasoning_tokens", integer),
    # Where DeepSeek, Mistral, Anthropic's and Databricks' imitations put what was cached.
    "prompt_cache_hit_tokens": ("cache_read_tokens", integer),
    "num_cached_tokens": ("cache_read_tokens", integer),
    "cached_tokens": ("cache_read_tokens", integer),
    "cache_read_input_tokens": ("cache_read_tokens", integer),
}
_DETAILS: Mapping[str, Table] = {
    "prompt_tokens_details": _READ_DETAILS,
    "prompt_token_details": _READ_DETAILS,  # runs
    "input_tokens_details": _READ_DETAILS,
    "input_token_details": _READ_DETAILS,  # transcriptions
    "completion_tokens_details": _WRITTEN_DETAILS,
    "output_tokens_details": _WRITTEN_DETAILS,
    "output_token_details": _WRITTEN_DETAILS,
}


def read_usage(call: Call, usage: dict[str, Any]) -> None:
    """Chat, completions, responses, embeddings, runs and images: one shape under two sets of names."""
    if not usage:
        return
    mine = call.usage
    assign(mine, usage, _USAGE)
    for name, value in usage.items():
        if name in _DETAILS and isinstance(value, dict):
            assign(mine, value, _DETAILS[name])
            for ttl, count in obj(value.get("cache_write_tokens_details")).items():
                if (tokens := integer(count)) is not None:
                    call.attributes[f"taximeter.usage.cache_write_{ttl.removeprefix('ttl_')}"] = tokens
        elif name in _COUNTED_APART and (count := integer(value)) is not None:
            call.attributes[f"taximeter.usage.{name}"] = count
    stated_total = integer(usage.get("total_tokens"))
    if mine.input_tokens is None and mine.output_tokens is None:
        mine.input_tokens = stated_total  # some embedding servers say no more
    _reconcile(call, stated_total)
    read_reported_cost(call, usage)


# Billed, and no tokens.
_COUNTED_APART = frozenset(
    {
        "num_search_queries",
        "citation_tokens",
        "num_sources_used",
        "prompt_audio_seconds",
        "pages_processed",
        "connector_tokens",
    }
)


def _reconcile(call: Call, stated_total: int | None) -> None:
    """Some leave tokens out of the counts that belong in them; the total tells who: it adds up only one way.

    xAI's chat leaves out reasoning, Mistral's transcription the sound, Gemini's imitation of this API its thoughts,
    which it does not even name.
    """
    usage = call.usage
    if stated_total is None or usage.input_tokens is None or usage.output_tokens is None:
        return
    left_out = stated_total - usage.input_tokens - usage.output_tokens
    if left_out <= 0:
        return
    if left_out == usage.reasoning_tokens:
        usage.output_tokens += left_out
    elif left_out == usage.audio_input_tokens:
        usage.input_tokens += left_out
    elif call.state.get("hides_thoughts"):
        usage.output_tokens += left_out
        usage.reasoning_tokens = left_out


def read_reported_cost(call: Call, usage: dict[str, Any]) -> None:
    """What the provider says it charged: OpenRouter a number, Perplexity an object, xAI ticks."""
    if "cost" not in usage and "cost_in_usd_ticks" not in usage:
        return
    cost = usage.get("cost")
    reported = number(obj(cost).get("total_cost")) if isinstance(cost, dict) else number(cost)
    if reported is None and (ticks := integer(usage.get("cost_in_usd_ticks"))) is not None:
        reported = ticks / _XAI_TICKS_PER_USD
    if reported is not None:
        call.attributes["taximeter.reported_cost_usd"] = float(reported)
    if (upstream := number(obj(usage.get("cost_details")).get("upstream_inference_cost"))) is not None:
        call.attributes["taximeter.reported_upstream_cost_usd"] = float(upstream)


def read_error(call: Call, body: dict[str, Any]) -> bool:
    """An error that the provider reports inside a body or a stream. True if there was one."""
    error = body.get("error")
    if not error:
        return False
    if isinstance(error, dict):
        call.fail(text(error.get("code")) or text(error.get("type")) or error.get("code"), error.get("message"))
    else:
        call.fail("_OTHER", error)
    return True


# ---------------------------------------------------------------------------------------------------------------------
# Content


def read_tools(content: Content, tools: object) -> None:
    for tool in items(tools):
        function = obj(tool.get("function")) or obj(tool.get("custom")) or tool
        name = text(function.get("name"))
        kind = text(tool.get("type")) or "function"
        if kind == "function" and name:
            definition = {
                "type": "function",
                "name": name,
                "description": text(function.get("description")),
                "parameters": function.get("parameters"),
            }
        else:
            definition = {"type": kind, "name": name or kind}
        content.tools.append(definition)


def read_messages(content: Content, messages: object) -> None:
    """The messages of a chat, theirs into ours. System prompts are part of the input, where they stand."""
    for message in items(messages):
        role = text(message.get("role")) or "user"
        parts = list(parts_of(message.get("content")))
        if role == "tool":
            answer = message.get("content")
            parts = [{"type": "tool_call_response", "id": text(message.get("tool_call_id")), "response": answer}]
        parts += _more_parts(message)
        content.input.append(
            {"role": role, "parts": parts} | ({"name": message["name"]} if text(message.get("name")) else {})
        )


def _more_parts(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if reasoning := text(message.get("reasoning_content")) or text(message.get("reasoning")):
        yield {"type": "reasoning", "content": reasoning}
    if refusal := text(message.get("refusal")):
        yield {"type": "text", "content": refusal}
    for called in items(message.get("tool_calls")):
        yield tool_call(called)
    if function := obj(message.get("function_call")):
        yield {
            "type": "tool_call",
            "id": None,
            "name": function.get("name"),
            "arguments": arguments(function.get("arguments")),
        }


def tool_call(called: dict[str, Any]) -> dict[str, Any]:
    function = obj(called.get("function")) or obj(called.get("custom"))
    given = function.get("arguments", function.get("input"))
    return {
        "type": "tool_call",
        "id": text(called.get("id")),
        "name": text(function.get("name")) or "",
        "arguments": arguments(given),
    }


def parts_of(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, str):
        yield {"type": "text", "content": value}
    for part in items(value):
        yield _part(part)


def _part(part: dict[str, Any]) -> dict[str, Any]:
    kind = text(part.get("type")) or "text"
    match kind:
        case "text" | "input_text" | "output_text":
            return {"type": "text", "content": part.get("text") or ""}
        case "refusal":
            return {"type": "text", "content": part.get("refusal") or ""}
        case "image_url" | "input_image":
            image = part.get("image_url")
            return media("image", url=image.get("url") if isinstance(image, dict) else image, file=part.get("file_id"))
        case "input_audio":
            audio = obj(part.get("input_audio"))
            return media("audio", data=audio.get("data"), mime=f"audio/{audio.get('format') or 'wav'}")
        case "file" | "input_file":
            file = obj(part.get("file")) or part
            return media("document", url=file.get("file_data") or file.get("file_url"), file=file.get("file_id"))
        case "thinking" | "reasoning":
            return {
                "type": "reasoning",
                "content": "".join(t.get("content", "") for t in parts_of(part.get("thinking"))),
            }
        case _:
            return {"type": kind}


def append_piece(parts: list[dict[str, Any]], kind: str, piece: str) -> None:
    """Add a piece of text or reasoning to the part that is being written."""
    if parts and parts[-1]["type"] == kind:
        parts[-1]["content"] += piece
    else:
        parts.append({"type": kind, "content": piece})


def media(
    modality: str, *, url: object = None, data: object = None, file: object = None, mime: str | None = None
) -> dict[str, Any]:
    """A picture, a sound or a document: by address, by value or by reference."""
    if isinstance(url, str) and url.startswith("data:"):
        head, _, data = url.removeprefix("data:").partition(",")
        mime, url = head.partition(";")[0] or mime, None
    if isinstance(data, str):
        try:
            return {"type": "blob", "modality": modality, "mime_type": mime, "content": base64.b64decode(data)}
        except (binascii.Error, ValueError):
            return {"type": "blob", "modality": modality, "mime_type": mime, "content": b""}
    if isinstance(url, str):
        return {"type": "uri", "modality": modality, "mime_type": mime, "uri": url}
    return {"type": "file", "modality": modality, "mime_type": mime, "file_id": str(file or "")}


def shaped(request: WireRequest, *keys: str) -> bool:
    """Whether the body has one of the keys that only this API's requests have."""
    body = request.json()
    for key in keys:
        if key in body:
            return True
    return False
