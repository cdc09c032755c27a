"""Make `litellm.json.xz` from the price list in an installed litellm: what we have meters for, of providers we know.

python collector/taximeter_collector/price/snapshot/make.py [--from FOLDER/litellm]

The list is LiteLLM's work, under the licence beside this file. It has no dates: a price is that of the release.
"""

from __future__ import annotations

import argparse
import json
import lzma
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Context, Decimal
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

# By what their name for a provider begins with; the name in our table of names. A key loses `PROVIDER/` in front.
PROVIDERS = {
    "text-completion-openai": "openai",
    "azure_text": "azure",
    "bedrock_converse": "bedrock",
    "cohere_chat": "cohere",
    "text-completion-codestral": "mistral",
    "codestral": "mistral",
}
_SAME_NAME = """
    ai21 anthropic azure azure_ai bedrock black_forest_labs cerebras cloudflare cohere dashscope databricks deepgram
    deepinfra deepseek elevenlabs fal_ai fireworks_ai gemini groq hyperbolic jina_ai minimax mistral moonshot nebius
    novita nvidia_nim openai openrouter ovhcloud perplexity recraft replicate runwayml sambanova snowflake stability
    together_ai vercel_ai_gateway voyage watsonx xai zai
"""
PROVIDERS |= {name: name for name in _SAME_NAME.split()}

# Meter, and how many of its units their price is for: theirs are for one token, ours for a million.
MTOK, ONE = Decimal(10**6), Decimal(1)
COSTS: dict[str, tuple[str, Decimal]] = {
    "input_cost_per_token": ("input", MTOK),
    "output_cost_per_token": ("output", MTOK),
    "cache_read_input_token_cost": ("cache_read", MTOK),
    "cache_creation_input_token_cost": ("cache_write", MTOK),
    "cache_creation_input_token_cost_above_1hr": ("cache_write_1h", MTOK),
    "output_cost_per_reasoning_token": ("reasoning", MTOK),
    "input_cost_per_audio_token": ("audio_input", MTOK),
    "output_cost_per_audio_token": ("audio_output", MTOK),
    "cache_read_input_audio_token_cost": ("audio_cache_read", MTOK),
    "input_cost_per_image_token": ("image_input", MTOK),
    "output_cost_per_image_token": ("image_output", MTOK),
    "cache_read_input_image_token_cost": ("image_cache_read", MTOK),
    "input_cost_per_video_token": ("video_input", MTOK),
    "output_cost_per_video_token": ("video_output", MTOK),
    "citation_cost_per_token": ("citation", MTOK),
    "input_cost_per_character": ("characters", MTOK),
    "input_cost_per_second": ("audio_input_hour", Decimal(3600)),
    "output_cost_per_image": ("image", ONE),
    "output_cost_per_video_per_second": ("video_second", ONE),
    "output_cost_per_second": ("video_second", ONE),
    "ocr_cost_per_page": ("page", ONE),
    "annotation_cost_per_page": ("annotated_page", ONE),
    "input_cost_per_query": ("rerank_search", ONE),
    "input_cost_per_request": ("request", ONE),
}
# What each is for; elsewhere the same key means something else, or the same thing twice.
ONLY_IN_MODES = {
    "characters": {"audio_speech"},
    "audio_input_hour": {"audio_transcription"},
    "image": {"image_generation", "image_edit"},
    "video_second": {"video_generation"},
    "page": {"ocr"},
    "annotated_page": {"ocr"},
    "rerank_search": {"rerank"},
}
TIERS = {"": "standard", "_batches": "batch", "_flex": "flex", "_priority": "priority"}
_KEY = re.compile(
    r"(?P<cost>.+?)(?P<over>_above_(?P<thousands>\d+)k_tokens)?(?P<tier>_batches|_flex|_priority)?", re.ASCII
)


def main() -> None:
    """Write the file, and say what is in it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="folder", type=Path, help="the package's folder, if it is not installed here")
    folder = parser.parse_args().folder
    wheel = distribution("litellm")
    source = (folder or Path(str(wheel.locate_file("litellm")))) / "model_prices_and_context_window_backup.json"
    document = json.loads(source.read_text("utf-8"), parse_float=Decimal, parse_int=Decimal)
    models: dict[str, dict[str, Any]] = {}
    regions: dict[str, dict[str, Any]] = {}
    for name, entry in document.items():
        provider = _provider(entry)
        tiers = dict(_tiers(entry)) if provider else {}
        if not tiers or not provider:
            continue
        key = name.removeprefix(f"{provider}/").lower()
        models.setdefault(provider, {})[key] = tiers
        if geography := entry.get("provider_specific_entry", {}).get("us"):
            regions.setdefault(provider, {})[key] = {"us": _text(geography)}
    snapshot = {
        "edition": wheel.version,
        "made": f"{datetime.now(UTC):%Y-%m-%d}",
        "licence": "MIT, Copyright (c) 2023 Berri AI; see LICENSE-litellm beside this file",
        "regions": regions,
        "models": models,
    }
    packed = lzma.compress(json.dumps(snapshot, separators=(",", ":"), sort_keys=True).encode(), preset=9)
    (HERE / "litellm.json.xz").write_bytes(packed)
    (HERE / "LICENSE-litellm").write_text(_licence(wheel))
    count = sum(len(named) for named in models.values())
    sys.stdout.write(f"litellm {wheel.version}: {count} of {len(document)} entries, {len(packed):,} bytes\n")


def _licence(wheel: Any) -> str:
    found = next(path for path in wheel.files if path.name == "LICENSE" and "licenses" in path.parts)
    return str(found.locate().read_text("utf-8"))


def _provider(entry: Mapping[str, Any]) -> str | None:
    named = str(entry.get("litellm_provider"))
    return "vertex_ai" if named.startswith("vertex_ai") else PROVIDERS.get(named)


def _tiers(entry: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, dict[str, str]]]]:
    """Rates by tier, then by the number of input tokens above which they hold, then by meter."""
    found: dict[str, dict[int, dict[str, Decimal]]] = {}
    for key, value in entry.items():
        match = _KEY.fullmatch(key)
        if not match or match["cost"] not in COSTS or not isinstance(value, Decimal):
            continue
        meter, units = COSTS[match["cost"]]
        if entry.get("mode") not in ONLY_IN_MODES.get(meter, {entry.get("mode")}):
            continue
        over = int(match["thousands"] or 0) * 1000
        found.setdefault(TIERS[match["tier"] or ""], {}).setdefault(over, {})[meter] = value * units
    for over, rates in _ranges(entry.get("tiered_pricing")):
        found.setdefault("standard", {})[over] = rates
    _add_searches(entry, found.get("standard", {}))
    for tier, levels in found.items():
        if 0 not in levels or not any(levels[0].values()):
            continue  # a list of zeros means that nobody entered a price
        _once(levels[0])
        yield tier, {str(over): {meter: _text(usd) for meter, usd in levels[over].items()} for over in sorted(levels)}


def _ranges(tiers: Any) -> Iterator[tuple[int, dict[str, Decimal]]]:
    for tier in tiers or ():
        if "range" in tier:
            rates = {COSTS[key][0]: value * COSTS[key][1] for key, value in tier.items() if key in COSTS}
            yield int(tier["range"][0]), rates


def _add_searches(entry: Mapping[str, Any], levels: dict[int, dict[str, Decimal]]) -> None:
    sizes = set((entry.get("search_context_cost_per_query") or {}).values())
    if len(sizes) == 1 and 0 in levels:  # telemetry does not tell the size of a search
        levels[0]["web_search"] = sizes.pop()


def _once(rates: dict[str, Decimal]) -> None:
    """An image that is charged by its tokens is not charged by its number as well."""
    if rates.get("output") or rates.get("image_output"):
        rates.pop("image", None)
        rates.pop("video_second", None)


def _text(value: Decimal) -> str:
    """As written, but for the noise of floats behind the twelfth digit: 1.4999999999999998e-06 is 1.5."""
    rounded = Context(prec=12).plus(value)
    return f"{rounded.normalize():f}"


if __name__ == "__main__":
    main()
