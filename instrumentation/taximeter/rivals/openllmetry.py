"""OpenLLMetry begins its span for OpenAI responses when the answer is there: for a whole one after it was read.

So the meter makes none, and keeps its facts for the span that is to come, which begins in the same context.
"""

from __future__ import annotations

import sys

from opentelemetry import context

from taximeter.rivals import frames

__all__ = ["SPAN_NAME", "tells_afterwards"]

SPAN_NAME = "openai.response"
_WRAPPERS = "opentelemetry.instrumentation.openai.v1.responses_wrappers"
_SUPPRESSED = "suppress_language_model_instrumentation"


def tells_afterwards() -> bool:
    """Whether the call that is being sent from this stack passes through its wrapper."""
    if _WRAPPERS not in sys.modules or context.get_value(_SUPPRESSED):
        return False
    return any(frame.f_globals.get("__name__") == _WRAPPERS for frame in frames())
