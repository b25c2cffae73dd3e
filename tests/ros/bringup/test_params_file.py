"""A parameter file is read as rcl reads it; what cannot be meant is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from cs3_ros.bringup.params_file import read_params_file


@pytest.fixture
def read(tmp_path):
    """Returns a function that reads a text for a node."""

    def read(text: str, node: str = "/perception"):
        path = tmp_path / "params.yaml"
        path.write_text(text)
        return read_params_file(path, node=node)

    return read


@pytest.mark.parametrize(
    "section, node, applies",
    [
        ("/**", "/head/perception", True),
        ("perception", "/perception", True),
        ("/perception", "/perception", True),
        ("/perception", "/head/perception", False),
        ("/head/perception", "/head/perception", True),
        ("/**/perception", "/head/perception", True),
        ("/**/perception", "/perception", True),
        ("/*/perception", "/head/perception", True),
        ("/*/perception", "/perception", False),
        ("/other", "/perception", False),
    ],
)
def test_a_section_applies_to_the_nodes_that_its_name_matches(read, section, node, applies) -> None:
    text = f"{section}:\n  ros__parameters:\n    preset: debug\n"
    if applies or section == "/other":
        assert read(text, node) == ({"preset": "debug"} if applies else {})
    else:
        with pytest.raises(ValueError, match=f"is not for {node}"):
            read(text, node)


def test_namespaces_may_be_nested_and_later_sections_win(read) -> None:
    text = """
/**: {ros__parameters: {preset: debug, device: cpu}}
head:
  perception: {ros__parameters: {preset: micro}}
"""
    assert read(text, "/head/perception") == {"preset": "micro", "device": "cpu"}


def test_what_rclpy_declares_itself_is_accepted(read) -> None:
    text = """
/perception:
  ros__parameters:
    use_sim_time: true
    qos_overrides: {/audio: {subscription: {depth: 5}}}
    mask_format: png
"""
    assert read(text) == {"mask_format": "png"}


def test_a_parameter_of_another_node_may_be_in_the_section_of_all(read) -> None:
    assert read("/**: {ros__parameters: {wheel_radius: 0.1, device: cpu}}") == {"device": "cpu"}


@pytest.mark.parametrize(
    "text, words",
    [
        (
            "/perception: {ros__parameters: {presett: debug}}",
            "/perception has no parameter presett: did you mean preset?",
        ),
        ("/**: {ros__parameters: {mask_fromat: png}}", "has no parameter mask_fromat: did you mean mask_format?"),
        ("/perception: {ros__parameters: {zzz: 1}}", "has no parameter zzz; choose from preset,"),
        ("/percepton: {ros__parameters: {preset: debug}}", "its section /percepton is not for /perception"),
        ("/perception: {preset: debug}", "/perception/preset holds no section"),
        ("/perception: {ros__parameters: {device: cpu}, preset: debug}", "preset of /perception must lie below"),
        ("preset: debug", "is no parameter file"),
        ("- preset", "is no parameter file"),
        ("a: [", "is no YAML"),
    ],
)
def test_what_cannot_be_meant_is_one_line(read, text, words) -> None:
    with pytest.raises(ValueError) as caught:
        read(text)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ValueError, match=r"params file nowhere.yaml cannot be read: No such file"):
        read_params_file(Path("nowhere.yaml"), node="/perception")
