"""What is forwarded has passed the same rules as what lands: every text of every signal; the rest is not touched."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from taximeter_collector.forward.treatment import Treatment, TreatmentConfig
from taximeter_collector.forward.treatment.redacting import Redacting
from taximeter_collector.forward.treatment.wire import sized
from taximeter_collector.journal import Record, Signal
from taximeter_collector.redact import RedactConfig, Redaction
from taximeter_collector.redact.builtin import BUILTIN, REDACTED
from taximeter_collector.redact.rules import Rules

from tests.collector.decoding import records, requests
from tests.collector.landing import BOOK
from tests.collector.test_redact import SECRET, SIGNALS, any_value, passed, planted, seen

signals = pytest.mark.parametrize("signal", SIGNALS)
randoms = st.randoms(use_true_random=True)
some_shapes = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
CONFIGS = [
    RedactConfig(patterns=(r're:Zoë\s"7"\skey',)),
    RedactConfig(patterns=(r're:Zoë\s"7"\skey', "credit-card", "re:[0-9]{4,}"), keys=("a", "*name")),
    RedactConfig(keys=("B",), drop=("service.*",)),
    RedactConfig(patterns=("re:[a-z]",), drop=("a",)),
]


def redacting(**rules: Any) -> Redacting:
    return Redacting(Rules.of(RedactConfig(**rules)))


def rewritten(redacting: Redacting, message: Message) -> bytes:
    return redacting.messages(message.DESCRIPTOR, [message.SerializeToString()])[0]


@signals
@pytest.mark.parametrize("config", CONFIGS, ids=range(len(CONFIGS)))
@some_shapes
@given(randoms)
def test_bytes_are_rewritten_to_what_the_lander_makes_of_them(
    signal: str, config: RedactConfig, random: Random
) -> None:
    """The rewritten request is decoded, and is what the decoded request becomes."""
    messages = [planted(random, message)[0] for message in requests(random, SIGNALS[signal][1])]
    for message in messages:
        _without_twins(message)
    kind, _, decode = SIGNALS[signal]
    own = Redacting(Rules.of(config))
    wanted = passed(signal, Redaction.of(config), decode(records(kind, [one.SerializeToString() for one in messages])))
    found = decode(records(kind, [rewritten(own, message) for message in messages]))
    assert seen(found) == seen(wanted)


def _without_twins(message: Any) -> None:
    """Pairs in a value whose keys may become one: JSON would have both, and a reader of OTLP the first."""
    for field, value in message.ListFields():
        if field.message_type:
            for inner in value if field.is_repeated else [value]:
                _without_twins(inner)
    if isinstance(message, AnyValue) and message.HasField("kvlist_value"):
        del message.kvlist_value.values[1:]


@signals
@some_shapes
@given(randoms)
def test_what_the_rules_do_not_mean_is_passed_byte_for_byte(signal: str, random: Random) -> None:
    patterns = tuple(name for name in BUILTIN if name != "credit-card")  # a random number can be one
    own = redacting(patterns=patterns, keys=("password",), drop=("token",))
    for message in requests(random, SIGNALS[signal][1]):
        payload = message.SerializeToString()
        assert own.messages(message.DESCRIPTOR, [payload])[0] is payload


@signals
@pytest.mark.parametrize("config", CONFIGS, ids=range(len(CONFIGS)))
@some_shapes
@given(randoms)
def test_a_treatment_redacts_what_the_lander_redacts(signal: str, config: RedactConfig, random: Random) -> None:
    """From record to request: what is found in the columns, what is put in its place, and what takes the slow way."""
    messages = [planted(random, message)[0] for message in requests(random, SIGNALS[signal][1])]
    for message in messages:
        _without_twins(message)
    kind, _, decode = SIGNALS[signal]
    payloads = [payload for message in messages if (payload := message.SerializeToString())]
    own = Treatment(TreatmentConfig(enrich=False), config, lambda: BOOK)
    sent = own.take(records(kind, payloads), 0.0)
    wanted = passed(signal, Redaction.of(config), decode(records(kind, payloads)))
    found = decode(records(kind, [b"".join(one.payload for one in sent)]))
    assert own.counts["sent"] == sum(one.items for one in sent) == len(wanted)
    assert _rows(found) == _rows(wanted)
    assert not own.drain_set_aside()


def _rows(batch: Any) -> Any:
    """All that is told of rows; requests without any are not sent, and nobody misses their resources."""
    said = seen(batch)
    said.pop("origin")
    sources = said.pop("sources")
    assert len(sources["of_row"]) == len(batch)
    return (
        said,
        repr(batch.sources.resource_maps().to_pylist()),
        repr(batch.sources.schema_url.take(batch.sources.of_row).to_pylist()),
        repr(batch.sources.scope_name.take(batch.sources.of_row).to_pylist()),
    )


def test_a_pair_behind_another_of_its_key_hides_nothing() -> None:
    """Columns show the first of two; a reader of OTLP may take the second."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(name="n", trace_id=b"t" * 16, span_id=b"s" * 8)
    for value in ("x", "a@b.example"):
        pair = span.attributes.add(key="to") if value == "x" else span.attributes[0]
        pair.value.kvlist_value.values.add(key="who").value.string_value = value
    own = Treatment(TreatmentConfig(), RedactConfig(patterns=("email",)), lambda: BOOK)
    [sent] = own.take([Record(1, 1, Signal.TRACES, 1, "", request.SerializeToString())], 0.0)
    assert b"a@b.example" not in sent.payload
    assert own.counts["redacted"] == 1


def test_a_text_that_looks_like_an_attribute_deceives_nobody() -> None:
    """The bytes of the attribute that is meant stand in another text, and the attribute itself is written oddly."""
    meant = _pair("user.id", "jane")
    odd = bytes.fromhex("12060a046a616e65") + b"\x0a\x07user.id"  # the value before the key
    look_alike = b"J" + bytes((len(meant.SerializeToString()),)) + meant.SerializeToString()
    span = Span(name="n", trace_id=b"t" * 16, span_id=b"s" * 8, attributes=[_pair("note", look_alike.decode())])
    content = span.SerializeToString() + b"J" + bytes((len(odd),)) + odd
    payload = sized(0x0A, sized(0x12, sized(0x12, content)))
    own = Treatment(TreatmentConfig(), RedactConfig(keys=("user.id",)), lambda: BOOK)
    [sent] = own.take([Record(1, 1, Signal.TRACES, 1, "", payload)], 0.0)
    [found] = ExportTraceServiceRequest.FromString(sent.payload).resource_spans[0].scope_spans[0].spans
    assert found.attributes == [_pair("note", look_alike.decode()), _pair("user.id", REDACTED)]


def test_log_bodies_and_names_are_redacted_whatever_they_are() -> None:
    """Texts in place, numbers and pairs the slow way; names of events and severities, too."""
    request = ExportLogsServiceRequest()
    logs = request.resource_logs.add().scope_logs.add().log_records
    for value in ("to a@b.example", {"to": ["a@b.example"]}, 7, "plain"):
        logs.add(body=any_value(value), event_name="c@d.example", severity_text="WARN")
    own = Treatment(TreatmentConfig(enrich=False), RedactConfig(patterns=("email", "re:WARN")), lambda: BOOK)
    [sent] = own.take([Record(1, 1, Signal.LOGS, 4, "", request.SerializeToString())], 0.0)
    for log, value in zip(logs, (f"to {REDACTED}", {"to": [REDACTED]}, 7, "plain"), strict=True):
        log.body.CopyFrom(any_value(value))
        log.event_name = log.severity_text = REDACTED
    assert sent.payload == request.SerializeToString()
    assert own.counts["redacted"] == 4


def test_what_is_not_redacted_of_a_batch_is_passed_byte_for_byte() -> None:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for number, name in enumerate(("a", "to a@b.example", "c")):
        scope.spans.add(name=name, trace_id=b"t" * 16, span_id=bytes((1,) * 7 + (number,))).MergeFromString(
            b"\xd0\x3e\x07"
        )
    own = Treatment(TreatmentConfig(), RedactConfig(patterns=("email",)), lambda: BOOK)
    [sent] = own.take([Record(1, 1, Signal.TRACES, 3, "", request.SerializeToString())], 0.0)
    scope.spans[1].name = f"to {REDACTED}"
    assert sent.payload == request.SerializeToString()


def test_only_what_is_meant_changes_and_the_order_stays() -> None:
    span = Span(name="to a@b.example", attributes=[_pair("a", 1), _pair("to", "a@b.example"), _pair("b", [1.5])])
    found = Span.FromString(rewritten(redacting(patterns=("email",)), span))
    assert found == Span(name=f"to {REDACTED}", attributes=[_pair("a", 1), _pair("to", REDACTED), _pair("b", [1.5])])


def test_a_card_in_a_list_of_numbers_is_no_number_any_more() -> None:
    span = Span(attributes=[_pair("a", {"x": [4111111111111111, 7]}), _pair("b", 4111111111111111.0)])
    found = Span.FromString(rewritten(redacting(patterns=("credit-card",)), span))
    assert found == Span(attributes=[_pair("a", {"x": [REDACTED, 7]}), _pair("b", REDACTED)])


def test_a_field_that_nobody_knows_goes_where_there_are_rules() -> None:
    """It could hold anything. A number in such a field stays."""
    unknown = bytes.fromhex("ca3e") + bytes([len(SECRET.encode())]) + SECRET.encode() + bytes.fromhex("d03e07")
    payload = Span(name="n").SerializeToString() + unknown
    found = redacting(patterns=("email",)).messages(Span.DESCRIPTOR, [payload])[0]
    assert found == Span(name="n").SerializeToString() + bytes.fromhex("d03e07")


def _pair(key: str, value: Any) -> KeyValue:
    return KeyValue(key=key, value=any_value(value))
