"""A small app that uses two SDKs as apps do. It says nothing of telemetry: `opentelemetry-instrument` sees to that.

Run it by `make demo`. The provider that it calls is on the loopback interface; nothing leaves the machine.
"""

from __future__ import annotations

import os
import warnings
from typing import Any

import taximeter

from taximeter_cli.loopback import Loopback

__all__ = ["main"]


@taximeter.tool
def weather(city: str) -> str:
    return f"sun in {city}"


@taximeter.agent("planner")
def plan(client: Any) -> str:
    """Ask, call the tool that the model asks for, and ask again: streamed, with its usage."""
    asked: list[Any] = [{"role": "user", "content": "What shall I wear in Oslo?"}]
    tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=asked, tools=tools)
    called = answer.choices[0].message.tool_calls[0]
    asked += [answer.choices[0].message, {"role": "tool", "tool_call_id": called.id, "content": weather("Oslo")}]
    stream = client.chat.completions.create(
        model="gpt-4o-mini", messages=asked, stream=True, stream_options={"include_usage": True}
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def main() -> None:
    """Some calls: a tool, a stream, a cached prompt, a retry, an error."""
    import anthropic
    import openai

    warnings.simplefilter("ignore", DeprecationWarning)
    with Loopback() as loopback:
        loopback.fail_first("gpt-flaky", 1)
        gpt = openai.OpenAI(api_key="none", base_url=f"{loopback.url}/v1")
        claude = anthropic.Anthropic(api_key="none", base_url=loopback.url, max_retries=0)
        hello: list[Any] = [{"role": "user", "content": "Hello!"}]
        with taximeter.conversation("c-42", user="u-7", tags={"feature": "demo"}), taximeter.workflow("trip"):
            print("planner:", plan(gpt))
            message = claude.messages.create(model="claude-opus-4-7", max_tokens=100, messages=hello)
            print("claude: ", message.content[0].text)  # type: ignore[union-attr]
        gpt.chat.completions.create(model="gpt-flaky", messages=hello)
        print("flaky:   answered at the second attempt")
        try:
            claude.messages.create(model="claude-opus-4-7?status=429", max_tokens=100, messages=hello)
        except anthropic.RateLimitError as error:
            print("claude: ", type(error).__name__)
        gpt.embeddings.create(model="text-embedding-3-small", input="taxi")
    if "OTEL_TRACES_EXPORTER" in os.environ:
        print("\nThe spans, as they would go to any OTLP backend:\n", flush=True)


if __name__ == "__main__":
    main()
