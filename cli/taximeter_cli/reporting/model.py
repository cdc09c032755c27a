"""What is known of one model: by the price book what it costs and what else it is called, by the lake who uses it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taximeter_queries.answer import Answer
from taximeter_queries.errors import NoLake, NotFound, did_you_mean, meant
from taximeter_queries.text import literal
from taximeter_queries.window import Window

from taximeter_cli.options import Mistake
from taximeter_cli.reporting.model_sheet import COLUMNS, is_model, render

if TYPE_CHECKING:
    from taximeter_collector.price import Book, Row
    from taximeter_queries import Lake, Limits

    from taximeter_cli.reporting.options import Asked

__all__ = ["facts", "is_model", "render", "tell_model"]

_TIERS = ("standard", "batch", "flex", "priority", "fast")
_USE = ("calls", "priced_calls", "input_tokens", "output_tokens", "cost_usd", "first_time", "last_time")
_KEPT = ("calls", "cost_usd")
_NAMES = ("model", "request_model", "response_model")


def tell_model(name: str, asked: Asked) -> None:
    """`models NAME`: show it as the options say."""
    from taximeter_cli.options import settings
    from taximeter_cli.reporting.asking import limits_of, open_lake, told, window_of
    from taximeter_cli.reporting.output import tell

    _refuse(asked)
    with told():
        try:
            lake = open_lake(asked)
        except NoLake:
            if asked.lake:
                raise
            lake = None  # the price book knows models, too
        data = settings(asked.config, None, data=asked.data).config.data
        window = window_of(asked)

    def ask(progress: Any) -> Answer:
        with told():
            found = facts(name, lake, data, window, asked.where or (), limits_of(asked))
        row = tuple(found[column.name] for column in COLUMNS)
        return Answer("model", COLUMNS, [row], window, "", grouped_by=1)

    tell(asked, ask)


def _refuse(asked: Asked) -> None:
    """What is of lists: a model is one thing, and no row of a query."""
    of_lists = {
        "by": asked.by,
        "sort": asked.sort,
        "limit": asked.limit,
        "chart": asked.chart,
        "sql": asked.sql or None,
    }
    given = ", ".join(f"--{name}" for name, value in of_lists.items() if value is not None)
    if given:
        raise Mistake(f"taximeter: {given}: not of one model; leave out its name, and say --where model=NAME")


def facts(
    name: str,
    lake: Lake | None,
    data: Path | None,
    window: Window | None = None,
    where: Sequence[str] = (),
    limits: Limits | None = None,
) -> dict[str, Any]:
    """Everything that is known of a model. NotFound, with what was probably meant, if that is nothing."""
    from taximeter_collector.price import Book

    book = Book.load(data)
    window = window or Window()
    used = _used(name, lake, window, where, limits) if lake else None
    providers = [one["provider"] for one in used["providers"]] if used else []
    rows, reason = _rates(book, name, providers)
    if not rows and not used:
        providers = list(_sellers(book, name))
        rows, reason = _rates(book, name, providers)
    if not rows and not used:
        raise _not_found(name, book, lake, window, reason)
    return {
        "model": name,
        **_described(book, name, providers),
        "prices": [_price(row) for row in rows],
        "no_price_because": None if rows else reason,
        **(used or {**dict.fromkeys(_USE), "calls": 0 if lake else None, "providers": [], "services": []}),
    }


def _rates(book: Book, name: str, providers: Sequence[str | None]) -> tuple[list[Row], str]:
    """The row that is used first, for each tier, and for each provider that calls went to."""
    from taximeter_collector.price.source import unix_nano

    now = unix_nano(datetime.now(UTC))
    found: dict[str, Row] = {}
    reason = ""
    for provider in providers or [None]:
        for tier in _TIERS:
            resolved = book.schedule(provider, name, None, tier).at(now)
            for row in resolved.rows[:1]:
                found.setdefault(row.price_id, row)
            reason = reason or resolved.reason
    return list(found.values()), reason


def _sellers(book: Book, name: str) -> Iterator[str | None]:
    """Who sells a model whose name does not tell whose it is."""
    from taximeter_collector.price.genai import GenaiPrices
    from taximeter_collector.price.names import named_by_genai

    for source in book.sources:
        if isinstance(source, GenaiPrices):
            for provider in source.providers:
                if any(model.id == name for model in provider.models):
                    yield named_by_genai(provider.id)


def _price(row: Row) -> dict[str, Any]:
    from taximeter_collector.price.meters import BY_NAME
    from taximeter_collector.price.rates import exact_text

    return {
        "provider": row.provider,
        "tier": row.tier,
        "since": None if row.effective == "undated" else row.effective,
        "price_id": row.price_id,
        "levels": [
            {
                "over_input_tokens": level.over,
                "usd": {meter: exact_text(usd) for meter, usd in level.usd.items()},
                "for_a": {meter: BY_NAME[meter].unit for meter in level.usd},
            }
            for level in row.levels
        ],
    }


def _described(book: Book, name: str, providers: Sequence[str | None]) -> dict[str, Any]:
    """What genai-prices says of a model besides its prices."""
    from taximeter_collector.price.genai import GenaiPrices
    from taximeter_collector.price.names import Identity

    for provider in providers or [None]:
        for identity in book.names((provider, name)):
            for source in book.sources:
                owner = identity.genai if isinstance(identity, Identity) else None
                if owner and isinstance(source, GenaiPrices) and isinstance(identity, Identity):
                    entry = next((one for one in source.providers if one.id == owner), None)
                    models = (entry.find_model(ref, all_providers=source.providers) for ref in identity.refs if entry)
                    if model := next((one for one in models if one), None):
                        return _of_genai(owner, model)
    return {"provider": None, "title": None, "context_tokens": None, "is_deprecated": None, "aliases": []}


def _of_genai(provider: str, model: Any) -> dict[str, Any]:
    return {
        "provider": provider,
        "title": model.name,
        "context_tokens": model.context_window,
        "is_deprecated": bool(model.deprecated),
        "aliases": list(dict.fromkeys((model.id, *_aliases(model.match)))),
    }


def _aliases(match: Any) -> Iterator[str]:
    """The names that are taken for a model; `*` stands for anything.

    >>> from genai_prices.types import ClauseEquals, ClauseOr, ClauseStartsWith
    >>> list(_aliases(ClauseOr(or_=[ClauseEquals(equals="gpt-5"), ClauseStartsWith(starts_with="gpt-5-2025")])))
    ['gpt-5', 'gpt-5-2025*']
    """
    from genai_prices import types

    if isinstance(match, types.ClauseOr):
        for one in match.or_:
            yield from _aliases(one)
    elif isinstance(match, types.ClauseAnd):
        yield " and ".join(text for one in match.and_ for text in _aliases(one))
    elif isinstance(match, types.ClauseEquals):
        yield match.equals
    elif isinstance(match, types.ClauseStartsWith):
        yield f"{match.starts_with}*"
    elif isinstance(match, types.ClauseEndsWith):
        yield f"*{match.ends_with}"
    elif isinstance(match, types.ClauseContains):
        yield f"*{match.contains}*"


def _used(name: str, lake: Lake, window: Window, where: Sequence[str], limits: Limits | None) -> dict[str, Any] | None:
    """How much it is called, and by whom; None if it is not."""
    from taximeter_queries.asking import ask

    named = " OR ".join(f"lower({column}) = {literal(name.lower())}" for column in _NAMES)
    asked = ask(lake, "models", by=["provider", "service"], window=window, where=[named, *where], limits=limits)
    rows = asked.records()
    if not rows:
        return None
    by = {of: [{of: value, **_sums(some, _KEPT)} for value, some in _parts(rows, of)] for of in ("provider", "service")}
    times = {"first_time": min(row["first_time"] for row in rows), "last_time": max(row["last_time"] for row in rows)}
    return {**_sums(rows, _USE[:-2]), **times, "providers": by["provider"], "services": by["service"]}


def _parts(rows: Sequence[dict[str, Any]], name: str) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
    """Rows by what they have in common, in the order in which that comes."""
    for value in dict.fromkeys(row[name] for row in rows):
        yield value, [row for row in rows if row[name] == value]


def _sums(rows: Sequence[dict[str, Any]], names: Iterable[str]) -> dict[str, Any]:
    """Each summed up as SQL does: what is not known adds nothing, and if none is known, neither is the sum."""
    known = {name: [row[name] for row in rows if row[name] is not None] for name in names}
    return {name: sum(values[1:], values[0]) if values else None for name, values in known.items()}


def _not_found(name: str, book: Book, lake: Lake | None, window: Window, reason: str) -> NotFound:
    used = meant(name, _in_use(lake, window)) if lake else []
    near = [*used, *meant(name, sorted({*_in_book(book)} - {name, *used}))][:3]
    hint = did_you_mean(near) if near else f"{reason}; `taximeter models` lists those in use"
    return NotFound(f"no price and no call of a model {name!r}: {hint}")


def _in_book(book: Book) -> Iterable[str]:
    from taximeter_collector.price.genai import GenaiPrices
    from taximeter_collector.price.litellm import LiteLLMSnapshot

    for source in book.sources:
        if isinstance(source, GenaiPrices):
            yield from (model.id for provider in source.providers for model in provider.models)
        elif isinstance(source, LiteLLMSnapshot):
            yield from (model for models in source.models.values() for model in models)


def _in_use(lake: Lake, window: Window) -> Iterable[str]:
    from taximeter_queries.asking import ask

    return [row[0] for row in ask(lake, "models", by=["model"], window=window).rows if row[0]]
