"""From bytes on the wire to the messages in them: content encodings, event streams, lines, AWS frames.

Everything here is incremental: what is fed may end anywhere, and only whole messages come out.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

__all__ = ["Decoder", "Frame", "Framer", "decoder_for", "framer_for"]


class UndecodableError(Exception):
    """The body is compressed in a way, or to a size, that we do not read."""


# ---------------------------------------------------------------------------------------------------------------------
# Content encodings


class Decoder(Protocol):
    def decompress(self, data: bytes, /) -> bytes: ...


_LARGEST_INFLATED_BYTES = 64 * 1024 * 1024  # at a time: what inflates to more is no answer of a model


def _inflated(inflate: Any, data: bytes) -> bytes:
    out: bytes = inflate.decompress(data, _LARGEST_INFLATED_BYTES)
    if inflate.unconsumed_tail:
        raise UndecodableError(f"more than {_LARGEST_INFLATED_BYTES} bytes when inflated")
    return out


class _Gzip:
    """One member after another, as HTTP clients read them."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(16 + zlib.MAX_WBITS)

    def decompress(self, data: bytes) -> bytes:
        out = [_inflated(self._member, data)]
        while (rest := self._member.unused_data) and self._member.eof:
            self._member = zlib.decompressobj(16 + zlib.MAX_WBITS)
            out.append(_inflated(self._member, rest))
        return b"".join(out)


class _Deflate:
    """`deflate` means zlib to the standard and a bare deflate stream to some servers; the first byte tells."""

    def __init__(self) -> None:
        self._inflate: Any = None

    def decompress(self, data: bytes) -> bytes:
        if self._inflate is None:
            if not data:
                return b""
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS)
        return _inflated(self._inflate, data)


class _Brotli:
    def __init__(self, module: Any) -> None:
        brotli = module.Decompressor()
        # The two bindings name the same method differently.
        self.decompress: Callable[[bytes], bytes] = getattr(brotli, "decompress", None) or brotli.process


def _zstd(module: Any) -> Decoder:
    make = getattr(module, "ZstdDecompressor")  # noqa: B009 - three modules share the name, one its own way
    decompressor = make()
    return decompressor if hasattr(decompressor, "unused_data") else decompressor.decompressobj()  # type: ignore[no-any-return]


def decoder_for(encoding: str | None) -> Decoder | None:
    """What undoes a Content-Encoding; None where there is nothing to undo. UndecodableError where we cannot.

    A client asks for br or zstd only when a library for it is installed, so that library is there for us too.
    """
    match (encoding or "identity").strip().lower():
        case "identity" | "":
            return None
        case "gzip" | "x-gzip":
            return _Gzip()
        case "deflate":
            return _Deflate()
        case "br":
            return _Brotli(_first_of("brotli", "brotlicffi"))
        case "zstd":
            return _zstd(_first_of("compression.zstd", "backports.zstd", "zstandard"))
        case other:
            raise UndecodableError(f"content-encoding {other!r}")


def _first_of(*modules: str) -> Any:
    for name in modules:
        try:
            return import_module(name)
        except ImportError:
            continue
    raise UndecodableError(f"none of {', '.join(modules)} is installed")


# ---------------------------------------------------------------------------------------------------------------------
# Messages


@dataclass(slots=True)
class Frame:
    """One message of a stream: its JSON as bytes, and the event name where the protocol gives one."""

    data: bytes
    event: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        return json.loads(self.data)


class Framer(Protocol):
    # Marks of which a message must have one to be worth reading; None reads them all. The first message is read in any
    # case: it names the model and the response.
    telling: tuple[bytes, ...] | None

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The messages that are whole now."""

    def rest(self) -> Iterator[Frame]:
        """What is left when no more data comes, if it still makes sense."""


_LARGEST_MESSAGE_BYTES = 16 * 1024 * 1024  # an image in an event is a few of them


def _bounded(tail: bytes) -> bytes:
    """A message that has begun and does not end is given up."""
    return tail if len(tail) <= _LARGEST_MESSAGE_BYTES else b""


def _tells(data: bytes, telling: tuple[bytes, ...]) -> bool:
    for mark in telling:  # a loop, because `any` would make a generator for each message
        if mark in data:
            return True
    return False


class EventStream:
    """Server-sent events, as the HTML standard reads them: any line ending, several data lines, comments ignored."""

    def __init__(self) -> None:
        self.telling: tuple[bytes, ...] | None = None
        self._begun = False
        self._tail = b""

    def feed(self, data: bytes) -> Iterator[Frame]:
        text = self._tail + data
        if b"\r" in text:
            # A carriage return at the very end may be half of a line ending.
            held = b"\r" if text.endswith(b"\r") else b""
            text = text[: len(text) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n") + held
        telling = self.telling if self._begun else None
        if telling is not None and not _tells(text, telling):
            self._tail = _bounded(text[text.rfind(b"\n\n") + 2 :] if b"\n\n" in text else text)
            return
        blocks = text.split(b"\n\n")
        self._tail = _bounded(blocks.pop())
        for block in blocks:
            if telling is not None and not _tells(block, telling):
                continue
            if frame := _event(block):
                if not self._begun:
                    self._begun, telling = True, self.telling
                yield frame

    def rest(self) -> Iterator[Frame]:
        tail, self._tail = self._tail, b""
        if frame := _event(tail.replace(b"\r", b"\n")):
            yield frame


def _event(block: bytes) -> Frame | None:
    if block.startswith(b"data: ") and b"\n" not in block:  # nearly every event of nearly every provider
        return Frame(block[6:])
    event, data = "", []
    for line in block.split(b"\n"):
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            data.append(value)
        elif name == b"event":
            event = value.decode("utf-8", "replace")
    if not data:
        # Gemini may report an error in mid-stream as bare JSON.
        bare = block.strip()
        return Frame(bare) if bare.startswith((b"{", b"[")) else None
    return Frame(b"\n".join(data), event)


class Lines:
    """One JSON value a line (NDJSON)."""

    def __init__(self) -> None:
        self.telling: tuple[bytes, ...] | None = None
        self._begun = False
        self._tail = b""

    def feed(self, data: bytes) -> Iterator[Frame]:
        lines = (self._tail + data).split(b"\n")
        self._tail = _bounded(lines.pop())
        for line in lines:
            if self._begun and self.telling is not None and not _tells(line, self.telling):
                continue
            if line := line.strip():
                self._begun = True
                yield Frame(line.removeprefix(b"data: "))

    def rest(self) -> Iterator[Frame]:
        tail, self._tail = self._tail.strip(), b""
        if tail:
            yield Frame(tail)


class AwsFrames:
    """`application/vnd.amazon.eventstream`: length-prefixed binary frames with typed headers."""

    _PRELUDE_BYTES = 12  # total length, headers length, checksum of both
    _MOST_BYTES = 24 * 1024 * 1024  # the service's own limit is 16 MiB a frame

    def __init__(self) -> None:
        self.telling: tuple[bytes, ...] | None = None
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[Frame]:
        self._buffer += data
        while len(self._buffer) >= self._PRELUDE_BYTES:
            total, headers_length = struct.unpack_from(">II", self._buffer)
            if not self._PRELUDE_BYTES + headers_length + 4 <= total <= self._MOST_BYTES:
                raise ValueError(f"an AWS frame of {total} bytes with {headers_length} bytes of headers")
            if len(self._buffer) < total:
                return
            message, self._buffer = self._buffer[:total], self._buffer[total:]
            body = self._PRELUDE_BYTES + headers_length
            if self.telling is not None and not _tells(message, self.telling):
                continue
            headers = dict(_aws_headers(message[self._PRELUDE_BYTES : body]))
            yield Frame(message[body:-4], headers.get(":event-type", ""), headers)

    def rest(self) -> Iterator[Frame]:
        return iter(())


_AWS_FIXED_BYTES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}  # header value type: its size
_AWS_SIZED = (6, 7)  # bytes and string carry their own length


def _aws_headers(data: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(data):
        name_end = at + 1 + data[at]
        name, kind = data[at + 1 : name_end].decode(), data[name_end]
        at = name_end + 1
        if kind in _AWS_SIZED:
            size = struct.unpack_from(">H", data, at)[0]
            at += 2
        else:
            size = _AWS_FIXED_BYTES[kind]
        if kind == 7:
            yield name, data[at : at + size].decode("utf-8", "replace")
        at += size


class Whole:
    """A body that is one JSON value, or (Gemini without `alt=sse`) one array of messages, or, mislabelled, lines."""

    def __init__(self) -> None:
        self.telling: tuple[bytes, ...] | None = None
        self._body: list[bytes] = []

    def feed(self, data: bytes) -> Iterator[Frame]:
        self._body.append(data)
        return iter(())

    def rest(self) -> Iterator[Frame]:
        body, self._body = b"".join(self._body).strip(), []
        if not body:
            return
        if body.startswith((b"data:", b"event:", b"id:", b"retry:", b":")):
            yield from _all(EventStream(), body)
        elif body.startswith(b"["):
            for item in json.loads(body):
                yield Frame(json.dumps(item).encode())
        elif b"}\n{" in body or b"}\r\n{" in body:
            yield from _all(Lines(), body)
        else:
            yield Frame(body)


def _all(framer: Framer, body: bytes) -> Iterator[Frame]:
    yield from framer.feed(body)
    yield from framer.rest()


_FRAMERS: dict[str, Callable[[], Framer]] = {
    "application/json": Whole,
    "text/event-stream": EventStream,
    "application/x-ndjson": Lines,
    "application/jsonl": Lines,
    "application/stream+json": Lines,
    "application/vnd.amazon.eventstream": AwsFrames,
}


def framer_for(content_type: str | None) -> Framer:
    """What cuts a body of this type into messages; a body whose type says nothing is looked at when it is whole."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    return _FRAMERS.get(kind, Whole)()
