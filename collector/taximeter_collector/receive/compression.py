"""Content encodings, undone with a limit that holds while they are undone: a bomb costs no more than the limit."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Protocol, cast

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

_MOST_PARTS = 100  # members of a gzip file, frames of zstd; each has a cost, however little is in it

_DAMAGE = (cast("type[Exception]", IsalError), ZstdError, EOFError)  # isal types its exception as an instance

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
    except _DAMAGE as error:
        raise Refused(Reason.MALFORMED, f"the body is not valid {encoding}: {error}") from error
    if len(content) > limit:
        raise Refused(Reason.TOO_LARGE, f"the body is larger than {limit} bytes after decompression")
    return content


def decompress_grpc(data: bytes, limit: int) -> bytes:
    """The content of a gRPC message that may be compressed; its first bytes tell.

    gRPC's own decompression is switched off, because ISA-L's is faster than zlib's. No export request begins like that:
    0x1f is a wire type that does not exist, 0x78 an unknown field that would have to pass for zlib with its checksum.
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
    return _all_parts(lambda: isal_zlib.decompressobj(_GZIP), data, limit)


def _undeflate(data: bytes, limit: int) -> bytes:
    """The zlib format, as HTTP means it by `deflate`; or the bare one, as some send it."""
    is_zlib = len(data) > 1 and data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
    content, rest = _to_the_end(isal_zlib.decompressobj(_ZLIB if is_zlib else _RAW), data, limit)
    if rest:
        raise EOFError(f"{len(rest)} bytes behind the end")
    return content


def _unzstd(data: bytes, limit: int) -> bytes:
    """All frames."""
    options: dict[int, int] = {DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
    return _all_parts(lambda: ZstdDecompressor(options=options), data, limit)


class _Inflater(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def _all_parts(begin: Callable[[], _Inflater], data: bytes, limit: int) -> bytes:
    """The content of everything that `data` is put together of."""
    content, rest = _to_the_end(begin(), data, limit)
    parts = 1
    while rest and len(content) <= limit:
        if parts == _MOST_PARTS:
            raise EOFError(f"it is put together of more than {_MOST_PARTS} parts")
        more, rest = _to_the_end(begin(), rest, limit - len(content))
        content += more
        parts += 1
    return content


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
