"""Every view of every call, one by one."""

from __future__ import annotations

from taximeter_queries.columns import Column, Unit
from taximeter_queries.report import Report

__all__ = ["REPORT"]

REPORT = Report(
    name="calls",
    sentence="Calls one by one, the newest first: every view of them, also those that do not count.",
    can_group=False,
    sort=("-start_time", "journal_id", "journal_position", "journal_item"),
    columns=(
        Column("start_time", Unit.TIME, "When it began.", "time"),
        Column("trace_id", Unit.TEXT, "Its trace.", "trace"),
        Column("span_id", Unit.TEXT, "Its span.", "span", detail=True),
        Column("service_name", Unit.TEXT, "Who called.", "service"),
        Column("provider", Unit.TEXT, "The provider.", detail=True),
        Column("model", Unit.TEXT, "The model as the price book calls it, or as it was told."),
        Column("operation", Unit.TEXT, "`chat`, `embeddings`, ...", detail=True),
        Column("stream", Unit.FLAG, "Whether the answer came in pieces.", detail=True),
        Column("status", Unit.TEXT, "`ok` or `error`."),
        Column("error_type", Unit.TEXT, "What went wrong.", "error"),
        Column("attempt", Unit.COUNT, "1 for the first retry.", detail=True),
        Column("finish_reason", Unit.TEXT, "Why the answer ended.", "finish", detail=True),
        Column("duration_ms", Unit.MS, "How long it took.", "time taken"),
        Column("ttft_ms", Unit.MS, "How long the first piece of a streamed answer took.", "first token"),
        Column("input_tokens", Unit.TOKENS, "All that went in.", "input"),
        Column("output_tokens", Unit.TOKENS, "All that came out.", "output"),
        Column("cache_read_tokens", Unit.TOKENS, "Of the input: read from a cache.", "cache read", detail=True),
        Column("cache_write_tokens", Unit.TOKENS, "Of the input: written to a cache.", "cache write", detail=True),
        Column("reasoning_tokens", Unit.TOKENS, "Of the output: reasoning.", "reasoning", detail=True),
        Column("cost_usd", Unit.USD, "What it costs; NULL if that is not known.", "cost"),
        Column("reported_cost_usd", Unit.USD, "What its sender said that it costs.", "reported", detail=True),
        Column("cost_status", Unit.TEXT, "`priced`, `reported`, `free`, or why it has no price."),
        Column("cost_reason", Unit.TEXT, "More of why there is no price.", detail=True),
        Column("price_id", Unit.TEXT, "The row of the price book.", "price", detail=True),
        Column("billable", Unit.FLAG, "Whether this is the view that counts.", "counts"),
        Column("not_billable_because", Unit.TEXT, "Why it does not.", "because", detail=True),
        Column("billed_as", Unit.TEXT, "What counts instead: `journal_id/journal_position.journal_item`.", detail=True),
        Column("conversation_id", Unit.TEXT, "The conversation.", "conversation", detail=True),
        Column("user_id", Unit.TEXT, "Who it was done for.", "user", detail=True),
        Column("agent_name", Unit.TEXT, "The agent that called.", "agent", detail=True),
        Column("workflow_name", Unit.TEXT, "The workflow.", "workflow", detail=True),
        Column("prompt_name", Unit.TEXT, "The prompt.", "prompt", detail=True),
        Column("response_id", Unit.TEXT, "The provider's name for its answer.", "response", detail=True),
        Column("parent_span_id", Unit.TEXT, "The span around it.", "parent", detail=True),
        Column("source", Unit.TEXT, "`span` or `log`.", detail=True),
        Column("tags", Unit.NESTED, "Its tags.", detail=True),
        Column("journal_id", Unit.TEXT, "The journal that it came through.", "journal", detail=True),
        Column("journal_position", Unit.COUNT, "Its place in the journal.", "position", detail=True),
        Column("journal_item", Unit.COUNT, "Which of the request's records it is.", "item", detail=True),
    ),
)
