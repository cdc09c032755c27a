"""GitHub Copilot, in VS Code and in the terminal: the conventions, with names of its own beside them.

In VS Code events repeat the usage of spans: of each call, and of each turn of an agent. What GitHub charges is told in
credits.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from taximeter_collector.normalise.dialect import Dialect, Each, Measure

__all__ = ["DIALECT"]

_DOLLARS_PER_NANO_CREDIT = Decimal("0.01") / 10**9


def _dollars(nano_credits: str) -> str | None:
    """A credit is a cent.

    >>> _dollars("1250000000")
    '0.0125000000000'
    """
    try:
        return format(Decimal(nano_credits) * _DOLLARS_PER_NANO_CREDIT, "f")
    except InvalidOperation:
        return None


_OUTCOMES = {"accepted": "accept", "rejected": "reject"}

DIALECT = Dialect(
    name="copilot",
    scopes=["github.copilot", "copilot-chat"],
    keys=["github.copilot.*", "copilot_chat.*"],
    names=["github.copilot.*", "copilot_chat.*"],
    precedence=20,
    fields={
        # In VS Code, `gen_ai.conversation.id` of a call is the id of its request.
        "conversation_id": ["copilot_chat.chat_session_id", "copilot_chat.session_id", "gen_ai.conversation.id"],
        "user_id": ["user.id", "enduser.id", "enduser.pseudo.id"],
        "ttft_ms": ["copilot_chat.time_to_first_token"],
        "duration_ms": ["duration_ms"],
        "reported_cost_usd": [Each("github.copilot.nano_aiu", _dollars)],
    },
    by_name={"copilot_chat.tool.call": "execute_tool"},
    providers={"github": "github_copilot"},
    input_may_exclude_cache=True,
    verdicts={"gen_ai.client.inference.operation.details": "same_call", "copilot_chat.agent.turn": "same_call"},
    rank=20,
    content={
        "copilot_chat.user_request": "input",
        "copilot_chat.prompt_context": "input",
        "copilot_chat.prompt_instructions": "system",
        "copilot_chat.reasoning_content": "output",
        "copilot_chat.markdown_content": "output",
        "copilot_chat.hook_input": "tool_input",
        "copilot_chat.hook_output": "tool_output",
        "github.copilot.tool.parameters.*": "tool_input",
    },
    measures={
        "github.copilot.code.lines_added": Measure("lines_of_code", part="added"),
        "github.copilot.code.lines_removed": Measure("lines_of_code", part="removed"),
        "copilot_chat.lines_of_code.count": Measure("lines_of_code", by="type"),
        "copilot_chat.session.count": Measure("sessions"),
        "copilot_chat.pull_request.count": Measure("pull_requests"),
        "copilot_chat.edit.acceptance.count": Measure(
            "code_edit_decisions", by="copilot_chat.edit.outcome", parts=_OUTCOMES
        ),
        "github.copilot.tool.call.count": Measure("tool_calls"),
        "copilot_chat.tool.call.count": Measure("tool_calls"),
        "github.copilot.tool.call.duration": Measure("tool_duration_s"),
        "copilot_chat.tool.call.duration": Measure("tool_duration_ms"),
        "copilot_chat.agent.invocation.duration": Measure("agent_duration_s"),
        "copilot_chat.time_to_first_token": Measure("ttft_s"),
    },
)
