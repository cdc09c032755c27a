"""A lake of so many calls, made up: thirty days, files as merging leaves them, and a span for each call.

Forty models, twenty services, five thousand users; traces of three calls below an agent, traces in conversations. Some
calls are not billed, failed or have no price, and much is not known of some. Everything grows with the number of calls
but the days, models, services and users. `python bench/ledger.py FOLDER CALLS` makes one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from taximeter_collector.lake import Lake, LakeConfig
from taximeter_collector.lake.schema import MONEY

DAYS = 30
FIRST = date(2026, 10, 20)
_FIRST_NANO = int(datetime(2026, 10, 20, tzinfo=UTC).timestamp()) * 10**9
_DAY_NANO = 86_400 * 10**9
_AT_ONCE = 60_000  # divisible by three: traces stay whole
_REQUEST = 512
CHANCE = np.random.default_rng(5)
_MODELS, _SERVICES, _USERS, _TRACES_IN_CONVERSATION = 40, 20, 5000, 11
# 10**-12 US dollars for a token: 0.1 to 10 dollars for a million of input.
_RATES = np.geomspace(100_000, 10_000_000, _MODELS).astype(np.int64)
_LIKELY = 1 / np.arange(1, _MODELS + 1)
_ERRORS = ("429", "500", "timeout", "overloaded_error")


def made(folder: Path, calls: int) -> Path:
    """The lake in this folder, made if it is not there yet."""
    if (folder / "calls/_delta_log").exists():
        return folder
    lake = Lake.open(LakeConfig(dir=folder), "bench")
    position = 0
    for day in range(DAYS):
        left = calls // DAYS // 3 * 3
        count_of_day, began = left, 0
        while left:
            count = min(left, _AT_ONCE)
            rows, spans = _part(day, began / count_of_day, count / count_of_day, count, position)
            lake.append("calls", rows)
            lake.append("spans", spans)
            position += 2 * count // _REQUEST + 2
            began += count
            left -= count
        lake.commit(position)
        position += 1
    lake.close()
    return folder


def _part(day: int, begins: float, share: float, count: int, position: int) -> tuple[pa.Table, pa.Table]:
    """Calls of a part of a day, in the order of time, and the spans that tell of them."""
    traces = count // 3
    began = np.sort(CHANCE.random(traces)) * share + begins
    trace_nanos = _FIRST_NANO + day * _DAY_NANO + (began * (_DAY_NANO - 60 * 10**9)).astype(np.int64)
    nanos = (trace_nanos[:, None] + np.array([0, 5, 12]) * 10**9 + CHANCE.integers(0, 10**9, (traces, 3))).reshape(-1)
    conversations = CHANCE.integers(0, max(1, traces // _TRACES_IN_CONVERSATION), traces) + day * 10**6
    conversations += int(begins * 10) * 10**5
    common = {
        "trace_id": _hexadecimal(traces, 16),
        "conversation_id": _texts("conversation", conversations, CHANCE.random(traces) < 0.1),
        "user_id": _words("user", _USERS, conversations % _USERS, CHANCE.random(traces) < 0.15),
        "service_name": _words("service", _SERVICES, conversations % _SERVICES),
        "environment": _words("environment", 3, conversations % 3),
        "agent_name": _words("agent", 12, conversations % 12),
    }
    roots = _hexadecimal(traces, 8)
    of_trace = pa.array(np.repeat(np.arange(traces), 3))
    columns = {name: values.take(of_trace) for name, values in common.items()}
    columns |= {"parent_span_id": roots.take(of_trace), "span_id": _hexadecimal(count, 8)}
    calls = _calls(columns, nanos, day, position)
    below = _spans(columns, nanos, day, position, calls["duration_ms"].to_numpy(), calls["status"])
    agents = _agents(common, roots, trace_nanos, day, position + count // _REQUEST + 1)
    return calls, pa.concat_tables([below, agents])


def _calls(common: dict[str, pa.Array], nanos: np.ndarray, day: int, position: int) -> pa.Table:
    count = len(nanos)
    model = CHANCE.choice(_MODELS, count, p=_LIKELY / _LIKELY.sum())
    failed, nested = CHANCE.random(count) < 0.02, CHANCE.random(count) < 0.08
    streamed, priced = CHANCE.random(count) < 0.6, (CHANCE.random(count) < 0.97) & ~failed
    tokens = {
        "input_tokens": (CHANCE.lognormal(7.5, 1.2, count)).astype(np.int64),
        "output_tokens": (CHANCE.lognormal(5.5, 1.0, count)).astype(np.int64),
    }
    tokens["cache_read_tokens"] = (tokens["input_tokens"] * CHANCE.random(count) * (model % 2)).astype(np.int64)
    tokens["reasoning_tokens"] = (tokens["output_tokens"] * CHANCE.random(count) * (model % 3 == 0)).astype(np.int64)
    parts = {
        "input_cost_usd": (tokens["input_tokens"] - tokens["cache_read_tokens"]) * _RATES[model],
        "output_cost_usd": tokens["output_tokens"] * _RATES[model] * 4,
        "cache_read_cost_usd": tokens["cache_read_tokens"] * (_RATES[model] // 10),
    }
    duration_ms = np.round(CHANCE.lognormal(7.5, 0.8, count), 3)
    return pa.table(
        _identity(nanos, day, position)
        | common
        | {
            "duration_ms": pa.array(duration_ms),
            "ttft_ms": pa.array(np.round(duration_ms * 0.2 * CHANCE.random(count), 3), mask=~streamed | failed),
            "response_id": _hexadecimal(count, 18),
            "source": _word("span", count),
            "dialect": _words("dialect", 3, model % 3),
            "operation": _word("chat", count),
            "provider": _words("provider", 8, model % 8),
            "request_model": _words("model", _MODELS, model),
            "response_model": _words("model", _MODELS, model, failed),
            "model": _words("model", _MODELS, model),
            "stream": pa.array(streamed),
            "finish_reason": _words("finish", 3, model % 3, failed),
            "status": _choice(("ok", "error"), failed.astype(np.int32)),
            "error_type": _choice(_ERRORS, CHANCE.integers(0, len(_ERRORS), count), ~failed),
            "attempt": pa.array(CHANCE.integers(0, 3, count, dtype=np.int32), mask=~failed),
            "prompt_name": _words("prompt", 50, model % 50, CHANCE.random(count) < 0.5),
            "tags": _tags(count),
            "cost_usd": _money(sum(parts.values()), ~priced),
            **{name: _money(values, ~priced) for name, values in parts.items()},
            **{name: pa.array(values, mask=failed) for name, values in tokens.items()},
            "cost_status": _choice(("unpriced_model", "priced"), priced.astype(np.int32)),
            "price_id": _words("price", _MODELS, model, ~priced),
            "billable": pa.array(~(failed | nested)),
            "not_billable_because": _choice(("nested", "failed"), failed.astype(np.int32), ~(failed | nested)),
        }
    )


def _spans(
    common: dict[str, pa.Array], nanos: np.ndarray, day: int, position: int, duration_ms: np.ndarray, status: pa.Array
) -> pa.Table:
    count = len(nanos)
    return pa.table(
        _identity(nanos, day, position)
        | common
        | {
            "end_unix_nano": pa.array(nanos + (duration_ms * 1e6).astype(np.int64)),
            "duration_ms": pa.array(duration_ms),
            "name": _words("chat model", _MODELS, CHANCE.integers(0, _MODELS, count)),
            "kind": _word("client", count),
            "status": status,
            "scope_name": _word("taximeter", count),
            "operation": _word("chat", count),
            "attributes": _attributes(count, 10),
            "resource_attributes": _attributes(count, 4),
        }
    )


def _agents(common: dict[str, pa.Array], ids: pa.Array, nanos: np.ndarray, day: int, position: int) -> pa.Table:
    """The span above the calls of each trace."""
    count = len(nanos)
    nothing = {"parent_span_id": pa.nulls(count, pa.string()), "span_id": ids}
    status = pa.nulls(count, pa.string()).dictionary_encode()
    return _spans(common | nothing, nanos, day, position, np.full(count, 20_000.0), status)


def _identity(nanos: np.ndarray, day: int, position: int) -> dict[str, pa.Array]:
    each = np.arange(len(nanos))
    return {
        "date": pa.repeat(pa.scalar(FIRST + timedelta(days=day)), len(nanos)),
        "start_time": pa.array(nanos // 1000).cast(pa.timestamp("us", "UTC")),
        "start_unix_nano": pa.array(nanos),
        "received_unix_nano": pa.array(nanos + 3 * 10**9),
        "journal_id": _word("bench", len(nanos)),
        "journal_position": pa.array(position + each // _REQUEST),
        "journal_item": pa.array((each % _REQUEST).astype(np.int32)),
    }


def _tags(count: int) -> pa.Array:
    """A team for a third of the calls, nothing for the others."""
    has = CHANCE.random(count) < 0.33
    ends = pa.array(np.concatenate([[0], np.cumsum(has)]).astype(np.int32))
    tagged = int(has.sum())
    teams = _words("team", 9, CHANCE.integers(0, 9, tagged)).cast(pa.string())
    return pa.MapArray.from_arrays(ends, pa.repeat(pa.scalar("team"), tagged), teams)


def _attributes(count: int, width: int) -> pa.Array:
    """A map for each row: a number of its own, and words."""
    keys = pa.array([f"gen_ai.attribute.{number:02}" for number in range(width)])
    pool = pa.array([f"word-{number}" for number in range(30)] + [str(number) for number in range(9000)])
    which = CHANCE.integers(0, 30, (count, width))
    which[:, 1] = CHANCE.integers(30, len(pool), count)
    offsets = pa.array(np.arange(0, count * width + 1, width, dtype=np.int32))
    return pa.MapArray.from_arrays(
        offsets, keys.take(pa.array(np.tile(np.arange(width), count))), pool.take(pa.array(which.reshape(-1)))
    )


def _hexadecimal(count: int, width: int) -> pa.Array:
    """Random ids of so many bytes each."""
    offsets = np.arange(0, (count + 1) * width * 2, width * 2, dtype=np.int32)
    text = CHANCE.bytes(count * width).hex().encode()
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text))


def _money(values: Any, unknown: np.ndarray) -> pa.Array:
    """Whole numbers of 10**-12 US dollars as what they are."""
    halves = np.stack([values, values >> 63], axis=1).astype(np.int64)
    known = pa.array(~unknown).buffers()[1]
    return pa.Array.from_buffers(MONEY, len(values), [known, pa.py_buffer(halves)])


def _words(kind: str, different: int, which: np.ndarray, unknown: np.ndarray | None = None) -> pa.Array:
    return _choice([f"{kind}-{number:02}" for number in range(different)], which, unknown)


def _choice(words: Sequence[str], which: np.ndarray, unknown: np.ndarray | None = None) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(which.astype(np.int32), mask=unknown), pa.array(words))


def _word(word: str, count: int) -> pa.Array:
    return _choice([word], np.zeros(count, np.int32))


def _texts(kind: str, numbers: np.ndarray, unknown: np.ndarray) -> pa.Array:
    """For what is different too often to be written as numbers of texts."""
    texts = pc.binary_join_element_wise(kind, pa.array(numbers).cast(pa.string()), "-")
    return pc.if_else(pa.array(unknown), pa.scalar(None, pa.string()), texts)


if __name__ == "__main__":
    made(Path(sys.argv[1]), int(sys.argv[2]))
