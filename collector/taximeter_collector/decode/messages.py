"""OTLP to Arrow: the messages as ptars wants them, and what it makes of a list of payloads.

An AnyValue holds lists of AnyValues, and Arrow has no recursive types. So values, and the pairs of a key and a value
that attributes are, are declared as bytes, which is the same on the wire, and come out undecoded; pairs.py reads them.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import ptars
import pyarrow as pa  # type: ignore[import-untyped]
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

__all__ = ["requests"]

_REQUESTS: dict[str, Any] = {
    "traces": trace_service_pb2.ExportTraceServiceRequest,
    "logs": logs_service_pb2.ExportLogsServiceRequest,
    "metrics": metrics_service_pb2.ExportMetricsServiceRequest,
}
_UNDECODED = (".opentelemetry.proto.common.v1.KeyValue", ".opentelemetry.proto.common.v1.AnyValue")


def requests(signal: str, payloads: list[bytes]) -> pa.RecordBatch:
    """Export requests as one batch, a row each. ValueError if one of them is none."""
    return _handler(signal).list_to_record_batch(payloads)


@cache
def _handler(signal: str) -> Any:
    wanted = _REQUESTS[signal].DESCRIPTOR
    pool = DescriptorPool()
    files: list[FileDescriptor] = []
    _add(wanted.file, pool, files)
    return ptars.HandlerPool(files).get_for_message(pool.FindMessageTypeByName(wanted.full_name))


def _add(file: FileDescriptor, pool: DescriptorPool, files: list[FileDescriptor]) -> None:
    if any(known.name == file.name for known in files):
        return
    for needed in file.dependencies:
        _add(needed, pool, files)
    copy = FileDescriptorProto()
    file.CopyToProto(copy)
    for message in copy.message_type:
        _leave_undecoded(message)
    pool.Add(copy)
    files.append(pool.FindFileByName(file.name))


def _leave_undecoded(message: DescriptorProto) -> None:
    for field in message.field:
        if field.type_name in _UNDECODED:
            field.type = FieldDescriptorProto.TYPE_BYTES
            field.ClearField("type_name")
    for nested in message.nested_type:
        _leave_undecoded(nested)
