"""OTLP bytes to columns, a batch of requests at once."""

from taximeter_collector.decode.attributes import Attributes
from taximeter_collector.decode.logs import Logs, decode_logs
from taximeter_collector.decode.spans import Spans, decode_spans

__all__ = ["Attributes", "Logs", "Spans", "decode_logs", "decode_spans"]
