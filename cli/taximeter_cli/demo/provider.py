"""What the models of the sample say, in which time, and for how many tokens: always the same."""

from __future__ import annotations

import re
from itertools import count
from typing import Any

from taximeter_cli.loopback import Asked, Loopback, Said, Spent

__all__ = ["FLAKY", "OVERLOADED", "UNKNOWN", "provider"]

FLAKY = "gpt-5-nano"
OVERLOADED = "claude-haiku-4-5"
UNKNOWN = "acme-13b"
_NAMES = {
    "gpt-5": "gpt-5-2025-08-07",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "gpt-5-nano": "gpt-5-nano-2025-08-07",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
}
# By a word of what was asked last: the answer, and until when the first piece of it takes, in seconds.
_ANSWERS = (
    ("evening", "Dinner at seven by the harbour, then the opera: both within your budget.", Spent(3_420, 164), 0.31),
    ("cheaper", "The hostel at the river saves 90 a night; the rest can stay.", Spent(2_980, 388, 1_920, 0, 256), 0.38),
    ("review", "The plan holds: no day has more than two stops.", Spent(4_900, 96, 4_480), 0.22),
    ("forecast", "Two sunny days: the fjord first, the Munch museum after.", Spent(2_310, 642, 1_280, 0, 448), 0.46),
)
_TOOLS: list[tuple[str, dict[str, Any]]] = [
    ("weather", {"city": "Oslo"}),
    ("find_hotels", {"city": "Oslo", "nights": 2}),
]
_PLAN = Said(tools=_TOOLS, spent=Spent(1_850, 236, 0, 0, 192), wait_s=0.42)
_FIRST_REVIEW = Spent(4_760, 88, cache_write=4_480)


def provider() -> Loopback:
    """One for all APIs. The flaky model fails once, the overloaded one always."""
    numbers = count(1)
    loopback = Loopback(lambda asked: _answer(asked, next(numbers)))
    loopback.fail_first(FLAKY, 1)
    return loopback


def _answer(asked: Asked, number: int) -> Said:
    said = _said(asked)
    said.id = f"demo-{number}"
    said.model = _NAMES.get(asked.model, asked.model)
    return said


def _said(asked: Asked) -> Said:
    if asked.model == OVERLOADED:
        return Said(status=429, wait_s=0.05)
    if asked.path.endswith("/embeddings"):
        return Said(spent=Spent(46, 0), wait_s=0.06)
    messages = asked.body["messages"]
    if asked.body.get("tools") and messages[-1]["role"] == "user" and "weekend" in str(messages[-1]["content"]):
        return Said(tools=_PLAN.tools, spent=_PLAN.spent, wait_s=_PLAN.wait_s)
    asked_for = str(messages[-1]["content"])
    for word, text, spent, wait_s in _ANSWERS:
        if word in asked_for:
            if word == "review" and len(messages) == 1:
                spent = _FIRST_REVIEW
            return Said(re.findall(r"\S+\s*", text), [], spent, wait_s=wait_s, pace_s=0.02)
    return Said(["travel"], [], Spent(214 + 3 * len(asked_for), 8), wait_s=0.05 + 0.004 * len(asked_for))
