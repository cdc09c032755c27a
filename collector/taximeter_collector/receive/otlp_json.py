"""OTLP's JSON, to the protobuf that everything behind the door works with.

Not protobuf's own JSON: ids are hexadecimal, enums are integers, names are lowerCamelCase only, and unknown names are
passed over. protobuf's parser would take a hexadecimal id for base64, and quietly make a wrong one of it.
"""

from __future__ import annotations

import binascii
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from struct import Struct
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from taximeter_collector.receive.refusals import Reason, Refused

__all__ = ["to_protobuf"]

_HEX_IDS = {"trace_id", "span_id", "parent_span_id"}
_MOST_NESTED = 100  # protobuf's own limit
_MOST_BRACKETS = 1 << 20  # an object takes 200 bytes of memory, so a body of 16 MB could ask for a gigabyte
_INTEGER = re.compile(r"-?[0-9]{1,20}")
_VARINT, _FIXED64, _SIZED, _FIXED32 = 0, 1, 2, 5


class _Wrong(Exception):
    """A value that is not what its field takes; `path` grows while it rises."""

    def __init__(self, expected: str) -> None:
        super().__init__(expected)
        self.path = ""

    def under(self, name: str) -> _Wrong:
        self.path = f".{name}{self.path}" if not name.startswith("[") else f"{name}{self.path}"
        return self


def to_protobuf(descriptor: Descriptor, body: bytes) -> bytes:
    """The message in protobuf. Refused, with the path of what is wrong, if it is not OTLP.

    >>> from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    >>> to_protobuf(ExportTraceServiceRequest.DESCRIPTOR, b'{"resourceSpans": [{"schemaUrl": "s"}]}')
    b'\\n\\x03\\x1a\\x01s'
    """
    if len(body) > _MOST_BRACKETS and body.count(b"{") + body.count(b"[") > _MOST_BRACKETS:
        raise Refused(Reason.TOO_LARGE, f"the body has more than {_MOST_BRACKETS} objects and arrays; send it in parts")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(Reason.MALFORMED, f"the body is not valid JSON: {error}") from error
    try:
        return _message(_table(descriptor), document, 0)
    except _Wrong as wrong:
        raise Refused(Reason.MALFORMED, f"{wrong.path.lstrip('.') or 'the body'}: expected {wrong}") from None


@dataclass(slots=True)
class _Field:
    """How one field is written. `encode` is for what is no message."""

    tag: bytes
    repeated: bool
    packed: bool
    explicit: bool  # whether a value that is the default is written all the same
    encode: Callable[[Any], bytes]
    message: Descriptor | None = None


_Table = dict[str, _Field]


@cache
def _table(descriptor: Descriptor) -> _Table:
    return {described.json_name: _field(described) for described in descriptor.fields}


def _field(described: FieldDescriptor) -> _Field:
    wire, encode = _SCALARS.get(described.type, (_SIZED, _text))
    if described.name in _HEX_IDS:
        encode = _hexadecimal
    repeated = described.is_repeated
    packed = repeated and wire != _SIZED
    return _Field(
        _varint(described.number << 3 | (_SIZED if packed else wire)),
        repeated,
        packed,
        described.containing_oneof is not None,
        encode,
        described.message_type,
    )


def _message(table: _Table, value: Any, depth: int) -> bytes:
    if not isinstance(value, dict):
        raise _Wrong("an object")
    if depth > _MOST_NESTED:
        raise _Wrong(f"at most {_MOST_NESTED} levels")
    parts: list[bytes] = []
    for name, item in value.items():
        known = table.get(name)
        if known is None or item is None:
            continue
        try:
            if known.repeated:
                _repeated(known, item, depth, parts)
            else:
                data = _value(known, item, depth)
                if known.explicit or known.message is not None or data.strip(b"\0"):
                    parts += (known.tag, data)
        except _Wrong as wrong:
            raise wrong.under(name) from None
    return b"".join(parts)


def _repeated(known: _Field, items: Any, depth: int, parts: list[bytes]) -> None:
    if not isinstance(items, list):
        raise _Wrong("an array")
    encoded: list[bytes] = []
    for index, item in enumerate(items):
        try:
            encoded.append(_value(known, item, depth))
        except _Wrong as wrong:
            raise wrong.under(f"[{index}]") from None
    if known.packed:
        if encoded:
            parts += (known.tag, _sized(b"".join(encoded)))
    else:
        for data in encoded:
            parts += (known.tag, data)


def _value(known: _Field, item: Any, depth: int) -> bytes:
    if known.message is None:
        return known.encode(item)
    return _sized(_message(_table(known.message), item, depth + 1))


def _varint(number: int) -> bytes:
    if number < 0x80:
        return _BYTES[number]
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


_BYTES = [bytes([number]) for number in range(0x80)]


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


def _sized(data: bytes) -> bytes:
    return _varint(len(data)) + data


def _integer(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if (isinstance(value, str) and _INTEGER.fullmatch(value)) or (isinstance(value, float) and value.is_integer()):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise _Wrong("an integer")
        if not low <= value <= high:
            raise _Wrong(f"an integer from {low} to {high}")
        return value

    return read


_uint32 = _integer(0, 2**32 - 1)
_uint64 = _integer(0, 2**64 - 1)
_int32 = _integer(-(2**31), 2**31 - 1)
_int64 = _integer(-(2**63), 2**63 - 1)
_FIXED = {form: Struct(form) for form in ("<I", "<i", "<Q", "<q", "<f", "<d")}


def _fixed(form: str, read: Callable[[Any], Any]) -> Callable[[Any], bytes]:
    pack = _FIXED[form].pack
    return lambda value: pack(read(value))


def _number(value: Any) -> float:
    if isinstance(value, str):
        if value in ("NaN", "Infinity", "-Infinity"):
            return float(value)
        try:
            value = float(value) if value.strip() == value and "_" not in value and value[-1:].isdigit() else None
        except ValueError:
            value = None
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise _Wrong("a number, or 'NaN', 'Infinity', '-Infinity'")
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


def _truth(value: Any) -> bytes:
    if not isinstance(value, bool):
        raise _Wrong("true or false")
    return b"\1" if value else b"\0"


def _text(value: Any) -> bytes:
    if not isinstance(value, str):
        raise _Wrong("text")
    try:
        return _sized(value.encode())
    except UnicodeEncodeError:
        raise _Wrong("text without lone surrogates") from None


def _base64(value: Any) -> bytes:
    if not isinstance(value, str):
        raise _Wrong("base64")
    try:
        padded = value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4)
        return _sized(binascii.a2b_base64(padded, strict_mode=True))
    except ValueError:
        raise _Wrong("base64") from None


def _hexadecimal(value: Any) -> bytes:
    if not isinstance(value, str):
        raise _Wrong("a hexadecimal id")
    try:
        return _sized(binascii.unhexlify(value))
    except ValueError:
        raise _Wrong("a hexadecimal id") from None


_Types = FieldDescriptor
_SCALARS: dict[int, tuple[int, Callable[[Any], bytes]]] = {
    _Types.TYPE_STRING: (_SIZED, _text),
    _Types.TYPE_BYTES: (_SIZED, _base64),
    _Types.TYPE_BOOL: (_VARINT, _truth),
    _Types.TYPE_UINT32: (_VARINT, lambda value: _varint(_uint32(value))),
    _Types.TYPE_UINT64: (_VARINT, lambda value: _varint(_uint64(value))),
    _Types.TYPE_INT32: (_VARINT, lambda value: _varint(_int32(value) & (2**64 - 1))),
    _Types.TYPE_INT64: (_VARINT, lambda value: _varint(_int64(value) & (2**64 - 1))),
    _Types.TYPE_SINT32: (_VARINT, lambda value: _varint(_zigzag(_int32(value)))),
    _Types.TYPE_ENUM: (_VARINT, lambda value: _varint(_int32(value) & (2**64 - 1))),
    _Types.TYPE_FIXED32: (_FIXED32, _fixed("<I", _uint32)),
    _Types.TYPE_FIXED64: (_FIXED64, _fixed("<Q", _uint64)),
    _Types.TYPE_SFIXED64: (_FIXED64, _fixed("<q", _int64)),
    _Types.TYPE_DOUBLE: (_FIXED64, _fixed("<d", _number)),
}
