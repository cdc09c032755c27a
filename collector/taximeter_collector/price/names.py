"""From the names in telemetry to the names in price books.

Providers are a table. A model's name is stripped of where it was found (`models/`, `publishers/google/models/`, an ARN)
and never of what it is: a fine-tuned model is not its base, and a deployment says nothing about its model. What is left
unknown stays so, with a reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = [
    "LOCAL_PROVIDERS",
    "Identity",
    "Unknown",
    "geography",
    "identify",
    "named_by_genai",
    "priced_providers",
    "undated",
]


@dataclass(frozen=True, slots=True)
class Identity:
    """What to look for in the books: the provider there, and the model's possible names, best first."""

    provider: str
    genai: str | None
    litellm: tuple[str, ...]
    refs: tuple[str, ...]
    is_free: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing to look for, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Provider:
    genai: str | None = None
    litellm: tuple[str, ...] = ()


_AZURE = _Provider("azure", ("azure", "azure_ai"))
_GEMINI = _Provider("google", ("gemini", "vertex_ai"))
_VERTEX = _Provider("google", ("vertex_ai", "gemini"))
_AWS = _Provider("aws", ("bedrock",))
_MISTRAL = _Provider("mistral", ("mistral",))
_XAI = _Provider("x-ai", ("xai",))
_MOONSHOT = _Provider("moonshotai", ("moonshot",))
_ZHIPU = _Provider("zhipuai", ("zai",))
_TOGETHER = _Provider("together", ("together_ai",))
_FIREWORKS = _Provider("fireworks", ("fireworks_ai",))

# By the value of `gen_ai.provider.name`, in lower case: the conventions' own, then those without a name there, then
# what other instrumentations write.
_PROVIDERS: dict[str, _Provider] = {
    "openai": _Provider("openai", ("openai",)),
    "anthropic": _Provider("anthropic", ("anthropic",)),
    "azure.ai.openai": _AZURE,
    "azure.ai.inference": _AZURE,
    "aws.bedrock": _AWS,
    "gcp.gemini": _GEMINI,
    "gcp.vertex_ai": _VERTEX,
    "gcp.gen_ai": _GEMINI,
    "cohere": _Provider("cohere", ("cohere",)),
    "mistral_ai": _MISTRAL,
    "groq": _Provider("groq", ("groq",)),
    "deepseek": _Provider("deepseek", ("deepseek",)),
    "perplexity": _Provider("perplexity", ("perplexity",)),
    "x_ai": _XAI,
    "ibm.watsonx.ai": _Provider(None, ("watsonx",)),
    "moonshot_ai": _MOONSHOT,
    "openrouter": _Provider("openrouter", ("openrouter",)),
    "together": _TOGETHER,
    "fireworks": _FIREWORKS,
    "cerebras": _Provider("cerebras", ("cerebras",)),
    "sambanova": _Provider(None, ("sambanova",)),
    "nvidia": _Provider(None, ("nvidia_nim",)),
    "deepinfra": _Provider(None, ("deepinfra",)),
    "novita": _Provider("novita", ("novita",)),
    "nebius": _Provider(None, ("nebius",)),
    "hyperbolic": _Provider(None, ("hyperbolic",)),
    "vercel": _Provider(None, ("vercel_ai_gateway",)),
    "dashscope": _Provider(None, ("dashscope",)),
    "zhipu": _ZHIPU,
    "zai": _Provider("zai", ("zai",)),
    "minimax": _Provider("minimax", ("minimax",)),
    "ai21": _Provider(None, ("ai21",)),
    "voyageai": _Provider("voyageai", ("voyage",)),
    "jina": _Provider(None, ("jina_ai",)),
    "snowflake": _Provider(None, ("snowflake",)),
    "databricks": _Provider("databricks", ("databricks",)),
    "cloudflare": _Provider("cloudflare", ("cloudflare",)),
    "elevenlabs": _Provider("elevenlabs", ("elevenlabs",)),
    "ovhcloud": _Provider("ovhcloud", ("ovhcloud",)),
    "replicate": _Provider(None, ("replicate",)),
    "deepgram": _Provider(None, ("deepgram",)),
    "stability": _Provider(None, ("stability",)),
    "black_forest_labs": _Provider(None, ("black_forest_labs",)),
    "fal": _Provider(None, ("fal_ai",)),
    "runwayml": _Provider(None, ("runwayml",)),
    "recraft": _Provider(None, ("recraft",)),
    "avian": _Provider("avian"),
    "arcee": _Provider("arcee"),
    "baseten": _Provider("baseten"),
    "modal": _Provider("modal"),
    "github_copilot": _Provider("github-copilot"),
    # Other spellings.
    "az.ai.openai": _AZURE,
    "az.ai.inference": _AZURE,
    "azure": _AZURE,
    "azure_ai": _AZURE,
    "azure_openai": _AZURE,
    "bedrock": _AWS,
    "bedrock_converse": _AWS,
    "aws": _AWS,
    "amazon_bedrock": _AWS,
    "gemini": _GEMINI,
    "google": _GEMINI,
    "google_genai": _GEMINI,
    "gcp.vertex.agent": _VERTEX,
    "vertex_ai": _VERTEX,
    "vertexai": _VERTEX,
    "google_vertexai": _VERTEX,
    "mistral": _MISTRAL,
    "mistralai": _MISTRAL,
    "xai": _XAI,
    "x-ai": _XAI,
    "moonshot": _MOONSHOT,
    "moonshotai": _MOONSHOT,
    "zhipuai": _ZHIPU,
    "together_ai": _TOGETHER,
    "fireworks_ai": _FIREWORKS,
    "watsonx": _Provider(None, ("watsonx",)),
    "ibm.watson.ai": _Provider(None, ("watsonx",)),
    "voyage": _Provider("voyageai", ("voyage",)),
    "jina_ai": _Provider(None, ("jina_ai",)),
    "nvidia_nim": _Provider(None, ("nvidia_nim",)),
    "vercel_ai_gateway": _Provider(None, ("vercel_ai_gateway",)),
}

# Servers of one's own: nobody sends a bill for a call. What the machine costs, overrides can say.
LOCAL_PROVIDERS = frozenset(
    {
        "ollama",
        "vllm",
        "hosted_vllm",
        "lm_studio",
        "llama.cpp",
        "llama_cpp",
        "llamafile",
        "localai",
        "sglang",
        "tgi",
        "mlx",
        "local",
    }
)

# These pass calls on to whoever has the model, so that its name alone tells whose it is.
_ROUTERS = frozenset({"", "litellm", "litellm_proxy", "_other", "unknown"})

_LONGEST = 512

_ARN = re.compile(r"arn:aws[a-z-]*:(?:bedrock|sagemaker):(?P<region>[a-z0-9-]*):\d*:(?P<kind>[a-z-]+)/(?P<id>.+)", re.I)
_ARN_OF_A_MODEL = frozenset({"foundation-model", "inference-profile"})
_OPAQUE = re.compile(r"(?:^|/)(?:tunedmodels|endpoints|deployments)/", re.I)
_FINE_TUNED = re.compile(r"ft:(?P<base>[^:]+)(?::.*)?", re.I)
_DATE = re.compile(r"[-@](?:20\d{2}-?[01]\d-?[0-3]\d)$")
_GEOGRAPHY = re.compile(r"(?:us-gov|us|eu|apac|jp|au|ca|sa|global)\.(?=[a-z0-9]+\.)", re.I)


def identify(provider: str | None, model: str | None) -> Identity | Unknown:
    """Where to look for a model's price.

    >>> identify("gcp.vertex_ai", "publishers/google/models/gemini-2.5-pro").refs
    ('gemini-2.5-pro',)
    >>> identify("openai", "ft:gpt-4.1-mini-2025-04-14:acme::x1").refs
    ('ft:gpt-4.1-mini-2025-04-14', 'ft:gpt-4.1-mini')
    >>> identify("acme", "gpt-4o")
    Unknown(reason='unknown provider')
    """
    if not (model and model.strip()):
        return Unknown("no model was named")
    if len(model) > _LONGEST:
        return Unknown("a name too long to be a model's")
    named = (provider or "").strip().lower()
    name = model.strip()
    if named in LOCAL_PROVIDERS:
        if name.lower().endswith(("-cloud", ":cloud")):  # Ollama runs these on its own machines
            return Unknown("a subscription, not a price per token")
        return Identity(named, None, (), (name,), is_free=True)
    if named in _ROUTERS:
        return _of_router(name)
    if named == "openrouter" and name.lower().endswith(":free"):
        return Identity(named, None, (), (name,), is_free=True)
    if named == "huggingface":
        return _of_hugging_face(name)
    known = _PROVIDERS.get(named) or _PROVIDERS.get(named.replace("-", "_"))
    if known is None:
        return Unknown("unknown provider")
    refs = _refs(named, known, name)
    return refs if isinstance(refs, Unknown) else Identity(named, known.genai, known.litellm, refs)


def _of_router(name: str) -> Identity | Unknown:
    """`anthropic/claude-...` names its provider; a bare name is left to the books' own idea of whose it is."""
    prefix, slash, rest = name.partition("/")
    if slash and (prefix.lower() in _PROVIDERS or prefix.lower() in LOCAL_PROVIDERS):
        return identify(prefix, rest)
    refs = _refs("", _Provider(), name)
    return refs if isinstance(refs, Unknown) else Identity("", None, (), refs)


def _of_hugging_face(name: str) -> Identity | Unknown:
    """Its router writes who serves behind a colon: `meta-llama/Llama-3.3-70B-Instruct:groq`."""
    model, colon, inner = name.rpartition(":")
    if not colon:
        return Unknown("not told who serves it behind Hugging Face")
    return Identity("huggingface", f"huggingface_{inner.lower()}", (), (model,))


def _refs(named: str, known: _Provider, name: str) -> tuple[str, ...] | Unknown:
    if match := _ARN.fullmatch(name):
        if match["kind"].lower() not in _ARN_OF_A_MODEL:
            return Unknown(f"an ARN of {match['kind'].lower()} does not name its model")
        model = match["id"].rpartition("/")[2]
        return (f"{match['region']}/{model}", model) if match["kind"] == "foundation-model" else (model,)
    if _OPAQUE.search(name):
        return Unknown("a deployment's name does not name its model")
    if match := _FINE_TUNED.fullmatch(name):
        return _unique(f"ft:{match['base']}", f"ft:{undated(match['base'])}")
    _, marker, behind = name.rpartition("models/")
    if marker and behind:
        return _unique(name, behind) if known.genai == "fireworks" else (behind,)
    prefix, slash, rest = name.partition("/")
    if slash and prefix.lower() != named and _PROVIDERS.get(prefix.lower()) == known:
        return _unique(rest, name)
    return (name,)


def _unique(*names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def undated(ref: str) -> str:
    """A model's name without the date of its snapshot.

    >>> undated("gpt-4o-2024-08-06"), undated("claude-sonnet-4-5@20250929"), undated("o3")
    ('gpt-4o', 'claude-sonnet-4-5', 'o3')
    """
    return _DATE.sub("", ref)


def geography(ref: str) -> str | None:
    """The geography that a Bedrock inference profile begins with.

    >>> geography("eu.amazon.nova-pro-v1:0"), geography("amazon.nova-pro-v1:0")
    ('eu', None)
    """
    match = _GEOGRAPHY.match(ref)
    return match[0].rstrip(".").lower() if match else None


def priced_providers() -> dict[str, tuple[str, str]]:
    """The providers that both sources have, by the conventions' name for each: their names there."""
    found: dict[tuple[str, str], str] = {}
    for name, known in _PROVIDERS.items():
        if known.genai and known.litellm:
            found.setdefault((known.genai, known.litellm[0]), name)
    return {name: theirs for theirs, name in found.items()}


def named_by_genai(provider: str) -> str:
    """The conventions' name for a provider of genai-prices.

    >>> named_by_genai("x-ai"), named_by_genai("google")
    ('x_ai', 'gcp.gemini')
    """
    return next((name for name, known in _PROVIDERS.items() if known.genai == provider), provider)
