"""Whether text is all that is wrong with a message: it must be UTF-8, and some senders cut it within a character."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

__all__ = ["is_only_broken_text"]


def is_only_broken_text(descriptor: Descriptor, payload: bytes) -> bool:
    """Of a payload that cannot be parsed: whether it can be, once text may be any bytes."""
    try:
        _with_bytes_for_text(descriptor).FromString(payload)
    except DecodeError:
        return False
    return True


@cache
def _with_bytes_for_text(descriptor: Descriptor) -> Any:
    """The same message, with bytes wherever it has text."""
    pool = DescriptorPool()
    for file in dict.fromkeys(_files(descriptor.file)):
        copy = FileDescriptorProto()
        file.CopyToProto(copy)
        for message in copy.message_type:
            _let_text_be_bytes(message)
        pool.AddSerializedFile(copy.SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName(descriptor.full_name))


def _files(file: FileDescriptor) -> Iterator[FileDescriptor]:
    """A file behind those that it needs."""
    for needed in file.dependencies:
        yield from _files(needed)
    yield file


def _let_text_be_bytes(message: DescriptorProto) -> None:
    for field in message.field:
        if field.type == FieldDescriptorProto.TYPE_STRING:
            field.type = FieldDescriptorProto.TYPE_BYTES
    for nested in message.nested_type:
        _let_text_be_bytes(nested)
