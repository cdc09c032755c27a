"""OTLP's JSON: whatever can be said in protobuf can be said in it, and what is wrong is told with its path."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from taximeter_collector.receive.otlp_json import to_protobuf
from taximeter_collector.receive.refusals import Reason, Refused

REQUESTS = (ExportTraceServiceRequest, ExportMetricsServiceRequest, ExportLogsServiceRequest)
HEX = {"trace_id", "span_id", "parent_span_id"}
_F = FieldDescriptor
_INTEGERS = {
    _F.TYPE_UINT32: (0, 2**32 - 1),
    _F.TYPE_FIXED32: (0, 2**32 - 1),
    _F.TYPE_INT32: (-(2**31), 2**31 - 1),
    _F.TYPE_SINT32: (-(2**31), 2**31 - 1),
    _F.TYPE_ENUM: (-(2**31), 2**31 - 1),
    _F.TYPE_UINT64: (0, 2**64 - 1),
    _F.TYPE_FIXED64: (0, 2**64 - 1),
    _F.TYPE_INT64: (-(2**63), 2**63 - 1),
    _F.TYPE_SFIXED64: (-(2**63), 2**63 - 1),
}


# Any message, from its descriptor


def scalars(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.type in _INTEGERS:
        low, high = _INTEGERS[field.type]
        return st.integers(low, high) | st.sampled_from([low, high, 0])
    if field.type == _F.TYPE_DOUBLE:
        return st.floats()
    if field.type == _F.TYPE_BOOL:
        return st.booleans()
    if field.type == _F.TYPE_BYTES:
        return st.binary(max_size=20) if field.name not in HEX else st.sampled_from([16, 8]).flatmap(_ids)
    assert field.type == _F.TYPE_STRING
    return st.text(max_size=8)


def _ids(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size) | st.just(b"")


@st.composite
def messages(draw: st.DrawFn, kind: type[Message], depth: int = 0) -> Message:
    """A message with some of its fields; deeper down, with fewer."""
    message = kind()
    fill(draw, message, depth)
    return message


def fill(draw: st.DrawFn, message: Message, depth: int) -> None:
    fields = list(message.DESCRIPTOR.fields)
    chosen = draw(
        st.lists(st.sampled_from(fields), max_size=len(fields) if depth < 5 else 3, unique_by=lambda f: f.name)
    )
    for field in chosen:
        if field.message_type is None:
            value = draw(st.lists(scalars(field), max_size=4) if field.is_repeated else scalars(field))
            if field.is_repeated:
                getattr(message, field.name).extend(value)
            else:
                setattr(message, field.name, value)
        elif depth < 9:
            if field.is_repeated:
                for _ in range(draw(st.integers(0, 2))):
                    fill(draw, getattr(message, field.name).add(), depth + 1)
            else:
                getattr(message, field.name).SetInParent()
                fill(draw, getattr(message, field.name), depth + 1)


def written(draw: st.DrawFn, message: Message) -> dict[str, Any]:
    """A message as the specification writes it in JSON, with the freedom that it leaves, and what it passes over."""
    document: dict[str, Any] = {}
    for field, value in message.ListFields():
        write = (
            (lambda item: written(draw, item))
            if field.message_type
            else (lambda item, of=field: scalar(draw, of, item))
        )
        document[field.json_name] = [write(item) for item in value] if field.is_repeated else write(value)
    absent = [field.json_name for field in message.DESCRIPTOR.fields if field.json_name not in document]
    for name in draw(st.lists(st.sampled_from(absent), max_size=1)) if absent else []:
        document[name] = None
    if draw(st.integers(0, 5)) == 0:
        document[draw(st.sampled_from(["unknown", "schema_url", "trace_id", "key_", ""]))] = draw(
            st.sampled_from([1, "x", [1, {}], {"a": [None]}, None, True, 1e9])
        )
    return document


def scalar(draw: st.DrawFn, field: FieldDescriptor, value: Any) -> Any:
    if field.type == _F.TYPE_BYTES:
        if field.name in HEX:
            text = value.hex()
            return text.upper() if draw(st.booleans()) else text
        return base64.b64encode(value).decode()
    if field.type == _F.TYPE_DOUBLE:
        return number(draw, value)
    if field.type in _INTEGERS and field.type != _F.TYPE_ENUM:
        return str(value) if draw(st.booleans()) else value
    return value


def number(draw: st.DrawFn, value: float) -> Any:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value) if draw(st.booleans()) else value


def has_nan(message: Message) -> bool:
    for field, value in message.ListFields():
        for item in value if field.is_repeated else [value]:
            if (field.message_type and has_nan(item)) or (isinstance(item, float) and math.isnan(item)):
                return True
    return False


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.sampled_from(REQUESTS))
def test_whatever_protobuf_says_json_says_too(data: st.DataObject, kind: type[Message]) -> None:
    draw: Any = data.draw
    message = draw(messages(kind))
    text = json.dumps(written(draw, message), ensure_ascii=draw(st.booleans()))
    read = kind.FromString(to_protobuf(kind.DESCRIPTOR, text.encode()))
    if has_nan(message):
        assert str(read) == str(message)
    else:
        assert read == message


def all_fields() -> list[FieldDescriptor]:
    """Every field of the three signals."""
    seen: dict[str, Descriptor] = {}
    todo = [kind.DESCRIPTOR for kind in REQUESTS]
    while todo:
        descriptor = todo.pop()
        if descriptor.full_name not in seen:
            seen[descriptor.full_name] = descriptor
            todo += [field.message_type for field in descriptor.fields if field.message_type]
    return [field for descriptor in seen.values() for field in descriptor.fields]


def test_every_kind_of_field_that_the_protocol_has_is_known() -> None:
    kinds = {field.type for field in all_fields() if not field.message_type}
    assert kinds <= {*_INTEGERS, _F.TYPE_DOUBLE, _F.TYPE_BOOL, _F.TYPE_BYTES, _F.TYPE_STRING}


# Values one by one


def attribute(value: str) -> ExportTraceServiceRequest:
    """A request of nothing but an attribute, whose value in JSON this is."""
    text = f'{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"k","value":{value}}}]}}}}]}}'
    return ExportTraceServiceRequest.FromString(to_protobuf(ExportTraceServiceRequest.DESCRIPTOR, text.encode()))


def value_of(request: ExportTraceServiceRequest) -> Any:
    return request.resource_spans[0].resource.attributes[0].value


def span(members: str) -> Any:
    text = f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{members}}}]}}]}}]}}'
    request = ExportTraceServiceRequest.FromString(to_protobuf(ExportTraceServiceRequest.DESCRIPTOR, text.encode()))
    return request.resource_spans[0].scope_spans[0].spans[0]


def refusal(text: str | bytes, kind: type[Message] = ExportTraceServiceRequest) -> str:
    body = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    with pytest.raises(Refused) as caught:
        to_protobuf(kind.DESCRIPTOR, body)
    assert caught.value.reason is Reason.MALFORMED
    return caught.value.message


def span_refusal(members: str) -> str:
    said = refusal(f'{{"resourceSpans":[{{}},{{"scopeSpans":[{{"spans":[{{{members}}}]}}]}}]}}')
    where = "resourceSpans[1].scopeSpans[0].spans[0]."
    assert said.startswith(where)
    return said[len(where) :]


@pytest.mark.parametrize("written", ["0af7651916cd43dd8448eb211c80319c", "0AF7651916CD43DD8448EB211C80319C"])
def test_ids_are_hexadecimal_in_either_case(written: str) -> None:
    read = span(f'"traceId":"{written}","spanId":"B7ad6b7169203331","parentSpanId":""')
    assert read.trace_id == bytes.fromhex(written)
    assert read.span_id == bytes.fromhex("b7ad6b7169203331")
    assert read.parent_span_id == b""


@pytest.mark.parametrize(
    "wrong", ['"xyz"', '"abc"', "12", '"CvdlGRbNQ92ESOshHIAxnA=="', '"0a f7"', '"\\u0660\\u0661"', "[]"]
)
def test_what_is_not_hexadecimal_is_no_id(wrong: str) -> None:
    assert span_refusal(f'"traceId":{wrong}') == "traceId: expected a hexadecimal id"
    assert span_refusal(f'"links":[{{"spanId":{wrong}}}]') == "links[0].spanId: expected a hexadecimal id"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('"1544712660300000000"', 1544712660300000000),
        ("1544712660300000000", 1544712660300000000),
        ("18446744073709551615", 2**64 - 1),
        ("1e9", 10**9),
        ("5.0", 5),
        ("0", 0),
        ("null", 0),
    ],
)
def test_integers_are_texts_or_numbers(written: str, meant: int) -> None:
    assert span(f'"startTimeUnixNano":{written}').start_time_unix_nano == meant


@pytest.mark.parametrize(
    "wrong",
    [
        '""',
        '"x"',
        "1.5",
        '"1.5"',
        "true",
        "[1]",
        '"1_000"',
        '" 1"',
        '"\\u0661"',
        "NaN",
        "Infinity",
        "1e400",
        '"0x10"',
        '"' + "9" * 5000 + '"',
    ],
)
def test_what_is_no_integer_is_refused(wrong: str) -> None:
    assert span_refusal(f'"endTimeUnixNano":{wrong}') == "endTimeUnixNano: expected an integer"


@pytest.mark.parametrize("wrong", ["18446744073709551616", "-1", '"-1"', "9" * 60, "1e300"])
def test_integers_have_the_range_of_their_field(wrong: str) -> None:
    assert span_refusal(f'"endTimeUnixNano":{wrong}') == f"endTimeUnixNano: expected an integer from 0 to {2**64 - 1}"


def test_integers_that_nobody_can_hold_are_refused() -> None:
    assert refusal('{"resourceSpans":' + "9" * 100_000 + "}").startswith("the body is not valid JSON")


def test_enums_are_integers_only_and_may_be_of_a_later_protocol() -> None:
    assert span('"kind":3').kind == 3
    assert span('"kind":77').kind == 77
    assert span_refusal('"kind":"SPAN_KIND_CLIENT"') == "kind: expected an integer"
    assert span_refusal('"status":{"code":"STATUS_CODE_OK"}') == "status.code: expected an integer"


@pytest.mark.parametrize(
    ("written", "meant"),
    [('"AQID/w=="', b"\1\2\3\xff"), ('"AQID_w"', b"\1\2\3\xff"), ('"AQID/w"', b"\1\2\3\xff"), ('""', b"")],
)
def test_bytes_are_base64(written: str, meant: bytes) -> None:
    value = value_of(attribute(f'{{"bytesValue":{written}}}'))
    assert (value.WhichOneof("value"), value.bytes_value) == ("bytes_value", meant)


@pytest.mark.parametrize("wrong", ['"a"', '"AQ ID"', '"AQ=="AQ', "1", '"\\u00e4\\u00e4\\u00e4\\u00e4"', '"AQID/w==="'])
def test_what_is_not_base64_is_refused(wrong: str) -> None:
    with pytest.raises(Refused, match=r"base64|not valid JSON"):
        attribute(f'{{"bytesValue":{wrong}}}')


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('"Infinity"', math.inf),
        ('"-Infinity"', -math.inf),
        ("1e400", math.inf),
        ("3", 3.0),
        ('"2.5e3"', 2500.0),
        ("-0.0", -0.0),
    ],
)
def test_doubles_are_numbers_or_their_names(written: str, meant: float) -> None:
    value = value_of(attribute(f'{{"doubleValue":{written}}}')).double_value
    assert (value, math.copysign(1, value)) == (meant, math.copysign(1, meant))
    assert math.isnan(value_of(attribute('{"doubleValue":"NaN"}')).double_value)


@pytest.mark.parametrize("wrong", ['"nan"', '"inf"', '""', '"1_0"', '" 1"', "true", "{}"])
def test_what_is_no_double_is_refused(wrong: str) -> None:
    with pytest.raises(Refused, match="expected a number, or 'NaN', 'Infinity', '-Infinity'"):
        attribute(f'{{"doubleValue":{wrong}}}')


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ('{"stringValue":""}', "string_value"),
        ('{"boolValue":false}', "bool_value"),
        ('{"intValue":"0"}', "int_value"),
        ('{"doubleValue":0}', "double_value"),
        ('{"arrayValue":{}}', "array_value"),
        ('{"kvlistValue":{"values":[]}}', "kvlist_value"),
        ('{"stringValue":null}', None),
        ("{}", None),
    ],
)
def test_a_value_that_is_nothing_is_not_the_same_as_no_value(written: str, kind: str | None) -> None:
    assert value_of(attribute(written)).WhichOneof("value") == kind


def test_unknown_names_and_names_in_snake_case_are_passed_over() -> None:
    read = span('"trace_id":17,"name":"n","nonsense":[{"a":[null,1e999]}],"span_id":[],"NAME":3')
    assert (read.name, read.trace_id, read.span_id) == ("n", b"", b"")


def test_of_a_name_that_comes_twice_the_last_holds() -> None:
    assert span('"name":"first","name":"last"').name == "last"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[]", "the body: expected an object"),
        ("null", "the body: expected an object"),
        ('"x"', "the body: expected an object"),
        ('{"resourceSpans":{}}', "resourceSpans: expected an array"),
        ('{"resourceSpans":[null]}', "resourceSpans[0]: expected an object"),
        ('{"resourceSpans":[{"resource":[]}]}', "resourceSpans[0].resource: expected an object"),
        ('{"resourceSpans":[{"schemaUrl":1}]}', "resourceSpans[0].schemaUrl: expected text"),
        (
            '{"resourceSpans":[{"resource":{"attributes":[{},{"value":{"boolValue":1}}]}}]}',
            "resourceSpans[0].resource.attributes[1].value.boolValue: expected true or false",
        ),
        (
            '{"resourceSpans":[{"schemaUrl":"\\ud800"}]}',
            "resourceSpans[0].schemaUrl: expected text without lone surrogates",
        ),
        (
            '{"resourceSpans":[{"schemaUrl":"\ud800"}]}',
            "resourceSpans[0].schemaUrl: expected text without lone surrogates",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_path(text: str, says: str) -> None:
    assert refusal(text) == says


@pytest.mark.parametrize(
    "text", [b"", b"{", b"{'a':1}", b"\xff\xfe\x00", b'{"a":1}x', b"\x80", b"{" * 100_000, b"[" * 100_000, b"{,}"]
)
def test_what_is_not_json_is_refused(text: bytes) -> None:
    assert refusal(text).startswith("the body is not valid JSON")


def nested(levels: int) -> str:
    return '{"arrayValue":{"values":[' * levels + "{}" + "]}}" * levels


def test_values_nest_as_deep_as_protobuf_lets_them() -> None:
    """Beyond, it is refused, and no stack overflows."""
    deepest = max(levels for levels in range(1, 60) if nests(levels))
    request = attribute(nested(deepest))
    value, depth = value_of(request), 0
    while value.HasField("array_value") and value.array_value.values:
        value, depth = value.array_value.values[0], depth + 1
    assert depth == deepest >= 45
    for levels in (deepest + 10, 300, 5000):
        with pytest.raises(Refused, match=r"at most 100 levels|is not valid JSON"):
            attribute(nested(levels))


def nests(levels: int) -> bool:
    try:
        attribute(nested(levels))
    except Exception:
        return False
    return True


def test_the_example_of_the_specification_is_read() -> None:
    """examples/trace.json of opentelemetry-proto."""
    text = """{"resourceSpans":[{"resource":{"attributes":[
      {"key":"service.name","value":{"stringValue":"my.service"}}]},"scopeSpans":[{"scope":{"name":"my.library","version":"1.0.0","attributes":[{"key":"my.scope.attribute",
      "value":{"stringValue":"some scope attribute"}}]},"spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C",
      "spanId":"EEE19B7EC3C1B174","parentSpanId":"EEE19B7EC3C1B173","name":"I'm a server span",
      "startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000","kind":2,
      "attributes":[{"key":"my.span.attr","value":{"stringValue":"some value"}}]}]}]}]}"""
    read = ExportTraceServiceRequest.FromString(to_protobuf(ExportTraceServiceRequest.DESCRIPTOR, text.encode()))
    one = read.resource_spans[0].scope_spans[0].spans[0]
    assert (one.trace_id.hex(), one.span_id.hex()) == ("5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174")
    assert (one.kind, one.end_time_unix_nano - one.start_time_unix_nano) == (2, 10**9)
    assert one.attributes[0].value.string_value == "some value"
