"""What is known of one model, as people read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taximeter_queries.answer import Answer
from taximeter_queries.columns import Column, Unit

from taximeter_cli.reporting import tables
from taximeter_cli.reporting.numbers import shown, tokens, usd
from taximeter_cli.reporting.words import folded, line, padded, width

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

__all__ = ["COLUMNS", "is_model", "lines", "render"]

COLUMNS = (
    Column("model", Unit.TEXT, "As it was asked for."),
    Column("provider", Unit.TEXT, "Whose it is, by the price book."),
    Column("title", Unit.TEXT, "Its name for people."),
    Column("context_tokens", Unit.TOKENS, "As much as it takes in."),
    Column("is_deprecated", Unit.FLAG, "Whether its provider means to retire it."),
    Column("aliases", Unit.NESTED, "Names that are taken for it; * stands for anything."),
    Column("prices", Unit.NESTED, "What is charged now, by provider and tier."),
    Column("no_price_because", Unit.TEXT, "Why there is no price."),
    Column("calls", Unit.COUNT, "Calls that count: each once, whoever told of it."),
    Column("priced_calls", Unit.COUNT, "Of these: whose cost is known."),
    Column("input_tokens", Unit.TOKENS, "All that went in."),
    Column("output_tokens", Unit.TOKENS, "All that came out."),
    Column("cost_usd", Unit.USD, "What the priced calls cost; NULL if none is."),
    Column("first_time", Unit.TIME, "When the first of them began."),
    Column("last_time", Unit.TIME, "When the last of them began."),
    Column("providers", Unit.NESTED, "By whom it was served."),
    Column("services", Unit.NESTED, "Who called it."),
)
_OF_NAME = {column.name: column for column in COLUMNS}
_MOST_NAMED = 8


def is_model(answer: Answer) -> bool:
    """Whether it is about one model."""
    return answer.report == "model" and answer.columns == COLUMNS


def render(answer: Answer, width: int | None = None) -> RenderableType:
    """A line for each fact, and one for each rate."""
    return _Sheet(answer, width)


@dataclass(frozen=True, slots=True)
class _Sheet:
    answer: Answer
    width: int | None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        room, encoding = tables.room_of(options, self.width)
        told = [(head, tables.plain(text, encoding)) for head, text in lines(self.answer)]
        heads = max(width(head) for head, _ in told) + 2
        indent = heads if room - heads >= heads else 2
        for head, text in told:
            parts = folded(text, max(room - indent, 1))
            if indent < heads:
                yield Text(head[:room], style="bold", no_wrap=True, overflow="crop")
                yield from (Text(" " * indent + part, no_wrap=True, overflow="crop") for part in parts)
                continue
            for at, part in enumerate(parts):
                yield Text.assemble(
                    (padded(head if at == 0 else "", indent), "bold"), part, no_wrap=True, overflow="crop"
                )


def lines(answer: Answer) -> Iterator[tuple[str, str]]:
    """What is said, each with what it is."""
    known = answer.records()[0]
    title = f" ({line(known['title'])})" if known["title"] else ""
    yield "model", f"{line(known['model'])}{title}"
    if known["provider"]:
        yield "provider", line(known["provider"])
    if known["context_tokens"]:
        yield "context", f"{known['context_tokens']:,} tokens"
    if known["is_deprecated"]:
        yield "deprecated", "its provider means to retire it"
    others = [line(one) for one in known["aliases"] if one != known["model"]]
    if others:
        yield "also called", _list(others)
    yield from _of_prices(known["prices"])
    if known["no_price_because"]:
        yield "price", f"none: {line(known['no_price_because'])}"
    yield from _of_use(known, answer)


def _of_prices(prices: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """The rates of the first in full; of all others what is different: of large calls, of tiers, of providers."""
    usual: dict[str, str] = {}
    several = len({price["provider"] for price in prices}) > 1
    for price in prices:
        head = "price" if price["tier"] == "standard" else line(price["tier"])
        of = f" ({line(price['provider'])})" if several else ""
        before = usual
        for level in price["levels"]:
            told = {meter: usd for meter, usd in level["usd"].items() if before.get(meter) != usd}
            above = f"above {level['over_input_tokens']:,} input tokens: " if level["over_input_tokens"] else ""
            yield f"{head}{of}", above + (_of_rates(told, level["for_a"]) or "the same")
            before = dict(level["usd"])
            usual = usual or before
            head = of = ""
        yield "", f"says {line(price['price_id'])}"


def _of_rates(told: Mapping[str, str], for_a: Mapping[str, str]) -> str:
    by_unit: dict[str, list[str]] = {}
    for meter, amount in told.items():
        by_unit.setdefault(for_a[meter], []).append(f"{meter.replace('_', ' ')} {_rate(amount)}")
    return "; ".join(f"{', '.join(rates)} per {unit}" for unit, rates in by_unit.items())


def _rate(amount: str) -> str:
    """All digits, and at least cents."""
    whole, _, behind = amount.partition(".")
    return f"${int(whole):,}.{behind.ljust(2, '0')}" if whole.isdigit() else f"${amount}"


def _of_use(known: Mapping[str, Any], answer: Answer) -> Iterator[tuple[str, str]]:
    if known["calls"] is None:
        yield "use", "there is no lake yet: `taximeter collect` makes one"
        return
    if not known["calls"]:
        yield "use", f"no calls; {answer.window}"
        return
    calls = f"{known['calls']:,} call{'s'[: known['calls'] != 1]}"
    without = known["calls"] - known["priced_calls"]
    said = [calls] + ([f"{without:,} of them unpriced"] if without else [])
    said += [f"{tokens(known[name])} {word}" for name, word in _TOKENS if known[name] is not None]
    said += ["cost unknown" if known["cost_usd"] is None else usd(known["cost_usd"])]
    yield "use", ", ".join(said)
    zone = answer.window.timezone
    first, last = (shown(known[name], _OF_NAME[name], zone) for name in ("first_time", "last_time"))
    yield "", f"from {first} to {last}, {zone.key}"
    yield from (_of_users(known, "provider", "served by"), _of_users(known, "service", "called by"))


def _of_users(known: Mapping[str, Any], name: str, head: str) -> tuple[str, str]:
    told = [
        f"{line(one[name]) if one[name] else 'unknown'} ({one['calls']:,}"
        + (")" if one["cost_usd"] is None else f", {usd(one['cost_usd'])})")
        for one in known[f"{name}s"]
    ]
    return head, _list(told)


def _list(told: Sequence[str]) -> str:
    more = len(told) - _MOST_NAMED
    return ", ".join(told) if more <= 0 else f"{', '.join(told[:_MOST_NAMED])} and {more} more"


_TOKENS = (("input_tokens", "tokens in"), ("output_tokens", "out"))
