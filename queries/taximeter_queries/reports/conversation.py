"""One conversation: its calls in order, and what was new in each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from taximeter_queries.answer import Answer
from taximeter_queries.columns import Column, Unit
from taximeter_queries.errors import NotFound
from taximeter_queries.ids import MOST, ends, like, only_one
from taximeter_queries.report import Report
from taximeter_queries.said import answered, asked, messages
from taximeter_queries.text import literal

__all__ = ["REPORT"]

_COLUMNS = (
    Column("turn", Unit.COUNT, "1 for the first."),
    Column("start_time", Unit.TIME, "When it began.", "start"),
    Column("operation", Unit.TEXT, "`chat`, `embeddings`, ...", detail=True),
    Column("model", Unit.TEXT, "The model that was called."),
    Column("agent_name", Unit.TEXT, "The agent that called.", "agent", detail=True),
    Column("user_id", Unit.TEXT, "Who it was done for.", "user", detail=True),
    Column("service_name", Unit.TEXT, "The service that called.", "service", detail=True),
    Column("input_tokens", Unit.TOKENS, "All that went in.", "in"),
    Column("output_tokens", Unit.TOKENS, "All that came out.", "out"),
    Column("cache_read_tokens", Unit.TOKENS, "Of the input: read from a cache.", "cache read", detail=True),
    Column("cost_usd", Unit.USD, "What it costs; NULL if that is not known.", "cost"),
    Column("cost_status", Unit.TEXT, "`priced`, ..., or why there is no price.", detail=True),
    Column("duration_ms", Unit.MS, "From the request to the end of the answer.", "duration"),
    Column("ttft_ms", Unit.MS, "To the first piece of a streamed answer.", "first token", detail=True),
    Column("status", Unit.TEXT, "`ok` or `error`."),
    Column("error_type", Unit.TEXT, "What went wrong.", "error", detail=True),
    Column("finish_reason", Unit.TEXT, "Why the answer ended.", "finish", detail=True),
    Column("billable", Unit.FLAG, "Whether it counts; a failed call does not.", detail=True),
    Column("asked", Unit.TEXT, "What was new in the prompt: what came after the model's last message."),
    Column("answered", Unit.TEXT, "What came out."),
    Column("content", Unit.NESTED, "All that landed of it, as it was sent.", detail=True),
    Column("trace_id", Unit.TEXT, "The trace.", "trace", detail=True),
    Column("span_id", Unit.TEXT, "The span.", "span", detail=True),
    Column("response_id", Unit.TEXT, "The provider's name for its answer.", "response", detail=True),
)
_Row = Mapping[str, Any]


def _resolve(asked: Mapping[str, str], rows: Callable[[str], list[tuple[Any, ...]]]) -> Mapping[str, str]:
    """The whole id, if there is none like that, from as much of it as tells it from others."""
    said = asked["conversation_id"]
    if not said or rows(f"SELECT 1 FROM calls WHERE conversation_id = {literal(said)} LIMIT 1"):
        return asked
    likes = like("conversation_id", *(ends(said) or (said,)))
    found = rows(f"SELECT DISTINCT conversation_id FROM calls WHERE {likes} ORDER BY 1 LIMIT {MOST}")
    return {"conversation_id": only_one(found, "conversations", said) or said}


def _finish(answer: Answer) -> Answer:
    """Turns, with what was said in each."""
    told = [dict(zip(answer.names, row, strict=True)) for row in answer.rows]
    views = [row for row in told if row["what"] != "said"]
    turns = sorted((row for row in views if row["what"] == "turn"), key=lambda row: (row["unix_nano"], row["identity"]))
    if not views:
        raise NotFound(f"no conversation has that id in {answer.window}: `taximeter conversations` lists them")
    said = [row for row in told if row["what"] == "said"]
    said.sort(key=lambda row: (row["unix_nano"], row["identity"], row["piece"]))
    parts, alone = _of_turns(turns, views, said)
    rows = [_row(number, turn, parts[number - 1]) for number, turn in enumerate(turns, 1)]
    return replace(answer, columns=_COLUMNS, rows=rows, notes=(*answer.notes, *_told_of(alone)))


def _told_of(alone: Sequence[_Row]) -> Iterable[str]:
    """What stands in no turn, though it was said."""
    of_tools = sum(one["kind"] in ("tool_input", "tool_output") for one in alone)
    for count, what in ((of_tools, "what tools were given and gave"), (len(alone) - of_tools, "of no call here")):
        if count:
            pieces, them = ("piece of content is", "it") if count == 1 else ("pieces of content are", "them")
            yield f"{count:,} {pieces} {what}, and in no turn; the table content has {them}"


def _of_turns(
    turns: Sequence[_Row], views: Sequence[_Row], said: Sequence[_Row]
) -> tuple[list[list[_Row]], list[_Row]]:
    """What was said in each turn, and what is of none.

    By the record that it came in; by the response; by the span. A prompt that stands by itself goes with the call that
    follows, and an answer with the one before.
    """
    keys = _keys(turns, views)
    parts: list[list[_Row]] = [[] for _ in turns]
    alone: list[_Row] = []
    for one in said:
        found = next((keys[key] for key in _names(one) if key in keys), None)
        found = _near(turns, one) if found is None else found
        if found is None:
            alone.append(one)
        else:
            parts[found].append(one)
    return parts, alone


def _keys(turns: Sequence[_Row], views: Sequence[_Row]) -> dict[tuple[Any, ...], int]:
    """What other records may know each turn by: its own names, and those of views of the same call."""
    keys: dict[tuple[Any, ...], int] = {}
    at = {turn["identity"]: place for place, turn in enumerate(turns)}
    for one in sorted(views, key=lambda one: one["what"] != "turn"):
        place = at.get(one["identity"], at.get(one["billed_as"]))
        if place is not None:
            for key in _names(one):
                keys.setdefault(key, place)
    return keys


def _names(one: _Row) -> Iterable[tuple[Any, ...]]:
    yield "record", one["identity"]
    if one["response_id"]:
        yield "response", one["response_id"]
    # A log record's span is the one around it, and may be around many calls.
    if one["span_id"] and one["source"] != "log":
        yield "span", one["trace_id"], one["span_id"]


def _near(turns: Sequence[_Row], one: _Row) -> int | None:
    if one["source"] != "log" or one["kind"] not in ("input", "output"):
        return None
    if one["kind"] == "input":
        return next((at for at, turn in enumerate(turns) if turn["unix_nano"] >= one["unix_nano"]), None)
    before = [at for at, turn in enumerate(turns) if turn["unix_nano"] <= one["unix_nano"]]
    return before[-1] if before else None


def _row(number: int, turn: _Row, parts: Sequence[_Row]) -> tuple[Any, ...]:
    content = [{name: one[name] for name in ("kind", "key", "value", "source")} for one in parts]
    made = {
        **turn,
        "turn": number,
        "asked": asked(messages(_best(parts, "input"))),
        "answered": answered(messages(_best(parts, "output"))),
        "content": content or None,
    }
    return tuple(made[column.name] for column in _COLUMNS)


def _best(parts: Sequence[_Row], kind: str) -> list[tuple[str, str]]:
    """Keys and values of the one record that says most: several tell the same."""
    records: dict[str, list[tuple[str, str]]] = {}
    for one in parts:
        if one["kind"] == kind:
            records.setdefault(one["identity"], []).append((one["key"], one["value"]))
    best = max(records.values(), key=lambda record: sum(len(value) for _, value in record), default=[])
    keys = {key for key, _ in best}
    family = next((name for name in _FAMILIES if any(key.startswith(name) for key in keys)), "")
    return [(key, value) for key, value in best if key.startswith(family)]


# A record may have the same in several forms; the first of these tells it best.
_FAMILIES = (
    *("gen_ai.input.messages", "gen_ai.output.messages", "llm.input_messages.", "llm.output_messages."),
    *("ai.prompt.messages", "ai.response.text", "gen_ai.prompt", "gen_ai.completion"),
)


REPORT = Report(
    name="conversation",
    sentence="One conversation: its calls in order, what was new in each, and what it cost.",
    can_group=False,
    columns=_COLUMNS,
    sort=(),
    reads=("calls", "content"),
    asks={"conversation_id": "Its id, or a coding agent's session's, or as much of it as tells it from others."},
    resolve=_resolve,
    finish=_finish,
    whole=True,
)
