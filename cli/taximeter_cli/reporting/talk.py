"""A conversation, turn by turn: who said what, how long it took and what it cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from taximeter_queries.answer import Answer
from taximeter_queries.columns import Column

from taximeter_cli.reporting import footer, tables
from taximeter_cli.reporting.numbers import duration, shown, tokens, usd
from taximeter_cli.reporting.words import ELLIPSIS, folded, harmless

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.text import Text

__all__ = ["is_conversation", "render"]

_INDENT = 2
_MOST_LINES = 4
_MOST_ROOM = 120
_SAID = {"asked": "green", "answered": "cyan"}


def is_conversation(answer: Answer) -> bool:
    """Whether the rows are the turns of a conversation."""
    return answer.report == "conversation" and {"start_time", "model"} <= set(answer.names)


def render(answer: Answer, width: int | None = None, *, full: bool = False) -> RenderableType:
    """A conversation, a turn after the other; what was said is shortened, unless it is wanted in `full`."""
    return _Talk(answer, width, full)


@dataclass(frozen=True, slots=True)
class _Talk:
    answer: Answer
    width: int | None
    full: bool

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room, encoding = tables.room_of(options, self.width)
        columns = {column.name: column for column in self.answer.columns}
        was_said = False
        for number, row in enumerate(self.answer.records(), 1):
            style = "bold red" if row.get("status") == "error" else "bold"
            yield from _folded(_heading(number, row, columns, self.answer), room, 0, style, encoding)
            for part in self._said(row, room, encoding):
                was_said = True
                yield part
        below = _below(self.answer, was_said)
        for one in below:
            yield from _folded(one, room, 0, "dim", encoding)

    def _said(self, row: Mapping[str, Any], room: int, encoding: str | None) -> Iterator[Text]:
        """What went in and what came out, each by who said it."""
        indent = min(_INDENT, room - 1)
        for name, colour in _SAID.items():
            if not (text := str(row.get(name) or "").strip()):
                continue
            lines = list(_wrapped(f"{name}: {text}", min(room, _MOST_ROOM) - indent, encoding))
            kept = lines if self.full or len(lines) <= _MOST_LINES + 1 else lines[:_MOST_LINES]
            yield from (_text(" " * indent + part, colour) for part in kept)
            if len(kept) < len(lines):
                more = f"{ELLIPSIS} {len(lines) - len(kept):,} more lines"
                yield from _folded(more, room, indent, "dim", encoding)


def _below(answer: Answer, was_said: bool) -> list[str]:
    lines = footer.lines(replace(answer, coverage=None))  # that is of all calls, and these have their costs beside them
    if not was_said and not any("content" in note for note in answer.notes):
        lines.append("what was said is not in the lake: content lands only where it is captured and kept")
    return lines


def _heading(number: int, row: Mapping[str, Any], columns: Mapping[str, Column], answer: Answer) -> str:
    """Everything but what was said, in a line."""
    at = row["start_time"]
    told = [f"{number}", shown(at, columns["start_time"], answer.window.timezone) if isinstance(at, datetime) else ""]
    told += [str(row[name]) for name in ("agent_name", "operation", "model") if row.get(name)]
    if row.get("input_tokens") is not None:
        told.append(f"{tokens(row['input_tokens'])} in")
    if row.get("output_tokens") is not None:
        told.append(f"{tokens(row['output_tokens'])} out")
    told.append("cost unknown" if row.get("cost_usd") is None else usd(row["cost_usd"]))
    if row.get("duration_ms") is not None:
        told.append(duration(row["duration_ms"]))
    if row.get("status") == "error":
        told.append(str(row.get("error_type") or "error"))
    return " · ".join(harmless(one) for one in told if one)


def _wrapped(text: str, room: int, encoding: str | None) -> Iterator[str]:
    """A text in its own lines, none longer than the room; empty ones at its end are left out."""
    for one in harmless(text.rstrip(), lines=True).split("\n"):
        yield from folded(tables.plain(one, encoding), max(room, 1))


def _folded(text: str, room: int, indent: int, style: str, encoding: str | None) -> Iterator[Text]:
    for part in folded(tables.plain(text, encoding), max(room - indent, 1)):
        yield _text(" " * indent + part, style)


def _text(text: str, style: str) -> Text:
    from rich.text import Text

    return Text(text, style=style, no_wrap=True, overflow="crop", end="\n")
