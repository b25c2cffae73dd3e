"""A bag that is cut, or of which one bit is flipped, at places all over it: what is read, and what is said.

scripts/run python -m tests.figures.damaged_bags --places 200
"""

from __future__ import annotations

import struct
import tempfile
import zlib
from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from cs3_ros.bags.bag_reader import RecordedBag
from cs3_ros.demo import SHIPPED_BAG

Contents = list[tuple[str, int, bytes]]
"""Topic, time, and bytes of each message."""


def read(bag: Path) -> tuple[Contents, list[str]]:
    """The messages of a bag, and what is said of those that are lost."""
    with RecordedBag(bag) as recorded:
        found = [
            (message.topic, message.time_ns, bytes(message.data)) for message in recorded.messages(recorded.topics)
        ]
        return found, recorded.losses


def with_checksums(data: bytes) -> bytes:
    """An MCAP file of uncompressed chunks with the check sums that `ros2 bag record` writes; the shipped bag has none."""
    summed, place = bytearray(data), 8
    while place < len(data) - 8:
        kind, (size,) = data[place], struct.unpack_from("<Q", data, place + 1)
        begin = place + 9
        if kind == 6:  # a chunk: start, end, size, check sum, compression, records
            (name_size,) = struct.unpack_from("<I", data, begin + 28)
            assert name_size == 0, "compressed"
            records = data[begin + 32 + 8 : begin + size]
            struct.pack_into("<I", summed, begin + 24, zlib.crc32(records))
        place = begin + size
    return bytes(summed)


def damaged(num_places: int, seed: int = 0) -> dict[str, Counter[str]]:
    """Cuts and flips at so many places each, and counts what came of it.

    The outcomes are ``whole``; ``lost, said``; ``refused`` in one line; and, what must not be, ``lost in silence``,
    ``changed in silence`` (a message that is read, but not as it was written) and the name of any other exception.
    """
    rng = np.random.default_rng(seed)
    (source,) = SHIPPED_BAG.glob("*.mcap")
    data, (whole, _) = with_checksums(source.read_bytes()), read(SHIPPED_BAG)
    outcomes: dict[str, Counter[str]] = {"cut": Counter(), "flipped": Counter()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bag" / "bag_0.mcap"
        path.parent.mkdir()
        for place in np.linspace(0, len(data) - 1, num_places).astype(int):
            path.write_bytes(data[:place])
            outcomes["cut"][_outcome(path, whole)] += 1
            flipped = bytearray(data)
            flipped[place] ^= 1 << int(rng.integers(8))
            path.write_bytes(flipped)
            outcomes["flipped"][_outcome(path, whole)] += 1
    return outcomes


def _outcome(path: Path, whole: Contents) -> str:
    try:
        found, losses = read(path)
    except ValueError as error:
        return "refused" if "\n" not in str(error) else "refused in several lines"
    except Exception as error:
        return type(error).__name__
    if found == whole:
        return "whole"
    if set(found) - set(whole):
        return "changed, said" if losses else "changed in silence"
    return "lost, said" if losses else "lost in silence"


def main(places: Annotated[int, typer.Option(help="How many cuts, and how many flips.")] = 200) -> None:
    """Print what was read and said."""
    for kind, outcomes in damaged(places).items():
        typer.echo(f"{kind}: " + ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())))


if __name__ == "__main__":
    typer.run(main)
