"""The table of arguments: what is given is checked, what is not given changes nothing."""

from __future__ import annotations

import pytest

from cs3_ros.bringup.arguments import Arguments, describe_arguments, read_arguments


def test_nothing_given_gives_the_node_no_parameters() -> None:
    assert read_arguments({}) == Arguments()
    assert Arguments().node_parameters() == {}


def test_an_empty_value_is_not_given() -> None:
    assert read_arguments({"preset": "", "autostart": "", "bag": "", "microphone": ""}) == Arguments()


@pytest.mark.parametrize("text, value", [("true", True), ("True", True), ("false", False), ("False", False)])
def test_switches_are_written_as_in_yaml_or_as_in_python(text, value) -> None:
    assert read_arguments({"autostart": text}).autostart is value
    assert read_arguments({"use_sim_time": text}).use_sim_time is value


def test_given_parameters_of_the_node_are_handed_on() -> None:
    arguments = read_arguments({"preset": "debug", "device": "cpu", "autostart": "False", "image_transport": "raw"})
    wanted = {"preset": "debug", "device": "cpu", "autostart": False, "image_transport": "raw"}
    assert arguments.node_parameters() == wanted


@pytest.mark.parametrize(
    "given, words",
    [
        ({"prest": "micro"}, "there is no argument prest: did you mean preset?"),
        ({"zzz": "1"}, "there is no argument zzz; choose from preset, device,"),
        ({"rviz": "yes"}, "rviz must be true or false, got 'yes'"),
        ({"log_level": "loud"}, "log_level must be one of debug, info, warn, error, fatal, got 'loud'"),
        ({"image_transport": "jpeg"}, "image_transport must be one of auto, raw, compressed, got 'jpeg'"),
        ({"image": "/camera/my rgb"}, "image:=/camera/my rgb is not the name of a topic"),
        ({"namespace": "1st"}, "namespace:=1st is not a namespace"),
        ({"bag": "a", "microphone": "true"}, "microphone and bag would publish the same topic"),
        ({"exit_with_bag": "true"}, "exit_with_bag needs a bag"),
    ],
)
def test_what_cannot_be_is_one_line(given, words) -> None:
    with pytest.raises(ValueError) as caught:
        read_arguments(given)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_defaults_are_shown_as_they_are_and_presets_by_name() -> None:
    described = {entry.name: entry for entry in describe_arguments()}
    assert described["preset"].default == "auto" and described["device"].default == "auto"
    assert described["autostart"].default == "true" and described["microphone"].default == "false"
    assert "debug, foundation, micro" in described["preset"].about
    assert (
        "(raw" not in described["image_transport"].about
        and "(auto, raw, compressed)" in described["image_transport"].about
    )
    assert all(len(entry.about) > 10 for entry in described.values())
