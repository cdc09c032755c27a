"""A session of a coding agent, in the words of Claude Code: events, and counters of what was new since the last ones.

It ended the moment it is sent. OTLP/JSON over HTTP, as `OTEL_EXPORTER_OTLP_PROTOCOL=http/json` has it.
"""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

__all__ = ["CALLS", "MODEL", "SESSION", "main"]

MODEL = "claude-opus-4-8"
SESSION = "5e551011-0de0-4000-8000-0000c0de0001"
_VERSION = "2.1.197"
_SCOPE = "com.anthropic.claude_code"
_WHO = {"user.id": "dilan", "session.id": SESSION, "terminal.type": "vscode"}
_TOOK_S = 220
# When, in seconds from the beginning, and: input outside of caches, output, read from a cache, written to one, ms.
_CALLS = (
    (2, 9, 212, 0, 18_400, 4_100),
    (14, 12, 640, 18_400, 2_150, 9_800),
    (61, 8, 1_480, 20_550, 3_900, 17_200),
    (128, 11, 305, 24_450, 1_700, 5_600),
)
CALLS = len(_CALLS)
_TOOLS = ((7, "Read", 12), (26, "Edit", 31), (84, "Bash", 21_400), (90, "Edit", 28), (140, "Bash", 640))
_USD_PER_MILLION = (5.0, 25.0, 0.5, 6.25)


def main() -> None:
    """Send it to wherever OpenTelemetry's variables say."""
    endpoint = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"].rstrip("/")
    began = time.time_ns() - _TOOK_S * 10**9
    for path, name, inner in (
        ("logs", "resourceLogs", {"scopeLogs": [_scoped("events", logRecords=list(_events(began)))]}),
        ("metrics", "resourceMetrics", {"scopeMetrics": [_scoped("", metrics=list(_counters(began)))]}),
    ):
        body = json.dumps({name: [{"resource": {"attributes": _attributes(_resource())}, **inner}]}).encode()
        request = urllib.request.Request(f"{endpoint}/v1/{path}", body, {"content-type": "application/json"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30):
            pass
    print(f"dilan:     (Claude Code has told of a session of before: {CALLS} calls)")


def _resource() -> dict[str, Any]:
    """Claude Code says what `OTEL_RESOURCE_ATTRIBUTES` says, too."""
    given = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    more = dict(pair.split("=", 1) for pair in given.split(",") if "=" in pair)
    return {**more, "service.name": "claude-code", "service.version": _VERSION}


def _scoped(part: str, **records: Any) -> dict[str, Any]:
    return {"scope": {"name": f"{_SCOPE}.{part}" if part else _SCOPE, "version": _VERSION}, **records}


def _events(began: int) -> Iterator[dict[str, Any]]:
    """What happened, in the order in which it did."""
    told: list[tuple[int, str, dict[str, Any]]] = [(0, "user_prompt", {"prompt_length": "38"})]
    for number, (at_s, *tokens, took_ms) in enumerate(_CALLS, 1):
        names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")
        of_call = {"model": MODEL, "duration_ms": took_ms, "request_id": f"req_demo{number:016}", "speed": "normal"}
        costs = {"cost_usd": _usd(tokens), "query_source": "repl_main_thread"}
        told.append((at_s, "api_request", {**of_call, **dict(zip(names, tokens, strict=True)), **costs}))
    for at_s, tool, took_ms in _TOOLS:
        told.append((at_s, "tool_result", {"tool_name": tool, "success": "true", "duration_ms": str(took_ms)}))
    for sequence, (at_s, event, said) in enumerate(sorted(told, key=lambda one: one[0])):
        about = {**_WHO, "event.name": event, "event.sequence": sequence, "prompt.id": "prompt-1", **said}
        nano = str(began + at_s * 10**9)
        body = {"stringValue": f"claude_code.{event}"}
        yield {"timeUnixNano": nano, "observedTimeUnixNano": nano, "body": body, "attributes": _attributes(about)}


def _counters(began: int) -> Iterator[dict[str, Any]]:
    """The same tokens and cost once more, which must not be billed again, and what only counters tell."""
    sums = [sum(call[column] for call in _CALLS) for column in range(1, 5)]
    of_model = {"model": MODEL, "query_source": "main"}
    kinds = ("input", "output", "cacheRead", "cacheCreation")
    told: list[tuple[str, str, list[tuple[dict[str, Any], float]]]] = [
        ("session.count", "", [({"start_type": "fresh"}, 1)]),
        ("token.usage", "tokens", [({**of_model, "type": kind}, n) for kind, n in zip(kinds, sums, strict=True)]),
        ("cost.usage", "USD", [(of_model, sum(_usd(list(call[1:5])) for call in _CALLS))]),
        ("lines_of_code.count", "", [({"type": "added"}, 84), ({"type": "removed"}, 19)]),
        ("commit.count", "", [({}, 1)]),
        ("active_time.total", "s", [({"type": "cli"}, 61.5), ({"type": "user"}, 34.0)]),
    ]
    when = {"startTimeUnixNano": str(began), "timeUnixNano": str(began + _TOOK_S * 10**9)}
    for name, unit, values in told:
        points = [{**when, "attributes": _attributes({**_WHO, **of}), "asDouble": value} for of, value in values]
        total = {"aggregationTemporality": 1, "isMonotonic": True, "dataPoints": points}
        yield {"name": f"claude_code.{name}", "unit": unit, "sum": total}


def _usd(tokens: list[int]) -> float:
    return round(sum(count * usd for count, usd in zip(tokens, _USD_PER_MILLION, strict=True)) / 1e6, 9)


def _attributes(said: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in said.items()]


def _value(value: Any) -> dict[str, Any]:
    kind = {str: "stringValue", int: "intValue", float: "doubleValue"}[type(value)]
    return {kind: value}


if __name__ == "__main__":
    main()
