"""Content encodings, undone with a limit that holds while they are undone: a bomb costs no more than the limit."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Protocol

from isal import isal_zlib
from isal.igzip_lib import IsalError

from taximeter_collector.receive.refusals import Reason, Refused

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

__all__ = ["ENCODINGS", "decompress", "decompress_grpc"]

_GZIP, _ZLIB, _RAW = 31, 15, -15
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_WINDOW_LOG = 25  # 32 MiB. zstd -19 uses 8; what asks for more wants our memory

Decoder = Callable[[bytes, int], bytes]


def decompress(encoding: str, data: bytes, limit: int) -> bytes:
    """The content of a request's body. Refused for an encoding we do not know, for damage, and beyond the limit."""
    decoder = _DECODERS.get(encoding)
    if decoder is None:
        raise Refused(
            Reason.UNSUPPORTED, f"content-encoding {encoding!r} is not supported; supported are {', '.join(ENCODINGS)}"
        )
    try:
        content = decoder(data, limit)
    except (IsalError, ZstdError, EOFError) as error:
        raise Refused(Reason.MALFORMED, f"the body is not valid {encoding}: {error}") from error
    if len(content) > limit:
        raise Refused(Reason.TOO_LARGE, f"the body is larger than {limit} bytes after decompression")
    return content


def decompress_grpc(data: bytes, limit: int) -> bytes:
    """The content of a gRPC message that may be compressed; its first bytes tell.

    gRPC's own decompression is switched off, because it takes three times as long. No export request begins like that:
    0x1f would be a wire type that does not exist, 0x78 an unknown field that then would have to pass for Adler-32.
    """
    if data.startswith(_GZIP_MAGIC):
        return decompress("gzip", data, limit)
    if len(data) > 2 and data[0] == 0x78 and (data[0] << 8 | data[1]) % 31 == 0:
        try:
            return decompress("deflate", data, limit)
        except Refused as refused:
            if refused.reason is Reason.TOO_LARGE:
                raise
    return data


def _gunzip(data: bytes, limit: int) -> bytes:
    """All members, as RFC 1952 has it."""
    content, rest = _inflate(data, _GZIP, limit)
    while rest and len(content) <= limit:
        more, rest = _inflate(rest, _GZIP, limit - len(content))
        content += more
    return content


def _undeflate(data: bytes, limit: int) -> bytes:
    """The zlib format, as HTTP means it by `deflate`; or the bare one, as some send it."""
    is_zlib = len(data) > 1 and data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
    content, rest = _inflate(data, _ZLIB if is_zlib else _RAW, limit)
    if rest:
        raise EOFError(f"{len(rest)} bytes behind the end")
    return content


def _unzstd(data: bytes, limit: int) -> bytes:
    """All frames."""
    content = b""
    while data and len(content) <= limit:
        inflater = ZstdDecompressor(options={DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})
        more, data = _to_the_end(inflater, data, limit - len(content))
        content += more
    return content


def _inflate(data: bytes, window_bits: int, limit: int) -> tuple[bytes, bytes]:
    return _to_the_end(isal_zlib.decompressobj(window_bits), data, limit)


class _Inflater(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def _to_the_end(inflater: _Inflater, data: bytes, limit: int) -> tuple[bytes, bytes]:
    """The content, one byte beyond the limit at most, and what is behind its end."""
    content = inflater.decompress(data, limit + 1)
    if not inflater.eof and len(content) <= limit:
        raise EOFError("it ends too early")
    return content, inflater.unused_data


_DECODERS: dict[str, Decoder] = {
    "": lambda data, limit: data,
    "identity": lambda data, limit: data,
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _undeflate,
    "zlib": _undeflate,
    "zstd": _unzstd,
}
ENCODINGS = ("gzip", "deflate", "zstd")
