"""The meter: one per call on the wire, from the request to the last byte. What every tap holds, and all it knows.

While the app runs it keeps references to bytes and takes one timestamp; the bytes are read when the response is
complete. Nothing that goes wrong in here reaches the app: it is counted (`taximeter.faults`) and the call goes on.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from taximeter import faults
from taximeter.call import Call
from taximeter.dialect import Dialect, WireRequest, WireResponse
from taximeter.emit import Emission
from taximeter.framing import Decoder, Frame, Framer, UndecodableError, Whole, decoder_for, framer_for
from taximeter.jsonbytes import load
from taximeter.resend import remember
from taximeter.settings import Settings

__all__ = ["Meter"]

_FOLD_CHUNKS = 64  # a stream is read every so many pieces, so that an endless one does not grow us
_LARGE_BYTES = 64 * 1024  # and whenever a piece is as large as this
_SHORT_BYTES = 32
_SALVAGE_BYTES = 64 * 1024  # of a body too large to keep: its head names the model, its end the usage


_WHOLE = Frame(b"")  # the frame of a body that is one message
_process = 0  # which process this is, counted in forks


def _forked() -> None:
    global _process
    _process += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


class Meter:
    """The reading of one call. A tap calls `answered`, `first` and `keep` with the pieces of the body, then one end.

    `ended`: the body was read to its end. `closed`: the reader stopped; that is a success if the protocol was through.
    `failed`: an exception, from sending or in mid-stream. Only the first end counts.
    """

    __slots__ = (
        "_call",
        "_chunks",
        "_decoder",
        "_dialect",
        "_done",
        "_emission",
        "_framer",
        "_handling",
        "_kept_bytes",
        "_limit_bytes",
        "_overflowed",
        "_process",
        "_request",
        "_settings",
        "_status",
        "_streams",
        "_unreadable",
        "begun",
        "keep",
    )

    def __init__(
        self, dialect: Dialect, call: Call, emission: Emission, request: WireRequest, settings: Settings
    ) -> None:
        self._dialect = dialect
        self._call = call
        self._emission = emission
        self._request: WireRequest | None = request
        self._settings = settings
        self._status = 0
        self._chunks: list[bytes] = []
        self._kept_bytes = 0
        self._limit_bytes = settings.max_body_bytes
        self._overflowed = False
        self._unreadable = False
        self._decoder: Decoder | None = None
        self._framer: Framer = Whole()
        self._streams = False
        self._done = False
        self._handling = sys.exception()
        self._process = _process
        self.begun = False
        self.keep: Callable[[bytes], bytes] = self._keep_body

    # -- what a tap tells

    def answered(self, status: int, headers: Mapping[str, str], *, decoded: bool = False) -> None:
        """Status and headers are there. `decoded`: the tap sees the body after its content encoding is undone."""
        try:
            self._emission.suspend()
            self._status = status
            if 300 <= status < 400 and "location" in headers:
                self._done = True
                self._emission.drop()
                faults.count("meter.redirected")
                return
            self._framer = framer_for(headers.get("content-type"))
            if self._call.content is None:
                self._framer.telling = self._dialect.telling
            self._streams = not isinstance(self._framer, Whole)
            if self._streams and status < 400:
                self._call.stream = True  # whatever was asked for; a body that is streamed could not be read
            self.keep = self._keeper()
            if self._dialect.answer is not None:
                self._dialect.answer(self._call, WireResponse(status, headers))
            if not decoded and (encoding := headers.get("content-encoding")):
                self._decoder = decoder_for(encoding)
        except UndecodableError as reason:
            faults.count("meter.undecodable", reason)
            self._unreadable = True
        except Exception as error:
            faults.count("meter.answered", error)

    def first(self, data: bytes) -> bytes:
        """The first piece of the body: its time is taken. All pieces come back as they went in."""
        self.begun = True
        try:
            if self._call.stream and not self._done and self._status < 400:
                self._emission.first_chunk()
        except Exception as error:
            faults.count("meter.first", error)
        return self.keep(data)

    def _keeper(self) -> Callable[[bytes], bytes]:
        """How pieces of this body are kept: the less there is to watch for, the less it costs."""
        if not self._streams:
            return self._keep_body
        if self._settings.chunk_metric:
            return self._keep_timed
        # Whoever owns a span that we complete ends it when the stream does, so there the end is seen as it comes.
        return self._keep_until_end if self._emission.ends_early else _stream_keeper(self._chunks, self._fold)

    def _keep_body(self, data: bytes) -> bytes:
        self._chunks.append(data)
        self._kept_bytes += len(data)
        if self._kept_bytes > self._limit_bytes:
            try:
                self._overflow()
            except Exception as error:
                faults.count("meter.overflow", error)
        return data

    def _keep_until_end(self, data: bytes) -> bytes:
        self._chunks.append(data)
        # A short piece may be the rest of the end, and what is compressed shows its end to nobody.
        if len(data) < _SHORT_BYTES or self._decoder is not None or self._dialect.ends(data):
            self._fold()
            if self._call.complete:
                self._finish()
        elif len(self._chunks) > _FOLD_CHUNKS:
            self._fold()
        return data

    def _keep_timed(self, data: bytes) -> bytes:
        try:
            self._emission.next_chunk()
        except Exception as error:
            faults.count("meter.next_chunk", error)
        return self._keep_until_end(data)

    def ended(self) -> None:
        """The body was read to its end."""
        if self._done:
            return
        self._read_rest()
        call = self._call
        if call.stream and self._dialect.finishes and not call.complete and not any(call.finish_reasons.values()):
            call.fail("_OTHER", "the stream ended before the answer did")
        self._finish()

    def let_go(self) -> None:
        """The reader closes the response: it is through, or has had enough, or an error is on its way through it."""
        error = sys.exception()
        if error is None or error is self._handling:
            self.closed()
        else:
            self.failed(error)

    def closed(self) -> None:
        """The reader let go. Without the protocol's own end in what was read, the stream was abandoned."""
        if self._done:
            return
        self._read_rest()
        if self._call.stream and self._status < 400 and not self._call.complete:
            self._call.fail("_OTHER", "abandoned stream")
        self._finish()

    def failed(self, error: BaseException) -> None:
        """Sending failed, or reading broke off: a timeout, a cancellation, a lost connection."""
        if self._done:
            return
        if isinstance(error, GeneratorExit):
            self.closed()
            return
        self._read_rest()
        if not self._call.complete:
            self._call.fail(_error_type(error), _message(error))
        self._finish()

    def __del__(self) -> None:
        # Nobody closed it. The interpreter may be half gone by now, so nothing may escape.
        try:
            if not self._done and self._process == _process:  # a forked child drops what is its parent's to tell
                self.closed()
        except Exception:
            return

    # -- reading

    def _fold(self) -> None:
        """Read what has come so far of a stream, and let it go."""
        try:
            data = b"".join(self._chunks)
            self._chunks.clear()
            if self._unreadable:
                return
            if self._decoder is not None:
                data = self._decoder.decompress(data)
            for frame in self._framer.feed(data):
                self._read_frame(frame)
        except Exception as error:
            faults.count("meter.fold", error)

    def _overflow(self) -> None:
        """A single answer larger than we keep: its head and its end will have to do."""
        data = b"".join(self._chunks)
        self._chunks.clear()
        if not self._overflowed:
            self._overflowed = True
            self._limit_bytes = 4 * _SALVAGE_BYTES
            faults.count("meter.body_too_large")
            self._unreadable = self._unreadable or self._decoder is not None
            if not self._unreadable:
                self._salvage(data[:_SALVAGE_BYTES])
        end = data[-_SALVAGE_BYTES:]
        self._chunks.append(end)
        self._kept_bytes = len(end)

    def _salvage(self, piece: bytes) -> None:
        from taximeter.salvage import salvage

        self._dialect.read(self._call, salvage(piece), Frame(b""))

    def _read_rest(self) -> None:
        try:
            data = b"".join(self._chunks)
            self._chunks.clear()
            if self._unreadable or self._status == 0:
                return
            if self._overflowed:
                self._salvage(data)
                return
            if self._decoder is not None:
                data = self._decoder.decompress(data)
            if not self._streams and data.startswith(b"{"):
                try:
                    body = self._load(data)
                except (ValueError, RecursionError):
                    pass  # lines, perhaps; the framer will see
                else:
                    self._read_message(body, _WHOLE)
                    return
            for frames in (self._framer.feed(data), self._framer.rest()):
                for frame in frames:
                    self._read_frame(frame)
        except Exception as error:
            faults.count("meter.read", error)

    def _load(self, data: bytes) -> Any:
        return load(data, prose=self._call.content is not None or self._dialect.wraps)

    def _read_frame(self, frame: Frame) -> None:
        body: Any = None
        if frame.data != b"[DONE]":
            try:
                body = self._load(frame.data)
            except (ValueError, RecursionError) as error:
                if self._call.stream:
                    faults.count("meter.malformed_event", error)
                return
        self._read_message(body, frame)

    def _read_message(self, body: Any, frame: Frame) -> None:
        """Read one message. Whatever is wrong with it, the next one is read too."""
        call = self._call
        for message in body if isinstance(body, list) else (body,):
            try:
                self._dialect.read(call, message, frame)
            except Exception as error:
                faults.count("meter.read_message", error)
                if call.content is not None:  # content that we do not understand must not cost the tokens
                    call.content = None
                    self._read_message(body, frame)
                    return

    def _finish(self) -> None:
        if self._done:
            return
        self._done = True
        try:
            call = self._call
            if self._status >= 400 and (call.error_type is None or call.error_type == "_OTHER"):
                call.error_type = str(self._status)
            if self._request is not None:
                remember(self._request, call, self._status)
            self._emission.finish(call)
        except Exception as error:
            faults.count("meter.finish", error)
        finally:
            self._request = None
            self.keep = _pass_on


def _stream_keeper(chunks: list[bytes], fold: Callable[[], None]) -> Callable[[bytes], bytes]:
    keep_chunk = chunks.append

    def keep(data: bytes) -> bytes:
        keep_chunk(data)
        if len(chunks) > _FOLD_CHUNKS or len(data) > _LARGE_BYTES:
            fold()
        return data

    return keep


def _pass_on(data: bytes) -> bytes:
    return data


def _error_type(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""
