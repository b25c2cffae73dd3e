"""Parameters are described, bounded, documented, refused with a reason, and take effect when they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")

from cs3_msgs.msg import Collision  # noqa: E402
from diagnostic_msgs.msg import DiagnosticStatus  # noqa: E402
from rcl_interfaces.srv import DescribeParameters, ListParameters, SetParameters  # noqa: E402
from rclpy.exceptions import ParameterException  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402

from cs3_model.build import Preset  # noqa: E402
from cs3_model.types import Reason  # noqa: E402
from cs3_ros.conversions.images import mask_from_msg  # noqa: E402
from cs3_ros.default_parameters import default_values  # noqa: E402
from cs3_ros.perception.parameters import SPECS, Changes, override_values, stream_config  # noqa: E402
from tests.ros.perception.perception_graph import raw_picture  # noqa: E402

pytestmark = pytest.mark.ros

ROOT = Path(__file__).resolve().parents[3]
DEFAULTS = yaml.safe_load((ROOT / "config" / "perception.yaml").read_text())["/**"]["ros__parameters"]


def set_parameter(graph, name: str, value) -> str:
    """Sets a parameter through its service; returns the reason of a refusal, empty on success."""
    request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
    (result,) = graph.call(SetParameters, "set_parameters", request).results
    assert result.successful != bool(result.reason)
    return result.reason


def documented_rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading of docs/topics.md."""
    section = (ROOT / "docs" / "topics.md").read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip(" `") for cell in row] for row in rows[2:]]


def test_defaults_declaration_and_documentation_name_the_same_parameters(make_perception) -> None:
    graph = make_perception(start=False)
    rows = documented_rows("Parameters")
    listed = graph.call(ListParameters, "list_parameters", ListParameters.Request()).result.names
    of_rclpy = ("qos_overrides.", "use_sim_time", "start_type_description_service")
    declared = {name for name in listed if not name.startswith(of_rclpy)}
    assert list(DEFAULTS) == list(SPECS) == [row[0] for row in rows]
    assert declared == set(SPECS)


def test_the_documentation_gives_each_default_range_and_time_of_change() -> None:
    for name, default, accepted, changes, meaning in documented_rows("Parameters"):
        spec = SPECS[name]
        shown = str(DEFAULTS[name]).lower() if isinstance(DEFAULTS[name], bool) else str(DEFAULTS[name])
        assert default == shown, name
        assert changes == spec.changes.value, name
        assert meaning == spec.about, name
        if spec.choices:
            assert accepted.split(", ") == list(spec.choices), name
        elif spec.low is not None:
            assert accepted == f"{spec.low:g} to {spec.high:g}", name


def test_the_documentation_lists_every_reason() -> None:
    assert [row[0] for row in documented_rows("Reasons")] == [reason.value for reason in Reason]


def test_every_parameter_is_described_and_every_number_bounded(make_perception) -> None:
    graph = make_perception(start=False)
    request = DescribeParameters.Request(names=list(SPECS))
    for descriptor in graph.call(DescribeParameters, "describe_parameters", request).descriptors:
        assert descriptor.description, descriptor.name
        if isinstance(DEFAULTS[descriptor.name], (int, float)) and not isinstance(DEFAULTS[descriptor.name], bool):
            assert descriptor.integer_range or descriptor.floating_point_range, descriptor.name
        assert bool(descriptor.additional_constraints) == bool(SPECS[descriptor.name].choices)


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("merge_iou", 1.5, "1.5"),
        ("merge_iou", float("nan"), "nan"),
        ("contact_distance_px", -2.0, "-2.0"),
        ("mask_format", "gif", "mask_format must be one of mono8, png, got 'gif'"),
        ("max_waiting", 0, "max_waiting"),
    ],
)
def test_a_bad_value_is_refused_with_its_name(make_perception, name, value, words) -> None:
    graph = make_perception()
    reason = set_parameter(graph, name, value)
    assert name in reason and words in reason and "\n" not in reason
    assert graph.perception.get_parameter(name).value == DEFAULTS[name]


@pytest.mark.parametrize("name, value", [("mask_format", "gif"), ("merge_iou", 2.0), ("image_transport", 1)])
def test_a_bad_value_at_start_is_refused_with_its_name(make_perception, name, value) -> None:
    with pytest.raises(ParameterException, match=name):
        make_perception(start=False, **{name: value})


def test_values_that_do_not_fit_together_are_refused(make_perception) -> None:
    graph = make_perception(start=False)
    assert not set_parameter(graph, "audio_pre_s", 0.0)
    assert "must be at least 0.175 s" in set_parameter(graph, "audio_post_s", 0.1)
    assert graph.perception.trigger_configure() and not set_parameter(graph, "audio_post_s", 0.2)


def test_what_is_fixed_while_active_may_change_in_between_and_takes_effect(make_perception) -> None:
    graph = make_perception()
    fixed = [name for name, spec in SPECS.items() if spec.changes is not Changes.ALWAYS]
    for name in fixed:
        reason = set_parameter(graph, name, DEFAULTS[name])
        assert re.fullmatch(rf"{name} cannot change (while the node is active|once the node is configured): .*", reason)
    graph.perception.trigger_deactivate()
    assert "clean it up first" in set_parameter(graph, "preset", "debug")
    assert not set_parameter(graph, "audio_stamp_offset_s", 0.1)
    graph.perception.trigger_activate()
    (onset_ns,) = graph.play(1.5)
    (collision,) = graph.wait_for_collisions(1)
    heard_ns = collision.onset.sec * 10**9 + collision.onset.nanosec
    assert heard_ns == pytest.approx(onset_ns + 100_000_000, abs=5_000_000)


def test_thresholds_take_effect_at_the_next_event(make_perception) -> None:
    graph = make_perception()
    assert graph.play_until_collision().reason == "closest_pair"
    assert not set_parameter(graph, "contact_distance_px", 0.0)
    assert graph.play_until_collision().reason == "single_right"
    assert not set_parameter(graph, "contact_distance_px", -1.0)
    assert not set_parameter(graph, "merge_iou", 0.0)
    assert graph.play_until_collision().reason == "single_mask"


def test_masks_are_the_same_in_either_format_and_rejected_ones_can_be_left_out(make_perception) -> None:
    graph = make_perception(contact_distance_px=0.0)
    compressed = graph.play_until_collision()
    assert not set_parameter(graph, "mask_format", "mono8")
    raw = graph.play_until_collision()
    assert raw.masks[0].mask.encoding == "mono8" and not len(raw.masks[0].mask_compressed.data)
    assert not len(compressed.masks[0].mask.data)
    ours, theirs = mask_from_msg(raw.masks[0].mask), mask_from_msg(compressed.masks[0].mask_compressed)
    assert ours.any() and (ours == theirs).all()
    assert compressed.masks[0].mask_compressed.header == compressed.header
    assert len(compressed.rejected) == 1
    assert not set_parameter(graph, "publish_rejected", False)
    assert not graph.play_until_collision().rejected


def test_the_frame_offset_can_be_loosened_live(make_perception) -> None:
    graph = make_perception(max_frame_offset_s=0.0)
    devices = {"image": lambda stamp_ns: raw_picture(stamp_ns + 7_000_000)}
    graph.play(1.5, [0.42], **devices)
    assert graph.wait_for_collisions(1)[0].reason == "no_frame"
    assert not set_parameter(graph, "max_frame_offset_s", 0.05)
    assert graph.play_until_collision(**devices).verdict == Collision.VERDICT_TWO_OBJECTS


def test_the_preset_says_how_much_sound_is_heard_where_no_parameter_does() -> None:
    preset = Preset(audio_pre_s=0.7, audio_post_s=0.2)
    for overrides, expected in (({}, (0.7, 0.2)), ({"audio_post_s": 0.5}, (0.7, 0.5)), ({"audio_pre_s": 0}, (0, 0.2))):
        config = stream_config(override_values(default_values(), overrides), preset)
        assert (config.audio_pre_s, config.audio_post_s) == expected


def test_a_preset_that_hears_too_little_is_refused() -> None:
    with pytest.raises(ValueError, match=r"audio_pre_s \+ audio_post_s must be at least 0.175 s"):
        Preset(audio_pre_s=0.0, audio_post_s=0.1)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"colour": "red"}, "there is no parameter colour; choose from preset"),
        ({"max_waiting": 2.5}, "max_waiting must be a int, got 2.5"),
        ({"mask_format": "jpeg"}, "mask_format must be one of mono8, png, got 'jpeg'"),
        ({"patience_s": 11.0}, "patience_s must be 0.0 to 10.0, got 11.0"),
    ],
)
def test_values_without_a_node_are_checked_as_with_one(overrides, message) -> None:
    with pytest.raises(ValueError, match=message):
        override_values(default_values(), overrides)


def test_whole_numbers_are_taken_where_a_float_is_meant() -> None:
    values = override_values(default_values(), {"patience_s": 2})
    assert values == {**default_values(), "patience_s": 2.0} and isinstance(values["patience_s"], float)


def test_a_name_that_is_nearly_a_parameter_is_named_with_the_right_one_and_stays_a_warning(make_perception) -> None:
    graph = make_perception(start=False, max_frame_ofset_s=0.5)
    status = graph.status()[0]
    assert status.level == DiagnosticStatus.WARN
    assert status.message == (
        "there is no parameter max_frame_ofset_s, and what it was set to is ignored: did you mean max_frame_offset_s?"
    )


def test_a_name_of_another_node_in_a_shared_file_is_no_warning(make_perception) -> None:
    assert make_perception(start=False, gripper_force=0.5).status()[0].message == "ok"
