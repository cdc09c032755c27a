"""The lake's tables, column by column. docs/lake.md shows them, and a test compares the two.

This is the contract with everything that reads the lake: a column is never renamed, never changes its type or its
meaning, and a new one may be missing (NULL) in what was landed before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa  # type: ignore[import-untyped]

__all__ = ["CALLS", "CONTENT", "LOGS", "METRICS", "SCHEMA_VERSION", "SPANS", "TABLES", "Column", "LakeTable"]

SCHEMA_VERSION = 1
"""Written into each table as `taximeter.schema_version`; it goes up when a column is added."""

TEXT = pa.string()
COUNT = pa.int64()
MONEY = pa.decimal128(18, 12)
TIME = pa.timestamp("us", tz="UTC")
MAP = pa.map_(pa.string(), pa.string())
EVENTS = pa.list_(
    pa.struct([("time_unix_nano", pa.int64()), ("name", TEXT), ("attributes", MAP), ("dropped_attributes", pa.int32())])
)
LINKS = pa.list_(
    pa.struct(
        [
            ("trace_id", TEXT),
            ("span_id", TEXT),
            ("trace_state", TEXT),
            ("attributes", MAP),
            ("dropped_attributes", pa.int32()),
            ("flags", pa.int64()),
        ]
    )
)
EXEMPLARS = pa.list_(
    pa.struct(
        [
            ("time_unix_nano", pa.int64()),
            ("value", pa.float64()),
            ("value_int", pa.int64()),
            ("trace_id", TEXT),
            ("span_id", TEXT),
            ("attributes", MAP),
        ]
    )
)
QUANTILES = pa.list_(pa.struct([("quantile", pa.float64()), ("value", pa.float64())]))


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `always` if it is never NULL."""

    name: str
    type: pa.DataType
    sentence: str
    always: bool = False


@dataclass(frozen=True, slots=True)
class LakeTable:
    """One Delta table, partitioned by `date`."""

    name: str
    sentence: str
    columns: tuple[Column, ...]

    @property
    def schema(self) -> pa.Schema:
        """As Arrow has it."""
        return pa.schema([pa.field(column.name, column.type, not column.always) for column in self.columns])


def _whence(time: str) -> tuple[Column, ...]:
    """What tells, in every table, when a row was and where it comes from."""
    return (
        Column("date", pa.date32(), f"The UTC day of `{time}`; the partition.", always=True),
        Column(time, TIME, "When it began or happened; when it was received, if the sender's clock is absurd.", True),
        Column(f"{time}_unix_nano".replace("_time_unix", "_unix"), pa.int64(), "The same, exactly.", True),
        Column(
            "claimed_unix_nano",
            pa.decimal128(20, 0),
            "What an absurd clock said: before 2015, or more than a day after it was received. NULL otherwise.",
        ),
        Column("received_unix_nano", pa.int64(), "When the collector had it whole.", True),
        Column("journal_id", TEXT, "The journal that it came through: one for each data folder.", True),
        Column("journal_position", pa.int64(), "The request that it came in, by its place in the journal.", True),
        Column(
            "journal_item", pa.int32(), "Which of the request's records it is. The three are a row's identity.", True
        ),
    )


_SERVICE = (
    Column("service_name", TEXT, "`service.name` of the resource."),
    Column("service_version", TEXT, "`service.version` of the resource."),
    Column("environment", TEXT, "`deployment.environment.name` of the resource, or its older spelling."),
)
_SCOPE = (
    Column("scope_name", TEXT, "The instrumentation scope: which library tells this."),
    Column("scope_version", TEXT, "Its version."),
)
_REST = (
    Column("attributes", MAP, "All attributes as they were sent, but for message content; no text is as JSON."),
    Column("resource_attributes", MAP, "The same of the resource."),
)
_CANONICAL = (
    Column("dialect", TEXT, "Which dialect of GenAI telemetry it was understood as; NULL if it is not about GenAI."),
    Column("operation", TEXT, "`chat`, `embeddings`, `execute_tool`, `invoke_agent`, ...: `gen_ai.operation.name`."),
    Column("conversation_id", TEXT, "The conversation, or a coding agent's session."),
    Column("user_id", TEXT, "Who it was done for."),
    Column("agent_name", TEXT, "The agent."),
    Column("tool_name", TEXT, "The tool that was executed."),
)

_TOKENS = {
    "input_tokens": "All that went in: with cache reads and writes, and in all modalities.",
    "output_tokens": "All that came out: with reasoning, and in all modalities.",
    "cache_read_tokens": "Of the input: read from a cache.",
    "cache_write_tokens": "Of the input: written to a cache, for whatever time.",
    "reasoning_tokens": "Of the output: reasoning.",
    "cache_write_5m_tokens": "Of what was written to a cache: for five minutes.",
    "cache_write_1h_tokens": "Of what was written to a cache: for an hour.",
    "image_input_tokens": "Of the input: images.",
    "audio_input_tokens": "Of the input: sound.",
    "video_input_tokens": "Of the input: video.",
    "image_cache_read_tokens": "Of the images that went in: read from a cache.",
    "audio_cache_read_tokens": "Of the sound that went in: read from a cache.",
    "video_cache_read_tokens": "Of the video that went in: read from a cache.",
    "image_output_tokens": "Of the output: images.",
    "audio_output_tokens": "Of the output: sound.",
    "video_output_tokens": "Of the output: video.",
    "citation_tokens": "Of the output: citations.",
    "characters": "Characters that went in, where they are what is charged (speech).",
    "audio_input_ms": "Sound that went in, in milliseconds, where that is what is charged.",
    "audio_output_ms": "Sound that came out, likewise.",
    "pages": "Pages that were read (OCR).",
    "annotated_pages": "Of the pages: annotated.",
    "images": "Images that were made.",
    "video_ms": "Video that was made, in milliseconds.",
    "rerank_searches": "Units of reranking.",
    "web_searches": "Searches of the web that are charged.",
    "social_searches": "Searches of social networks that are charged.",
    "file_searches": "Searches of files that are charged.",
    "code_executions": "Executions of code that are charged.",
}

CALLS = LakeTable(
    "calls",
    "The ledger: a row for each view of a model call, of which one is billed.",
    (
        *_whence("start_time"),
        Column("duration_ms", pa.float64(), "From the request to the last byte of the answer."),
        Column("ttft_ms", pa.float64(), "From the request to the first piece of a streamed answer."),
        Column("trace_id", TEXT, "32 hexadecimal digits."),
        Column("span_id", TEXT, "16 hexadecimal digits; for a log record, of the span in which it was written."),
        Column("parent_span_id", TEXT, "The span around it."),
        Column("response_id", TEXT, "The provider's name for its answer."),
        Column("source", TEXT, "`span` or `log`.", always=True),
        Column("dialect", TEXT, "How it was told: docs/normalising.md lists the dialects.", always=True),
        *_SERVICE,
        Column("operation", TEXT, "`chat`, `text_completion`, `generate_content`, `embeddings`, `invoke_agent`, ..."),
        Column("provider", TEXT, "By the conventions' names: `openai`, `anthropic`, `gcp.gemini`, `aws.bedrock`, ..."),
        Column("request_model", TEXT, "The model that was asked for."),
        Column("response_model", TEXT, "The model that answered."),
        Column("model", TEXT, "The model as the price book calls it; else the one that answered or was asked for."),
        Column("stream", pa.bool_(), "Whether the answer came in pieces."),
        Column("finish_reason", TEXT, "Why the answer ended; several choices' reasons with commas between."),
        Column("status", TEXT, "`ok` or `error`.", always=True),
        Column("error_type", TEXT, "What went wrong: a provider's code, an HTTP status, an exception."),
        Column("attempt", pa.int32(), "1 for the first retry, 2 for the second; NULL or 0 for what was no retry."),
        Column("conversation_id", TEXT, "The conversation, or a coding agent's session."),
        Column("user_id", TEXT, "Who it was done for."),
        Column("agent_name", TEXT, "The agent that called."),
        Column("workflow_name", TEXT, "The workflow that it was part of."),
        Column("prompt_name", TEXT, "The prompt's name in a prompt registry."),
        Column("tags", MAP, "`taximeter.tag.*` and what other dialects have for it."),
        *(Column(name, COUNT, sentence) for name, sentence in _TOKENS.items()),
        Column("service_tier", TEXT, "The tier that the answer named, or that was asked for: `flex`, `priority`, ..."),
        Column("processing", TEXT, "`batch`, if it was part of one."),
        Column("speed", TEXT, "`fast`, where a provider sells that."),
        Column("region", TEXT, "Where it was served, if that was told."),
        Column("server_address", TEXT, "The host that was called."),
        Column("cost_usd", MONEY, "What it costs: the parts below together. NULL if that is not known, never 0."),
        Column("input_cost_usd", MONEY, "Input that is neither read from nor written to a cache."),
        Column("output_cost_usd", MONEY, "Output, with reasoning."),
        Column("cache_read_cost_usd", MONEY, "Input that was read from a cache."),
        Column("cache_write_cost_usd", MONEY, "Input that was written to a cache."),
        Column("other_cost_usd", MONEY, "Searches, requests, and what else is charged by piece."),
        Column("reported_cost_usd", MONEY, "What the provider or the sender said that it costs."),
        Column(
            "cost_status",
            TEXT,
            "`priced`, `reported`, `free`, `unpriced_model`, `missing_usage` or `inconsistent_usage`.",
            always=True,
        ),
        Column("cost_reason", TEXT, "Why there is no price."),
        Column("price_id", TEXT, "The row of the price book: source, model, day, tier."),
        Column("billable", pa.bool_(), "Whether this is the view that counts. Sum where it is true.", always=True),
        Column("not_billable_because", TEXT, "Why it does not count; docs/lake.md lists the reasons."),
        Column("view_rank", pa.int32(), "How well this view tells of the call; of several, the best is billed."),
        Column("billed_as", TEXT, "The view that counts instead: its `journal_id/journal_position.journal_item`."),
    ),
)

SPANS = LakeTable(
    "spans",
    "Every span, as it was sent.",
    (
        *_whence("start_time"),
        Column("end_unix_nano", pa.int64(), "When it ended, exactly."),
        Column("duration_ms", pa.float64(), "How long it took; NULL if it ended before it began."),
        Column("trace_id", TEXT, "32 hexadecimal digits.", always=True),
        Column("span_id", TEXT, "16 hexadecimal digits.", always=True),
        Column("parent_span_id", TEXT, "The span around it; NULL for a root."),
        Column("name", TEXT, "Its name."),
        Column("kind", TEXT, "`internal`, `server`, `client`, `producer` or `consumer`."),
        Column("status", TEXT, "`ok` or `error`; NULL if it was not set."),
        Column("status_message", TEXT, "What was said of the error."),
        *_SERVICE,
        *_SCOPE,
        *_CANONICAL,
        *_REST,
        Column("events", EVENTS, "What happened meanwhile."),
        Column("links", LINKS, "Spans elsewhere that have to do with it."),
        Column("trace_state", TEXT, "The W3C trace state."),
        Column("flags", pa.int64(), "The W3C trace flags, and whether the parent is remote."),
        Column("dropped_attributes", pa.int32(), "What the sender dropped."),
        Column("dropped_events", pa.int32(), "What the sender dropped."),
        Column("dropped_links", pa.int32(), "What the sender dropped."),
        Column("schema_url", TEXT, "Of the scope, or else of the resource."),
    ),
)

LOGS = LakeTable(
    "logs",
    "Every log record and event.",
    (
        *_whence("time"),
        Column("observed_unix_nano", pa.int64(), "When the sender's collection saw it."),
        Column("trace_id", TEXT, "The trace in which it was written."),
        Column("span_id", TEXT, "The span in which it was written."),
        Column("event_name", TEXT, "The event's name, also where it is told as the attribute `event.name`."),
        Column("severity_number", pa.int32(), "1 to 24; NULL if it was not told."),
        Column("severity_text", TEXT, "As the sender calls it."),
        Column("body", TEXT, "The body, as JSON if it is no text; without message content."),
        *_SERVICE,
        *_SCOPE,
        *_CANONICAL,
        *_REST,
        Column("flags", pa.int64(), "The W3C trace flags."),
        Column("dropped_attributes", pa.int32(), "What the sender dropped."),
        Column("schema_url", TEXT, "Of the scope, or else of the resource."),
    ),
)

METRICS = LakeTable(
    "metrics",
    "Every data point.",
    (
        *_whence("time"),
        Column("start_unix_nano", pa.int64(), "The beginning of the interval that it is about."),
        Column("name", TEXT, "The metric.", always=True),
        Column("type", TEXT, "`gauge`, `sum`, `histogram`, `exponential_histogram` or `summary`.", always=True),
        Column("unit", TEXT, "Its unit."),
        Column("description", TEXT, "What it is."),
        Column("temporality", TEXT, "`delta` or `cumulative`."),
        Column("monotonic", pa.bool_(), "Of a sum: whether it only rises."),
        Column("value", pa.float64(), "Of a gauge or sum: its value."),
        Column("value_int", pa.int64(), "The same, exactly, if it was sent as an integer."),
        Column("count", COUNT, "Of a distribution: how many values."),
        Column("sum", pa.float64(), "Their sum."),
        Column("min", pa.float64(), "The smallest."),
        Column("max", pa.float64(), "The largest."),
        Column("bounds", pa.list_(pa.float64()), "Of a histogram: the buckets' upper bounds; the last has none."),
        Column("bucket_counts", pa.list_(COUNT), "How many values are in each bucket."),
        Column("scale", pa.int32(), "Of an exponential histogram: its resolution."),
        Column("zero_count", COUNT, "How many values are zero."),
        Column("zero_threshold", pa.float64(), "What counts as zero."),
        Column("positive_offset", pa.int32(), "Where the buckets above zero begin."),
        Column("positive_counts", pa.list_(COUNT), "How many values are in each of them."),
        Column("negative_offset", pa.int32(), "Where the buckets below zero begin."),
        Column("negative_counts", pa.list_(COUNT), "How many values are in each of them."),
        Column("quantiles", QUANTILES, "Of a summary: its quantiles."),
        Column("exemplars", EXEMPLARS, "Single values, with the spans that they come from."),
        Column("flags", pa.int64(), "1: nothing was recorded."),
        *_SERVICE,
        *_SCOPE,
        Column(
            "dialect", TEXT, "Which dialect of GenAI telemetry it was understood as; NULL if it is not about GenAI."
        ),
        Column("measure", TEXT, "What it measures, for all dialects: `tokens`, `cost_usd`, `lines_of_code`, ..."),
        Column("part", TEXT, "Of which part: `input`, `output`, `cache_read`, `cache_write`, `added`, `removed`, ..."),
        Column("provider", TEXT, "The provider."),
        Column("model", TEXT, "The model as the sender names it; `calls.model` is as the price book has it."),
        Column("conversation_id", TEXT, "The conversation, or a coding agent's session."),
        Column("user_id", TEXT, "Who it was done for."),
        *_REST,
        Column("schema_url", TEXT, "Of the scope, or else of the resource."),
    ),
)

CONTENT = LakeTable(
    "content",
    "What was said: prompts, answers, and what tools were given and gave. Apart from the meter readings.",
    (
        *_whence("time"),
        Column("trace_id", TEXT, "The trace."),
        Column("span_id", TEXT, "The span, or the one in which the log record was written."),
        Column("response_id", TEXT, "The provider's name for its answer."),
        Column("conversation_id", TEXT, "The conversation, or a coding agent's session."),
        Column("source", TEXT, "`span`, `event` (of a span) or `log`.", always=True),
        Column("dialect", TEXT, "How it was told."),
        Column("service_name", TEXT, "`service.name` of the resource."),
        Column(
            "kind",
            TEXT,
            "`input`, `output`, `system`, `tools`, `tool_input`, `tool_output`, or `other`.",
            always=True,
        ),
        Column("key", TEXT, "The attribute that it was; `body` for the body of a log record.", always=True),
        Column(
            "piece", pa.int32(), "Which attribute of its source it is, from 1; 0: the body. Part of the identity.", True
        ),
        Column("value", TEXT, "As it was sent; as JSON if it is no text.", always=True),
    ),
)

TABLES: dict[str, LakeTable] = {table.name: table for table in (CALLS, SPANS, LOGS, METRICS, CONTENT)}
