"""Real SDKs against the loopback provider: what one span says of one call, in full."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.trace import SpanKind, StatusCode
from taximeter_cli.loopback import Loopback

from tests.conftest import Telemetry

QUESTION = [{"role": "user", "content": "How much?"}]
OPENAI_USAGE = {
    "gen_ai.usage.input_tokens": 120,
    "gen_ai.usage.output_tokens": 30,
    "gen_ai.usage.cache_read.input_tokens": 100,
    "gen_ai.usage.reasoning.output_tokens": 12,
}
ANTHROPIC_USAGE = {
    "gen_ai.usage.input_tokens": 1070,  # 20 fresh, 1000 read from the cache, 50 written to it
    "gen_ai.usage.output_tokens": 30,
    "gen_ai.usage.cache_read.input_tokens": 1000,
    "gen_ai.usage.cache_write.input_tokens": 50,
    "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 50,
    "anthropic.response.service_tier": "standard",
}


def started(loopback: Loopback, operation: str, provider: str, model: str) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "server.address": "127.0.0.1",
        "server.port": loopback.port,
    }


# ---------------------------------------------------------------------------------------------------------------------
# OpenAI


def openai_chat(loopback: Loopback) -> dict[str, Any]:
    return {
        **started(loopback, "chat", "openai", "gpt-4o-mini"),
        **OPENAI_USAGE,
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.finish_reasons": ("stop",),
        "openai.api.type": "chat_completions",
        "openai.response.system_fingerprint": "fp_1",
    }


def test_openai_chat_says_all_that_was_asked_and_answered(meter: Telemetry, loopback: Loopback) -> None:
    import openai

    client = openai.OpenAI(api_key="k", base_url=f"{loopback.url}/v1")
    answer = client.chat.completions.create(
        model="gpt-4o-mini",
        messages=QUESTION,  # type: ignore[arg-type]
        max_completion_tokens=64,
        temperature=0.5,
        top_p=0.9,
        frequency_penalty=0.1,
        presence_penalty=0.2,
        seed=7,
        stop=["END"],
        n=2,
        reasoning_effort="low",
        service_tier="flex",
        response_format={"type": "json_object"},
    )
    assert answer.choices[0].message.content == "The meter is running."
    span = meter.span()
    assert (span.name, span.kind, span.status.status_code) == ("chat gpt-4o-mini", SpanKind.CLIENT, StatusCode.UNSET)
    assert meter.attributes() == {
        **openai_chat(loopback),
        "gen_ai.request.max_tokens": 64,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.frequency_penalty": 0.1,
        "gen_ai.request.presence_penalty": 0.2,
        "gen_ai.request.seed": 7,
        "gen_ai.request.stop_sequences": ("END",),
        "gen_ai.request.choice.count": 2,
        "gen_ai.request.reasoning.level": "low",
        "gen_ai.output.type": "json",
        "gen_ai.response.finish_reasons": ("stop", "stop"),
        "openai.request.service_tier": "flex",
        "openai.response.service_tier": "default",
    }


def test_openai_async_chat(meter: Telemetry, loopback: Loopback) -> None:
    import openai

    async def ask() -> None:
        async with openai.AsyncOpenAI(api_key="k", base_url=f"{loopback.url}/v1") as client:
            await client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION)  # type: ignore[arg-type]

    asyncio.run(ask())
    assert meter.attributes() == {**openai_chat(loopback), "openai.response.service_tier": "default"}


def test_openai_stream_has_its_usage(meter: Telemetry, loopback: Loopback) -> None:
    import openai

    client = openai.OpenAI(api_key="k", base_url=f"{loopback.url}/v1")
    stream = client.chat.completions.create(
        model="gpt-4o-mini",
        messages=QUESTION,  # type: ignore[arg-type]
        stream=True,
        stream_options={"include_usage": True},
    )
    said = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert said == "The meter is running."
    assert meter.attributes() == {**openai_chat(loopback), "gen_ai.request.stream": True}


def test_openai_async_stream(meter: Telemetry, loopback: Loopback) -> None:
    import openai

    async def ask() -> None:
        async with openai.AsyncOpenAI(api_key="k", base_url=f"{loopback.url}/v1") as client:
            options = {"include_usage": True}
            async for _ in await client.chat.completions.create(
                model="gpt-4o-mini",
                messages=QUESTION,  # type: ignore[arg-type]
                stream=True,
                stream_options=options,  # type: ignore[arg-type]
            ):
                pass

    asyncio.run(ask())
    assert meter.attributes() == {**openai_chat(loopback), "gen_ai.request.stream": True}


def test_usage_that_was_not_sent_is_not_invented(meter: Telemetry, loopback: Loopback) -> None:
    import openai

    client = openai.OpenAI(api_key="k", base_url=f"{loopback.url}/v1")
    for _ in client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION, stream=True):  # type: ignore[arg-type]
        pass
    without = {name: value for name, value in openai_chat(loopback).items() if name not in OPENAI_USAGE}
    assert meter.attributes() == {**without, "gen_ai.request.stream": True}


def test_a_tool_call_ends_the_answer(meter: Telemetry, loopback: Loopback) -> None:
    import openai

    tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    client = openai.OpenAI(api_key="k", base_url=f"{loopback.url}/v1")
    client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION, tools=tools)  # type: ignore[arg-type]
    assert meter.attributes()["gen_ai.response.finish_reasons"] == ("tool_calls",)


@pytest.mark.parametrize("stream", [False, True])
def test_openai_responses(meter: Telemetry, loopback: Loopback, stream: bool) -> None:
    import openai

    client = openai.OpenAI(api_key="k", base_url=f"{loopback.url}/v1")
    answer = client.responses.create(
        model="gpt-4.1",
        input="How much?",
        stream=stream,  # type: ignore[call-overload]
        previous_response_id="resp_0",
        reasoning={"effort": "high"},
        max_output_tokens=99,
    )
    if stream:
        list(answer)
    assert meter.attributes() == {
        **started(loopback, "chat", "openai", "gpt-4.1"),
        **OPENAI_USAGE,
        **({"gen_ai.request.stream": True} if stream else {}),
        "gen_ai.request.max_tokens": 99,
        "gen_ai.request.previous_response.id": "resp_0",
        "gen_ai.request.reasoning.level": "high",
        "gen_ai.response.id": "resp_1",
        "gen_ai.response.model": "gpt-4.1-2025-04-14",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.status": "completed",
        "openai.api.type": "responses",
        "openai.response.service_tier": "default",
    }


def test_fetching_a_response_does_not_pay_for_it_again(meter: Telemetry, loopback: Loopback) -> None:
    import openai

    loopback.answers["/responses/resp_1"] = loopback.answers["/responses"]
    client = openai.OpenAI(api_key="k", base_url=f"{loopback.url}/v1")
    client.responses.retrieve("resp_1")
    span = meter.spans[0]
    assert span.name.startswith("fetch_response")
    assert not [name for name in span.attributes or {} if name.startswith("gen_ai.usage")]
    assert (span.attributes or {})["taximeter.fetched.input_tokens"] == 120


def test_openai_embeddings(meter: Telemetry, loopback: Loopback) -> None:
    import openai

    client = openai.OpenAI(api_key="k", base_url=f"{loopback.url}/v1")
    client.embeddings.create(model="text-embedding-3-small", input="x", dimensions=4)
    assert meter.attributes() == {
        **started(loopback, "embeddings", "openai", "text-embedding-3-small"),
        "gen_ai.usage.input_tokens": 8,
        "gen_ai.response.model": "text-embedding-3-small",
        "gen_ai.response.id": "emb-1",
        "gen_ai.embeddings.dimension.count": 4,
        "gen_ai.request.encoding_formats": ("base64",),
    }


def test_openai_images_and_audio_report_what_they_use(meter: Telemetry, loopback: Loopback) -> None:
    import openai

    client = openai.OpenAI(api_key="k", base_url=f"{loopback.url}/v1")
    client.images.generate(model="gpt-image-1", prompt="a taxi")
    client.audio.transcriptions.create(model="gpt-4o-transcribe", file=("a.wav", b"RIFF" * 100))
    client.audio.speech.create(model="tts-1", input="taxi!", voice="alloy")
    image, heard, spoken = (dict(span.attributes or {}) for span in meter.spans)
    assert (image["gen_ai.operation.name"], image["gen_ai.usage.output_tokens"]) == ("image_generation", 1056)
    assert image["taximeter.usage.images"] == 1
    assert (heard["gen_ai.operation.name"], heard["gen_ai.request.model"]) == ("transcription", "gpt-4o-transcribe")
    assert (heard["gen_ai.usage.audio.input_tokens"], heard["gen_ai.usage.output_tokens"]) == (14, 45)
    assert (spoken["gen_ai.operation.name"], spoken["taximeter.usage.characters"]) == ("speech", 5)


def test_azure_names_the_deployment_and_the_model(meter: Telemetry, loopback: Loopback) -> None:
    import openai

    client = openai.AzureOpenAI(api_key="k", azure_endpoint=loopback.url, api_version="2024-10-21")
    client.chat.completions.create(model="my-deployment", messages=QUESTION)  # type: ignore[arg-type]
    found = meter.attributes()
    assert found["gen_ai.provider.name"] == "azure.ai.openai"
    assert found["gen_ai.request.model"] == "my-deployment"
    assert found["gen_ai.response.model"] == "my-deployment-2024-07-18"


def test_openrouter_reports_its_cost(meter: Telemetry, loopback: Loopback) -> None:
    import openai

    client = openai.OpenAI(api_key="k", base_url=f"{loopback.url}/openrouter/v1")
    client.chat.completions.create(model="any/model", messages=QUESTION)  # type: ignore[arg-type]
    assert meter.attributes()["taximeter.reported_cost_usd"] == 0.00042


# ---------------------------------------------------------------------------------------------------------------------
# The others


@pytest.mark.parametrize("stream", [False, True])
def test_anthropic_counts_the_cache_in(
    meter: Telemetry, loopback: Loopback, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import anthropic

    monkeypatch.setenv("ANTHROPIC_OPEN_TELEMETRY", "false")  # its own spans are a matter of test_adoption
    client = anthropic.Anthropic(api_key="k", base_url=loopback.url)
    answer = client.messages.create(model="claude-opus-4-7", max_tokens=100, messages=QUESTION, stream=stream)  # type: ignore[call-overload]
    if stream:
        list(answer)
    assert meter.attributes() == {
        **started(loopback, "chat", "anthropic", "claude-opus-4-7"),
        **ANTHROPIC_USAGE,
        **({"gen_ai.request.stream": True} if stream else {}),
        "gen_ai.request.max_tokens": 100,
        "gen_ai.response.id": "msg_1",
        "gen_ai.response.model": "claude-opus-4-7-20250929",
        "gen_ai.response.finish_reasons": ("stop",),
    }


def test_an_error_in_mid_stream_ends_the_span(
    meter: Telemetry, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    import anthropic

    monkeypatch.setenv("ANTHROPIC_OPEN_TELEMETRY", "false")
    client = anthropic.Anthropic(api_key="k", base_url=loopback.url, max_retries=0)
    with pytest.raises(anthropic.APIStatusError):
        list(client.messages.create(model="claude?error=midway", max_tokens=9, messages=QUESTION, stream=True))  # type: ignore[call-overload]
    found = meter.attributes()
    assert (found["error.type"], meter.span().status.status_code) == ("overloaded_error", StatusCode.ERROR)
    assert found["gen_ai.usage.input_tokens"] == 1070
    assert found["gen_ai.response.finish_reasons"] == ("error",)


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
@pytest.mark.parametrize("stream", [False, True])
def test_gemini_counts_thoughts_as_output(
    meter: Telemetry, loopback: Loopback, stream: bool, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from google import genai

    monkeypatch.setenv("GOOGLE_GENAI_HTTP_CLIENT", library)
    client = genai.Client(api_key="k", http_options={"base_url": loopback.url})
    config: Any = {"temperature": 0.1, "max_output_tokens": 50, "response_mime_type": "application/json"}
    if stream:
        list(client.models.generate_content_stream(model="gemini-2.5-flash", contents="How much?", config=config))
    else:
        client.models.generate_content(model="gemini-2.5-flash", contents="How much?", config=config)
    assert meter.attributes() == {
        **started(loopback, "generate_content", "gcp.gemini", "gemini-2.5-flash"),
        **({"gen_ai.request.stream": True} if stream else {}),
        "gen_ai.request.temperature": 0.1,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.output.type": "json",
        "gen_ai.response.id": "gem-1",
        "gen_ai.response.model": "gemini-2.5-flash",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 40,
        "gen_ai.usage.output_tokens": 35,  # 10 said and 25 thought
        "gen_ai.usage.cache_read.input_tokens": 32,
        "gen_ai.usage.reasoning.output_tokens": 25,
        "gen_ai.usage.text.input_tokens": 40,
    }


@pytest.mark.parametrize("stream", [False, True])
def test_gemini_async_goes_through_aiohttp(meter: Telemetry, loopback: Loopback, stream: bool) -> None:
    from google import genai

    async def ask() -> None:
        client = genai.Client(api_key="k", http_options={"base_url": loopback.url})
        asked: Any = {"model": "gemini-2.5-flash", "contents": "How much?"}
        if stream:
            async for _ in await client.aio.models.generate_content_stream(**asked):
                pass
        else:
            await client.aio.models.generate_content(**asked)
        await client.aio.aclose()

    asyncio.run(ask())
    found = meter.attributes()
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) == (40, 35)
    assert found.get("gen_ai.request.stream", False) is stream


@pytest.mark.parametrize("stream", [False, True])
def test_mistral(meter: Telemetry, loopback: Loopback, stream: bool) -> None:
    from mistralai.client import Mistral

    client = Mistral(api_key="k", server_url=loopback.url)
    asked: Any = {"model": "mistral-large", "messages": QUESTION, "random_seed": 3}
    if stream:
        with client.chat.stream(**asked) as events:
            list(events)
    else:
        client.chat.complete(**asked)
    found = meter.attributes()
    assert found["gen_ai.provider.name"] == "mistral_ai"
    assert found["gen_ai.request.seed"] == 3
    assert {name: found[name] for name in OPENAI_USAGE} == OPENAI_USAGE


@pytest.mark.parametrize("stream", [False, True])
def test_cohere_reports_billed_units(meter: Telemetry, loopback: Loopback, stream: bool) -> None:
    import cohere

    client = cohere.ClientV2(api_key="k", base_url=loopback.url)
    ask: Callable[..., Any] = client.chat_stream if stream else client.chat
    answer = ask(model="command-a", messages=QUESTION, p=0.3, k=7)
    if stream:
        list(answer)
    assert meter.attributes() == {
        **started(loopback, "chat", "cohere", "command-a"),
        **({"gen_ai.request.stream": True} if stream else {}),
        "gen_ai.request.top_p": 0.3,
        "gen_ai.request.top_k": 7,
        "gen_ai.response.id": "coh-1",
        "gen_ai.response.finish_reasons": ("complete",),
        "gen_ai.usage.input_tokens": 15,
        "gen_ai.usage.output_tokens": 9,
        "taximeter.usage.unbilled.input_tokens": 80,
    }


def test_cohere_embed_and_rerank(meter: Telemetry, loopback: Loopback) -> None:
    import cohere

    client = cohere.ClientV2(api_key="k", base_url=loopback.url)
    client.embed(model="embed-v4", texts=["x"], input_type="search_query", embedding_types=["float"])
    client.rerank(model="rerank-v3.5", query="q", documents=["d"])
    embedded, reranked = (dict(span.attributes or {}) for span in meter.spans)
    assert (embedded["gen_ai.operation.name"], embedded["gen_ai.usage.input_tokens"]) == ("embeddings", 6)
    assert (reranked["gen_ai.operation.name"], reranked["taximeter.usage.search_units"]) == ("rerank", 1)


@pytest.mark.parametrize("stream", [False, True])
def test_groq(meter: Telemetry, loopback: Loopback, stream: bool) -> None:
    import groq

    client = groq.Groq(api_key="k", base_url=loopback.url)
    answer = client.chat.completions.create(model="groq-llama", messages=QUESTION, stream=stream)  # type: ignore[call-overload]
    if stream:
        list(answer)
    found = meter.attributes()
    assert found["gen_ai.provider.name"] == "groq"
    assert {name: found[name] for name in OPENAI_USAGE} == OPENAI_USAGE


@pytest.mark.parametrize("stream", [False, True])
def test_ollama(meter: Telemetry, loopback: Loopback, stream: bool) -> None:
    import ollama

    client = ollama.Client(host=loopback.url)
    answer = client.chat(model="llama3.2", messages=QUESTION, stream=stream, options={"num_predict": 9})  # type: ignore[call-overload]
    if stream:
        list(answer)
    assert meter.attributes() == {
        **started(loopback, "chat", "ollama", "llama3.2"),
        **({"gen_ai.request.stream": True} if stream else {}),
        "gen_ai.request.max_tokens": 9,
        "gen_ai.response.model": "llama3.2",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 26,
        "gen_ai.usage.output_tokens": 5,
    }


def bedrock(loopback: Loopback) -> Any:
    import boto3

    return boto3.client(
        "bedrock-runtime",
        endpoint_url=loopback.url,
        region_name="us-east-1",
        aws_access_key_id="k",
        aws_secret_access_key="s",
    )


def test_bedrock_converse(meter: Telemetry, loopback: Loopback) -> None:
    asked: Any = [{"role": "user", "content": [{"text": "How much?"}]}]
    bedrock(loopback).converse(
        modelId="us.amazon.nova-pro-v1:0", messages=asked, inferenceConfig={"maxTokens": 9, "topP": 0.5}
    )
    assert meter.attributes() == {
        **started(loopback, "chat", "aws.bedrock", "us.amazon.nova-pro-v1:0"),
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.top_p": 0.5,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 1020,
        "gen_ai.usage.output_tokens": 30,
        "gen_ai.usage.cache_read.input_tokens": 1000,
    }


def test_bedrock_converse_stream(meter: Telemetry, loopback: Loopback) -> None:
    asked: Any = [{"role": "user", "content": [{"text": "How much?"}]}]
    arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-x"
    answer = bedrock(loopback).converse_stream(modelId=arn, messages=asked)
    assert sum("contentBlockDelta" in event for event in answer["stream"]) == 5
    found = meter.attributes()
    assert found["gen_ai.request.model"] == arn
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) == (20, 30)


def test_bedrock_invoke(meter: Telemetry, loopback: Loopback) -> None:
    answer = bedrock(loopback).invoke_model(modelId="mistral.mistral-7b", body=b'{"prompt": "x", "max_tokens": 5}')
    assert b"running" in answer["body"].read()
    found = meter.attributes()
    assert (found["gen_ai.operation.name"], found["gen_ai.usage.output_tokens"]) == ("text_completion", 34)
    assert found["gen_ai.response.finish_reasons"] == ("stop",)


def test_bedrock_invoke_stream(meter: Telemetry, loopback: Loopback) -> None:
    body = b'{"anthropic_version": "bedrock-2023-05-31", "max_tokens": 5, "messages": []}'
    answer = bedrock(loopback).invoke_model_with_response_stream(modelId="anthropic.claude-v9:0", body=body)
    assert len(list(answer["body"])) > 5
    found = meter.attributes()
    assert found["gen_ai.usage.input_tokens"] == 1070
    assert found["gen_ai.response.finish_reasons"] == ("stop",)
    assert found["gen_ai.request.stream"] is True


@pytest.mark.parametrize("stream", [False, True])
def test_litellm_sync(meter: Telemetry, loopback: Loopback, stream: bool) -> None:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    answer = litellm.completion(
        model="openai/gpt-4o-mini", messages=QUESTION, api_base=f"{loopback.url}/v1", api_key="k", stream=stream
    )
    if stream:
        list(answer)
    assert meter.attributes()["gen_ai.response.id"] == "chatcmpl-1"


@pytest.mark.parametrize("stream", [False, True])
def test_litellm_async_is_metered_once(meter: Telemetry, loopback: Loopback, stream: bool) -> None:
    """It sends through httpx over aiohttp: two of our taps see the same call."""
    import litellm

    async def ask() -> None:
        answer = await litellm.acompletion(
            model="openai/gpt-4o-mini", messages=QUESTION, api_base=f"{loopback.url}/v1", api_key="k", stream=stream
        )
        if stream:
            async for _ in answer:
                pass

    asyncio.run(ask())
    assert meter.attributes()["gen_ai.response.id"] == "chatcmpl-1"
