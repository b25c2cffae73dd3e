from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cs3_model.cli.hands23 import hands23_compare, read_example, report
from cs3_model.networks.hands23 import (
    HandDetections,
    build_debug_hand_detector,
    compare_detections,
    draw_detections,
    to_demo_json,
)

APP = typer.Typer()
APP.command()(hands23_compare)


@pytest.fixture
def example(shared_data: Callable[[str], Path]) -> tuple[Path, Path]:
    """The kitchen image and the reference demo's result for it."""
    image = shared_data("hands23_example/EK_0010_P04_101_frame_0000013113.jpg")
    return image, shared_data("hands23_example/result.json")


def test_the_example_is_read_as_image_and_two_hands(example: tuple[Path, Path]) -> None:
    pixels, reference = read_example(*example)
    assert pixels.shape == (1080, 1920, 3)
    assert len(reference.hands) == 2
    assert draw_detections(pixels, reference).shape == pixels.shape


def test_a_detector_agrees_with_its_own_exported_result(example: tuple[Path, Path], tmp_path: Path) -> None:
    image, _ = example
    detector = build_debug_hand_detector()
    pixels, _ = read_example(*example)
    detections = detector.detect_hands(pixels)
    exported = tmp_path / "result.json"
    exported.write_text(json.dumps(to_demo_json({image.name: detections})))
    agreement = compare_detections(detector.detect_hands(pixels), read_example(image, exported)[1])
    assert len(agreement.hands) == len(detections.hands) > 1
    assert report(agreement).endswith("agrees with the reference")


def test_random_weights_differ_from_the_reference(example: tuple[Path, Path]) -> None:
    pixels, reference = read_example(*example)
    agreement = compare_detections(build_debug_hand_detector().detect_hands(pixels), reference)
    assert "DIFFERS" in report(agreement)
    assert "2 hands missing" in report(compare_detections(HandDetections(), reference))


@pytest.mark.parametrize("bad", ["image", "result", "name", "weights", "missing weights"])
def test_bad_input_ends_with_one_line_and_exit_code_2(bad: str, example: tuple[Path, Path], tmp_path: Path) -> None:
    image, result = example
    junk = tmp_path / "junk"
    junk.write_text("junk")
    other_name = tmp_path / "other.jpg"
    other_name.write_bytes(image.read_bytes())
    arguments = {
        "image": [junk, result, "--weights", junk],
        "result": [image, junk, "--weights", junk],
        "name": [other_name, result, "--weights", junk],
        "weights": [image, result, "--weights", junk],
        "missing weights": [image, result, "--weights", tmp_path / "absent.pth"],
    }[bad]
    outcome = CliRunner().invoke(APP, [str(argument) for argument in arguments])
    assert outcome.exit_code == 2
    assert outcome.output.startswith("error: ") and len(outcome.output.splitlines()) == 1
    assert {"name": "other.jpg", "missing weights": "absent.pth"}.get(bad, "junk") in outcome.output
