"""The price book: how old it is, and what was added to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from taximeter_collector.price import Book, OverridesError
from taximeter_collector.price.book import OVERRIDES_FILE
from taximeter_collector.price.edition import FOLDER

from taximeter_cli.doctoring.finding import Finding, error, note, ok, warning
from taximeter_cli.doctoring.subject import Subject

__all__ = ["TITLE", "check"]

TITLE = "Price book"

_OLD_DAYS = 45
_EDITION = re.compile(r"genai-prices-(\d{4}-\d{2}-\d{2})\.[0-9a-f]{8}\.json\.xz")


def check(subject: Subject) -> Iterator[Finding]:
    """Prices change every week somewhere; a new model has none in an old book."""
    data = subject.config.data
    try:
        book = Book.load(data)
    except OverridesError as wrong:
        for problem in wrong.problems:
            yield error(f"{data / OVERRIDES_FILE}: {problem}", "put it right; `taximeter prices check` says when it is")
        return
    for problem in book.problems:
        yield warning(problem, "taximeter prices update")
    yield _edition(next(one.source for one in book.sources if one.source.startswith("genai-prices@")), data)
    if (data / OVERRIDES_FILE).exists():
        overrides = book.overrides
        yield ok(
            f"{OVERRIDES_FILE}: {len(overrides.prices)} prices, {len(overrides.aliases)} aliases",
            prices=len(overrides.prices),
            aliases=len(overrides.aliases),
        )


def _edition(source: str, data: Path) -> Finding:
    fetched = source.rpartition("@")[2]
    found = re.match(r"(\d{4}-\d{2}-\d{2})\.", fetched)
    day = date.fromisoformat(found[1]) if found else _installed()
    age = (datetime.now(UTC).date() - day).days if day else None
    what = f"{source}, {'fetched' if found else 'as it came with the package, installed'} on {day or 'an unknown day'}"
    updates = sorted(match[1] for file in (data / FOLDER).glob("*") if (match := _EDITION.fullmatch(file.name)))
    facts: dict[str, Any] = {"edition": source, "age_days": age, "last_update": updates[-1] if updates else None}
    if age is not None and age > _OLD_DAYS:
        return warning(
            f"{what}, {age} days ago: models that came since have no price, and prices that changed are the old ones",
            "taximeter prices update; what is in the lake keeps its price",
            **facts,
        )
    if updates and not found:
        return note(f"{what}, after the last `taximeter prices update` of {updates[-1]}", **facts)
    return ok(f"{what}{f', {age} days ago' if age else ''}", **facts)


def _installed() -> date | None:
    """When the package came here: its prices are not newer than that."""
    for file in distribution("genai-prices").files or ():
        if file.name in ("RECORD", "METADATA"):
            path = Path(str(file.locate()))
            if path.exists():
                return datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
    return None
