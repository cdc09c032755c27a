"""gzip for gRPC that is ours: grpcio's takes most of the time that forwarding takes, and its level cannot be set.

gRPC's core sends a message that is marked as compressed as it is, but grpcio has no public way to mark one. So the one
operation that carries the message is replaced in what grpcio has prepared for a call. Where a version of grpcio is not
made like that, its own compression does the work.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from taximeter_collector.forward.compression import COMPRESS

__all__ = ["compressed_beforehand"]

_IS_COMPRESSED = -0x80000000  # GRPC_WRITE_INTERNAL_COMPRESS, as a signed number


def compressed_beforehand(call: Any) -> Any:
    """A unary call of a channel with gzip, so that its messages are compressed by us."""
    try:
        operation = import_module("grpc._cython.cygrpc").SendMessageOperation
        operation(b"", _IS_COMPRESSED)
        prepare = call._prepare
    except (ImportError, AttributeError, TypeError, OverflowError):
        return call
    compress = COMPRESS["gzip"]

    def prepared(request: bytes, *more: Any, **named: Any) -> Any:
        found = prepare(request, *more, **named)
        state, operations, *rest = found
        if not operations or [type(one) for one in operations].count(operation) != 1:
            return found
        message = operation(compress(request), _IS_COMPRESSED)
        changed = [message if isinstance(one, operation) else one for one in operations]
        return state, tuple(changed), *rest

    call._prepare = prepared
    return call
