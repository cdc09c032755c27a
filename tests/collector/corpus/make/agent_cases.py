"""What happens to the coding agents of agents.py."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["CASES", "Case"]

_TRACES, _LOGS, _METRICS = "traces", "logs", "metrics"


@dataclass(frozen=True, slots=True)
class Case:
    """What happens to it."""

    name: str
    says: str
    steps: tuple[str, ...] = ("shell",)
    failures: tuple[int | str, ...] = ()
    request_ids: bool = True
    environment: dict[str, str] = field(default_factory=dict)
    model: str = ""
    signals: tuple[str, ...] = ("traces", "logs", "metrics")


_BEDROCK = {"CLAUDE_CODE_USE_BEDROCK": "1", "AWS_REGION": "us-east-1", "AWS_BEARER_TOKEN_BEDROCK": "none"}
CASES = {
    "claude": [
        Case(
            "turn",
            "Two calls and a tool between them, each told by a span and by an event; with content.",
            environment={"OTEL_LOG_RAW_API_BODIES": "1"},
        ),
        Case(
            "subagent",
            "A subagent's call is one of the session's; its event names the agent.",
            ("delegate",),
            signals=(_TRACES, _LOGS),
        ),
        Case(
            "edits",
            "What the session did: lines, a commit, decisions.",
            ("write", "commit"),
            signals=(_METRICS,),
        ),
        Case(
            "retry",
            "A call that was overloaded at first; one span tells of both attempts.",
            (),
            (529,),
            signals=(_TRACES, _LOGS),
        ),
        Case(
            "error",
            "A call that failed twice: the event and the span tell of the last attempt.",
            (),
            (529, 529),
            environment={"CLAUDE_CODE_MAX_RETRIES": "1"},
            signals=(_TRACES, _LOGS),
        ),
        Case(
            "long-context",
            "The span names the model as it is called in Claude Code, the event as the answer did.",
            (),
            model="claude-sonnet-4-5[1m]",
        ),
        Case("events", "Without traces.", (), environment={"OTEL_TRACES_EXPORTER": "none"}, signals=(_LOGS,)),
        Case(
            "no-request-id",
            "Behind a gateway that gives no request id.",
            (),
            request_ids=False,
            signals=(_TRACES, _LOGS),
        ),
        Case(
            "bedrock",
            "On Bedrock, which has no such request ids.",
            (),
            request_ids=False,
            environment=_BEDROCK,
            signals=(_TRACES, _LOGS),
            model="us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
    ],
    "codex": [
        Case("turn", "Two calls and a tool between them; spans repeat the usage."),
        Case("retry", "The first attempt had 503.", (), (503,), signals=(_LOGS,)),
        Case(
            "failed", "A stream that ended with response.failed, and its repetition.", (), ("failed",), signals=(_LOGS,)
        ),
    ],
    "gemini": [
        Case("turn", "Two calls and a tool, told by two events and a span each.", signals=(_TRACES, _LOGS)),
        Case("edits", "A file is written.", ("write",), signals=(_METRICS,)),
        Case("error", "The first call had 503.", (), (503,), signals=(_TRACES, _LOGS)),
    ],
    "qwen": [
        Case("turn", "Two calls and a tool; its output has the thoughts in it, as OpenAI counts."),
        Case("error", "A call that had 400.", (), (400,)),
    ],
    "copilot": [
        Case(
            "turn",
            "Two calls and a tool in an agent that repeats their totals; a provider of the user's own.",
            signals=(_TRACES,),
        ),
        Case("subagent", "An agent in an agent.", ("delegate",), signals=(_TRACES,)),
        Case("edits", "Lines and a commit.", ("write", "commit"), signals=(_METRICS,)),
        Case("error", "A call that had 400.", (), (400,), signals=(_TRACES,)),
    ],
    "opencode": [Case("turn", "Its own title, two calls and a tool: spans of the AI SDK.")],
}
