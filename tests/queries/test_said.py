"""What was new in a prompt is found, whatever shape it was sent in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from taximeter_queries.said import answered, asked, messages

CONVENTIONS = [
    {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
    {"role": "user", "parts": [{"type": "text", "content": "Hello"}]},
    {"role": "assistant", "parts": [{"type": "text", "content": "Hi."}]},
    {"role": "user", "parts": [{"type": "text", "content": "How much?"}]},
]
SHAPES = {
    "conventions": [("gen_ai.input.messages", json.dumps(CONVENTIONS))],
    "openai": [
        (
            "request",
            json.dumps(
                {"messages": [{"role": "assistant", "content": "Hi."}, {"role": "user", "content": "How much?"}]}
            ),
        )
    ],
    "anthropic": [("input", json.dumps([{"role": "user", "content": [{"type": "text", "text": "How much?"}]}]))],
    "gemini": [("request_text", json.dumps([{"role": "user", "parts": [{"text": "How much?"}]}]))],
    "google_adk": [("llm_request", json.dumps({"contents": [{"role": "user", "parts": [{"text": "How much?"}]}]}))],
    "openllmetry": [("gen_ai.prompt.0.role", "user"), ("gen_ai.prompt.0.content", "How much?")],
    "openinference": [
        ("llm.input_messages.0.message.role", "assistant"),
        ("llm.input_messages.0.message.content", "Hi."),
        ("llm.input_messages.1.message.role", "user"),
        ("llm.input_messages.1.message.content", "How much?"),
    ],
    "plain": [("prompt", "How much?")],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_only_what_is_new_is_asked(shape: str) -> None:
    assert asked(messages(SHAPES[shape])) == "How much?"


def test_what_a_tool_gave_is_new_and_is_told_as_that() -> None:
    call = {"role": "assistant", "parts": [{"type": "tool_call", "name": "bash", "arguments": {"command": "echo 42"}}]}
    gave = {"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "response": "42"}]}
    told = messages([("gen_ai.input.messages", json.dumps([*CONVENTIONS, call, gave]))])
    assert asked(told) == "[tool] 42"
    assert answered(messages([("gen_ai.output.messages", json.dumps([call]))])) == 'bash({"command": "echo 42"})'


def test_a_tool_is_called_beside_words() -> None:
    told = {"role": "assistant", "content": "I look.", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}
    assert answered(messages([("gen_ai.choice", json.dumps({"message": told}))])) == "I look.\nf({})"


def test_nothing_is_asked_where_nothing_was_said() -> None:
    assert asked([]) is None
    assert answered([]) is None
    assert asked(messages([("gen_ai.input.messages", "[]")])) is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["role", "content", "parts", "message", "messages", "name", "args", "function", "text", "x"]
                ),
                inner,
            )
        ),
    )
)
def test_whatever_was_sent_is_read(value: object) -> None:
    said = messages([("key", json.dumps(value)), ("gen_ai.prompt.0.content", json.dumps(value))])
    assert asked(said) is None or isinstance(asked(said), str)
    assert answered(said) is None or isinstance(answered(said), str)


def test_what_is_too_deep_is_left_alone() -> None:
    assert isinstance(messages([("key", "[" * 100_000 + "]" * 100_000)]), list)
