"""The lake that docs/reports.md shows: a week of a small shop, made up, and always the same.

`python -m tests.cli.example_lake FOLDER` makes it anew, to try things on.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from taximeter_queries import Lake

from tests.queries.landing import Row, landed

__all__ = ["CONVERSATION", "TRACE", "example_lake"]

MONDAY = datetime(2026, 11, 16, 8, tzinfo=UTC)
DAYS = 5
CONVERSATION = "order-1187"
TRACE = f"{0x5EED:032x}"
# US dollars for a million tokens: input, cache read, cache write, output.
PRICES = {
    "gpt-5": ("openai", 1.25, 0.125, 0, 10),
    "gpt-5-mini": ("openai", 0.25, 0.025, 0, 2),
    "claude-opus-4-8": ("anthropic", 5, 0.5, 6.25, 25),
    "text-embedding-3-small": ("openai", 0.02, 0, 0, 0),
}
USERS = ("anna", "ben", "chloe", "dilan")
SAID = (
    ("Where is my order 1187?", "It left our warehouse on Monday and arrives tomorrow."),
    ("Can it come in the evening instead?", "Yes: I moved it to between 6 and 8 pm."),
)


class _Story:
    """Rows as they come."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self._position = 0
        self.tables: dict[str, list[Row]] = {name: [] for name in ("calls", "spans", "logs", "content", "metrics")}

    def add(self, table: str, at: datetime, **row: Any) -> Row:
        """A row of what was sent at a moment."""
        nano = int(at.timestamp()) * 10**9 + at.microsecond * 1000
        own = "start_unix_nano" if table in ("calls", "spans") else "time_unix_nano"
        self._position += "journal_position" not in row
        row.setdefault("journal_position", self._position)
        self.tables[table].append({own: nano, "received_unix_nano": nano, "environment": "production", **row})
        return self.tables[table][-1]

    def id(self, digits: int) -> str:
        return f"{self.random.getrandbits(digits * 4):0{digits}x}"

    def call(self, at: datetime, model: str, tokens: tuple[int, int, int], **more: Any) -> Row:
        """A call, and the span that told of it. Tokens are input, of it from a cache, and output."""
        provider, *prices = PRICES.get(model, ("self-hosted", None))
        read = tokens[1]
        costs = _costs(prices, (tokens[0] - read, read, 0, tokens[2])) if len(prices) == 4 else {}
        duration_ms = round(180 + tokens[2] * self.random.uniform(6, 14), 3)
        operation = "embeddings" if "embedding" in model else "chat"
        same = {"trace_id": self.id(32), "span_id": self.id(16), "operation": operation, "dialect": "otel"}
        same |= {"duration_ms": duration_ms, "status": "ok"}
        same |= {key: more.pop(key) for key in tuple(more) if key in _OF_BOTH}
        told = {
            "source": "span",
            "provider": provider,
            "model": model,
            "request_model": model,
            "response_model": model,
            "response_id": f"resp_{self.id(20)}",
            "stream": operation == "chat",
            "input_tokens": tokens[0],
            "output_tokens": tokens[2],
            "cache_read_tokens": read or None,
            "ttft_ms": round(duration_ms * self.random.uniform(0.1, 0.3), 3) if operation == "chat" else None,
            "finish_reason": "stop",
            "cost_status": "priced" if costs else "unpriced_model",
            "billable": True,
            "price_id": f"genai-prices:{model}" if costs else None,
            "view_rank": 1,
        }
        row = self.add("calls", at, **{**told, **same, **costs, **more})
        nano, same["journal_position"] = row["start_unix_nano"], row["journal_position"]
        ends = nano + int(row["duration_ms"] * 1e6)
        self.add("spans", at, name=f"{same['operation']} {model}", kind="client", end_unix_nano=ends, **same)
        return row


_OF_BOTH = (
    *("trace_id", "span_id", "parent_span_id", "service_name", "service_version", "conversation_id", "user_id"),
    *("agent_name", "status", "dialect", "duration_ms"),
)


def example_lake(folder: Path) -> Lake:
    """Make it."""
    story = _Story(Random(2026))
    for day in range(DAYS):
        morning = MONDAY + timedelta(days=day)
        for number in range(14 + 3 * day):
            _assistant_turn(story, morning + timedelta(minutes=31 * number), day, number)
        for number in range(6):
            at = morning + timedelta(hours=number, minutes=12)
            tokens = (story.random.randrange(200, 2000), 0, 0)
            story.call(at, "text-embedding-3-small", tokens, service_name="search", service_version="2.1.0")
        _coding_session(story, morning + timedelta(hours=2), day)
    _shown_conversation(story, MONDAY + timedelta(days=2, hours=5))
    for rows in story.tables.values():
        rows.sort(key=lambda row: row.get("start_unix_nano") or row["time_unix_nano"])
    tables = {name: rows for name, rows in story.tables.items() if name != "calls"}
    return landed(folder, story.tables["calls"], **tables)


def _assistant_turn(story: _Story, at: datetime, day: int, number: int) -> None:
    """Some customer asks; now and then the provider says that it is too much."""
    random = story.random
    who = {
        "service_name": "assistant",
        "service_version": "1.4.0" if day < 3 else "1.5.0",
        "user_id": random.choice(USERS),
        "conversation_id": f"chat-{day}{number // 3:02}",
        "agent_name": "helper",
        "tags": [("team", "support" if number % 3 else "sales")],
    }
    model = "acme-13b" if number % 11 == 10 else "gpt-5-mini" if day >= 3 and number % 2 else "gpt-5"
    size = random.randrange(900, 4200)
    tokens = (size, size // 2 if number % 3 else 0, random.randrange(60, 500))
    if number % 9 == 8:
        failed = {"status": "error", "error_type": "rate_limit_exceeded", "finish_reason": None, "stream": None}
        failed |= {"input_tokens": None, "output_tokens": None, "cache_read_tokens": None, "ttft_ms": None}
        failed |= {"billable": False, "not_billable_because": "failed", "cost_status": "missing_usage"}
        nothing = dict.fromkeys((*_COSTS, "cost_usd", "price_id", "response_id", "response_model"))
        story.call(at, model, (0, 0, 0), **{**who, **failed, **nothing, "duration_ms": 95.5})
        at, who = at + timedelta(seconds=2), {**who, "attempt": 1}
    story.call(at, model, tokens, **who)


def _coding_session(story: _Story, at: datetime, day: int) -> None:
    """A developer's agent works for a while, mostly from its cache."""
    session = f"{0xC0DE + day:08x}-cafe-4000-8000-{day:012x}"
    who = {"service_name": "claude-code", "conversation_id": session, "user_id": "dev@shop.example"}
    for turn in range(5):
        at += timedelta(minutes=3)
        size = 12_000 + 6_000 * turn
        tokens = (size, size - 3_000, story.random.randrange(200, 900))
        story.call(at, "claude-opus-4-8", tokens, dialect="claude_code", **who)
    for part, lines in (("added", 120 + 10 * day), ("removed", 35)):
        story.add(
            "metrics", at, name="claude_code.lines_of_code.count", type="sum", temporality="delta", monotonic=True,
            value=float(lines), value_int=lines, measure="lines_of_code", part=part, dialect="claude_code", **who,
        )  # fmt: skip


def _shown_conversation(story: _Story, at: datetime) -> None:
    """The one whose turns and trace are shown: an agent that looks an order up between two calls."""
    who = {"service_name": "assistant", "service_version": "1.4.0", "conversation_id": CONVERSATION}
    who |= {"user_id": "anna", "agent_name": "helper"}
    for turn, (question, answer) in enumerate(SAID):
        trace = TRACE if turn == 0 else story.id(32)
        root, agent, first, tool, last = (story.id(16) for _ in range(5))
        when = at + timedelta(seconds=40 * turn)
        same = {"trace_id": trace, **who, "dialect": "otel", "status": "ok"}
        _span(story, when, 3900, name="POST /chat", kind="server", span_id=root, trace_id=trace, service_name="web")
        told = {**same, "span_id": agent, "parent_span_id": root, "operation": "invoke_agent"}
        _span(story, when + timedelta(milliseconds=35), 3800, name="invoke_agent helper", kind="internal", **told)
        below = {"trace_id": trace, "parent_span_id": agent, **who}
        started = when + timedelta(milliseconds=60)
        story.call(
            started, "gpt-5", (1_850, 1_024, 48), **below, span_id=first, duration_ms=1210.0, finish_reason="tool_calls"
        )
        told = {
            **same,
            "span_id": tool,
            "parent_span_id": agent,
            "operation": "execute_tool",
            "tool_name": "find_order",
        }
        started = when + timedelta(milliseconds=1300)
        _span(story, started, 240, name="execute_tool find_order", kind="internal", **told)
        started = when + timedelta(milliseconds=1570)
        call = story.call(started, "gpt-5", (2_040, 1_024, 130), **below, span_id=last, duration_ms=2205.0)
        for kind, role, text in (("input", "user", question), ("output", "assistant", answer)):
            messages = [{"role": role, "parts": [{"type": "text", "content": text}]}]
            story.add(
                "content", started, trace_id=trace, span_id=last, response_id=call["response_id"],
                conversation_id=CONVERSATION, source="span", dialect="otel", service_name="assistant", kind=kind,
                key=f"gen_ai.{kind}.messages", piece=1 if kind == "input" else 2, value=json.dumps(messages),
            )  # fmt: skip


def _span(story: _Story, at: datetime, duration_ms: float, **row: Any) -> None:
    nano = int(at.timestamp()) * 10**9 + at.microsecond * 1000
    story.add("spans", at, duration_ms=duration_ms, end_unix_nano=nano + int(duration_ms * 1e6), **row)


_COSTS = ("input_cost_usd", "cache_read_cost_usd", "cache_write_cost_usd", "output_cost_usd")


def _costs(prices: list[Any], tokens: tuple[int, ...]) -> Row:
    """What so many tokens of each kind cost, and that together."""
    parts = {
        name: Decimal(str(price)).scaleb(-6) * count for name, price, count in zip(_COSTS, prices, tokens, strict=True)
    }
    return {**parts, "cost_usd": sum(parts.values())}


if __name__ == "__main__":
    example_lake(Path(sys.argv[1]))
