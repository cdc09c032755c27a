"""Gemini's Interactions API: stateful turns with models and agents."""

from __future__ import annotations

from typing import Any

from taximeter.call import Call, Content
from taximeter.dialect import Dialect, WireRequest
from taximeter.dialects._fields import integer, items, number, obj, strings, text, total
from taximeter.framing import Frame

__all__ = ["DIALECT"]

_ENDPOINT = "/interactions"
_FINISHED = {"completed": "stop", "requires_action": "tool_calls", "incomplete": "length", "failed": "error"}


def _open(request: WireRequest) -> Call | None:
    body = request.json()
    if request.method == "GET":
        interaction = request.segment("interactions")
        if interaction is None or not request.path.endswith(f"/{interaction}"):
            return None
        if not request.host.endswith("googleapis.com") and "google-genai" not in request.headers.get("user-agent", ""):
            return None
        return Call("fetch_response", fetched=True, response_id=interaction)
    if not request.path.endswith(_ENDPOINT) or "input" not in body or not {"model", "agent"} & body.keys():
        return None
    call = Call("generate_content", text(body.get("model")) or text(body.get("agent")))
    call.stream = body.get("stream") is True
    call.previous_response_id = text(body.get("previous_interaction_id"))
    config = obj(body.get("generation_config"))
    call.max_tokens = integer(config.get("max_output_tokens"))
    call.temperature = number(config.get("temperature"))
    call.top_p = number(config.get("top_p"))
    call.seed = integer(config.get("seed"))
    call.stop_sequences = strings(config.get("stop_sequences"))
    call.reasoning_level = text(config.get("thinking_level"))
    if agent := text(body.get("agent")):
        call.attributes["gen_ai.agent.name"] = agent
    if request.prose:
        call.content = content = Content()
        if system := text(body.get("system_instruction")):
            content.system.append({"type": "text", "content": system})
        given = body.get("input")
        said = [given] if isinstance(given, str) else [text(item.get("text")) or "" for item in items(given)]
        content.input.append({"role": "user", "parts": [{"type": "text", "content": piece} for piece in said]})
    return call


def _read(call: Call, body: Any, frame: Frame) -> None:
    if frame.data == b"[DONE]":
        call.complete = True
        return
    body = obj(body)
    if error := obj(body.get("error")):
        call.fail(text(error.get("status")) or error.get("code"), error.get("message"))
        return
    kind = text(body.get("event_type"))
    interaction = obj(body.get("interaction")) if kind else body
    call.response_id = text(interaction.get("id")) or call.response_id
    call.response_model = text(interaction.get("model")) or text(interaction.get("agent")) or call.response_model
    call.status = text(interaction.get("status")) or call.status
    if reason := _FINISHED.get(call.status or ""):
        call.finish_reasons[0] = reason
    if not kind or kind == "interaction.completed":
        call.complete = True
        _read_usage(call, obj(interaction.get("usage")))
        if call.content is not None:
            call.content.output = [
                {"role": "assistant", "parts": [{"type": "text", "content": said}]}
                for step in items(interaction.get("steps") or interaction.get("outputs"))
                for piece in (items(step.get("content")) if isinstance(step.get("content"), list) else (step,))
                if (said := text(piece.get("text")))
            ]


def _read_usage(call: Call, usage: dict[str, Any]) -> None:
    """Thoughts stand beside the output, and what tools put in beside the input; both belong to the totals."""
    if not usage:
        return
    mine = call.usage
    mine.reasoning_tokens = integer(usage.get("total_thought_tokens") or usage.get("total_reasoning_tokens"))
    mine.input_tokens = total(integer(usage.get("total_input_tokens")), integer(usage.get("total_tool_use_tokens")))
    mine.output_tokens = total(integer(usage.get("total_output_tokens")), mine.reasoning_tokens)
    mine.cache_read_tokens = integer(usage.get("total_cached_tokens"))
    for item in items(usage.get("input_tokens_by_modality")):
        count = integer(item.get("tokens"))
        match text(item.get("modality")):
            case "text":
                mine.text_input_tokens = count
            case "image":
                mine.image_input_tokens = count
            case "audio":
                mine.audio_input_tokens = count
    for item in items(usage.get("grounding_tool_count")):
        if (kind := text(item.get("type"))) and (n := integer(item.get("count"))) is not None:
            call.attributes[f"taximeter.usage.{kind}"] = n


DIALECT = Dialect(
    name="gemini_interactions",
    provider="gcp.gemini",
    endpoints=(_ENDPOINT,),
    methods=("POST", "GET"),
    ids=True,
    open=_open,
    read=_read,
)
