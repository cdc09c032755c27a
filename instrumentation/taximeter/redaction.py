"""Captured content passes here, on every way out, before anything of it is written anywhere."""

from __future__ import annotations

from typing import Any

from taximeter import faults
from taximeter.call import Content, Message, Part
from taximeter.settings import Settings

__all__ = ["REDACTED", "redacted", "redacted_content", "redacted_error"]

REDACTED = "[redacted]"
_LONGEST_ERROR = 500


def redacted(value: Any, settings: Settings) -> Any:
    """The same value with every text in it, keys included, passed through the user's patterns and function."""
    if not settings.redact_patterns and settings.redact is None:
        return value
    return _walk(value, settings)


def redacted_error(message: str | None, settings: Settings) -> str | None:
    """What may be told of an error."""
    return redacted(message, settings)[:_LONGEST_ERROR] if message else None


def redacted_content(content: Content, settings: Settings) -> Content:
    """The same content. What makes a message a message stays; all that somebody wrote in it passes."""
    if not settings.redact_patterns and settings.redact is None:
        return content
    return Content(
        system=[_part(part, settings) for part in content.system],
        input=[_message(message, settings) for message in content.input],
        output=[_message(message, settings) for message in content.output],
        tools=[_shaped(tool, ("type",), settings) for tool in content.tools],
    )


def _message(message: Message, settings: Settings) -> Message:
    said = _shaped({**message, "parts": None}, ("role", "parts", "finish_reason"), settings)
    return {**said, "parts": [_part(part, settings) for part in message["parts"]]}


def _part(part: Part, settings: Settings) -> Part:
    if part.get("type") == "blob" and part.get("modality") in _MEDIA:
        return part  # a picture or a sound has no text to look at
    return _shaped(part, ("type", "modality", "mime_type"), settings)


_MEDIA = ("image", "audio", "video")


def _shaped(value: dict[str, Any], kept: tuple[str, ...], settings: Settings) -> dict[str, Any]:
    """An object whose keys are ours, and whose values are the user's but for those kept."""
    return {key: item if key in kept else _walk(item, settings) for key, item in value.items()}


def _walk(value: Any, settings: Settings) -> Any:
    if isinstance(value, str):
        return _text(value, settings)
    if isinstance(value, dict):
        return {_walk(key, settings): _walk(item, settings) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_walk(item, settings) for item in value]
    if isinstance(value, bytes):
        return _text(value.decode("utf-8", "surrogateescape"), settings).encode("utf-8", "surrogateescape")
    if value is None or isinstance(value, bool):
        return value
    as_text = str(value)  # a number can be a card's
    passed = _text(as_text, settings)
    return value if passed == as_text and isinstance(value, (int, float)) else passed


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
