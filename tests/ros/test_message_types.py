from __future__ import annotations

import json
from pathlib import Path

import pytest
from sensor_msgs.msg import Image

from cs3_ros import message_types
from cs3_ros.message_types import message_class, typestore_with_cs3_msgs


@pytest.mark.parametrize("name", ["sensor_msgs/msg/Image", "sensor_msgs/Image"])
def test_classes_are_found_by_both_spellings(name):
    assert message_class(name) is Image


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("Image", "not of the form package/msg/Name"),
        ("sensor_msgs/srv/SetCameraInfo", "not of the form package/msg/Name"),
        ("no_such_msgs/msg/Thing", "no_such_msgs .* is not installed here.*ros-[$]ROS_DISTRO-no-such-msgs"),
        ("sensor_msgs/msg/Thing", "sensor_msgs at .* has no message Thing: another package"),
    ],
)
def test_types_that_are_not_there_are_named(name, complaint):
    with pytest.raises(ValueError, match=complaint):
        message_class(name)


def test_a_package_that_lies_beside_a_bag_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "evil_msgs" / "msg").mkdir(parents=True)
    (tmp_path / "evil_msgs" / "__init__.py").write_text("raise SystemExit('code of the folder ran')")
    (tmp_path / "evil_msgs" / "msg" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ValueError, match=r"evil_msgs .* is not installed here"):
        message_class("evil_msgs/msg/Thing")


def test_a_package_that_hides_an_installed_one_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "std_srvs_hidden").mkdir()
    (tmp_path / "std_srvs_hidden" / "__init__.py").write_text("raise SystemExit('code of the folder ran')")
    index = tmp_path / "prefix" / "share" / "ament_index" / "resource_index" / "rosidl_interfaces"
    index.mkdir(parents=True)
    (index / "std_srvs_hidden").write_text("msg/Thing.msg")
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path / "prefix"))
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ValueError, match=r"is installed in .*prefix, but Python finds it at .*std_srvs_hidden"):
        message_class("std_srvs_hidden/msg/Thing")


@pytest.mark.parametrize("package", ["../../../etc", "/etc", "a/b", ".", "", "os.path"])
def test_names_that_could_be_paths_are_of_no_package(package, tmp_path):
    assert not message_types.register_package(typestore_with_cs3_msgs(), package, tmp_path)
    with pytest.raises(ValueError, match="not of the form package/msg/Name"):
        message_class(f"{package}/msg/Thing")


@pytest.mark.parametrize("name", ["AudioChunk", "CollisionMask", "Collision"])
def test_definitions_without_ros_are_those_of_the_installed_messages(name):
    """The hash covers every field, and those of nested messages; the other one is from ROS' own generator."""
    cs3_msgs = pytest.importorskip("cs3_msgs")
    share = next(
        parent / "share" / "cs3_msgs" for parent in Path(cs3_msgs.__file__).parents if (parent / "share").is_dir()
    )
    description = json.loads((share / "msg" / f"{name}.json").read_text())
    hashes = {entry["type_name"]: entry["hash_string"] for entry in description["type_hashes"]}

    assert typestore_with_cs3_msgs().hash_rihs01(f"cs3_msgs/msg/{name}") == hashes[f"cs3_msgs/msg/{name}"]


def test_definitions_are_found_in_the_source_tree_without_ros(monkeypatch):
    monkeypatch.delenv("AMENT_PREFIX_PATH", raising=False)

    assert "cs3_msgs/msg/AudioChunk" in typestore_with_cs3_msgs().types


def test_missing_definitions_are_explained(monkeypatch, tmp_path):
    monkeypatch.delenv("AMENT_PREFIX_PATH", raising=False)
    monkeypatch.setattr(message_types, "_SOURCE_MSG_DIR", tmp_path)

    with pytest.raises(FileNotFoundError, match="cs3_msgs is not installed: build it with colcon"):
        typestore_with_cs3_msgs()
