"""Request bodies, compressed. Both release the interpreter's lock while they work."""

from __future__ import annotations

import sys
from collections.abc import Callable

from isal import igzip

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["COMPRESS"]

_GZIP_LEVEL = 1  # ISA-L's; 0 is no faster and a fifth larger, 3 takes three times as long for a twentieth less
_ZSTD_LEVEL = 1


def _gzip(data: bytes) -> bytes:
    return igzip.compress(data, compresslevel=_GZIP_LEVEL)


def _zstd(data: bytes) -> bytes:
    return zstd.compress(data, level=_ZSTD_LEVEL)


COMPRESS: dict[str, Callable[[bytes], bytes]] = {"gzip": _gzip, "zstd": _zstd}
