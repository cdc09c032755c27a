"""docs/pricing.md says what is so."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from taximeter_cli.main import main
from taximeter_collector.price import Book, Overrides, Status, Usage
from taximeter_collector.price.meters import METERS
from taximeter_collector.price.source import unix_nano

PAGE = (Path(__file__).parents[2] / "docs/pricing.md").read_text("utf-8")
(EXAMPLE,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
NOON = unix_nano(datetime(2026, 11, 20, 12, tzinfo=UTC))


def test_the_example_of_overrides_does_what_its_comments_say() -> None:
    plain = Book.load()
    book = Book(plain.sources, Overrides.read(EXAMPLE))

    def usd(provider: str, model: str, input_tokens: int = 100_000, using: Book = book) -> Decimal:
        usage = Usage(input_tokens=input_tokens, output_tokens=10_000)
        found = using.price(usage, provider=provider, response_model=model, at_unix_nano=NOON).usd
        assert found is not None
        return found

    assert usd("azure.ai.openai", "gpt-4o-2024-08-06") == Decimal("0.21") + Decimal("0.084")
    assert usd("azure.ai.openai", "prod-chat") == usd("azure.ai.openai", "gpt-4o-2024-08-06")
    assert usd("azure.ai.openai", "gpt-4o-2024-08-06", using=plain) == Decimal("0.35")
    opus = usd("anthropic", "claude-opus-4-6", using=plain)
    assert usd("anthropic", "claude-opus-4-6") == opus * Decimal("0.85")
    assert usd("vllm", "llama") == Decimal("0.007")
    assert usd("vllm", "llama", 200_000) == Decimal("0.022")


def test_every_rate_is_documented_as_it_is() -> None:
    rows = re.findall(r"^\| `([a-z_0-9]+)` \| ([a-z ]+) \| ([a-z_]+) \| (.*) \|$", PAGE, re.MULTILINE)
    assert [row[:3] for row in rows] == [(meter.name, meter.unit, str(meter.part)) for meter in METERS]
    for meter, row in zip(METERS, rows, strict=True):
        if meter.without_rate:
            assert tuple(re.findall(r"`([a-z_]+)`", row[3])) == meter.without_rate


def test_every_status_is_documented() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| [^|`]+ \| .* \|$", PAGE, re.MULTILINE)
    assert {str(status) for status in Status} <= set(rows)


def test_the_commands_are_the_ones_that_there_are() -> None:
    for line in re.findall(r"^\$ taximeter (prices .*?)  +#", PAGE, re.MULTILINE):
        words = line.split()
        if words[1] in ("show", "diff"):
            assert main(words) == 0, line
        else:
            assert main([*words[:2], "--help"]) == 0, line
