"""From what telemetry calls providers, models and tiers to what price books call them."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest
import taximeter_collector.price
from taximeter.providers import _BY_HOST, _BY_PORT, _BY_USER_AGENT
from taximeter_collector.price import Book, tier_of
from taximeter_collector.price.names import LOCAL_PROVIDERS, Identity, Unknown, identify
from taximeter_collector.price.source import unix_nano

from tests.collector.test_price_bills import NOON


@pytest.fixture(scope="module")
def book() -> Book:
    return Book.load()


def priced_as(book: Book, provider: str | None, model: str) -> str | None:
    rows = book.schedule(provider, model).at(unix_nano(NOON)).rows
    return f"{rows[0].source.partition('@')[0]} {rows[0].provider} {rows[0].model}" if rows else None


@pytest.mark.parametrize(
    ("provider", "model", "row"),
    [
        ("openai", "gpt-4o-2024-08-06", "genai-prices openai gpt-4o"),
        ("OpenAI", " GPT-4o ", "genai-prices openai gpt-4o"),
        ("azure.ai.openai", "gpt-4o", "genai-prices azure gpt-4o"),
        ("az.ai.openai", "gpt-5", "genai-prices azure gpt-5"),
        ("az.ai.inference", "claude-sonnet-4-5", "genai-prices azure claude-sonnet-4-5"),
        ("azure.ai.openai", "azure/gpt-4o", "genai-prices azure gpt-4o"),
        ("azure.ai.openai", "eu/gpt-4o-2024-08-06", "litellm azure eu/gpt-4o-2024-08-06"),
        ("gcp.gemini", "models/gemini-2.5-flash", "genai-prices google gemini-2.5-flash"),
        ("gcp.gen_ai", "gemini-2.5-flash", "genai-prices google gemini-2.5-flash"),
        ("gcp.vertex_ai", "publishers/google/models/gemini-2.5-pro", "genai-prices google gemini-2.5-pro"),
        (
            "gcp.vertex_ai",
            "projects/p/locations/us-east5/publishers/anthropic/models/claude-sonnet-4-5@20250929",
            "genai-prices google claude-sonnet-4-5",
        ),
        ("anthropic", "claude-3-haiku-20240307", "genai-prices anthropic claude-3-haiku"),
        ("mistral_ai", "mistral-large-2411", "genai-prices mistral mistral-large"),
        ("x_ai", "grok-4.5", "genai-prices x-ai grok-4.5"),
        ("deepseek", "deepseek-chat", "genai-prices deepseek deepseek-chat"),
        ("groq", "llama-3.3-70b-versatile", "genai-prices groq llama-3.3-70b-versatile"),
        ("perplexity", "sonar-pro", "genai-prices perplexity sonar-pro"),
        ("cohere", "command-r-plus", "genai-prices cohere command-r-plus"),
        ("ibm.watsonx.ai", "ibm/granite-3-8b-instruct", "litellm watsonx ibm/granite-3-8b-instruct"),
        ("openrouter", "anthropic/claude-sonnet-4.5", "genai-prices openrouter anthropic/claude-sonnet-4.5"),
        (
            "fireworks",
            "accounts/fireworks/models/llama-v3p1-8b-instruct",
            "genai-prices fireworks llama-v3p1-8b-instruct",
        ),
        (
            "aws.bedrock",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "genai-prices aws regional.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        (
            "aws.bedrock",
            "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "genai-prices aws global.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        (
            "aws.bedrock",
            "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "litellm bedrock us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        (
            "aws.bedrock",
            "arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/amazon.nova-pro-v1:0",
            "litellm bedrock us-gov-west-1/amazon.nova-pro-v1:0",
        ),
        (
            "aws.bedrock",
            "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0",
            "genai-prices aws amazon.nova-pro-v1:0",
        ),
        (
            "huggingface",
            "meta-llama/Llama-3.3-70B-Instruct:groq",
            "genai-prices huggingface_groq meta-llama/Llama-3.3-70B-Instruct",
        ),
        # A router, or nobody at all: the model's name alone tells.
        ("litellm", "anthropic/claude-sonnet-4-5", "genai-prices anthropic claude-sonnet-4-5"),
        ("litellm", "ollama/llama3.2", "free ollama llama3.2"),
        (None, "gpt-4o", "genai-prices openai gpt-4o"),
        (None, "openai/gpt-4o", "genai-prices openai gpt-4o"),
        # What nobody can know.
        (None, "my-model", None),
        ("openai", "gpt-4o-mini-my-deployment", None),
        ("azure.ai.openai", "prod-chat", None),
        ("anthropic", "gpt-4o", None),
        ("huggingface", "meta-llama/Llama-3.3-70B-Instruct", None),
        ("gcp.gemini", "tunedModels/mine-x1", None),
        ("aws.bedrock", "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/a1b2", None),
    ],
)
def test_a_name_leads_to_the_row_that_is_meant(book: Book, provider: str | None, model: str, row: str | None) -> None:
    assert priced_as(book, provider, model) == row


@pytest.mark.parametrize(
    ("answered", "asked", "expected"),
    [
        ("gpt-4o-2024-08-06", "gpt-5", "gpt-4o"),
        (None, "gpt-5", "gpt-5"),
        (" ", "gpt-5", "gpt-5"),
        # It did answer, and by a name that nobody knows: what was asked for says nothing of its price.
        ("gpt-99", "gpt-5", None),
    ],
)
@pytest.mark.parametrize("provider", ["openai", None])
def test_the_model_that_answered_counts_and_the_one_that_was_asked_for_only_if_none_did(
    book: Book, provider: str | None, answered: str | None, asked: str, expected: str | None
) -> None:
    found = book.schedule(provider, answered, asked).at(unix_nano(NOON))
    assert (found.rows[0].model if found.rows else None) == expected
    assert found.reason == ("" if expected else "unknown model")


def test_every_provider_that_the_meter_names_is_known_or_known_to_have_no_price_list() -> None:
    named = {*_BY_HOST.values(), *_BY_PORT.values(), *_BY_USER_AGENT.values()}
    unknown = {name for name in named if identify(name, "m") == Unknown("unknown provider")}
    # GitHub's models have a quota; Writer sells no tokens by itself in either list.
    assert unknown == {"github", "writer"}


CONVENTIONS = """
    openai azure.ai.openai azure.ai.inference anthropic aws.bedrock gcp.gemini gcp.vertex_ai gcp.gen_ai cohere
    mistral_ai groq deepseek perplexity x_ai ibm.watsonx.ai moonshot_ai
"""


@pytest.mark.parametrize("name", CONVENTIONS.split())
def test_the_conventions_own_names_are_known(name: str) -> None:
    assert isinstance(identify(name, "m"), Identity)


def test_a_model_on_ones_own_machine_keeps_its_name() -> None:
    for name in LOCAL_PROVIDERS:
        found = identify(name, "hf.co/bartowski/Llama-3.2:Q4")
        assert isinstance(found, Identity) and found.is_free and found.refs == ("hf.co/bartowski/Llama-3.2:Q4",)


@pytest.mark.parametrize(
    ("said", "tier"),
    [
        ((None, None, None), "standard"),
        (("auto", None, None), "standard"),
        (("default", None, "standard"), "standard"),
        (("ON_DEMAND", None, None), "standard"),
        (("flex", None, None), "flex"),
        (("Priority", None, None), "priority"),
        (("standard", None, "fast"), "fast"),
        (("flex", "batch", None), "batch"),
        (("PROVISIONED_THROUGHPUT", None, None), "provisioned_throughput"),
    ],
)
def test_a_tier_is_one_word(said: tuple[str | None, str | None, str | None], tier: str) -> None:
    assert tier_of(*said) == tier


MODULES = [name for _, name, _ in pkgutil.iter_modules(taximeter_collector.price.__path__) if name != "snapshot"]


@pytest.mark.parametrize("name", ["", *MODULES])
def test_the_examples_in_the_code_are_true(name: str) -> None:
    module = importlib.import_module(f"taximeter_collector.price.{name}".rstrip("."))
    assert doctest.testmod(module).failed == 0
