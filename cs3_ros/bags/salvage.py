"""Reads as much as there is of storage files that ended too early: the recorder was killed, a disk was full.

rosbags refuses such files as a whole, because what describes them is written last.
"""

from __future__ import annotations

import io
import sqlite3
import struct
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, NamedTuple
from urllib.parse import quote

from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat

from cs3_ros.bags.unpacking import UnpackingError, unpack

_MCAP_MAGIC = b"\x89MCAP0\r\n"
_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _DATA_END = 0x03, 0x04, 0x05, 0x06, 0x0F
_FORMATS = {
    "ros2msg": MessageDefinitionFormat.MSG,
    "ros2idl": MessageDefinitionFormat.IDL,
    "omgidl": MessageDefinitionFormat.IDL,
}
NO_DEFINITION = MessageDefinition(MessageDefinitionFormat.NONE, "")


class SalvagedMessage(NamedTuple):
    """One message with everything that is known about its topic."""

    topic: str
    type_name: str
    definition: MessageDefinition
    time_ns: int
    data: bytes


def salvage(path: Path) -> Iterator[SalvagedMessage]:
    """Yields the messages of an .mcap or .db3 file in the order of the file, up to the first damage."""
    return _salvage_mcap(path) if path.suffix == ".mcap" else _salvage_sqlite(path)


def is_ros1_mcap(path: Path) -> bool:
    """Whether an .mcap file was made from a bag of ROS 1: its messages have another coding."""
    with path.open("rb") as file:
        return file.read(8) == _MCAP_MAGIC and file.read(17)[9:] == b"\4\0\0\0ros1"


def _salvage_mcap(path: Path) -> Iterator[SalvagedMessage]:
    schemas: dict[int, tuple[str, MessageDefinition]] = {}
    channels: dict[int, tuple[str, str, MessageDefinition]] = {}
    with path.open("rb") as file:
        if file.read(len(_MCAP_MAGIC)) != _MCAP_MAGIC:
            return
        for opcode, body in _flat_records(file):
            fields = io.BytesIO(body)
            if opcode == _SCHEMA:
                (number,) = struct.unpack("<H", fields.read(2))
                name, encoding, text = _string(fields), _string(fields), _string(fields)
                known = encoding in _FORMATS
                schemas[number] = name, MessageDefinition(_FORMATS[encoding], text) if known else NO_DEFINITION
            elif opcode == _CHANNEL:
                number, schema = struct.unpack("<HH", fields.read(4))
                topic, encoding = _string(fields), _string(fields)
                if encoding == "cdr":
                    channels[number] = topic, *schemas.get(schema, ("", NO_DEFINITION))
            elif opcode == _MESSAGE:
                number, _, time_ns, _ = struct.unpack("<HIQQ", fields.read(22))
                if number in channels:
                    yield SalvagedMessage(*channels[number], time_ns, fields.read())


def _flat_records(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Records of the file and of its chunks, in order; what a cut chunk still gives is used."""
    for opcode, body in _records(file):
        if opcode == _DATA_END:
            return
        if opcode == _CHUNK:
            fields = io.BytesIO(body)
            fields.seek(28)
            compression = _string(fields)
            fields.seek(8, io.SEEK_CUR)
            try:
                unpacked = unpack(compression, fields.read())
            except UnpackingError:
                continue
            yield from _records(io.BytesIO(unpacked))
        else:
            yield opcode, body


def _records(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Records up to the one that the end of the data cuts, and of a cut chunk what is there."""
    begin = file.tell()
    end = file.seek(0, io.SEEK_END)
    file.seek(begin)
    while len(head := file.read(9)) == 9:
        opcode, size = struct.unpack("<BQ", head)
        is_cut = size > end - file.tell()  # damaged sizes can be beyond what Python can ask for
        if is_cut and opcode != _CHUNK:
            return
        yield opcode, file.read(end - file.tell() if is_cut else size)


def _string(fields: BinaryIO) -> str:
    (size,) = struct.unpack("<I", fields.read(4))
    return fields.read(size).decode(errors="replace")


def _salvage_sqlite(path: Path) -> Iterator[SalvagedMessage]:
    """Reads in the order of writing, which needs no index; the index lies anywhere in the file.

    SQLite takes what lies beyond the end of the file for zeros. That can be in the last page of messages that it still
    finds, and in the pages that its long messages go on in, so the messages of one page are left out.
    """
    with closing(sqlite3.connect(f"file:{quote(str(path))}?immutable=1", uri=True)) as database:
        try:
            database.execute("PRAGMA writable_schema=ON")  # else a file shorter than it says is refused as a whole
            topics = {
                number: (name, kind) for number, name, kind in database.execute("SELECT id, name, type FROM topics")
            }
            definitions = _sqlite_definitions(database)
            (page_size,) = database.execute("PRAGMA page_size").fetchone()
            rows = database.execute("SELECT topic_id, timestamp, data FROM messages NOT INDEXED ORDER BY id")
            for number, time_ns, data in _but_the_last_page(rows, page_size):
                if number in topics:
                    topic, kind = topics[number]
                    yield SalvagedMessage(topic, kind, definitions.get(kind, NO_DEFINITION), time_ns, data)
        except sqlite3.DatabaseError:
            return


def _but_the_last_page(rows: Iterator[tuple[int, int, bytes]], page_size: int) -> Iterator[tuple[int, int, bytes]]:
    """Holds back as many rows as may share a page, of which a long row takes at least an eighth (SQLite's format)."""
    least = (page_size - 12) * 32 // 255 - 23
    held: deque[tuple[int, int, bytes]] = deque()
    size = 0
    for row in rows:
        if row[2] is None:
            return
        held.append(row)
        size += min(len(row[2]), least)
        while size > page_size + least:
            size -= min(len(held[0][2]), least)
            yield held.popleft()


def _sqlite_definitions(database: sqlite3.Connection) -> dict[str, MessageDefinition]:
    query = "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"
    try:
        rows = database.execute(query).fetchall()
    except sqlite3.DatabaseError:  # bags had no definitions before Iron
        return {}
    return {name: MessageDefinition(_FORMATS[encoding], text) for name, encoding, text in rows if encoding in _FORMATS}
