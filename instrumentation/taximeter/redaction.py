"""Captured content passes here, on every way out, before anything of it is written anywhere."""

from __future__ import annotations

from typing import Any

from taximeter import faults
from taximeter.call import Content
from taximeter.settings import Settings

__all__ = ["REDACTED", "redacted", "redacted_content"]

REDACTED = "[redacted]"


def redacted(value: Any, settings: Settings) -> Any:
    """The same value with every text in it, keys included, passed through the user's patterns and function."""
    if not settings.redact_patterns and settings.redact is None:
        return value
    return _walk(value, settings)


def redacted_content(content: Content, settings: Settings) -> Content:
    return Content(
        system=redacted(content.system, settings),
        input=redacted(content.input, settings),
        output=redacted(content.output, settings),
        tools=redacted(content.tools, settings),
    )


def _walk(value: Any, settings: Settings) -> Any:
    if isinstance(value, str):
        return _text(value, settings)
    if isinstance(value, dict):
        # A part's kind and a message's role are ours, not the user's.
        return {
            key if key in _SHAPE else _walk(key, settings): item if key in ("type", "role") else _walk(item, settings)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_walk(item, settings) for item in value]
    if isinstance(value, bytes):
        return _bytes(value, settings)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return _text(str(value), settings)


_SHAPE = frozenset(
    {
        "type",
        "role",
        "parts",
        "content",
        "name",
        "finish_reason",
        "id",
        "arguments",
        "response",
        "modality",
        "mime_type",
        "uri",
        "file_id",
        "description",
        "parameters",
        "server_tool_call",
        "server_tool_call_response",
    }
)


def _text(value: str, settings: Settings) -> str:
    for pattern in settings.redact_patterns:
        value = pattern.sub(REDACTED, value)
    if settings.redact is not None:
        try:
            value = settings.redact(value)
        except Exception as error:  # the user's function; what it could not judge must not get out
            faults.count("redact.failed", error)
            return REDACTED
        if not isinstance(value, str):
            faults.count("redact.failed")
            return REDACTED
    return value


def _bytes(value: bytes, settings: Settings) -> bytes:
    """A document that is text is treated as text; pictures and sounds pass."""
    try:
        return _text(value.decode(), settings).encode()
    except UnicodeDecodeError:
        return value
