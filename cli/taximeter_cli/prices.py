"""`taximeter prices`."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taximeter_cli.options import Mistake, OfConfig, OfData, OfSet, settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table
    from taximeter_collector.price import Book, Row
    from taximeter_collector.price.comparison import Difference
    from taximeter_collector.price.genai import GenaiPrices

__all__ = ["app"]

app = typer.Typer(help="Look into the price book: what a model costs, and who says so.", no_args_is_help=True)

OfAt = Annotated[str | None, typer.Option("--at", metavar="DATE", help="As of a date or time, in UTC; default: now.")]
OfProvider = Annotated[
    str | None, typer.Option("--provider", help="As telemetry names it: openai, azure.ai.openai, aws.bedrock, ...")
]
OfJson = Annotated[bool, typer.Option("--json", help="For a program.")]


@app.command()
def show(
    model: Annotated[str, typer.Argument(help="As telemetry names it.")],
    at: OfAt = None,
    provider: OfProvider = None,
    tier: Annotated[str, typer.Option("--tier", help="standard, batch, flex, priority, fast.")] = "standard",
    region: Annotated[str | None, typer.Option("--region", help="Where the call had to stay: us, ...")] = None,
    data: OfData = None,
    config: OfConfig = None,
    sets: OfSet = None,
    as_json: OfJson = False,
) -> None:
    """Print a model's rates, the row that is used first. Exit code 1, with the reason, if there is none."""
    from taximeter_collector.price.source import unix_nano
    from taximeter_collector.price.tiers import tier_of

    book = _book(settings(config, sets, data=data).config.data)
    found = book.schedule(provider, model, None, tier_of(tier), region).at(unix_nano(_moment(at)))
    if as_json:
        print(json.dumps({"rows": [_as_json(row) for row in found.rows], "reason": found.reason or None}, indent=2))
    elif found.rows:
        for number, row in enumerate(found.rows):
            _print(_rates(row), "used" if number == 0 else "if that one lacks a rate", row.price_id)
    else:
        print(f"{model}: {found.reason}", file=sys.stderr)
    if not found.rows:
        raise typer.Exit(1)


@app.command()
def diff(
    provider: OfProvider = None,
    at: OfAt = None,
    data: OfData = None,
    config: OfConfig = None,
    sets: OfSet = None,
    as_json: OfJson = False,
) -> None:
    """Print where the sources disagree on a model that both know."""
    from taximeter_collector.price.comparison import differences
    from taximeter_collector.price.genai import GenaiPrices
    from taximeter_collector.price.litellm import LiteLLMSnapshot
    from taximeter_collector.price.names import priced_providers

    if provider and provider not in priced_providers():
        raise Mistake(f"taximeter: --provider {provider}: expected one of {', '.join(priced_providers())}")
    sources = _book(settings(config, sets, data=data).config.data).sources
    first = next(source for source in sources if isinstance(source, GenaiPrices))
    second = next(source for source in sources if isinstance(source, LiteLLMSnapshot))
    found = list(differences(first, second, _moment(at), provider))
    if as_json:
        print(json.dumps([_difference_as_json(one) for one in found], indent=2))
        return
    _print(_differences(found, first.source, second.source))
    models = len({(one.provider, one.model) for one in found})
    print(f"{len(found)} rates of {models} models differ; the first source is used")


@app.command()
def update(
    url: Annotated[str | None, typer.Option(help="Where from, instead of genai-prices' repository.")] = None,
    data: OfData = None,
    config: OfConfig = None,
    sets: OfSet = None,
) -> None:
    """Fetch the newest prices over the network; they are used from then on. Nothing else ever fetches any."""
    from taximeter_collector.price.edition import DEFAULT_UPDATE_URL, fetch
    from taximeter_collector.price.edition import UpdateError as Refused

    folder = settings(config, sets, data=data).config.data
    before = _genai(_book(folder))
    try:
        fetched = fetch(folder, url or DEFAULT_UPDATE_URL)
    except Refused as error:
        raise Mistake(f"taximeter: {error}; {before.source} stays in use", 1) from error
    old, new = _models(before), _models(fetched)
    changed = sum(old[name] != new[name] for name in old.keys() & new.keys())
    print(f"{fetched.source}, after {before.source}: {len(new):,} models, {len(new.keys() - old.keys()):,} of them new")
    print(f"{changed:,} models have other prices, {len(old.keys() - new.keys()):,} are gone")


@app.command()
def check(
    file: Annotated[Path | None, typer.Argument(help="The overrides; default: prices.toml in the data folder.")] = None,
    data: OfData = None,
    config: OfConfig = None,
    sets: OfSet = None,
) -> None:
    """Check a file of overrides. Exit code 2, with each problem and its line, if it cannot be used."""
    from taximeter_collector.price import Book, Overrides, OverridesError
    from taximeter_collector.price.book import OVERRIDES_FILE

    path = file or settings(config, sets, data=data).config.data / OVERRIDES_FILE
    try:
        overrides = Overrides.load(path)
    except OverridesError as error:
        raise _mistakes(path, error.problems) from error
    if problems := list(_without_price(Book(Book.load().sources, overrides))):
        raise _mistakes(path, problems)
    print(f"ok: {len(overrides.prices)} prices, {len(overrides.aliases)} aliases; in a price_id: {overrides.edition}")


def _book(data: Path) -> Book:
    from taximeter_collector.price import Book, OverridesError
    from taximeter_collector.price.book import OVERRIDES_FILE

    try:
        book = Book.load(data)
    except OverridesError as error:
        raise Mistake(
            "\n".join(f"taximeter: {data / OVERRIDES_FILE}: {problem}" for problem in error.problems)
        ) from error
    for problem in book.problems:
        print(f"taximeter: {problem}", file=sys.stderr)
    return book


def _mistakes(path: Path, problems: Iterable[str]) -> Mistake:
    return Mistake("\n".join(f"taximeter: {path}: {problem}" for problem in problems))


def _genai(book: Book) -> GenaiPrices:
    from taximeter_collector.price.genai import GenaiPrices

    return next(source for source in book.sources if isinstance(source, GenaiPrices))


def _models(prices: GenaiPrices) -> dict[tuple[str, str], str]:
    return {
        (provider.id, model.id): repr((model.prices, model.price_variants))
        for provider in prices.providers
        for model in provider.models
    }


def _without_price(book: Book) -> Iterable[str]:
    """Aliases that lead nowhere."""
    from taximeter_collector.price.source import unix_nano

    for number, alias in enumerate(book.overrides.aliases, 1):
        provider = alias.means_provider or (None if "*" in alias.provider else alias.provider)
        found = book.schedule(provider, alias.means).at(unix_nano(datetime.now(UTC)))
        if not found.rows:
            yield f"alias {number}, means: {alias.means!r} has no price: {found.reason}"


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise Mistake(
            f"taximeter: --at {text}: expected a date such as 2026-07-01, or a time such as 2026-07-01T12:30"
        ) from error
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _as_json(row: Row) -> dict[str, Any]:
    from taximeter_collector.price.rates import exact_text

    return {
        "price_id": row.price_id,
        "source": row.source,
        "provider": row.provider,
        "model": row.model,
        "effective": row.effective,
        "tier": row.tier,
        "levels": [
            {
                "over_input_tokens": level.over,
                "price_id": level.price_id,
                "usd": {name: exact_text(usd) for name, usd in level.usd.items()},
            }
            for level in row.levels
        ],
    }


def _difference_as_json(one: Difference) -> dict[str, Any]:
    from taximeter_collector.price.rates import exact_text

    return {
        "provider": one.provider,
        "model": one.model,
        "rate": one.meter,
        "over_input_tokens": one.over_input_tokens,
        "genai_prices_usd": exact_text(one.genai_prices_usd),
        "litellm_usd": exact_text(one.litellm_usd),
    }


def _rates(row: Row) -> Table:
    from taximeter_collector.price.meters import BY_NAME
    from taximeter_collector.price.rates import exact_text

    heads = [f"above {level.over:,} input tokens" if level.over else "USD" for level in row.levels]
    table = _table("rate", *heads, "for a")
    for name in BY_NAME:
        if any(name in level.usd for level in row.levels):
            amounts = [exact_text(level.usd[name]) if name in level.usd else "" for level in row.levels]
            table.add_row(name, *amounts, BY_NAME[name].unit)
    return table


def _differences(found: list[Difference], first: str, second: str) -> Table:
    from taximeter_collector.price.rates import exact_text

    table = _table("provider", "model", "rate", "above", first, second)
    for one in found:
        amounts = (exact_text(one.genai_prices_usd), exact_text(one.litellm_usd))
        above = f"{one.over_input_tokens:,}" if one.over_input_tokens else ""
        table.add_row(one.provider, one.model, one.meter, above, *amounts)
    return table


def _table(*titles: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title)
    return table


def _print(table: Table, *lines: str) -> None:
    from rich.console import Console

    # A terminal that is no terminal (a pipe, a log) has no width to fit into.
    console = Console() if sys.stdout.isatty() else Console(width=200)
    if lines:
        print(": ".join(lines))
    console.print(table)
