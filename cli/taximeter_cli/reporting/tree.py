"""The tree of a trace, with a waterfall: what was in what, when, for how long, and what it cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from taximeter_queries.answer import Answer

from taximeter_cli.reporting import footer, tables
from taximeter_cli.reporting.branches import Branch, Node, branches, grown
from taximeter_cli.reporting.charts.blocks import span
from taximeter_cli.reporting.numbers import NULL, duration, tokens, usd
from taximeter_cli.reporting.words import ELLIPSIS, folded, line, padded, shortened, width

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.text import Text

__all__ = ["is_trace", "render"]

_NEEDED = {"depth", "name", "offset_ms", "duration_ms", "status"}
_GAP = 2
_LEAST_NAME = 16
_MOST_NAME = 60
_LEAST_BAR, _MOST_BAR = 10, 60
_TWIGS = {"middle": "├─", "last": "└─", "beside": "│ ", "below": "  "}
_TWIGS_ASCII = {"middle": "|-", "last": "`-", "beside": "| ", "below": "  "}


def is_trace(answer: Answer) -> bool:
    """Whether the rows are the spans of a trace."""
    return answer.report == "trace" and set(answer.names) >= _NEEDED


def render(answer: Answer, width: int | None = None, *, full: bool = False) -> RenderableType:
    """A trace as a tree of its spans; of a very deep or wide one it shows parts, unless it is wanted in `full`."""
    return _Tree(answer, width, full)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the tree: cells, of which some may have no room."""

    name: str
    before: str = ""
    duration: str = ""
    tokens: str = ""
    cost: str = ""
    style: str = ""
    bar_style: str = ""


@dataclass(frozen=True, slots=True)
class _Tree:
    answer: Answer
    width: int | None
    full: bool

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        room, encoding = tables.room_of(options, self.width)
        roots = grown(self.answer.records())
        shown = list(branches(roots, full=self.full, deepest=max(2, (room * 3 // 5 - _LEAST_NAME) // 2)))
        yield from _drawn(shown, roots, room, encoding)
        # The coverage is that of all calls; what these cost stands beside them.
        for one in [_summary(roots), *footer.lines(replace(self.answer, coverage=None))]:
            parts = folded(tables.plain(one, encoding), room)
            yield from (Text(part, style="dim", no_wrap=True, overflow="crop") for part in parts)


def _drawn(shown: Sequence[Branch], roots: Sequence[Node], room: int, encoding: str | None) -> Iterator[Text]:
    """As many columns as there is room for: tokens go first, then the bars."""
    lines = [_Line("span", "", "duration", "tokens", "cost", "bold"), *(_line(one, encoding) for one in shown)]
    lines = _on_the_point(lines)
    little = max(map(_little, lines))
    names = min(max(width(one.before + one.name) for one in lines), max(_MOST_NAME, little))
    asked = ["duration", "cost"] if any(one.cost for one in lines[1:]) else ["duration"]
    asked += ["tokens"] if any(one.tokens for one in lines[1:]) else []
    while asked and _wide(lines, asked) + min(names, _LEAST_NAME) > room:
        asked.pop()
    if "tokens" in asked and _wide(lines, asked) + names + _LEAST_BAR + _GAP > room:
        asked.remove("tokens")
    rest = room - _wide(lines, asked)
    bars = min(rest - max(min(names, rest // 2), min(little, rest - _LEAST_BAR - _GAP)) - _GAP, _MOST_BAR)
    bars = bars if bars >= _LEAST_BAR and "duration" in asked else 0
    names = min(names, rest - (bars + _GAP if bars else 0))
    begins, length = _extent(roots)
    drawn = [_bar(one, begins, length, bars, ascii_only=encoding is not None) for one in shown] if bars else []
    order: list[str] = [name for name in ("duration", "tokens", "cost") if name in asked]
    widths: dict[str, int] = {name: max(width(getattr(one, name)) for one in lines) for name in order}
    for one, bar in zip(lines, ["", *drawn] if bars else [""] * len(lines), strict=True):
        yield _text(one, bar, names, bars, widths, tables.plain(ELLIPSIS, encoding))


def _little(one: _Line) -> int:
    """How much room a name has at least; what is said of spans that are left out is said whole."""
    return width(one.before) + (width(one.name) if one.style == "dim" else min(width(one.name), _LEAST_NAME))


def _on_the_point(lines: Sequence[_Line]) -> list[_Line]:
    costs = tables.on_the_point([one.cost for one in lines])
    return [replace(one, cost=cost) for one, cost in zip(lines, costs, strict=True)]


def _wide(lines: Sequence[_Line], columns: Iterable[str]) -> int:
    return sum(max(width(getattr(one, name)) for one in lines) + _GAP for name in columns)


def _text(one: _Line, bar: str, names: int, bars: int, widths: Mapping[str, int], ellipsis: str) -> Text:
    from rich.text import Text

    name = shortened(one.name, max(names - width(one.before), 0), ellipsis)
    name = padded(shortened(one.before + name, names, ellipsis), names)
    cells: list[tuple[str, str]] = [(name, one.style)]
    if bars:
        cells.append((" " * _GAP + padded(bar, bars), one.bar_style))
    for column, columns in widths.items():
        cells.append((" " * _GAP + padded(getattr(one, column), columns, right=True), one.style))
    return Text.assemble(*cells, no_wrap=True, overflow="crop", end="\n")


def _line(one: Branch, encoding: str | None) -> _Line:
    twigs = _TWIGS_ASCII if encoding else _TWIGS
    before = "".join(twigs[piece] for piece in one.twigs)
    before = f"{before} " if before else ""
    if one.node is None:
        return _Line(tables.plain(one.said, encoding), before, style="dim")
    node, row = one.node, one.node.row
    mark = ("! " if encoding else "✗ ") if node.is_error else ""
    cost = row.get("subtree_cost_usd", row.get("cost_usd"))
    return _Line(
        mark + tables.plain(line(_name(node)), encoding),
        before,
        tables.plain(NULL if row["duration_ms"] is None else duration(row["duration_ms"]), encoding),
        _tokens(node, encoding),
        "" if cost is None else usd(cost),
        "red" if node.is_error else "",
        "red" if node.is_error else "cyan" if row.get("model") else "blue",
    )


def _name(node: Node) -> str:
    """The span's name, with its model and its service where these say something new, and what went wrong."""
    row = node.row
    name, model, service = str(row["name"] or NULL), row.get("model"), row.get("service_name")
    name = f"{name} {model}" if model and str(model) not in name else name
    above = node.parent.row.get("service_name") if node.parent else None
    name = f"{name} ({service})" if service and service != above else name
    wrong = node.is_error and (row.get("error_type") or row.get("status_message"))
    return f"{name}: {wrong}" if wrong else name


def _tokens(node: Node, encoding: str | None) -> str:
    went_in, came_out = node.row.get("input_tokens"), node.row.get("output_tokens")
    if went_in is None and came_out is None:
        return ""
    arrow = ">" if encoding else "→"
    return tables.plain(arrow.join(NULL if one is None else tokens(one) for one in (went_in, came_out)), encoding)


def _extent(roots: Iterable[Node]) -> tuple[float, float]:
    """When the trace begins, and how long it is."""
    times = [node.time for root in roots for node in root.walk() if node.time]
    begins = min((begin for begin, _ in times), default=0.0)
    return begins, max((end for _, end in times), default=0.0) - begins


def _bar(one: Branch, begins: float, length: float, room: int, *, ascii_only: bool) -> str:
    if one.node is None or one.node.time is None:
        return ""
    begin, end = one.node.time
    if not length:
        return span(0.0, 0.0, room, ascii_only)
    return span((begin - begins) / length, (end - begins) / length, room, ascii_only)


def _summary(roots: Sequence[Node]) -> str:
    nodes = [node for root in roots for node in root.walk()]
    _, length = _extent(roots)
    costs = [cost for root in roots if (cost := root.cost_usd) is not None]
    errors = sum(node.is_error for node in nodes)
    said = [f"{len(nodes):,} span{'s'[: len(nodes) != 1]}", duration(length)]
    said += [usd(sum(costs[1:], costs[0]))] if costs else []
    unpriced = sum(bool(node.row.get("billable")) and node.row.get("cost_usd") is None for node in nodes)
    said += [f"{unpriced:,} call{'s'[: unpriced != 1]} unpriced"] if unpriced else []
    said += [f"{errors:,} error{'s'[: errors != 1]}"] if errors else []
    return " · ".join(said)
