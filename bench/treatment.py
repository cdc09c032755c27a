"""What treating a span costs on its way from the journal to a backend.

    python bench/treatment.py             # spans of 775 bytes, 512 a request, 16 requests at once

CPU is this process' own, user and system, for `Treatment.take` alone: no journal, no network. Rates are medians of
`--rounds`; each round has other ids, and nothing is sent twice.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

from payloads import Fresh, spans_request
from taximeter_collector.forward.treatment import Treatment, TreatmentConfig
from taximeter_collector.journal import Record, Signal
from taximeter_collector.price import Book
from taximeter_collector.redact import RedactConfig

SPANS = 512
REQUESTS = 16
PATTERNS = ("email", "credit-card", "iban", "us-ssn", "api-key", "authorization", "jwt", "private-key")

WAYS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "pass-through": ({"enrich": False}, {}),
    "enrich": ({}, {}),
    "enrich, Langfuse's names": ({"names": "langfuse"}, {}),
    "enrich, Phoenix' names": ({"names": "phoenix"}, {}),
    "select a service of five": ({"enrich": False, "services": ("service-1",)}, {}),
    "select a tenth of all traces": ({"enrich": False, "sample": 0.1}, {}),
    "redact, nothing is found": ({"enrich": False}, {"patterns": PATTERNS}),
    "redact, in every span a key": ({"enrich": False}, {"keys": ("user.id",)}),
    "redact, in every span a text": ({"enrich": False}, {"patterns": ("re:conversation-[0-9]+",)}),
    "redact, in every span its name": ({"enrich": False}, {"patterns": ("re:chat",)}),
    "enrich and redact, nothing is found": ({}, {"patterns": PATTERNS}),
    "enrich, keep errors of a tenth": ({"sample": 0.1, "keep": ("errors",)}, {}),
}


def rate(config: TreatmentConfig, redact: RedactConfig, book: Book, fresh: list[Fresh], rounds: int) -> list[float]:
    """Spans per CPU second, of each round."""
    treatment = Treatment(config, redact, lambda: book)
    found, position = [], 0
    for number in range(rounds + 1):
        records = []
        for one in fresh:
            records.append(Record(position, time.time_ns(), Signal.TRACES, SPANS, "", one.again()))
            position += 1
        repeated = 200 if config == TreatmentConfig(enrich=False) and not redact.patterns + redact.keys else 1
        began = time.process_time()
        for _ in range(repeated):
            treatment.take(records, float(number))
            treatment.due(float(number))
        if number:
            found.append(SPANS * len(records) * repeated / (time.process_time() - began))
    treatment.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("ways", nargs="*", help="parts of the names of what is measured; all without")
    options = parser.parse_args()
    book = Book.load()
    fresh = [Fresh(spans_request(SPANS, seed)) for seed in range(REQUESTS)]
    for name, (settings, rules) in WAYS.items():
        if not options.ways or any(way in name for way in options.ways):
            rates = rate(TreatmentConfig(**settings), RedactConfig(**rules), book, fresh, options.rounds)
            print(
                f"{name}: {statistics.median(rates):,.0f} spans per CPU second ({min(rates):,.0f} to {max(rates):,.0f})"
            )


if __name__ == "__main__":
    main()
