"""What a user can set, by environment or by `taximeter.instrument(...)`; read once, when metering starts.

Everything that OpenTelemetry has a variable for is set by that variable; ours start with `TAXIMETER_`.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

__all__ = ["Redactor", "Settings", "explain_capture_mode"]

_log = logging.getLogger("taximeter")
_TRUE = ("1", "true", "yes", "on")
_CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

Redactor = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Settings:
    """The user's choices.

    `redact_patterns`: regular expressions; what they match in captured content becomes `[redacted]`.
    `redact`: a function from text to text that every captured text passes, after the patterns.
    `baggage`: take conversation, user and tags from incoming baggage, and send them along in it.
    `chunk_metric`: record the time of each output chunk (one histogram entry a chunk, which costs more than the chunk).
    `max_body_bytes`: how much of a response is kept at most while it is being read.
    """

    redact_patterns: tuple[re.Pattern[str], ...] = ()
    redact: Redactor | None = None
    baggage: bool = False
    chunk_metric: bool = False
    max_body_bytes: int = 8 * 1024 * 1024

    @classmethod
    def from_environment(
        cls, *, redact: Redactor | None = None, redact_patterns: Iterable[str] = (), baggage: bool | None = None
    ) -> Settings:
        """The environment's settings, with those given in code on top. ValueError for a bad pattern in code."""
        return cls(
            redact_patterns=(*map(_compiled, redact_patterns), *_patterns_of_environment()),
            redact=redact,
            baggage=_flag("TAXIMETER_BAGGAGE") if baggage is None else baggage,
            chunk_metric=_flag("TAXIMETER_CHUNK_METRIC"),
        )


_EVERYTHING = re.compile(r"(?s).+")


def _patterns_of_environment() -> tuple[re.Pattern[str], ...]:
    """One a line. Nobody is there to read an exception, so with a bad one among them all content is redacted."""
    lines = [line for line in os.environ.get("TAXIMETER_REDACT_PATTERNS", "").splitlines() if line]
    try:
        return tuple(map(_compiled, lines))
    except ValueError as error:
        _log.error("TAXIMETER_REDACT_PATTERNS: %s. All captured content will be redacted.", error)
        return (_EVERYTHING,)


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern.removeprefix("re:"))  # the collector, which reads the same variable, has names beside
    except re.error as error:
        raise ValueError(f"redaction pattern {pattern!r} is no regular expression: {error}") from error


def _flag(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in _TRUE


def explain_capture_mode() -> None:
    """Give the old value `true` the meaning that it had, and say so: the official library reads it as 'nothing'."""
    value = os.environ.get(_CAPTURE, "").strip().lower()
    if value in _TRUE:
        os.environ[_CAPTURE] = "SPAN_ONLY"
        _log.warning(
            "%s=%s is the old spelling; message content will be captured on spans. "
            "Say SPAN_ONLY, EVENT_ONLY, SPAN_AND_EVENT or NO_CONTENT instead.",
            _CAPTURE,
            value,
        )
    elif value in ("0", "false", "no", "off"):
        os.environ[_CAPTURE] = "NO_CONTENT"
