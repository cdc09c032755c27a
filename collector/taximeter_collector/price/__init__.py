"""What a call costs: exact, at its own time, with the row of the price book that says so; or why nobody knows.

>>> from taximeter_collector.price import Book, Usage, tier_of
>>> book = Book.load()
>>> cost = book.price(
...     Usage(input_tokens=2000, output_tokens=500, reasoning_tokens=400, cache_read_tokens=1000),
...     provider="openai",
...     response_model="gpt-5-2025-08-07",
...     tier=tier_of("default"),
...     at_unix_nano=1_795_000_000_000_000_000,
... )
>>> cost.status.value, cost.usd
('priced', Decimal('0.006375000000'))
>>> book.price(Usage(input_tokens=1), provider="acme", response_model="m", at_unix_nano=0).reason
'unknown provider'

Many calls at once, as a table, in a module of its own, for one call needs no Arrow. A column that is not there is one
that nobody told:

>>> import pyarrow as pa
>>> from taximeter_collector.price.columns import price_table
>>> calls = pa.table({
...     "provider": ["ollama", "openai"],
...     "response_model": ["llama3.2", "gpt-5"],
...     "start_unix_nano": [1_795_000_000_000_000_000] * 2,
...     "input_tokens": [None, 1000],
...     "output_tokens": [None, 10],
... })
>>> priced = price_table(book, calls)
>>> priced["cost_status"].to_pylist(), priced["cost_usd"].to_pylist()
(['free', 'priced'], [Decimal('0E-12'), Decimal('0.001350000000')])
"""

from taximeter_collector.price.book import Book
from taximeter_collector.price.edition import UpdateError
from taximeter_collector.price.overrides import Overrides, OverridesError
from taximeter_collector.price.rates import Cost, Row, Status
from taximeter_collector.price.tiers import tier_of
from taximeter_collector.price.usage import COUNTERS, Usage, inconsistency

__all__ = [
    "COUNTERS",
    "Book",
    "Cost",
    "Overrides",
    "OverridesError",
    "Row",
    "Status",
    "UpdateError",
    "Usage",
    "inconsistency",
    "tier_of",
]
