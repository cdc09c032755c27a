"""A service that plans trips: an agent with tools, a conversation, and what can go wrong.

Of telemetry it says nothing but what is an agent, what is a tool, and whose conversation it is.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import taximeter

from taximeter_cli.demo.provider import FLAKY, OVERLOADED, UNKNOWN

__all__ = ["CONVERSATION", "main"]

CONVERSATION = "oslo-trip"
_GUIDE = "You review plans for trips by the rules of our house. " * 40
_TOOLS: Any = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("weather", "find_hotels")
]
_SUBJECTS = ("Where is my ticket?", "I lost my bag on the night train to Bergen", "Refund, please")


@taximeter.tool
def weather(city: str) -> str:
    """A tool as agents have them."""
    return f"forecast for {city}: two sunny days"


@taximeter.tool
def find_hotels(city: str, nights: int) -> str:
    """Asks the other service."""
    try:
        import httpx2 as client  # whichever the SDK brings along
    except ImportError:
        import httpx as client  # type: ignore[no-redef]
    wanted = {"city": city, "nights": nights}
    return client.post(f"{os.environ['DEMO_SEARCH']}/find", json=wanted, timeout=60, trust_env=False).text


@taximeter.agent("planner")
def plan(gpt: Any, messages: list[Any]) -> str:
    """Ask, do what the model wants done, and ask again: streamed."""
    asked = [*messages]
    answer = gpt.chat.completions.create(model="gpt-5", messages=asked, tools=_TOOLS).choices[0].message
    asked.append(answer)
    for called in answer.tool_calls:
        tool: Any = {"weather": weather, "find_hotels": find_hotels}[called.function.name]
        result = tool(**json.loads(called.function.arguments))
        asked.append({"role": "tool", "tool_call_id": called.id, "content": result})
    return _streamed(gpt, "gpt-5", [*asked, {"role": "user", "content": "Mind the forecast."}])


def main() -> None:
    """What is there of SDKs decides what is done."""
    warnings.simplefilter("ignore", DeprecationWarning)
    gpt, claude = _openai(), _anthropic()
    _conversation(gpt, claude)
    if gpt:
        _sorting(gpt)
        _ask(gpt, UNKNOWN, "Hello!")
    if claude:
        with _expected_failure():
            claude.messages.create(model=OVERLOADED, max_tokens=100, messages=[_user("Hello!")])


def _conversation(gpt: Any, claude: Any) -> None:
    """Three turns. Claude reviews the first two, with instructions that are cached."""
    messages, reviewed = [], 0
    for question in ("Plan me a weekend in Oslo.", "Is there anything cheaper?", "And what about the evening?"):
        messages.append(_user(question))
        with taximeter.conversation(CONVERSATION, user="anna", tags={"team": "trips"}), taximeter.workflow("trip"):
            if gpt:
                first = len(messages) == 1
                answer = plan(gpt, messages) if first else _streamed(gpt, "gpt-5-mini", messages)
                messages.append({"role": "assistant", "content": answer})
                print(f"anna:      {question}\nassistant: {answer}")
            if claude and reviewed < 2:
                _review(claude, reviewed)
                reviewed += 1


def _review(claude: Any, earlier: int) -> None:
    instructions = [{"type": "text", "text": _GUIDE, "cache_control": {"type": "ephemeral"}}]
    before = [_user("Please review this."), {"role": "assistant", "content": "The plan holds."}] * earlier
    messages = [*before, _user("Please review this plan.")]
    claude.messages.create(model="claude-sonnet-4-5", max_tokens=500, system=instructions, messages=messages)


def _sorting(gpt: Any) -> None:
    """Mail, by the thousand: no conversation, no agent, another user each time."""
    for number, subject in enumerate(_SUBJECTS * 2):
        with taximeter.conversation(user=("ben", "chloe")[number % 2], tags={"team": "mail"}):
            _ask(gpt, FLAKY, subject)
    print(f"assistant: mail sorted by {FLAKY}; it answered at the second attempt")


def _ask(gpt: Any, model: str, text: str) -> None:
    gpt.chat.completions.create(model=model, messages=[_user(text)])


def _streamed(gpt: Any, model: str, messages: list[Any]) -> str:
    options = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = gpt.chat.completions.create(model=model, messages=messages, **options)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def _openai() -> Any:
    try:
        import openai
    except ImportError:
        return None
    return openai.OpenAI(api_key="none", base_url=f"{os.environ['DEMO_PROVIDER']}/v1")


def _anthropic() -> Any:
    try:
        import anthropic
    except ImportError:
        return None
    return anthropic.Anthropic(api_key="none", base_url=os.environ["DEMO_PROVIDER"], max_retries=0)


@contextmanager
def _expected_failure() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        print(f"assistant: {OVERLOADED}: {type(error).__name__}")


if __name__ == "__main__":
    main()
