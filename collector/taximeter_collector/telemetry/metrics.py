"""All metrics of the collector. docs/operations.md lists them, and a test compares the two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["ALL", "Metric", "Registry", "Sample"]

Sample = tuple[str, tuple[str, ...], float]  # name, values of the labels, value


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, by its name in OpenTelemetry."""

    name: str
    kind: Literal["counter", "gauge"]
    unit: str
    help: str
    labels: tuple[str, ...] = ()

    @property
    def prometheus_name(self) -> str:
        """Its name in Prometheus, which has the unit and the kind in it.

        >>> RECEIVED_BYTES.prometheus_name
        'taximeter_receiver_received_bytes_total'
        """
        unit = _PROMETHEUS_UNITS.get(self.unit, "")
        name = self.name.replace(".", "_")
        return name + ("" if not unit or name.endswith(unit) else unit) + ("_total" if self.kind == "counter" else "")


_PROMETHEUS_UNITS = {"By": "_bytes", "s": "_seconds"}

ACCEPTED_ITEMS = Metric(
    "taximeter.receiver.accepted_items",
    "counter",
    "{item}",
    "Spans, data points and log records that were acknowledged, and so are on disk.",
    ("transport", "signal"),
)
ACCEPTED_REQUESTS = Metric(
    "taximeter.receiver.accepted_requests",
    "counter",
    "{request}",
    "Export requests that were answered OK; with partial success, too.",
    ("transport", "signal", "sender"),
)
REJECTED_ITEMS = Metric(
    "taximeter.receiver.rejected_items",
    "counter",
    "{item}",
    "Records that were taken out of accepted requests because they cannot be what they claim; the sender was told.",
    ("transport", "signal"),
)
REFUSED_REQUESTS = Metric(
    "taximeter.receiver.refused_requests",
    "counter",
    "{request}",
    "Requests that were answered with an error, by reason.",
    ("transport", "reason"),
)
RECEIVED_BYTES = Metric(
    "taximeter.receiver.received",
    "counter",
    "By",
    "Bodies of requests as they came over the wire, accepted or not.",
    ("transport",),
)
CONNECTIONS = Metric("taximeter.receiver.connections", "gauge", "{connection}", "Open HTTP connections.")
DROPPED_CONNECTIONS = Metric(
    "taximeter.receiver.dropped_connections",
    "counter",
    "{connection}",
    "HTTP connections that were closed on the peer, by reason.",
    ("reason",),
)
MEMORY_IN_USE = Metric(
    "taximeter.receiver.memory_in_use", "gauge", "By", "Bodies that are being received or written at this moment."
)
JOURNAL_SIZE = Metric("taximeter.journal.size", "gauge", "By", "What the journal takes of the disk.")
JOURNAL_LIMIT = Metric("taximeter.journal.limit", "gauge", "By", "What it may take (journal.max_size).")
JOURNAL_SEGMENTS = Metric("taximeter.journal.segments", "gauge", "{segment}", "Segment files.")
JOURNAL_RECORDS = Metric("taximeter.journal.records", "counter", "{record}", "Export requests that were made durable.")
JOURNAL_WRITTEN = Metric("taximeter.journal.written", "counter", "By", "Bytes that were made durable.")
JOURNAL_SYNCS = Metric("taximeter.journal.syncs", "counter", "{sync}", "Syncs; one serves many requests.")
JOURNAL_SYNC_TIME = Metric("taximeter.journal.sync_time", "counter", "s", "Time spent waiting for the disk in syncs.")
JOURNAL_FAILURES = Metric(
    "taximeter.journal.failures", "counter", "{failure}", "Writes and syncs that the disk failed."
)
JOURNAL_CUT = Metric(
    "taximeter.journal.cut", "counter", "By", "Torn ends that a crash left; nothing of them was ever acknowledged."
)
JOURNAL_DAMAGED = Metric(
    "taximeter.journal.damaged",
    "counter",
    "By",
    "Bytes in which no record could be read when the journal was opened; kept in `damaged/`.",
)
JOURNAL_DROPPED = Metric(
    "taximeter.journal.dropped_records",
    "counter",
    "{record}",
    "Unread records deleted at a limit, because journal.at_limit says so.",
)
READER_UNREAD = Metric(
    "taximeter.journal.reader.unread_records", "gauge", "{record}", "How many records are before a reader.", ("reader",)
)
READER_AGE = Metric(
    "taximeter.journal.reader.oldest_unread_age",
    "gauge",
    "s",
    "How long ago the record was received that a reader reads next; 0 if it has read all.",
    ("reader",),
)
LANDED_ITEMS = Metric(
    "taximeter.lander.items",
    "counter",
    "{item}",
    "Spans, data points and log records that were read from the journal and landed.",
    ("signal",),
)
LANDED_ROWS = Metric("taximeter.lander.rows", "counter", "{row}", "Rows that were committed, by table.", ("table",))
LANDED_CALLS = Metric(
    "taximeter.lander.calls",
    "counter",
    "{row}",
    "Rows of the ledger, by what is known of the cost and whether they are billed.",
    ("cost_status", "billable"),
)
NOT_BILLED = Metric(
    "taximeter.lander.not_billed", "counter", "{row}", "Rows of the ledger that are not billed, by reason.", ("reason",)
)
CORRECTIONS = Metric(
    "taximeter.lander.corrections",
    "counter",
    "{row}",
    "Rows that had been billed, and are not any more, because a better view of the same call came later.",
)
DEAD_LETTERS = Metric(
    "taximeter.lander.dead_letters",
    "counter",
    "{record}",
    "Requests that could not be landed; kept in `dead-letter/`, with the reason.",
)
CLAMPED = Metric(
    "taximeter.lander.clamped_clocks",
    "counter",
    "{item}",
    "Records whose sender's clock is absurd; they have the time at which they were received.",
    ("signal",),
)
CONTENT_LEFT_OUT = Metric(
    "taximeter.lander.content_left_out", "counter", "{value}", "Content that was sent and not kept (land.content)."
)
LEFT_OUT = Metric(
    "taximeter.lander.resource_attributes_left_out",
    "counter",
    "{attribute}",
    "Attributes of resources with so many that they cannot be repeated in each row of a large request.",
)
SATURATED = Metric(
    "taximeter.lander.saturated_counts",
    "counter",
    "{value}",
    "Counts in distributions that are beyond 2^63 - 1, which is what stands there instead.",
)
REDACTION_PASSED = Metric(
    "taximeter.lander.redaction_passed_items",
    "counter",
    "{item}",
    "Records that passed through redaction: never less than were landed; more if some were read again.",
    ("signal",),
)
REDACTED = Metric(
    "taximeter.lander.redacted_values", "counter", "{value}", "Values that redaction changed or dropped.", ("rule",)
)
COMMITS = Metric("taximeter.lander.commits", "counter", "{commit}", "Commits to the lake.")
LAKE_FAILURES = Metric(
    "taximeter.lander.lake_failures",
    "counter",
    "{failure}",
    "Attempts that the lake's disk failed; what was read is read again.",
)
STAGE_TIME = Metric("taximeter.lander.stage_time", "counter", "s", "CPU time that landing takes, by stage.", ("stage",))
READER_DAMAGED = Metric(
    "taximeter.lander.damaged", "counter", "By", "Bytes of the journal in which the lander could read no record."
)
FORWARD_SENT_ITEMS = Metric(
    "taximeter.forward.sent_items",
    "counter",
    "{item}",
    "Spans, data points and log records that a destination has taken; again after a crash, if they were sent again.",
    ("destination", "signal"),
)
FORWARD_SENT_REQUESTS = Metric(
    "taximeter.forward.sent_requests", "counter", "{request}", "Requests that it has taken.", ("destination",)
)
FORWARD_SENT_BYTES = Metric(
    "taximeter.forward.sent", "counter", "By", "Bytes of these requests, before compression.", ("destination",)
)
FORWARD_FAILED_ATTEMPTS = Metric(
    "taximeter.forward.failed_attempts",
    "counter",
    "{attempt}",
    "Attempts that came to nothing and are made again, by reason.",
    ("destination", "reason"),
)
FORWARD_DROPPED_ITEMS = Metric(
    "taximeter.forward.dropped_items",
    "counter",
    "{item}",
    "Records that are not sent, because the settings say so or the backend rejected them, by reason.",
    ("destination", "reason"),
)
FORWARD_TREATED_ITEMS = Metric(
    "taximeter.forward.treated_items",
    "counter",
    "{item}",
    "Records that were changed on the way or judged out of the ordinary, by what was done.",
    ("destination", "treatment"),
)
FORWARD_HELD = Metric(
    "taximeter.forward.held_items",
    "gauge",
    "{item}",
    "Records that wait until their trace is judged.",
    ("destination",),
)
FORWARD_DEAD_LETTERS = Metric(
    "taximeter.forward.dead_letters",
    "counter",
    "{request}",
    "Requests that were refused for good; kept in `dead-letter/`, with the reason.",
    ("destination", "reason"),
)
FORWARD_SKIPPED_RECORDS = Metric(
    "taximeter.forward.skipped_records",
    "counter",
    "{record}",
    "Requests of the journal that `taximeter forward skip` left out.",
    ("destination",),
)
FORWARD_IN_FLIGHT_REQUESTS = Metric(
    "taximeter.forward.in_flight_requests",
    "gauge",
    "{request}",
    "Requests that are being sent or wait for it.",
    ("destination",),
)
FORWARD_IN_FLIGHT = Metric("taximeter.forward.in_flight", "gauge", "By", "Bytes of these requests.", ("destination",))
FORWARD_UNREAD = Metric(
    "taximeter.forward.unread",
    "gauge",
    "By",
    "Bytes of the journal that are not delivered; how many records and how old is told of each reader.",
    ("destination",),
)
FORWARD_UP = Metric(
    "taximeter.forward.up",
    "gauge",
    "1",
    "1 if the last attempt was answered, 0 if it came to nothing.",
    ("destination",),
)
FORWARD_DAMAGED = Metric(
    "taximeter.forward.damaged",
    "gauge",
    "By",
    "Bytes of the journal in which this forwarder could read no record.",
    ("destination",),
)
PROCESS_CPU = Metric("taximeter.process.cpu_time", "counter", "s", "CPU time, user and system.", ("process",))
PROCESS_MEMORY = Metric("taximeter.process.memory", "gauge", "By", "Resident memory.", ("process",))
PROCESS_RESTARTS = Metric(
    "taximeter.process.restarts",
    "counter",
    "{restart}",
    "How often the supervisor had to start it again.",
    ("process",),
)

LAKE_FILES = Metric("taximeter.lake.files", "gauge", "{file}", "Data files that a query reads, by table.", ("table",))
LAKE_ROWS = Metric("taximeter.lake.rows", "gauge", "{row}", "Rows, by table.", ("table",))
LAKE_SIZE = Metric(
    "taximeter.lake.size", "gauge", "By", "What the data files take of the disk, without replaced ones.", ("table",)
)
LAKE_MERGED_FILES = Metric(
    "taximeter.lake.merged_files", "counter", "{file}", "Small files that were merged into larger ones.", ("table",)
)
LAKE_DROPPED_DAYS = Metric(
    "taximeter.lake.dropped_days", "counter", "{day}", "Days that were dropped: too old, or too much.", ("table",)
)
LAKE_UPKEEP_FAILURES = Metric(
    "taximeter.lake.upkeep_failures", "counter", "{failure}", "What upkeep could not do; the log says why."
)

ALL = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
BY_NAME = {metric.name: metric for metric in ALL}


class Registry:
    """The values of one process."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, tuple[str, ...]], float] = {}

    def add(self, metric: Metric, amount: float, *labels: str) -> None:
        """Count."""
        key = (metric.name, labels)
        self._values[key] = self._values.get(key, 0) + amount

    def set(self, metric: Metric, value: float, *labels: str) -> None:
        """Record what is so now; a counter that is kept elsewhere, too."""
        self._values[(metric.name, labels)] = value

    def forget(self, metric: Metric) -> None:
        """Drop all values of a metric, before those that still exist are set."""
        for key in [key for key in self._values if key[0] == metric.name]:
            del self._values[key]

    def samples(self) -> list[Sample]:
        """All values."""
        return [(name, labels, value) for (name, labels), value in list(self._values.items())]
