"""Gemini and Vertex AI: generateContent, its stream, embeddings and `predict`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from taximeter.call import Call, Content
from taximeter.dialect import Dialect, WireRequest
from taximeter.dialects._fields import integer, items, more_than_one, number, obj, strings, text, total
from taximeter.dialects._openai import media
from taximeter.framing import Frame

__all__ = ["DIALECT"]

_GENERATE = ("generateContent", "streamGenerateContent")
_EMBED = ("embedContent", "batchEmbedContents", "asyncBatchEmbedContent")
_VERBS = (*_GENERATE, *_EMBED, "predict", "generateText", "embedText")

# Old Vertex SDKs ask for enums as numbers.
_FINISH_NUMBERS = {
    1: "STOP",
    2: "MAX_TOKENS",
    3: "SAFETY",
    4: "RECITATION",
    5: "OTHER",
    6: "BLOCKLIST",
    7: "PROHIBITED_CONTENT",
    8: "SPII",
    9: "MALFORMED_FUNCTION_CALL",
}
_MODALITY_NUMBERS = {1: "TEXT", 2: "IMAGE", 3: "VIDEO", 4: "AUDIO", 5: "DOCUMENT"}


def _open(request: WireRequest) -> Call | None:
    path, _, verb = request.path.rpartition(":")
    if verb not in _VERBS or "/publishers/anthropic/" in path or "/publishers/mistralai/" in path:
        return None
    body = request.json()
    model = request.segment("models") or request.segment("tunedModels") or request.segment("endpoints")
    if verb in _EMBED or (
        verb == "predict" and any("content" in instance for instance in items(body.get("instances")))
    ):
        call = Call("embeddings", model)
        asked = next(items(body.get("requests")), body)
        call.dimension_count = integer(_either(asked, "outputDimensionality", "output_dimensionality")) or integer(
            obj(body.get("parameters")).get("outputDimensionality")
        )
        return call
    if verb == "predict":
        return _open_images(body, model)
    call = Call("generate_content", model, stream=verb == "streamGenerateContent")
    _read_config(call, obj(_either(body, "generationConfig", "generation_config")))
    if tier := text(body.get("serviceTier")):
        call.attributes["gcp.gemini.request.service_tier"] = tier
    if request.prose:
        call.content = Content()
        _read_content(call.content, body)
    return call


def _open_images(body: dict[str, Any], model: str | None) -> Call | None:
    if not any("prompt" in instance for instance in items(body.get("instances"))):
        return None
    call = Call("image_generation", model, output_type="image")
    call.choice_count = more_than_one(obj(body.get("parameters")).get("sampleCount"))
    return call


def _read_config(call: Call, config: dict[str, Any]) -> None:
    call.max_tokens = integer(_either(config, "maxOutputTokens", "max_output_tokens"))
    call.temperature = number(config.get("temperature"))
    call.top_p = number(_either(config, "topP", "top_p"))
    call.top_k = integer(_either(config, "topK", "top_k"))
    call.seed = integer(config.get("seed"))
    call.stop_sequences = strings(_either(config, "stopSequences", "stop_sequences"))
    call.frequency_penalty = number(_either(config, "frequencyPenalty", "frequency_penalty"))
    call.presence_penalty = number(_either(config, "presencePenalty", "presence_penalty"))
    call.choice_count = more_than_one(_either(config, "candidateCount", "candidate_count"))
    thinking = obj(_either(config, "thinkingConfig", "thinking_config"))
    call.reasoning_level = text(_either(thinking, "thinkingLevel", "thinking_level"))
    mime = text(_either(config, "responseMimeType", "response_mime_type"))
    modalities = strings(_either(config, "responseModalities", "response_modalities")) or []
    if mime is not None:
        call.output_type = {"application/json": "json", "text/plain": "text"}.get(mime)
    if "IMAGE" in modalities:
        call.output_type = "image"
    elif "AUDIO" in modalities:
        call.output_type = "speech"


def _read(call: Call, body: Any, frame: Frame) -> None:
    body = obj(body)
    error = obj(body.get("error"))
    if error:
        call.fail(text(error.get("status")) or error.get("code"), error.get("message"))
        return
    call.response_id = text(body.get("responseId")) or call.response_id
    call.response_model = text(body.get("modelVersion")) or call.response_model
    for at, candidate in enumerate(items(body.get("candidates"))):
        index = integer(candidate.get("index")) or at
        call.finish_reasons[index] = _finish_reason(candidate.get("finishReason")) or call.finish_reasons.get(index)
        if call.content is not None:
            _read_candidate(call, call.content, index, candidate)
    call.complete = bool(call.finish_reasons) and None not in call.finish_reasons.values()
    if reason := obj(body.get("promptFeedback")).get("blockReason"):
        call.finish_reasons.setdefault(0, "content_filter")
        call.attributes["gcp.gemini.block_reason"] = str(reason)
        call.complete = True
    _read_usage(call, obj(body.get("usageMetadata")))
    if call.operation == "embeddings":
        _read_embedding_usage(call, body)
    if call.operation == "image_generation":
        call.attributes["taximeter.usage.images"] = sum(1 for _ in items(body.get("predictions")))


def _finish_reason(reason: object) -> str | None:
    name = _FINISH_NUMBERS.get(reason) if isinstance(reason, int) else text(reason)
    return name.lower() if name and name != "FINISH_REASON_UNSPECIFIED" else None


def _read_usage(call: Call, usage: dict[str, Any]) -> None:
    """The last word of a stream stands: earlier counts may be higher.

    `candidatesTokenCount` leaves thoughts out and `promptTokenCount` leaves out what tools put in; both are billed.
    """
    if not usage:
        return
    mine = call.usage
    prompt, used_by_tools = integer(usage.get("promptTokenCount")), integer(usage.get("toolUsePromptTokenCount"))
    written = integer(usage.get("candidatesTokenCount"))
    if written is None:
        written = integer(usage.get("responseTokenCount"))
    mine.reasoning_tokens = integer(usage.get("thoughtsTokenCount"))
    mine.input_tokens = total(prompt, used_by_tools)
    mine.output_tokens = total(written, mine.reasoning_tokens)
    mine.cache_read_tokens = integer(usage.get("cachedContentTokenCount"))
    if used_by_tools:
        call.attributes["taximeter.usage.tool_use.input_tokens"] = used_by_tools
    read = _by_modality(usage.get("promptTokensDetails"), usage.get("toolUsePromptTokensDetails"))
    wrote = _by_modality(usage.get("candidatesTokensDetails"), usage.get("responseTokensDetails"))
    cached = _by_modality(usage.get("cacheTokensDetails"))
    mine.text_input_tokens, mine.image_input_tokens, mine.audio_input_tokens = map(read.get, _MODALITIES)
    mine.text_output_tokens, mine.image_output_tokens, mine.audio_output_tokens = map(wrote.get, _MODALITIES)
    mine.text_cache_read_tokens, mine.image_cache_read_tokens, mine.audio_cache_read_tokens = map(
        cached.get, _MODALITIES
    )
    if (video := read.get("VIDEO")) is not None:
        call.attributes["taximeter.usage.video.input_tokens"] = video
    for name in ("trafficType", "serviceTier"):
        if (value := usage.get(name)) is not None:
            key = "traffic_type" if name == "trafficType" else "service_tier"
            call.attributes[f"gcp.gemini.response.{key}"] = str(value)


_MODALITIES = ("TEXT", "IMAGE", "AUDIO")


def _by_modality(*details: object) -> dict[str, int]:
    counts: dict[str, int] = {}
    for detail in details:
        for item in items(detail):
            modality = item.get("modality")
            name = _MODALITY_NUMBERS.get(modality) if isinstance(modality, int) else text(modality)
            if name and (count := integer(item.get("tokenCount"))) is not None:
                counts[name] = counts.get(name, 0) + count
    return counts


def _read_embedding_usage(call: Call, body: dict[str, Any]) -> None:
    """Vertex counts per input; Gemini's own API says nothing in most versions."""
    call.finish_reasons.clear()
    predicted = [obj(obj(item.get("embeddings")).get("statistics")) for item in items(body.get("predictions"))]
    counted = [obj(item.get("statistics")) for item in items(body.get("embeddings"))]
    counts = [integer(_either(stats, "token_count", "tokenCount")) for stats in predicted + counted]
    if (tokens := total(*counts)) is not None:
        call.usage.input_tokens = tokens
    if (characters := integer(obj(body.get("metadata")).get("billableCharacterCount"))) is not None:
        call.attributes["taximeter.usage.characters"] = characters


def _either(values: dict[str, Any], *names: str) -> Any:
    return next((values[name] for name in names if values.get(name) is not None), None)


# ---------------------------------------------------------------------------------------------------------------------
# Content


def _read_content(content: Content, body: dict[str, Any]) -> None:
    system = obj(_either(body, "systemInstruction", "system_instruction"))
    content.system += [part for part in _parts(system.get("parts")) if part["type"] == "text"]
    contents = body.get("contents")
    for message in [contents] if isinstance(contents, dict) else items(contents):
        role = text(message.get("role")) or "user"
        content.input.append({"role": _ROLES.get(role, role), "parts": list(_parts(message.get("parts")))})
    for tool in items(body.get("tools")):
        declared = _either(tool, "functionDeclarations", "function_declarations")
        for function in items(declared):
            content.tools.append(
                {
                    "type": "function",
                    "name": text(function.get("name")) or "",
                    "description": text(function.get("description")),
                    "parameters": _either(function, "parameters", "parametersJsonSchema"),
                }
            )
        content.tools += [{"type": name, "name": name} for name in tool if declared is None]


_ROLES = {"model": "assistant", "function": "tool"}


def _parts(value: object) -> Iterator[dict[str, Any]]:
    for part in items(value):
        if "text" in part:
            yield {"type": "reasoning" if part.get("thought") else "text", "content": part["text"] or ""}
        elif called := obj(_either(part, "functionCall", "function_call")):
            yield {
                "type": "tool_call",
                "id": text(called.get("id")),
                "name": text(called.get("name")) or "",
                "arguments": called.get("args"),
            }
        elif answered := obj(_either(part, "functionResponse", "function_response")):
            yield {
                "type": "tool_call_response",
                "id": text(answered.get("id")) or text(answered.get("name")),
                "response": answered.get("response"),
            }
        elif blob := obj(_either(part, "inlineData", "inline_data")):
            mime = text(_either(blob, "mimeType", "mime_type"))
            yield media((mime or "document").partition("/")[0], data=blob.get("data"), mime=mime)
        elif file := obj(_either(part, "fileData", "file_data")):
            mime = text(_either(file, "mimeType", "mime_type"))
            modality = (mime or "document").partition("/")[0]
            yield media(modality, url=_either(file, "fileUri", "file_uri"), mime=mime)
        else:
            kind = next((name for name in part if name not in ("thought", "thoughtSignature")), "unknown")
            yield {"type": kind}


def _read_candidate(call: Call, content: Content, index: int, candidate: dict[str, Any]) -> None:
    said = call.state.get(index)
    if said is None:
        said = call.state[index] = {"role": "assistant", "parts": []}
        content.output.append(said)
    said["finish_reason"] = call.finish_reasons.get(index)
    for part in _parts(obj(candidate.get("content")).get("parts")):
        last = said["parts"][-1] if said["parts"] else {}
        if part["type"] in ("text", "reasoning") and last.get("type") == part["type"]:
            last["content"] += part["content"]
        else:
            said["parts"].append(part)


DIALECT = Dialect(
    name="gemini",
    provider="gcp.gemini",
    endpoints=tuple(f":{verb}" for verb in _VERBS),
    open=_open,
    read=_read,
)
