"""OTLP bytes to columns, a batch of requests at once."""

from taximeter_collector.decode.attributes import Attributes
from taximeter_collector.decode.logs import Logs, decode_logs
from taximeter_collector.decode.metrics import Metrics, decode_metrics
from taximeter_collector.decode.spans import Spans, decode_spans

__all__ = ["Attributes", "Logs", "Metrics", "Spans", "decode_logs", "decode_metrics", "decode_spans"]
