"""One response of a provider is billed once, however many spans and events tell of it, and however often."""

from taximeter_collector.bill.register import Register
from taximeter_collector.bill.settled import Settled, SpanLinks, Superseded
from taximeter_collector.bill.views import CALL_COLUMNS

__all__ = ["CALL_COLUMNS", "Register", "Settled", "SpanLinks", "Superseded"]
