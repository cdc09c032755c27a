"""pip install logfire==5.2.0 claude-agent-sdk

Logfire's spans of Claude's agents. The agent is a script: what it answers is written down here, for it needs a program
of its own and an account.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import logfire
from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, Transport

from tests.collector.corpus.make.capture import Corpus

MODEL = "claude-sonnet-4-5-20250929"
USAGE = {"input_tokens": 20, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 50, "output_tokens": 30}
SAID: list[dict[str, Any]] = [
    {
        "type": "assistant",
        "message": {
            "id": "msg_1",
            "role": "assistant",
            "model": MODEL,
            "content": [{"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"path": "a.txt"}}],
            "usage": {**USAGE, "output_tokens": 1},
        },
    },
    {
        "type": "user",
        "message": {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "A"}]},
    },
    {
        "type": "assistant",
        "message": {
            "id": "msg_2",
            "role": "assistant",
            "model": MODEL,
            "content": [{"type": "text", "text": "The meter is running."}],
            "usage": {**USAGE, "output_tokens": 1},
        },
    },
    {
        "type": "result",
        "subtype": "success",
        "duration_ms": 20,
        "duration_api_ms": 10,
        "is_error": False,
        "num_turns": 2,
        "session_id": "s-1",
        "total_cost_usd": 0.001995,
        "usage": {name: 2 * count for name, count in USAGE.items()},
        "result": "The meter is running.",
    },
]


class Scripted(Transport):
    """Says what is written down, when it is asked."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def connect(self) -> None:
        return None

    async def write(self, data: str) -> None:
        said = json.loads(data)
        if said.get("type") == "control_request":
            response = {"subtype": "success", "request_id": said["request_id"], "response": {}}
            await self.waiting.put({"type": "control_response", "response": response})
        elif said.get("type") == "user":
            for message in SAID:
                await self.waiting.put(message)

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:  # type: ignore[override]
        while True:
            yield await self.waiting.get()

    async def close(self) -> None:
        return None

    def is_ready(self) -> bool:
        return True

    async def end_input(self) -> None:
        return None


async def ask() -> None:
    async with ClaudeSDKClient(ClaudeAgentOptions(), transport=Scripted()) as client:
        await client.query("How much?")
        async for _ in client.receive_response():
            pass


def main() -> None:
    with Corpus("logfire", "logfire", "claude-agent-sdk", providers=False, flush=logfire.force_flush) as corpus:
        logfire.configure(send_to_logfire=False, console=False, service_name="shop", service_version="1.2")
        logfire.instrument_claude_agent_sdk()
        with corpus.case(
            "claude-agents", "Claude's agent: its span has what it used; those of its calls have a guess."
        ):
            asyncio.run(ask())


if __name__ == "__main__":
    main()
