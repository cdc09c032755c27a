"""What was said, out of the forms in which messages are sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

__all__ = ["said_in"]

_TEXTS = ("text", "content", "value", "output", "result", "response", "input", "arguments")


def said_in(content: Any, usual: str, *, last_only: bool = False) -> list[tuple[str, str]]:
    """Who said what. What is no list of messages was said by whoever says such a thing usually.

    `last_only`: a prompt has the whole conversation in it, of which the end is new.

    >>> said_in('[{"role": "user", "parts": [{"type": "text", "content": "Hello"}]}]', "user")
    [('user', 'Hello')]
    >>> said_in("Hello", "user")
    [('user', 'Hello')]
    """
    if content is None or content == "":
        return []
    messages = [one for one in _messages(content, usual) if one[1].strip()]
    return messages[-1:] if last_only else messages


def _messages(content: Any, usual: str) -> Iterator[tuple[str, str]]:
    if isinstance(content, str):
        try:
            known = json.loads(content) if content.lstrip()[:1] in ("[", "{") else None
        except (ValueError, RecursionError):
            known = None
        if not isinstance(known, (list, dict)):
            yield usual, content
            return
        content = known
    if isinstance(content, dict) and isinstance(content.get("messages"), list):
        content = content["messages"]
    for one in content if isinstance(content, list) else [content]:
        if isinstance(one, dict):
            message = one["message"] if isinstance(one.get("message"), dict) else one
            yield str(message.get("role") or usual), _text(message)
        else:
            yield usual, one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)


def _text(message: dict[str, Any]) -> str:
    """Texts as they are, all else by what it is."""
    parts = message.get("parts", message.get("content"))
    if isinstance(parts, str):
        return parts
    if isinstance(parts, list):
        return "\n".join(_part(one) for one in parts)
    return _part(message)


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return json.dumps(part, ensure_ascii=False)
    kind, name = str(part.get("type") or "text"), part.get("name")
    found = next((part[key] for key in _TEXTS if part.get(key) not in (None, "")), None)
    text = found if isinstance(found, str) else "" if found is None else json.dumps(found, ensure_ascii=False)
    if kind in ("text", "input_text", "output_text"):
        return text or json.dumps(part, ensure_ascii=False)
    return f"[{kind}{f' {name}' if name else ''}] {text}".rstrip()
