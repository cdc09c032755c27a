"""Who answers at a host: the value of `gen_ai.provider.name`.

Names are the conventions' own where they have one. A host that stands nowhere here, a gateway say, is named by the
SDK that calls it, else by the API that it speaks; `server.address` tells it apart. `TAXIMETER_PROVIDERS` adds hosts:
`TAXIMETER_PROVIDERS="llm.example.com=azure.ai.openai,10.0.0.7:8000=vllm"`.
"""

from __future__ import annotations

import os
from functools import cache, lru_cache

__all__ = ["provider_at", "provider_named"]

# By the end of the host name; the longest match wins.
_BY_HOST: dict[str, str] = {
    "api.openai.com": "openai",
    ".openai.azure.com": "azure.ai.openai",
    ".cognitiveservices.azure.com": "azure.ai.openai",
    ".services.ai.azure.com": "azure.ai.inference",
    ".inference.ai.azure.com": "azure.ai.inference",
    ".models.ai.azure.com": "azure.ai.inference",
    "models.inference.ai.azure.com": "azure.ai.inference",
    "models.github.ai": "github",
    "api.githubcopilot.com": "github",
    "api.anthropic.com": "anthropic",
    ".amazonaws.com": "aws.bedrock",
    ".amazonaws.com.cn": "aws.bedrock",
    ".api.aws": "aws.bedrock",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "claude.googleapis.com": "gcp.vertex_ai",
    "api.cohere.com": "cohere",
    "api.cohere.ai": "cohere",
    "api.mistral.ai": "mistral_ai",
    "codestral.mistral.ai": "mistral_ai",
    "api.groq.com": "groq",
    "api.deepseek.com": "deepseek",
    "api.perplexity.ai": "perplexity",
    "api.x.ai": "x_ai",
    ".api.x.ai": "x_ai",
    ".ml.cloud.ibm.com": "ibm.watsonx.ai",
    "api.moonshot.ai": "moonshot_ai",
    "api.moonshot.cn": "moonshot_ai",
    # No name in the conventions yet: the one that the price lists use.
    "openrouter.ai": "openrouter",
    "api.together.xyz": "together",
    "api.together.ai": "together",
    "api.fireworks.ai": "fireworks",
    "api.cerebras.ai": "cerebras",
    "api.sambanova.ai": "sambanova",
    "integrate.api.nvidia.com": "nvidia",
    "router.huggingface.co": "huggingface",
    "api-inference.huggingface.co": "huggingface",
    "api.deepinfra.com": "deepinfra",
    "api.novita.ai": "novita",
    "api.studio.nebius.com": "nebius",
    "api.hyperbolic.xyz": "hyperbolic",
    "ai-gateway.vercel.sh": "vercel",
    "dashscope.aliyuncs.com": "dashscope",
    "dashscope-intl.aliyuncs.com": "dashscope",
    "open.bigmodel.cn": "zhipu",
    "api.z.ai": "zhipu",
    "api.minimax.io": "minimax",
    "api.ai21.com": "ai21",
    "api.voyageai.com": "voyageai",
    "api.jina.ai": "jina",
    "api.writer.com": "writer",
    ".snowflakecomputing.com": "snowflake",
    "ollama.com": "ollama",
}

# Servers on one's own machine or network, by the port that they take when nobody says otherwise.
_BY_PORT: dict[int, str] = {11434: "ollama", 1234: "lm_studio"}

# What the SDKs call themselves, for the hosts that nobody has heard of.
_BY_USER_AGENT: dict[str, str] = {
    "groq/": "groq",
    "mistral-client-python/": "mistral_ai",
    " mistralai": "mistral_ai",
    "cohere/": "cohere",
    "ollama-python/": "ollama",
    "azureopenai/": "azure.ai.openai",
    "anthropicbedrock/": "aws.bedrock",
    "anthropicvertex/": "gcp.vertex_ai",
}


@cache
def _own_hosts() -> dict[str, str]:
    """The user's own; the environment is read once."""
    pairs = (entry.partition("=") for entry in os.environ.get("TAXIMETER_PROVIDERS", "").split(","))
    return {host.strip().lower(): name.strip() for host, _, name in pairs if host.strip() and name.strip()}


@lru_cache(maxsize=1024)
def provider_at(host: str, port: int | None) -> str | None:
    """The provider at an address, if anyone has heard of it.

    >>> provider_at("api.groq.com", None)
    'groq'
    """
    host = host.lower()
    own = _own_hosts()
    if name := own.get(f"{host}:{port}") or own.get(host):
        return name
    for ending in _endings(host):
        if name := _BY_HOST.get(ending):
            return name
    if host.endswith("-aiplatform.googleapis.com"):
        return "gcp.vertex_ai"
    return _BY_PORT.get(port or 0)


def _endings(host: str) -> list[str]:
    """The host, then its endings from the longest on, each with the dot that it starts at."""
    return [host, *(host[at:] for at, letter in enumerate(host) if letter == ".")]


@lru_cache(maxsize=256)
def provider_named(user_agent: str | None) -> str | None:
    """The provider whose SDK is asking.

    >>> provider_named("speakeasy-sdk/python 3.7.0 mistralai")
    'mistral_ai'
    """
    agent = (user_agent or "").lower()
    return next((name for mark, name in _BY_USER_AGENT.items() if mark in agent), None)
