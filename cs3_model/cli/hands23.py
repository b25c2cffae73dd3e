"""`cs3 hands23-compare`: does our Hands23 find what the reference demo found?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import cv2
import numpy as np
import typer

from cs3_model.command_errors import one_line_errors
from cs3_model.picture_files import write_picture
from cs3_model.types import UInt8Image

if TYPE_CHECKING:
    from cs3_model.networks.hands23 import HandDetections
    from cs3_model.networks.hands23.comparison import DetectionAgreement


def hands23_compare(
    image: Annotated[Path, typer.Argument(help="The image that the reference demo was run on.")],
    result_json: Annotated[Path, typer.Argument(help="The result.json of the reference demo.")],
    weights: Annotated[Path, typer.Option(help="The published checkpoint, model_hands23.pth.")],
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    drawing: Annotated[Path | None, typer.Option(help="Where to write a picture of our detections.")] = None,
) -> None:
    """Compare our detections in IMAGE with those of the reference demo. Exit code 1: they differ; 2: bad input."""
    from cs3_model.build import select_device
    from cs3_model.networks.hands23 import Hands23Detector, compare_detections, draw_detections, load_hands23

    with one_line_errors(status=2):
        pixels, reference = read_example(image, result_json)
        network = load_hands23(weights).to(select_device(device))
    detections = Hands23Detector(network, name="hands23", trained=True).detect_hands(pixels)
    if drawing is not None:
        with one_line_errors(status=2):
            write_picture(drawing, draw_detections(pixels, detections))
    agreement = compare_detections(detections, reference)
    typer.echo(report(agreement))
    raise typer.Exit(0 if agreement.agrees else 1)


def read_example(image: Path, result_json: Path) -> tuple[UInt8Image, HandDetections]:
    """Reads an image and what the reference demo found in it.

    Returns:
        RGB, uint8 [H, W, 3], and the detections under the image's file name.

    Raises:
        ValueError: if the image cannot be decoded, or the file is no result of the demo or lacks the image.
    """
    from cs3_model.networks.hands23 import read_demo_json

    bgr = cv2.imread(str(image), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ValueError(f"{image} is not an image that OpenCV can read")
    images = read_demo_json(result_json)
    if image.name not in images:
        raise ValueError(f"{result_json} has no image {image.name}; it has {', '.join(images) or 'none'}")
    return np.ascontiguousarray(bgr[..., ::-1]), images[image.name]


def report(agreement: DetectionAgreement) -> str:
    """Formats an agreement as a table with a line per hand and a verdict."""
    lines = ["reference hand | hand IoU | first object IoU | second object IoU | score difference | different labels"]
    for hand in agreement.hands:
        ious = " | ".join(_number(iou) for iou in (hand.hand_iou, hand.first_object_iou, hand.second_object_iou))
        labels = ", ".join(hand.different_labels) or "-"
        lines.append(f"{hand.reference_index} | {ious} | {_number(hand.largest_score_difference)} | {labels}")
    lines.append(f"{agreement.num_missing} hands missing, {agreement.num_extra} too many")
    lines.append("agrees with the reference" if agreement.agrees else "DIFFERS from the reference")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
