"""The layouts for RViz and Foxglove show topics that exist, with the types and fields that they have."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("rclpy", reason="needs ROS 2")

from cs3_ros.message_types import message_class

pytestmark = pytest.mark.ros

CONFIG = Path(__file__).resolve().parents[3] / "config"
INPUTS = {"/image": "sensor_msgs/msg/Image", "/image/compressed": "sensor_msgs/msg/CompressedImage"}


@pytest.fixture(scope="module")
def foxglove() -> dict[str, Any]:
    return json.loads((CONFIG / "perception.foxglove.json").read_text())


@pytest.fixture
def topic_types(make_perception) -> dict[str, str]:
    """The topics of a configured node, and those that it would take."""
    graph = make_perception()
    names = graph.perception.get_topic_names_and_types()
    return {**INPUTS, **{name: types[0] for name, types in names}}


def panels_of(layout: dict[str, Any] | str) -> list[str]:
    """The panels of a layout's tree, which is made of halves."""
    if isinstance(layout, str):
        return [layout]
    assert layout["direction"] in ("row", "column") and 0 < layout["splitPercentage"] < 100
    return panels_of(layout["first"]) + panels_of(layout["second"])


def test_each_foxglove_panel_has_one_place_and_one_configuration(foxglove) -> None:
    assert set(foxglove) == {"configById", "globalVariables", "userNodes", "playbackConfig", "layout"}
    assert sorted(panels_of(foxglove["layout"])) == sorted(foxglove["configById"])


def test_foxglove_shows_topics_and_fields_that_exist(foxglove, topic_types) -> None:
    for name, config in foxglove["configById"].items():
        values = [path["value"] for path in config.get("paths", [])]
        values += [config[key] for key in ("topicPath", "topicToRender") if key in config]
        if "imageMode" in config:
            topic = config["imageMode"]["imageTopic"]
            values.append(topic)
            assert topic_types[topic] == config["imageMode"]["imageSchemaName"]
        assert values, f"{name} shows nothing"
        for value in values:
            topic, _, field = value.partition(".")
            assert topic in topic_types, value
            assert not field or re.sub(r"\[:\]$", "", field) in fields_of(topic_types[topic]), value


def fields_of(type_name: str) -> dict[str, str]:
    return message_class(type_name).get_fields_and_field_types()


def test_rviz_shows_images_that_exist_with_a_quality_of_service_that_matches(topic_types) -> None:
    displays = yaml.safe_load((CONFIG / "perception.rviz").read_text())["Visualization Manager"]["Displays"]
    shown = {display["Topic"]["Value"]: display["Topic"]["Reliability Policy"] for display in displays}
    assert shown == {"/image": "Best Effort", "/perception/overlay": "Reliable"}
    assert all(topic_types[topic] == "sensor_msgs/msg/Image" for topic in shown)
    assert all(display["Class"] == "rviz_default_plugins/Image" for display in displays)
