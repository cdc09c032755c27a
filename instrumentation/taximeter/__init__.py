"""The meter in the app: every model call, through any SDK, as one GenAI span with its tokens, model and latency.

With no code at all: `opentelemetry-instrument python app.py`. With one line: `taximeter.instrument()`.
"""

from __future__ import annotations

from taximeter.context import conversation
from taximeter.instrumentor import instrument, uninstrument
from taximeter.scopes import agent, tool, workflow
from taximeter.scores import score
from taximeter.version import __version__

__all__ = ["__version__", "agent", "conversation", "instrument", "score", "tool", "uninstrument", "workflow"]
