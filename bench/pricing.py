"""What pricing costs: finding a model's rates for the first time and again, one call, and a million calls at once.

python bench/pricing.py [--rows 1000000]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from genai_prices import Usage as TheirUsage
from genai_prices import calc_price
from taximeter_collector.price import Book, Usage
from taximeter_collector.price.columns import price_table

NOON = 1_795_176_000 * 10**9  # 2026-11-20
NAMES = [
    ("openai", "gpt-5-2025-08-07"),
    ("openai", "gpt-5.4"),
    ("openai", "gpt-4o-mini-2024-07-18"),
    ("azure.ai.openai", "gpt-4o-2024-08-06"),
    ("anthropic", "claude-sonnet-4-5-20250929"),
    ("anthropic", "claude-opus-4-6"),
    ("gcp.vertex_ai", "gemini-2.5-pro"),
    ("gcp.gemini", "gemini-2.5-flash"),
    ("aws.bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ("deepseek", "deepseek-v4-flash"),
    ("mistral_ai", "mistral-large-latest"),
    ("groq", "llama-3.3-70b-versatile"),
    ("ollama", "llama3.2"),
    ("openai", "gpt-99"),
]
USAGE = {"input_tokens": 4_000, "output_tokens": 400, "cache_read_tokens": 1_000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    started = time.process_time()
    book = Book.load()
    book.schedule("openai", "gpt-5").at(NOON)
    print(f"load the book                 {time.process_time() - started:9.2f} s")
    known = [name for name in NAMES if name[1] != "gpt-99"]
    _print("resolve, first time", _each(lambda n: Book(book.sources).schedule(*known[n % len(known)]).at(NOON), 2_000))
    _print("resolve, again", _each(lambda n: book.schedule(*NAMES[n % len(NAMES)]).at(NOON), 200_000))
    usage = Usage(**USAGE)
    _print("price one call", _each(lambda n: _one(book, usage), 20_000))
    theirs = TheirUsage(**USAGE)
    _print("genai-prices, the same call", _each(lambda n: calc_price(theirs, "gpt-5", provider_id="openai"), 5_000))
    for size in dict.fromkeys((50, 2_000, 20_000, rows)):
        table = _calls(size)
        price_table(book, table)
        spent = statistics.median(_spent(lambda table=table: price_table(book, table)) for _ in range(5))
        print(f"a table of {size:>9,} calls     {spent / size * 1e6:9.3f} us a call, {size / spent:12,.0f} calls/s")


def _one(book: Book, usage: Usage) -> None:
    book.price(usage, provider="openai", response_model="gpt-5", at_unix_nano=NOON)


def _calls(size: int) -> pa.Table:
    random = np.random.default_rng(1)
    name = random.integers(0, len(NAMES), size)
    whole = random.integers(100, 30_000, size)
    output = random.integers(1, 3_000, size)
    return pa.table(
        {
            "provider": pa.array([NAMES[at][0] for at in name]),
            "response_model": pa.array([NAMES[at][1] for at in name]),
            "service_tier": pa.array(np.where(random.random(size) < 0.3, "default", None)),
            "start_unix_nano": NOON + random.integers(0, 3600 * 10**9, size),
            "input_tokens": whole,
            "output_tokens": output,
            "cache_read_tokens": pa.array(whole // 2, mask=random.random(size) < 0.5),
            "reasoning_tokens": pa.array(output // 3, mask=random.random(size) < 0.7),
        }
    )


def _each(work: Callable[[int], object], times: int) -> float:
    """CPU seconds for one, the median of five rounds."""
    return statistics.median(_spent(lambda: [work(n) for n in range(times // 5)]) / (times // 5) for _ in range(5))


def _spent(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _print(what: str, seconds: float) -> None:
    print(f"{what:30}{seconds * 1e6:9.2f} us")


if __name__ == "__main__":
    main()
