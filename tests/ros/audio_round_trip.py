"""Run by test_foreign_audio: sends messages over a real graph and prints what the adapters make of them.

Standard input: {topic type: fields}. Standard output: {topic type: [stamp_ns, rate, samples]}.
"""

from __future__ import annotations

import json
import sys
import time
from array import array

import rclpy

from cs3_ros.conversions.audio import AudioFormat, audio_adapter
from cs3_ros.qos import publication, sensor_subscription

ARRIVAL_NS = 9_000_000_000
ASSUMED = AudioFormat(sample_rate_hz=8000, channels=2, encoding="S16LE")


def fill(msg, fields):
    for name, value in fields.items():
        current = getattr(msg, name)
        if isinstance(value, dict):
            fill(current, value)
        else:
            setattr(msg, name, array(current.typecode, value) if isinstance(value, list) else value)
    return msg


examples = json.load(sys.stdin)
results = {}
rclpy.init()
node = rclpy.create_node("round_trip")
publications = []
for number, (topic_type, fields) in enumerate(examples.items()):
    kind, read = audio_adapter(topic_type, assumed_format=ASSUMED)

    def receive(msg, topic_type=topic_type, read=read):
        block = read(msg, arrival_ns=ARRIVAL_NS)
        results[topic_type] = [block.stamp_ns, block.sample_rate_hz, block.samples.tolist()]

    node.create_subscription(kind, f"audio_{number}", receive, sensor_subscription(10))
    publications.append((node.create_publisher(kind, f"audio_{number}", publication()), fill(kind(), fields)))

deadline = time.monotonic() + 20.0
while len(results) < len(examples) and time.monotonic() < deadline:
    for publisher, msg in publications:
        publisher.publish(msg)
    for _ in range(10):
        rclpy.spin_once(node, timeout_sec=0.01)
rclpy.shutdown()
json.dump(results, sys.stdout)
