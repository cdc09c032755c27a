"""Nothing gets past redaction: every text of every signal passes it, and what the rules do not mean stays as it was."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from taximeter_collector.decode import Attributes, decode_logs, decode_metrics, decode_spans
from taximeter_collector.journal import Record, Signal
from taximeter_collector.redact import RedactConfig, Redaction
from taximeter_collector.redact.builtin import BUILTIN, REDACTED

from tests.collector.decoding import any_shape, pairs_of, requests, sent, told

SIGNALS: dict[str, tuple[Signal, type[Message], Callable[..., Any]]] = {
    "traces": (Signal.TRACES, ExportTraceServiceRequest, decode_spans),
    "logs": (Signal.LOGS, ExportLogsServiceRequest, decode_logs),
    "metrics": (Signal.METRICS, ExportMetricsServiceRequest, decode_metrics),
}
signals = pytest.mark.parametrize("signal", SIGNALS)
randoms = st.randoms(use_true_random=True)
SECRET = 'Zoë\t"7" key'  # JSON writes four of its characters in another way
HIDING: list[Callable[[str], str]] = [
    lambda text: text,
    lambda text: f"a {text} b",
    lambda text: f'"quoted"\n{text}{text}',
    lambda text: f"[INFO] {text}, 7",
    lambda text: f"  {text}",
    lambda text: json.dumps(text, ensure_ascii=False),
    lambda text: json.dumps({"a": [f"\n{text}", 4, {"b": {}, text: 1e300}]}, ensure_ascii=False),
    lambda text: json.dumps([json.dumps({text: [f" {text}"]}, ensure_ascii=False)], ensure_ascii=False, indent=1),
    lambda text: json.dumps([{"role": "user", "content": f"1\\2 {text}"}, "é"], ensure_ascii=False)[:-6],
]


def passed(signal: str, redaction: Redaction, batch: Any) -> Any:
    return {"traces": redaction.spans, "logs": redaction.logs, "metrics": redaction.metrics}[signal](batch)


def decoded(signal: str, messages: list[Message]) -> Any:
    kind, _, decode = SIGNALS[signal]
    return decode(sent(kind, messages))


def seen(value: Any) -> Any:
    """All that a batch says, and nothing of how its attributes are laid out."""
    if isinstance(value, Attributes):
        told(value)  # its arrays are sound
        structured = [] if value.structured is None else value.structured.nonzero()[0].tolist()
        return pairs_of(value), repr(value.ints.to_pylist()), repr(value.doubles.to_pylist()), structured
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: seen(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return told(value)


def texts_of(message: Any) -> Iterator[tuple[Any, str]]:
    """Where a message has texts: the message that has one, and in which field."""
    for field, value in message.ListFields():
        if field.message_type:
            for inner in value if field.is_repeated else [value]:
                yield from texts_of(inner)
        elif field.type == FieldDescriptor.TYPE_STRING:
            yield message, field.name


def planted(random: Random, message: Any) -> tuple[Any, Any]:
    """A message with a secret in many of its texts, and what it must become."""
    wanted = type(message)()
    wanted.CopyFrom(message)
    for (owner, name), (twin, _) in zip(texts_of(message), texts_of(wanted), strict=True):
        if random.random() < 0.4:
            hide = random.choice(HIDING)
            setattr(owner, name, hide(SECRET))
            setattr(twin, name, hide(REDACTED))
    return message, wanted


@signals
@any_shape
@given(randoms)
def test_a_secret_in_any_text_is_found_and_nothing_else_is_changed(signal: str, random: Random) -> None:
    """Attributes, bodies, names, descriptions, keys, of everything that has such, however deep and however written."""
    pairs = [planted(random, message) for message in requests(random, SIGNALS[signal][1])]
    redaction = Redaction.of(RedactConfig(patterns=(r're:Zoë\s"7"\skey',)))
    redacted = passed(signal, redaction, decoded(signal, [message for message, _ in pairs]))
    assert seen(redacted) == seen(decoded(signal, [wanted for _, wanted in pairs]))


@signals
@any_shape
@given(randoms)
def test_a_secret_is_found_where_json_writes_it_in_ascii(signal: str, random: Random) -> None:
    messages = requests(random, SIGNALS[signal][1])
    written = json.dumps({"a": [SECRET, json.dumps([SECRET])]})
    for message in messages:
        for owner, name in list(texts_of(message)):
            setattr(owner, name, random.choice([written, written[:-1], written[:-4]]))
    redaction = Redaction.of(RedactConfig(patterns=(r're:Zoë\s"7"\skey',)))
    said = json.dumps(seen(passed(signal, redaction, decoded(signal, messages))), default=str)
    assert not re.search(r"Zo\\+u00eb", said)


@signals
@any_shape
@given(randoms)
def test_keys_are_replaced_and_dropped_wherever_they_are(signal: str, random: Random) -> None:
    messages = requests(random, SIGNALS[signal][1])
    redaction = Redaction.of(RedactConfig(keys=("B",), drop=("service.*",)))
    redacted = passed(signal, redaction, decoded(signal, messages))
    for message in messages:
        without(message)
    assert seen(redacted) == seen(decoded(signal, messages))


def without(message: Any) -> None:
    """Of each list of pairs: `b` becomes another value, and `service.name` goes."""
    for field, value in message.ListFields():
        if field.message_type is KeyValue.DESCRIPTOR:
            kept = [pair for pair in value if pair.key != "service.name"]
            pairs = [KeyValue(key=pair.key, value=_value(pair)) for pair in kept]
            message.ClearField(field.name)
            getattr(message, field.name).extend(pairs)
        if field.message_type:
            items = getattr(message, field.name)
            for inner in items if field.is_repeated else [items]:
                without(inner)


def _value(pair: KeyValue) -> AnyValue:
    return AnyValue(string_value=REDACTED) if pair.key == "b" else pair.value


@signals
@any_shape
@given(randoms)
def test_built_in_patterns_leave_alone_what_has_nothing_of_theirs(signal: str, random: Random) -> None:
    batch = decoded(signal, requests(random, SIGNALS[signal][1]))
    patterns = tuple(name for name in BUILTIN if name != "credit-card")  # a random number can be one
    redaction = Redaction.of(RedactConfig(patterns=patterns))
    assert seen(passed(signal, redaction, batch)) == seen(batch)
    assert redaction.values["pattern"] == 0


@signals
def test_without_rules_a_batch_is_what_it_was_and_is_counted(signal: str) -> None:
    redaction = Redaction.of(RedactConfig())
    batch = decoded(signal, requests(Random(3), SIGNALS[signal][1]))
    assert passed(signal, redaction, batch) is batch
    assert passed(signal, redaction, batch) is batch
    assert redaction.passed == {"traces": 0, "logs": 0, "metrics": 0} | {signal: 2 * len(batch)}
    assert redaction.values == {"pattern": 0, "key": 0, "drop": 0}


# Attributes


def attributes(config: RedactConfig, *owners: dict[str, Any]) -> tuple[Attributes, Redaction]:
    """The attributes of spans when they have passed."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for owner in owners:
        spans.add().attributes.extend(KeyValue(key=key, value=any_value(value)) for key, value in owner.items())
    redaction = Redaction.of(config)
    records = [Record(0, 1, Signal.TRACES, 0, "", request.SerializeToString())]
    return redaction.spans(decode_spans(records)).attributes, redaction


def any_value(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=map(any_value, value)))
    if isinstance(value, dict):
        pairs = [KeyValue(key=key, value=any_value(item)) for key, item in value.items()]
        return AnyValue(kvlist_value=KeyValueList(values=pairs))
    return AnyValue(string_value=value)


def test_a_card_is_found_in_numbers_too_and_is_no_number_any_more() -> None:
    found, redaction = attributes(
        RedactConfig(patterns=("credit-card",)),
        {"a": 4111111111111111, "b": 4111111111111111.0, "c": [4111111111111111, 1.5], "d": 7, "e": 0.4111111111111111},
    )
    assert found.text.to_pylist() == [REDACTED, REDACTED, f'["{REDACTED}", 1.5]', "7", "0.4111111111111111"]
    assert found.ints.to_pylist() == [None, None, None, 7, None]
    assert found.doubles.to_pylist() == [None, None, None, None, 0.4111111111111111]
    assert redaction.values["pattern"] == 3


def test_a_value_is_counted_once_for_each_kind_of_rule_that_changed_it() -> None:
    config = RedactConfig(patterns=("email",), keys=("password",), drop=("gone",))
    both = '{"password": 1, "to": ["a@b.example", "c@d.example"]}'
    owner = {
        "x": both,
        "y": "a@b.example",
        "password": "1",
        "gone": "2",
        "z": {"gone": 1, "password": 2},
        "d@e.example": "",
    }
    _, redaction = attributes(config, owner, owner)
    assert redaction.values == {"pattern": 2 * 3, "key": 2 * 3, "drop": 2 * 2}
    assert redaction.passed["traces"] == 2


def test_keys_that_become_one_key_are_one() -> None:
    """Each attribute stays where it was, and can be found by the new key."""
    found, _ = attributes(
        RedactConfig(patterns=("email",)),
        {"a@b.example": 1, "x": 2},
        {"c@d.example": 3},
        {"c@d.example": 4, "a@b.example": 5},
    )
    assert sorted(found.keys) == [REDACTED, "x"]
    assert pairs_of(found) == [[(REDACTED, "1"), ("x", "2")], [(REDACTED, "3")], [(REDACTED, "4"), (REDACTED, "5")]]
    assert found.texts(REDACTED) == pa.array(["1", "3", "4"])


def test_a_replaced_value_is_neither_a_number_nor_a_list_and_no_pattern_sees_what_replaced_it() -> None:
    found, redaction = attributes(RedactConfig(patterns=("re:red",), keys=("k",)), {"k": [1]}, {"k": 7}, {"k": "red"})
    assert found.text.to_pylist() == [REDACTED] * 3
    assert found.structured is None
    assert found.ints.null_count == 3
    assert redaction.values == {"pattern": 0, "key": 3, "drop": 0}


def test_dropping_all_attributes_leaves_none() -> None:
    found, _ = attributes(RedactConfig(drop=("*",)), {"a": 1, "b": "x"}, {"c": [1]})
    assert pairs_of(found) == [[], []]
    assert found.maps().to_pylist() == [[], []]
