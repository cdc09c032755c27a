"""What is forwarded has passed the same rules as what lands: every text of every signal; the rest is not touched."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from taximeter_collector.forward.treatment.redacting import Redacting
from taximeter_collector.redact import RedactConfig, Redaction
from taximeter_collector.redact.builtin import BUILTIN, REDACTED
from taximeter_collector.redact.rules import Rules

from tests.collector.decoding import any_shape, records, requests
from tests.collector.test_redact import SECRET, SIGNALS, any_value, passed, planted, seen

signals = pytest.mark.parametrize("signal", SIGNALS)
randoms = st.randoms(use_true_random=True)
CONFIGS = [
    RedactConfig(patterns=(r're:Zoë\s"7"\skey',)),
    RedactConfig(patterns=(r're:Zoë\s"7"\skey', "credit-card", "re:[0-9]{4,}"), keys=("a", "*name")),
    RedactConfig(keys=("B",), drop=("service.*",)),
    RedactConfig(patterns=("re:[a-z]",), drop=("a",)),
]


def redacting(**settings: Any) -> Redacting:
    return Redacting(Rules.of(RedactConfig(**settings)))


def rewritten(redacting: Redacting, message: Message) -> bytes:
    return redacting.messages(message.DESCRIPTOR, [message.SerializeToString()])[0]


@signals
@pytest.mark.parametrize("config", CONFIGS, ids=range(len(CONFIGS)))
@any_shape
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
@any_shape
@given(randoms)
def test_what_the_rules_do_not_mean_is_passed_byte_for_byte(signal: str, random: Random) -> None:
    patterns = tuple(name for name in BUILTIN if name != "credit-card")  # a random number can be one
    own = redacting(patterns=patterns, keys=("password",), drop=("token",))
    for message in requests(random, SIGNALS[signal][1]):
        payload = message.SerializeToString()
        assert own.messages(message.DESCRIPTOR, [payload])[0] is payload


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
