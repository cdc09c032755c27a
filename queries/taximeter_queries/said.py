"""What was said in a call, out of what was sent: messages in all the shapes that dialects have for them.

A prompt repeats the whole conversation. What is new in it is what comes after the model's last message: the user's
words, or what tools gave. Where no message is the model's, it is the last message of the user.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Message", "answered", "asked", "messages"]

_MODEL = ("assistant", "model", "ai", "bot")
_TOOL = ("tool", "function")
_NUMBERED = re.compile(r"(.*?)\.(\d+)(?:\.message)?\.(.+)")
_LISTS = ("messages", "contents", "input", "choices", "candidates", "generations", "output")
_TEXTS = ("content", "text", "parts", "contents", "message", "response", "result", "output", "input", "prompt")
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Message:
    """Who said something, as it was told, and what."""

    role: str | None
    text: str


def messages(pieces: Iterable[tuple[str, str]]) -> list[Message]:
    """Messages out of keys and values, in the order in which they were said.

    >>> messages([("gen_ai.input.messages", '[{"role": "user", "parts": [{"type": "text", "content": "How much?"}]}]')])
    [Message(role='user', text='How much?')]
    >>> messages([("gen_ai.prompt.0.role", "user"), ("gen_ai.prompt.0.content", "How much?")])
    [Message(role='user', text='How much?')]
    """
    found: list[Message] = []
    numbered: dict[tuple[str, int], dict[str, str]] = {}
    for key, value in pieces:
        if part := _NUMBERED.fullmatch(key):
            numbered.setdefault((part[1], int(part[2])), {})[part[3]] = value
        else:
            found += _read(value)
    for _, told in sorted(numbered.items()):
        text = "\n".join(_text(_json(value)) for name, value in told.items() if name.split(".")[-1] in _SPOKEN)
        if text:
            found.append(Message(told.get("role"), text))
    return found


def asked(said: Sequence[Message]) -> str | None:
    """What is new in a prompt; None if there is nothing."""
    last = max((at for at, one in enumerate(said) if (one.role or "").lower() in _MODEL), default=None)
    if last is not None:
        new = [one for one in said[last + 1 :] if one.text]
    else:
        users = [one for one in said if (one.role or "user").lower() not in ("system", "developer") and one.text]
        new = users[-1:]
    return "\n".join(f"[{one.role}] {one.text}" if (one.role or "") in _TOOL else one.text for one in new) or None


def answered(said: Sequence[Message]) -> str | None:
    """All that came out; None if there is nothing."""
    return "\n".join(one.text for one in said if one.text) or None


_SPOKEN = ("content", "text", "arguments", "name")


def _read(value: str) -> Iterator[Message]:
    told = _json(value)
    yield from _unpacked(told, 0) if isinstance(told, (dict, list)) else [Message(None, value)]


def _json(value: str) -> Any:
    if value.lstrip()[:1] not in ("{", "[", '"'):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _unpacked(told: Any, deep: int) -> Iterator[Message]:
    """Messages, wherever in a structure they are."""
    if isinstance(told, list) and deep < _DEEPEST:
        for one in told:
            yield from _unpacked(one, deep + 1)
    elif isinstance(told, Mapping) and deep < _DEEPEST:
        inner = next((told[name] for name in _LISTS if isinstance(told.get(name), list)), None)
        if "role" in told or inner is None:
            message = told["message"] if isinstance(told.get("message"), Mapping) else told
            role = message.get("role") or told.get("role")
            yield Message(role if isinstance(role, str) else None, _text(message))
        else:
            yield from _unpacked(inner, deep + 1)
    elif text := _text(told):
        yield Message(None, text)


def _text(told: Any, deep: int = 0) -> str:
    """The words of a message or of a part of one; calls of tools with their names."""
    if isinstance(told, str):
        return told
    if deep > _DEEPEST or told is None:
        return ""
    if isinstance(told, list):
        return "\n".join(text for text in (_text(one, deep + 1) for one in told) if text)
    if not isinstance(told, Mapping):
        return str(told)
    call = next((told[name] for name in ("functionCall", "function_call", "function") if name in told), told)
    if isinstance(call, Mapping) and isinstance(call.get("name"), str) and ("args" in call or "arguments" in call):
        return f"{call['name']}({_plain(call.get('args', call.get('arguments')))})"
    spoken = [_text(told[name], deep + 1) for name in _TEXTS if told.get(name) is not None]
    return "\n".join([*(one for one in spoken[:1] if one), *_calls(told, deep)])


def _calls(told: Mapping[str, Any], deep: int) -> list[str]:
    calls = told.get("tool_calls")
    return [_text(one, deep + 1) for one in calls] if isinstance(calls, list) else []


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
