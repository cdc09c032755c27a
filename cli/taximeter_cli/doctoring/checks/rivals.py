"""Whose instrumentations are known, by where their code is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

__all__ = ["Rival", "rivals"]

# By the beginning of the entry point's value; what is first matches first.
_FAMILIES = (
    ("opentelemetry.instrumentation.genai.", "the official packages"),
    ("opentelemetry.instrumentation.google_genai", "the official packages"),
    ("opentelemetry.instrumentation.openai_v2", "the official packages"),
    ("opentelemetry.instrumentation.openai_agents", "the official packages"),
    ("opentelemetry.instrumentation.vertexai_v2", "the official packages"),
    ("openinference.instrumentation.", "OpenInference"),
    ("openlit.", "OpenLIT"),
    ("langwatch.", "LangWatch"),
)
# Names under which OpenLLMetry has entry points; its code stands where OpenTelemetry's own does.
_OPENLLMETRY = frozenset(
    [
        "alephalpha",
        "anthropic",
        "bedrock",
        "chromadb",
        "cohere",
        "crewai",
        "google_generativeai",
        "groq",
        "haystack",
        "lancedb",
        "langchain",
        "llamaindex",
        "llama_index",
        "marqo",
        "mcp",
        "milvus",
        "mistralai",
        "ollama",
        "openai",
        "openai_agents",
        "pinecone",
        "qdrant",
        "replicate",
        "sagemaker",
        "together",
        "transformers",
        "vertexai",
        "watsonx",
        "weaviate",
        "writer",
    ]
)


@dataclass(frozen=True, slots=True)
class Rival:
    """An instrumentation that makes spans of model calls, too."""

    of: str
    """The SDK or framework."""
    family: str
    package: str

    @classmethod
    def maybe(cls, point: EntryPoint) -> Rival | None:
        """What an entry point is, if it is one."""
        package = point.dist.name if point.dist else point.value
        for begin, family in _FAMILIES:
            if point.value.startswith(begin):
                return cls(point.name, family, package)
        if point.value.startswith("opentelemetry.instrumentation.") and point.name in _OPENLLMETRY:
            return cls(point.name, "OpenLLMetry", package)
        return None


def rivals() -> Iterator[Rival]:
    """All that `opentelemetry-instrument` would switch on in this environment beside ours."""
    seen: set[str] = set()
    for point in entry_points(group="opentelemetry_instrumentor"):
        rival = Rival.maybe(point)
        if rival and f"{rival.package}{rival.of}" not in seen:
            seen.add(f"{rival.package}{rival.of}")
            yield rival
