"""What is checked of an Arrow file before anything in it is used.

Arrow's own reader follows the footer of a file to its batches, and unpacks them where they are packed, so a small file
can name one batch a million times or unpack to anything. A set that `SketchSetWriter` wrote is a stream of messages
that are not packed, with a footer behind it: only that is read here, so that nothing in it is larger than the file.
The layout of messages is that of Arrow's columnar format, version 1 ("Encapsulated message format", ``Message.fbs``).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_MAGIC = b"ARROW1"
_STREAM_START = 8
_DICTIONARY, _BATCH = 2, 3


class RefusedArrowError(ValueError):
    """The file is damaged or is not what a set consists of; the message says how."""


def batches_of(buffer: pa.Buffer, schema: pa.Schema) -> list[pa.RecordBatch]:
    """The record batches of an Arrow IPC file without compression, validated by Arrow in full.

    The batches are views of the buffer. Raises RefusedArrowError for a file that is damaged, packed, of another schema
    or holds a null in a column that has none.
    """
    import pyarrow as pa

    try:
        footer = pa.ipc.open_file(buffer)
        stream = buffer.slice(_STREAM_START)
        for message in pa.ipc.MessageReader.open_stream(stream):
            if _is_packed(message.metadata.to_pybytes()):
                raise RefusedArrowError("it is packed, which sets are not")
        if not footer.schema.equals(schema):
            raise RefusedArrowError("its columns are not those of a set")
        reader = pa.ipc.open_stream(stream)
        if not reader.schema.equals(schema):
            raise RefusedArrowError("its columns are not those of a set")
        batches = list(reader)
        if len(batches) != footer.num_record_batches:
            raise RefusedArrowError(f"it holds {len(batches)} of {footer.num_record_batches} parts")
        for batch in batches:
            batch.validate(full=True)
            for field, column in zip(schema, batch.columns, strict=True):
                if not field.nullable and column.null_count:
                    raise RefusedArrowError(f"nothing stands in some rows of {field.name}")
    except (pa.ArrowException, OSError, ValueError, struct.error, IndexError, OverflowError) as error:
        if isinstance(error, RefusedArrowError):
            raise
        raise RefusedArrowError(" ".join(str(error).split())[:120]) from error
    return batches


def _is_packed(message: bytes) -> bool:
    """Whether the buffers of a message are compressed: ``RecordBatch.compression`` is there."""
    table = _Table(message, struct.unpack_from("<I", message)[0])
    kind, at = table.field(1), table.field(2)
    if not kind or not at or message[kind] not in (_DICTIONARY, _BATCH):
        return False
    batch = table.child(at)
    if message[kind] == _DICTIONARY:
        data = batch.field(1)
        if not data:
            return False
        batch = batch.child(data)
    return batch.field(3) != 0


class _Table:
    """A table of a FlatBuffer."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at
        self.slots = at - struct.unpack_from("<i", data, at)[0]
        if self.slots < 0:
            raise RefusedArrowError("a message is damaged")

    def field(self, number: int) -> int:
        """Where a field lies; 0 where it is missing."""
        slot = 4 + 2 * number
        if slot + 2 > struct.unpack_from("<H", self.data, self.slots)[0]:
            return 0
        offset: int = struct.unpack_from("<H", self.data, self.slots + slot)[0]
        return self.at + offset if offset else 0

    def child(self, at: int) -> _Table:
        """The table that a field refers to."""
        return _Table(self.data, at + struct.unpack_from("<I", self.data, at)[0])
