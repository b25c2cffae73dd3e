"""Under which names a bag's topics must be published so that the perception node's inputs hear and see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from cs3_ros.conversions.audio import SUPPORTED_AUDIO_TYPES
from cs3_ros.conversions.images import IMAGE_TYPES

_COMPRESSED = "/compressed"
_TYPES: dict[str, tuple[str, ...]] = {
    "image": tuple(IMAGE_TYPES),
    "audio": tuple(SUPPORTED_AUDIO_TYPES),
    "camera_info": ("sensor_msgs/msg/CameraInfo",),
}
INPUTS = tuple(_TYPES)
"""The node's inputs."""


def input_remappings(
    types: Mapping[str, str], inputs: Mapping[str, str], resolve: Callable[[str], str]
) -> dict[str, str]:
    """Finds the topics of the inputs in a bag: by their names, or else the only one of a fitting type.

    Args:
        types: Types of the bag's topics by name.
        inputs: Topics to publish, by input: ``{"image": "camera/rgb", "audio": "audio"}``.
        resolve: Makes a name absolute, in the namespace of the publishing node.

    Returns:
        Names to publish under, by the names in the bag.

    Raises:
        ValueError: if the bag has no image or audio, or several and none under the name.
    """
    remappings: dict[str, str] = {}
    for kind, name in inputs.items():
        fitting = {
            topic: _published(topic, type_name, name) for topic, type_name in types.items() if _fits(kind, type_name)
        }
        by_name = [topic for topic, to in fitting.items() if topic in (resolve(to), "/" + to.lstrip("/"))]
        found = sorted(by_name)[:1] or list(fitting)  # of two forms of one image the raw one
        if kind == "camera_info" and len(found) != 1:
            found = _beside_the_image(found, remappings)
        if len(found) == 1:
            remappings[found[0]] = fitting[found[0]]
        elif kind != "camera_info":
            raise ValueError(
                f"the bag has several {kind} topics, {', '.join(sorted(found))}: name one, {kind}:={sorted(found)[0]}"
                if found
                else f"the bag has no {kind} topic of a supported type; it has {', '.join(sorted(types))}"
            )
    return remappings


def _fits(kind: str, type_name: str) -> bool:
    return type_name in _TYPES[kind]


def _published(topic: str, type_name: str, name: str) -> str:
    """Compressed images go by the name of the raw topic with a suffix."""
    return name + _COMPRESSED if type_name.endswith("/CompressedImage") and not name.endswith(_COMPRESSED) else name


def _beside_the_image(found: list[str], remappings: Mapping[str, str]) -> list[str]:
    """The calibration in the folder of the chosen image, or none."""
    folders = {PurePosixPath(topic.removesuffix(_COMPRESSED)).parent for topic in remappings}
    beside = [topic for topic in found if PurePosixPath(topic).parent in folders]
    return beside if len(beside) == 1 else []
