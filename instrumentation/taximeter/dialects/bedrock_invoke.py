"""Amazon Bedrock's InvokeModel, whole and streamed: each model family in its own words, told by what they say.

The model id may be an opaque ARN, so the body decides. Token counts come from the body where it has them, else from
the response headers or, at the end of a stream, from the service's own metrics.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from taximeter.call import Call, Content
from taximeter.dialect import Dialect, WireRequest, WireResponse
from taximeter.dialects import openai_chat
from taximeter.dialects._anthropic import finish_reason, read_body, read_content, read_event, read_message
from taximeter.dialects._fields import integer, items, number, obj, strings, text, total
from taximeter.dialects._openai import append_piece, read_messages, read_parameters
from taximeter.dialects.bedrock_converse import model_id, read_error_type, read_exception, read_usage
from taximeter.framing import Frame

__all__ = ["DIALECT"]

_ENDPOINTS = ("/invoke", "/invoke-with-response-stream")
_EMBEDS = ("inputText", "texts", "inputImage", "input_type")


def _open(request: WireRequest) -> Call | None:
    if not request.path.endswith(_ENDPOINTS) or "/model/" not in request.path:
        return None
    body = request.json()
    model = model_id(request.path)
    call = Call(_operation(body, model or ""), model, stream=request.path.endswith("-stream"))
    nova = obj(body.get("inferenceConfig")) or obj(body.get("textGenerationConfig"))
    if "anthropic_version" in body or "max_tokens_to_sample" in body:
        read_body(call, body)
    elif nova:
        call.max_tokens = integer(nova.get("maxTokens") or nova.get("maxTokenCount") or nova.get("max_new_tokens"))
        call.temperature = number(nova.get("temperature"))
        call.top_p = number(nova.get("topP") or nova.get("top_p"))
        call.top_k = integer(nova.get("topK") or nova.get("top_k"))
        call.stop_sequences = strings(nova.get("stopSequences"))
    else:
        read_parameters(call, body)
        call.max_tokens = call.max_tokens or integer(body.get("max_gen_len")) or integer(body.get("maxTokens"))
        call.top_p = call.top_p or number(body.get("p")) or number(body.get("topP"))
        call.top_k = call.top_k or integer(body.get("k"))
        call.stop_sequences = call.stop_sequences or strings(body.get("stop_sequences") or body.get("stopSequences"))
        call.stream = request.path.endswith("-stream")
    call.dimension_count = integer(body.get("dimensions"))
    if guardrail := request.headers.get("x-amzn-bedrock-guardrailidentifier"):
        call.attributes["aws.bedrock.guardrail.id"] = guardrail
    if request.prose and call.operation != "embeddings":
        call.content = Content()
        _read_content(call.content, body)
    return call


def _operation(body: dict[str, Any], model: str) -> str:
    if "messages" in body or "message" in body:
        return "chat"
    writes = "textGenerationConfig" in body or "titan-text" in model
    if "embed" in model or (any(key in body for key in _EMBEDS) and not writes):
        return "embeddings"
    if "query" in body and "documents" in body:
        return "rerank"
    if "taskType" in body or "text_prompts" in body:
        return "image_generation"
    return "text_completion"


def _answer(call: Call, response: WireResponse) -> None:
    read_error_type(call, response)
    headers = response.headers
    counts = {
        field: headers[name]
        for field, name in (
            ("inputTokens", "x-amzn-bedrock-input-token-count"),
            ("outputTokens", "x-amzn-bedrock-output-token-count"),
            ("cacheReadInputTokens", "x-amzn-bedrock-cache-read-input-token-count"),
            ("cacheWriteInputTokens", "x-amzn-bedrock-cache-write-input-token-count"),
        )
        if name in headers
    }
    read_usage(call, counts)
    if tier := headers.get("x-amzn-bedrock-service-tier"):
        call.attributes["aws.bedrock.response.service_tier"] = tier


def _read(call: Call, body: Any, frame: Frame) -> None:
    body = obj(body)
    if read_exception(call, body, frame):
        return
    if frame.event == "chunk":
        try:
            body = obj(json.loads(base64.b64decode(body.get("bytes") or "")))
        except (binascii.Error, ValueError):
            return
    if metrics := obj(body.get("amazon-bedrock-invocationMetrics")):
        read_usage(call, metrics)
        call.complete = True
    if read_event(call, body):  # Anthropic, streamed
        if metrics:  # the service's count is the billed one, and it stands beside the last event
            read_usage(call, metrics)
        return
    if body.get("type") == "message":  # Anthropic, whole
        read_message(call, body)
        return
    if "choices" in body:  # OpenAI's shape: Mistral Large, Pixtral, Jamba, DeepSeek, gpt-oss, Qwen
        openai_chat.DIALECT.read(call, body, frame)
        for choice in items(body["choices"]):
            if reason := text(choice.get("stop_reason")):
                call.finish_reasons[integer(choice.get("index")) or 0] = reason
        return
    if message := text(body.get("message")):
        if call.error_type is not None:
            call.error_message = call.error_message or message
            return
    _read_family(call, body)


def _read_family(call: Call, body: dict[str, Any]) -> None:
    """The families that have a shape of their own."""
    call.response_id = text(body.get("id")) or text(body.get("response_id")) or call.response_id
    nova = obj(body.get("usage")) or obj(obj(body.get("metadata")).get("usage"))
    if nova:
        read_usage(call, nova)
    stop = obj(body.get("messageStop"))
    reason = (
        text(body.get("stopReason"))
        or text(stop.get("stopReason"))
        or text(body.get("stop_reason"))
        or text(body.get("finish_reason"))
        or text(body.get("completionReason"))
    )
    if reason:
        call.finish_reasons[0] = finish_reason(reason.lower()) or reason
    for index, said in enumerate(_alternatives(body)):
        ended = said.get("stop_reason") or said.get("finish_reason") or said.get("completionReason")
        ended = ended or obj(said.get("finishReason")).get("reason")
        if name := text(ended):
            call.finish_reasons[index] = finish_reason(name.lower())
    read = integer(body.get("prompt_token_count"))
    wrote = integer(body.get("generation_token_count"))
    titan_read = integer(body.get("inputTextTokenCount"))
    titan_wrote = total(*(integer(result.get("tokenCount")) for result in items(body.get("results"))))
    if titan_wrote is None:
        titan_wrote = integer(body.get("totalOutputTextTokenCount"))
    for count in (read, titan_read):
        call.usage.input_tokens = count if count is not None else call.usage.input_tokens
    for count in (wrote, titan_wrote):
        call.usage.output_tokens = count if count is not None else call.usage.output_tokens
    if call.content is not None:
        _read_answer(call.content, body)


def _alternatives(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Titan's results, Cohere's generations, Mistral's outputs, AI21's completions."""
    return [item for key in ("results", "generations", "outputs", "completions") for item in items(body.get(key))]


# ---------------------------------------------------------------------------------------------------------------------
# Content


def _read_content(content: Content, body: dict[str, Any]) -> None:
    if "anthropic_version" in body:
        read_content(content, body)
        return
    content.system += [{"type": "text", "content": said} for p in items(body.get("system")) if (said := p.get("text"))]
    for message in items(body.get("messages")):
        if isinstance(message.get("content"), list) and not any("type" in p for p in items(message["content"])):
            parts = [{"type": "text", "content": said} for p in items(message["content"]) if (said := p.get("text"))]
            content.input.append({"role": text(message.get("role")) or "user", "parts": parts})
        else:
            read_messages(content, [message])
    if asked := text(body.get("prompt")) or text(body.get("inputText")) or text(body.get("message")):
        content.input.append({"role": "user", "parts": [{"type": "text", "content": asked}]})


def _read_answer(content: Content, body: dict[str, Any]) -> None:
    message = obj(obj(body.get("output")).get("message"))
    delta = obj(obj(body.get("contentBlockDelta")).get("delta"))
    pieces = [text(p.get("text")) for p in items(message.get("content"))]
    pieces += [text(source.get("text")) for source in (delta,)]
    pieces += [text(body.get(key)) for key in ("generation", "outputText", "completion", "text")]
    for said in _alternatives(body):
        pieces.append(text(said.get("text")) or text(said.get("outputText")) or text(obj(said.get("data")).get("text")))
    if not content.output:
        content.output.append({"role": "assistant", "parts": []})
    for piece in pieces:
        if piece:
            append_piece(content.output[0]["parts"], "text", piece)


DIALECT = Dialect(
    name="bedrock_invoke",
    provider="aws.bedrock",
    endpoints=_ENDPOINTS,
    open=_open,
    read=_read,
    answer=_answer,
    wraps=True,
)
