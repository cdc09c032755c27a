"""How good an answer was: the evaluation event of the conventions, beside the span of the answer."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry._logs import LogRecord, get_logger
from opentelemetry.trace import Span

from taximeter import faults
from taximeter.context import situation
from taximeter.redaction import redacted
from taximeter.scopes import metering
from taximeter.version import __version__

__all__ = ["score"]

_EVENT = "gen_ai.evaluation.result"


def score(
    name: str,
    value: float | None = None,
    *,
    label: str | None = None,
    explanation: str | None = None,
    response_id: str | None = None,
    span: Span | None = None,
) -> None:
    """Record an evaluation of an answer: a number, a word, or both.

    It belongs to `span`, or to the current one. `response_id` names the answer when its span is over.

    >>> import taximeter
    >>> taximeter.score("helpful", 0.9, label="yes", response_id="chatcmpl-123")
    """
    try:
        switched_on = metering()
        facts = {
            "gen_ai.evaluation.name": name,
            "gen_ai.evaluation.score.value": None if value is None else float(value),
            "gen_ai.evaluation.score.label": label,
            "gen_ai.evaluation.explanation": redacted(explanation, switched_on.settings),
            "gen_ai.response.id": response_id,
            **situation().attributes(),
        }
        within = trace.set_span_in_context(span) if span is not None else None
        get_logger("taximeter", __version__, switched_on.logger_provider).emit(
            LogRecord(
                event_name=_EVENT,
                attributes={key: fact for key, fact in facts.items() if fact is not None},
                context=within,
            )
        )
    except Exception as error:
        faults.count("scores.emit", error)
