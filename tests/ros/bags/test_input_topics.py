"""Topics of a bag meet the node's inputs, whatever both are called."""

from __future__ import annotations

import pytest

from cs3_ros.bags.input_topics import input_remappings

IMAGE, JPEG, INFO = ("sensor_msgs/msg/" + name for name in ("Image", "CompressedImage", "CameraInfo"))
AUDIO = "cs3_msgs/msg/AudioChunk"
DEFAULTS = {"image": "image", "audio": "audio", "camera_info": "camera_info"}


def in_head(name: str) -> str:
    """Resolves as a node in the namespace /head does."""
    return name if name.startswith("/") else f"/head/{name}"


def test_names_that_agree_stay_and_lie_in_the_namespace() -> None:
    types = {"/image": IMAGE, "/audio": AUDIO, "/camera_info": INFO, "/tf": "tf2_msgs/msg/TFMessage"}
    wanted = {"/image": "image", "/audio": "audio", "/camera_info": "camera_info"}
    assert input_remappings(types, DEFAULTS, in_head) == wanted


def test_the_only_topic_of_a_kind_is_taken_whatever_its_name() -> None:
    types = {"/camera/rgb/compressed": JPEG, "/mic": AUDIO}
    inputs = {"image": "/cam", "audio": "/mic/audio", "camera_info": "camera_info"}
    assert input_remappings(types, inputs, in_head) == {
        "/camera/rgb/compressed": "/cam/compressed",
        "/mic": "/mic/audio",
    }


def test_among_several_the_name_decides_and_of_one_image_the_raw_form() -> None:
    types = {"/left/compressed": JPEG, "/right": IMAGE, "/right/compressed": JPEG, "/audio": AUDIO}
    assert input_remappings(types, {**DEFAULTS, "image": "/right"}, in_head)["/right"] == "/right"
    assert input_remappings(types, {**DEFAULTS, "image": "/left"}, in_head)["/left/compressed"] == "/left/compressed"
    assert input_remappings({**types, "/head/image": IMAGE}, DEFAULTS, in_head)["/head/image"] == "image"


def test_the_calibration_beside_the_image_is_taken_or_none() -> None:
    types = {"/a/image": IMAGE, "/a/camera_info": INFO, "/b/camera_info": INFO, "/audio": AUDIO}
    assert input_remappings(types, DEFAULTS, in_head)["/a/camera_info"] == "camera_info"
    del types["/a/camera_info"]
    types["/c/camera_info"] = INFO
    assert set(input_remappings(types, DEFAULTS, in_head)) == {"/a/image", "/audio"}


def test_what_cannot_be_chosen_is_named() -> None:
    with pytest.raises(ValueError, match="several image topics, /a, /b: name one, image:=/a"):
        input_remappings({"/a": IMAGE, "/b": IMAGE, "/audio": AUDIO}, DEFAULTS, in_head)
    with pytest.raises(ValueError, match="no audio topic of a supported type; it has /a"):
        input_remappings({"/a": IMAGE}, DEFAULTS, in_head)
