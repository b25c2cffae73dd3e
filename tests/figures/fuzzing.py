"""Malformed messages of many kinds on the graph of a real node: whether it lives, counts them, and hears what comes next.

scripts/run python -m tests.figures.fuzzing --messages 10000
"""

from __future__ import annotations

import struct
import time
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from cs3_msgs.msg import AudioChunk, Collision
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage

from cs3_ros.conversions.times import NS_PER_S, ns_to_stamp, stamp_to_ns
from cs3_ros.qos import publication
from tests.figures.held import resident_mb
from tests.ros.perception.perception_graph import MediaGraph, NodeProcess, jpeg_picture

OFTEN = "from cs3_ros.perception import node; node._DIAGNOSTICS_PERIOD_S = 0.1"
"""Each kind of message waits for the diagnostics that count it."""
NODE = """
from tests.ros.perception.perception_graph import use_hand_made_parts
use_hand_made_parts()
from cs3_ros.perception.node import main
settings = ["preset:=debug", "audio_pre_s:=0.3", "audio_post_s:=0.3"]
for topic in ("/audio", "/image/compressed", "/camera_info"):  # so that what is sent as fast as it goes is not lost
    settings.append(f"qos_overrides.{topic}.subscription.depth:=1000")
main(["perception", "--ros-args", *(word for setting in settings for word in ("-p", setting))])
"""
"""The real node, with parts whose answers are known."""
IMAGE_TOPIC = "/image/compressed"
AT_ONCE = 50
"""The next ones are sent when the node has counted these, so that none is lost on a machine of any speed."""


@dataclass(kw_only=True)
class Found:
    """What the node did."""

    sent: Counter[str]
    """Messages by kind."""
    not_counted: list[str]
    """Kinds of which the node counted fewer than were sent."""
    grown_mb: float
    """Resident memory after, less before."""
    answer_s: float
    """From the onset of the next impact to the arrival of its collision, seconds; 0.3 s of it are the sound after it."""


def audio(rng: np.random.Generator, **changes: Any) -> AudioChunk:
    """A sound message with some fields changed."""
    fields = {"sample_rate": 16_000, "channels": 1, "encoding": "S16LE", "data": rng.bytes(640), **changes}
    stamp_ns = fields.pop("stamp_ns", time.time_ns())
    message = AudioChunk(**fields)
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, NS_PER_S)
    return message


def picture(data: bytes, kind: str = "jpeg", stamp_ns: int | None = None) -> CompressedImage:
    """A picture message with these bytes."""
    message = CompressedImage(format=kind, data=data)
    message.header.stamp = ns_to_stamp(time.time_ns() if stamp_ns is None else stamp_ns)
    return message


def claiming(width: int, height: int) -> bytes:
    """A small JPEG whose header claims that size."""
    data = bytearray(jpeg())
    place = data.find(b"\xff\xc0")
    data[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def png_bomb(side: int) -> bytes:
    """A black PNG of 1 bit, some kilobytes for many megapixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    rows = zlib.compress(bytes((side // 8 + 1) * 64), 9)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def jpeg() -> bytes:
    """A sound picture."""
    return bytes(jpeg_picture(0).data)


def kinds(rng: np.random.Generator) -> dict[str, Callable[[], Any]]:
    """Makers of malformed messages by their kind; those of bytes go out as they are."""
    whole, depth = jpeg(), cv2.imencode(".png", np.zeros((8, 8), np.uint16))[1].tobytes()
    return {
        "audio: odd bytes": lambda: audio(rng, data=rng.bytes(2 * int(rng.integers(200)) + 1)),
        "audio: empty": lambda: audio(rng, data=b""),
        "audio: rate 0": lambda: audio(rng, sample_rate=0),
        "audio: rate 3999": lambda: audio(rng, sample_rate=3999),
        "audio: rate 2^32-1": lambda: audio(rng, sample_rate=2**32 - 1),
        "audio: no channels": lambda: audio(rng, channels=0),
        "audio: 65 channels": lambda: audio(rng, channels=65),
        "audio: unknown encoding": lambda: audio(rng, encoding="".join(map(chr, rng.integers(33, 0x2FFF, 12)))),
        "audio: NaN": lambda: audio(rng, encoding="F32LE", data=np.full(64, np.nan, "<f4").tobytes()),
        "audio: infinite": lambda: audio(rng, encoding="F32LE", data=np.full(64, np.inf, "<f4").tobytes()),
        "audio: floats of integers": lambda: audio(rng, encoding="F32LE", data=np.full(64, 2e4, "<f4").tobytes()),
        "audio: stamp 0": lambda: audio(rng, stamp_ns=0),
        "audio: stamp before 1970": lambda: audio(rng, stamp_ns=-5 * NS_PER_S),
        "audio: 25 s in one": lambda: audio(rng, data=bytes(800_000)),
        "audio: WAV": lambda: audio(rng, data=b"RIFF\x24\x00\x00\x00WAVEfmt " + rng.bytes(624)),
        "audio: FLAC": lambda: audio(rng, data=b"fLaC" + rng.bytes(636)),
        "audio: Ogg": lambda: audio(rng, data=b"OggS\x00" + rng.bytes(635)),
        "audio: no CDR": lambda: rng.bytes(int(rng.integers(1, 300))),
        "audio: CDR cut": lambda: serialize_message(audio(rng))[: int(rng.integers(4, 600))],
        "audio: CDR of a huge length": lambda: b"\x00\x01\x00\x00" + b"\xff" * 200,
        "image: random": lambda: picture(rng.bytes(int(rng.integers(1, 4000)))),
        "image: empty": lambda: picture(b""),
        "image: JPEG claims 60000 x 60000": lambda: picture(claiming(60_000, 60_000)),
        "image: JPEG claims 30000 x 30000": lambda: picture(claiming(30_000, 30_000)),
        "image: PNG of 32000 x 32000": lambda: picture(png_bomb(32_000), "png"),
        "image: PNG header alone": lambda: picture(b"\x89PNG\r\n\x1a\n", "png"),
        "image: depth": lambda: picture(depth, "16UC1; compressedDepth png"),
        "image: mosaic": lambda: picture(whole, "bayer_rggb8; jpeg compressed "),
        "image: stamp 0": lambda: picture(whole, stamp_ns=0),
        "image: WebP": lambda: picture(b"RIFF\x22\x00\x00\x00WEBPVP8 " + rng.bytes(100), "webp"),
        "image: no CDR": lambda: rng.bytes(int(rng.integers(1, 300))),
        "image: CDR cut": lambda: serialize_message(picture(whole))[: int(rng.integers(4, 300))],
        "image: CDR of a huge length": lambda: b"\x00\x01\x00\x00" + b"\xff" * 200,
        "camera_info: no CDR": lambda: rng.bytes(int(rng.integers(1, 300))),
    }


def fuzz(num_messages: int, seed: int = 0) -> Found:
    """Sends so many messages, and then what a sound camera and microphone send."""
    rng = np.random.default_rng(seed)
    makers = kinds(rng)
    names, sent = list(makers), Counter[str]()
    with closing(MediaGraph()) as graph, NodeProcess(OFTEN + NODE) as node:
        graph.wait_until_it_listens(node)
        publishers = {
            "audio": graph.publisher(AudioChunk, "/audio", 1000),
            "image": graph.publisher(CompressedImage, IMAGE_TOPIC, 1000),
            "camera_info": graph.publisher(CameraInfo, "/camera_info", 1000),
        }
        devices = {"image": jpeg_picture, "image_topic": IMAGE_TOPIC, "real_time": True}
        graph.now_ns = time.time_ns()
        graph.play_until_collision(**devices)
        earlier, before_mb = graph.status()[1], resident_mb(node.process.pid)
        newest = graph.listen(DiagnosticArray, "/diagnostics")
        not_counted = []

        def refused(kind: str) -> int:
            values = {pair.key: int(pair.value) for pair in newest[-1].status[0].values if pair.value.isdecimal()}
            names = (f"{kind}_refused", f"{kind}_undecodable")
            return sum(values.get(name, 0) - int(earlier.get(name, 0)) for name in names)

        graph.wait_for(lambda: newest, "diagnostics")
        count = -(-num_messages // len(names))
        for name in names:  # kind after kind, so that each is counted by itself
            kind = name.partition(":")[0]
            while sent[name] < count:
                num = min(AT_ONCE, count - sent[name])
                for _ in range(num):
                    publishers[kind].publish(makers[name]())
                sent[name] += num
                total = sum(number for other, number in sent.items() if other.startswith(kind))
                try:
                    graph.wait_for(lambda kind=kind, total=total: refused(kind) >= total, name)
                except AssertionError:
                    not_counted.append(f"{name}: {refused(kind)} of {total}")
                    break
        answers_s: list[float] = []
        graph.node.create_subscription(
            Collision,
            "/perception/collision",
            lambda message: answers_s.append((time.time_ns() - stamp_to_ns(message.onset)) / NS_PER_S),
            publication(),
        )
        graph.now_ns = time.time_ns()
        graph.play_until_collision(**devices)
        graph.wait_for(lambda: answers_s, "the same collision")
        assert node.process.poll() is None, "the node died"
        grown_mb = resident_mb(node.process.pid) - before_mb
    return Found(sent=sent, not_counted=not_counted, grown_mb=grown_mb, answer_s=answers_s[0])


def main(messages: Annotated[int, typer.Option(help="How many to send.")] = 10_000) -> None:
    """Print what the node did."""
    found = fuzz(messages)
    typer.echo(f"{found.sent.total()} messages of {len(found.sent)} kinds; not counted: {found.not_counted or 'none'}")
    typer.echo(f"memory {found.grown_mb:+.0f} MB; the next impact answered {found.answer_s:.2f} s after its onset")
    if found.not_counted:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
