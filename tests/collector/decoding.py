"""Requests of any shape for the tests of decoding, what they say, read plainly, and what the columns say."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, settings
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from taximeter_collector.decode import Attributes
from taximeter_collector.decode.records import Origin, Sources
from taximeter_collector.journal import Record, Signal
from taximeter_collector.receive.otlp_json import to_protobuf

any_shape = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
"""For tests that are given a `Random`, which makes messages much larger than hypothesis' own draws can."""

_F = FieldDescriptor
_IDS = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}
_NOT_READ = {"entity_refs", "metadata", "key_strindex", "string_value_strindex"}
_TEXTS = ["", "a", "b", "a", "service.name", "é𝄞", "\x00", '"quoted"\n', "x" * 300]
_WIDTHS = {
    _F.TYPE_UINT32: (0, 32),
    _F.TYPE_FIXED32: (0, 32),
    _F.TYPE_INT32: (1, 32),
    _F.TYPE_SINT32: (1, 32),
    _F.TYPE_ENUM: (0, 2),
    _F.TYPE_UINT64: (0, 64),
    _F.TYPE_FIXED64: (0, 64),
    _F.TYPE_INT64: (1, 64),
    _F.TYPE_SFIXED64: (1, 64),
}
_DOUBLES = [0.0, -0.0, 1.0, 0.1, -2.5, 1e300, 5e-324, 2.0**53 + 2, 123456789012345680.0, math.nan, math.inf, -math.inf]


# Making them


def requests(random: Random, kind: type[Message]) -> list[Message]:
    """Up to three requests."""
    return [_filled(random, kind()) for _ in range(random.choice([0, 1, 1, 2, 3]))]


def _filled(random: Random, message: Any, depth: int = 0) -> Any:
    """Of each oneof one member or none, of each repeated field up to three, of all others nearly each."""
    chosen = [random.choice([*oneof.fields, *oneof.fields, None]) for oneof in message.DESCRIPTOR.oneofs]
    for field in message.DESCRIPTOR.fields:
        wanted = field in chosen if field.containing_oneof else random.random() < 0.9
        if not wanted or field.name in _NOT_READ:
            continue
        if field.is_repeated:
            for _ in range(_how_many(random, depth)):
                _add(random, getattr(message, field.name), field, depth)
        elif field.message_type:
            getattr(message, field.name).SetInParent()
            _filled(random, getattr(message, field.name), depth + 1)
        else:
            setattr(message, field.name, _scalar(random, field))
    return message


def _how_many(random: Random, depth: int) -> int:
    return random.choice([0, 1, 1, 2, 3]) if depth < 8 else random.choice([0, 0, 0, 1])


def _add(random: Random, items: Any, field: FieldDescriptor, depth: int) -> None:
    if field.message_type:
        _filled(random, items.add(), depth + 1)
    else:
        items.append(_scalar(random, field))


def _scalar(random: Random, field: FieldDescriptor) -> Any:
    if field.type in _WIDTHS:
        signed, bits = _WIDTHS[field.type]
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        return random.choice([low, high, 0, 1, high // 2, high // 2 + 1, random.randint(low, high)])
    if field.type == _F.TYPE_DOUBLE:
        return random.choice([*_DOUBLES, random.gauss(0, 1000)])
    if field.type == _F.TYPE_BOOL:
        return random.random() < 0.5
    if field.type == _F.TYPE_BYTES:
        size = _IDS.get(field.name, 5)
        return random.choice([random.randbytes(size), random.randbytes(size), b"\0" * size, b"", random.randbytes(3)])
    assert field.type == _F.TYPE_STRING
    return random.choice(_TEXTS)


# On their way


def records(signal: Signal, payloads: Sequence[bytes]) -> list[Record]:
    """As the journal has them."""
    return [
        Record(1000 + 37 * number, 1_763_700_000_000_000_000 + number, signal, 0, "", payload)
        for number, payload in enumerate(payloads)
    ]


def sent(signal: Signal, messages: Sequence[Message]) -> list[Record]:
    """As protobuf."""
    return records(signal, [message.SerializeToString() for message in messages])


def sent_as_json(signal: Signal, messages: Sequence[Message]) -> list[Record]:
    """As JSON, which the receiver makes protobuf of."""
    bodies = [json.dumps(_document(message)).encode() for message in messages]
    return records(
        signal, [to_protobuf(message.DESCRIPTOR, body) for message, body in zip(messages, bodies, strict=True)]
    )


def _document(message: Message) -> dict[str, Any]:
    document = {}
    for field, value in message.ListFields():
        items = [_in_json(field, item) for item in (value if field.is_repeated else [value])]
        document[field.json_name] = items if field.is_repeated else items[0]
    return document


def _in_json(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type:
        return _document(value)
    if isinstance(value, bytes):
        return value.hex() if field.name in _IDS else base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return odd(value)
    return str(value) if field.type in _WIDTHS and _WIDTHS[field.type][1] == 64 else value


# What they say


def odd(number: float) -> str:
    """What JSON has no number for."""
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def hexadecimal(identity: bytes, size: int) -> str | None:
    """An id, or None for what is none."""
    return identity.hex() if len(identity) == size and any(identity) else None


def plain(value: AnyValue) -> Any:
    """A value, as far as JSON can say it. Of a key that is there twice, the first."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: plain(pair.value) for pair in reversed(value.kvlist_value.values)}
    found = getattr(value, kind)
    if isinstance(found, bytes):
        return base64.b64encode(found).decode()
    return odd(found) if isinstance(found, float) and not math.isfinite(found) else found


def shown(text: str, value: AnyValue) -> Any:
    """What a text says that stands for a value: to be compared with `stated`."""
    kind = value.WhichOneof("value")
    if kind == "double_value" and math.isfinite(value.double_value):
        assert isinstance(json.loads(text), int | float)
        return repr(float(text))
    return json.loads(text) if kind in ("array_value", "kvlist_value", "bool_value") else text


def stated(value: AnyValue) -> Any:
    """A text is itself, bytes are base64, nothing at all is an empty text; NaN and the infinities are their names."""
    kind = value.WhichOneof("value")
    if kind == "double_value" and math.isfinite(value.double_value):
        return repr(value.double_value)
    return "" if kind is None else str(value.int_value) if kind == "int_value" else plain(value)


# What the columns say


def told(value: Any) -> Any:
    """Everything in a batch as Python has it, for `==`; each Arrow array is checked for being a sound one."""
    if isinstance(value, pa.Array):
        value.validate(full=True)
        return repr(value.to_pylist())  # NaN equals itself as text
    if isinstance(value, np.ndarray):
        return value.tolist()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if not field.name.startswith("_")]
        return {name: told(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {name: told(one) for name, one in value.items()}
    return [told(one) for one in value] if isinstance(value, list | tuple) else value


def assert_same(column: Any, expected: Sequence[Any]) -> None:
    """A column has these values; NaN is NaN, and 0.0 is not -0.0."""
    found = column.to_pylist() if isinstance(column, pa.Array) else column.tolist()
    assert [repr(one) for one in found] == [repr(one) for one in expected]


def assert_attributes(attributes: Attributes, owners: Sequence[Sequence[KeyValue]]) -> None:
    """All of them are there, in the order in which they were sent, with their values in every form."""
    flat = [pair for pairs in owners for pair in pairs]
    kinds = [pair.value.WhichOneof("value") for pair in flat]
    assert attributes.owners == len(owners)
    assert np.diff(attributes.offsets).tolist() == [len(pairs) for pairs in owners]
    assert [attributes.keys[code] for code in attributes.codes] == [pair.key for pair in flat]
    texts = attributes.text.to_pylist()
    assert [shown(text, pair.value) for text, pair in zip(texts, flat, strict=True)] == [
        stated(pair.value) for pair in flat
    ]
    _assert_numbers(attributes, flat)
    structured = [kind in ("array_value", "kvlist_value") for kind in kinds]
    assert structured == ([False] * len(flat) if attributes.structured is None else attributes.structured.tolist())


def _assert_numbers(attributes: Attributes, flat: Sequence[KeyValue]) -> None:
    for column, kind in ((attributes.ints, "int_value"), (attributes.doubles, "double_value")):
        values = [pair.value for pair in flat]
        assert_same(column, [getattr(value, kind) if value.WhichOneof("value") == kind else None for value in values])


def assert_origin(origin: Origin, batch: Sequence[Record], counts: Sequence[int]) -> None:
    """Each row says which request it was in, and which of its rows it is."""
    rows = [(record, item) for record, count in zip(batch, counts, strict=True) for item in range(count)]
    assert origin.position.tolist() == [record.position for record, _ in rows]
    assert origin.item.tolist() == [item for _, item in rows]
    assert origin.received_unix_nano.tolist() == [record.received_unix_nano for record, _ in rows]


def assert_sources(sources: Sources, rows: Sequence[tuple[Any, Any]]) -> None:
    """Each row has the resource and the scope that it was sent under."""
    resources = sources.resource.take(sources.resource_of_row.astype(np.int64))
    assert_attributes(resources, [resource.resource.attributes for resource, _ in rows])
    scopes = sources.scope.take(sources.of_row.astype(np.int64))
    assert_attributes(scopes, [scope.scope.attributes for _, scope in rows])
    for name in ("name", "version"):
        found = sources.from_scope(getattr(sources, f"scope_{name}"))
        assert_same(found, [getattr(scope.scope, name) or None for _, scope in rows])
    urls = sources.from_scope(sources.schema_url)
    assert_same(urls, [scope.schema_url or resource.schema_url or None for resource, scope in rows])
    assert_same(sources.from_resource("b", "a"), [_text(resources, row, "b", "a") for row in range(len(rows))])


def _text(attributes: Attributes, owner: int, *keys: str) -> str | None:
    """The text of the first of these keys that an owner has, and that is not empty."""
    pairs = list(reversed(pairs_of(attributes)[owner]))
    return next((text for key in keys if (text := dict(pairs).get(key))), None)


def pairs_of(attributes: Attributes) -> list[list[tuple[str, str]]]:
    """For each owner, keys and texts."""
    keys = [attributes.keys[code] for code in attributes.codes]
    pairs = list(zip(keys, attributes.text.to_pylist(), strict=True))
    ends = attributes.offsets.tolist()
    return [pairs[begin:end] for begin, end in pairwise(ends)]
