"""Providers and operations by whatever name they are told, and by what name the conventions know them."""

from __future__ import annotations

__all__ = ["CALLS", "operation_named", "provider_named"]

_PROVIDERS = {
    "amazon": "aws.bedrock",
    "amazon_bedrock": "aws.bedrock",
    "aws": "aws.bedrock",
    "aws_bedrock": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "az.ai.inference": "azure.ai.inference",
    "az.ai.openai": "azure.ai.openai",
    "azure": "azure.ai.openai",
    "azure-openai": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "claude": "anthropic",
    "chatgpt": "openai",
    "gemini": "gcp.gemini",
    "google": "gcp.gemini",
    "google_genai": "gcp.gemini",
    "google-gla": "gcp.gemini",
    "google_ai_studio": "gcp.gemini",
    "google-vertex": "gcp.vertex_ai",
    "google_vertexai": "gcp.vertex_ai",
    "vertex": "gcp.vertex_ai",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "grok": "x_ai",
    "xai": "x_ai",
    "x-ai": "x_ai",
    "ibm.watson.ai": "ibm.watsonx.ai",
    "watsonx": "ibm.watsonx.ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "moonshot": "moonshot_ai",
    "moonshotai": "moonshot_ai",
}

# What is asked of a model and charged. Everything else that has a name is something around it.
CALLS = frozenset(
    {
        "chat",
        "text_completion",
        "generate_content",
        "embeddings",
        "rerank",
        "classify",
        "moderation",
        "image_generation",
        "video_generation",
        "transcription",
        "translation",
        "speech",
        "ocr",
        "batch",
        "run",
        "fetch_response",
    }
)

_OPERATIONS = {
    "completion": "text_completion",
    "completions": "text_completion",
    "chat_completion": "chat",
    "chat_completions": "chat",
    "embedding": "embeddings",
    "embed": "embeddings",
    "embed_content": "embeddings",
    "reranking": "rerank",
    "image": "image_generation",
    "image_edit": "image_generation",
    "audio": "speech",
    "text_to_speech": "speech",
    "tool": "execute_tool",
    "agent": "invoke_agent",
    "workflow": "invoke_workflow",
    "retriever": "retrieval",
}


def provider_named(text: str) -> str:
    """The conventions' name.

    >>> provider_named("OpenAI"), provider_named("az.ai.openai"), provider_named("acme")
    ('openai', 'azure.ai.openai', 'acme')
    """
    plain = text.strip().lower()
    return _PROVIDERS.get(plain, plain)


def operation_named(text: str) -> str:
    """The conventions' name.

    >>> operation_named("CHAT"), operation_named("embedding")
    ('chat', 'embeddings')
    """
    plain = text.strip().lower()
    return _OPERATIONS.get(plain, plain)
