"""Run by test_versions in an environment whose cs3_msgs has another Collision: publishes such until it is killed."""

from __future__ import annotations

import sys
import time

import rclpy
from cs3_msgs.msg import Collision


def main() -> None:
    rclpy.init()
    node = rclpy.create_node("perception")
    publisher = node.create_publisher(Collision, "~/collision", 10)
    message = Collision(verdict="two objects", objects=["cup", "plate"])
    for number in range(10**6):
        publisher.publish(message)
        if number == 100:
            print("sent", file=sys.stderr, flush=True)
        time.sleep(0.02)


if __name__ == "__main__":
    main()
