"""Views of model calls as rows of the ledger, from spans and from log records."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from taximeter_collector.bill import Settled
from taximeter_collector.decode.attributes import Attributes
from taximeter_collector.decode.logs import Logs
from taximeter_collector.decode.spans import Spans
from taximeter_collector.lake.schema import MONEY
from taximeter_collector.land.clock import Times
from taximeter_collector.land.rows import named, service_columns, whence
from taximeter_collector.land.spans import duration_ms
from taximeter_collector.normalise.dialect import COUNTS, TEXTS
from taximeter_collector.normalise.understanding import Understood
from taximeter_collector.normalise.view import Mask, encode, plain
from taximeter_collector.price import Book
from taximeter_collector.price.columns import price_table

__all__ = ["calls_of_logs", "calls_of_spans", "priced", "settled"]

_ERROR = 2
_APART = ("tool_name", "response_id")
_SEVERITY_OF_ERRORS = 17


def calls_of_spans(spans: Spans, times: Times, understood: Understood, journal_id: str) -> pa.Table:
    """The spans that are about calls, not priced yet."""
    facts = {
        **whence("start_time", times, spans.origin, journal_id),
        "duration_ms": duration_ms(spans),
        "trace_id": spans.trace_id,
        "span_id": spans.span_id,
        "parent_span_id": spans.parent_span_id,
        **service_columns(spans.sources),
    }
    return _calls("span", facts, understood, spans.attributes, spans.status_code == _ERROR)


def calls_of_logs(logs: Logs, times: Times, understood: Understood, journal_id: str) -> pa.Table:
    """The log records that are about calls. An event is written when the call is over: it began that much earlier."""
    took = understood.column("duration_ms", pa.float64())
    took_ns = np.nan_to_num(pc.fill_null(took, 0.0).to_numpy(zero_copy_only=False)) * 1e6
    started = times.unix_nano - np.clip(took_ns, 0, 86_400e9).astype(np.int64)
    began = Times(started, times.absurd, times.claimed)
    facts = {
        **whence("start_time", began, logs.origin, journal_id),
        "duration_ms": took,
        "trace_id": logs.trace_id,
        "span_id": logs.span_id,
        **service_columns(logs.sources),
    }
    return _calls("log", facts, understood, logs.attributes, logs.severity_number >= _SEVERITY_OF_ERRORS)


def _calls(
    source: str, facts: Mapping[str, pa.Array], understood: Understood, attributes: Attributes, failed: Mask
) -> pa.Table:
    size = understood.size
    told = np.asarray(pc.fill_null(understood.column("failed", pa.bool_()), False))
    wrong = failed | told | np.asarray(understood.column("error_type").is_valid())
    columns = {
        **facts,
        "source": named(np.zeros(size, dtype=np.int32), [source]),
        "dialect": understood.dialect_name,
        **{name: encode(understood.column(name)) for name in TEXTS if name not in _APART},
        "response_id": plain(understood.column("response_id")),
        **{name: understood.column(name, pa.int64()) for name in COUNTS},
        "attempt": _sensible(understood.column("attempt", pa.int64())),
        "ttft_ms": understood.column("ttft_ms", pa.float64()),
        "stream": understood.column("stream", pa.bool_()),
        "status": named(wrong.astype(np.int32), ["ok", "error"]),
        "tags": understood.tags(attributes),
        "reported_cost_usd": understood.column("reported_cost_usd").cast(MONEY),
        "verdict": understood.column("verdict"),
        "is_aggregate": pa.array(understood.is_aggregate),
        "rank": pa.array(understood.rank),
    }
    table = pa.table(columns)
    return table if understood.is_call.all() else table.filter(pa.array(understood.is_call))


def _sensible(attempts: pa.Array) -> pa.Array:
    """A number of retries that nobody makes is none."""
    within = pc.and_(pc.greater_equal(attempts, 0), pc.less(attempts, 1 << 20))
    return pc.if_else(within, attempts, pa.scalar(None, pa.int64()))


_UNKNOWN = pa.array(["unpriced_model", "missing_usage", "inconsistent_usage"])


def priced(calls: pa.Table, book: Book) -> pa.Table:
    """The calls with what they cost; with what the sender says that they cost, where the book does not know."""
    bill = price_table(book, calls)
    columns = {name: table[name] for table in (calls, bill) for name in table.column_names}
    if bill["model"].null_count:
        columns["model"] = pc.coalesce(*_models(calls, bill)).dictionary_encode()
    if calls["reported_cost_usd"].null_count < calls.num_rows:
        told = calls["reported_cost_usd"]
        status = plain(bill["cost_status"])
        stands = pc.and_(told.is_valid(), pc.is_in(status, _UNKNOWN))
        columns["cost_usd"] = pc.if_else(stands, told, bill["cost_usd"])
        columns["cost_status"] = pc.if_else(stands, "reported", status).dictionary_encode()
    return pa.table(columns)


def _models(calls: pa.Table, bill: pa.Table) -> list[pa.ChunkedArray]:
    return [plain(bill["model"]), plain(calls["response_model"]), plain(calls["request_model"])]


def settled(calls: pa.Table, verdict: Settled) -> dict[str, pa.Array]:
    """All columns of the ledger."""
    return {
        **{name: calls[name] for name in calls.column_names},
        "billable": verdict.billable,
        "not_billable_because": verdict.because,
        "billed_as": verdict.billed_as,
        "view_rank": verdict.view_rank,
    }
