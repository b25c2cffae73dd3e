"""The perception node's parameters: types, meanings, ranges. Their defaults live in config/perception.yaml only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from cs3_model.stream import StreamConfig
from cs3_model.verification import VerificationConfig
from cs3_ros.conversions.pcm import PCM_ENCODINGS


@dataclass(frozen=True, kw_only=True, slots=True)
class Spec:
    """One parameter."""

    about: str
    """What it means, with its unit."""
    low: float | None = None
    """Smallest value of a number."""
    high: float | None = None
    """Largest value of a number."""
    choices: tuple[str, ...] = ()
    """Accepted strings; empty accepts any."""
    live: bool = False
    """True if it takes effect while the node is active."""


SPECS: dict[str, Spec] = {
    "preset": Spec(about="which networks and weights: a preset's name or the path of a .yaml file"),
    "device": Spec(about="auto, cpu, cuda or cuda:N"),
    "autostart": Spec(about="configure and activate at start; otherwise wait for lifecycle transitions"),
    "image_transport": Spec(
        about="auto takes the topic image, or image/compressed if only that has a publisher",
        choices=("auto", "raw", "compressed"),
    ),
    "audio_stamp_reference": Spec(
        about="which end of an audio block its stamp means; auto is the convention of the topic's type",
        choices=("auto", "start", "end"),
    ),
    "audio_stamp_offset_s": Spec(about="added to every audio stamp, s", low=-10.0, high=10.0),
    "assumed_sample_rate": Spec(
        about="sample rate of audio types that do not say it, Hz; 0 refuses them", low=0, high=768_000
    ),
    "assumed_channels": Spec(about="channels of audio types that do not say it", low=1, high=64),
    "assumed_encoding": Spec(about="sample format of audio types that do not say it", choices=tuple(PCM_ENCODINGS)),
    "audio_pre_s": Spec(about="audio before the onset that the model hears, s", low=0.0, high=10.0),
    "audio_post_s": Spec(
        about="audio after the onset that the model hears, s: masks cannot come earlier", low=0.0, high=10.0
    ),
    "max_frame_offset_s": Spec(about="the image may lie this far from the onset, s", low=0.0, high=10.0, live=True),
    "max_missing_s": Spec(about="audio that may be missing inside the window, s", low=0.0, high=10.0, live=True),
    "patience_s": Spec(about="how long an event waits for a late image or late audio, s", low=0.0, high=10.0),
    "max_waiting": Spec(about="events that may wait for the device; beyond it the oldest is given up", low=1, high=100),
    "frame_buffer_mb": Spec(about="memory for images that wait for an onset, MiB", low=1, high=4096),
    "merge_iou": Spec(
        about="alpha: masks of a greater IoU are one object; negative takes the preset's", low=-1.0, high=1.0, live=True
    ),
    "contact_distance_px": Spec(
        about="beta: objects collide if nearer than this, pixels; negative takes the preset's",
        low=-1.0,
        high=10_000.0,
        live=True,
    ),
    "mask_format": Spec(
        about="form of the masks in the messages: raw or compressed without loss", choices=("mono8", "png"), live=True
    ),
    "publish_rejected": Spec(about="send the masks of rejected candidates too", live=True),
}


def default_config_path() -> Path:
    """The installed config/perception.yaml, or that of the source tree.

    Raises:
        FileNotFoundError: if there is neither.
    """
    source = Path(__file__).resolve().parents[1] / "config" / "perception.yaml"
    try:
        installed = Path(get_package_share_directory("cs3_ros")) / "config" / "perception.yaml"
    except PackageNotFoundError:
        installed = source
    for path in (installed, source):
        if path.is_file():
            return path
    raise FileNotFoundError(f"the package's defaults are missing: {installed}; rebuild with colcon")


def declare_parameters(node: Node) -> None:
    """Declares all parameters with descriptions and ranges."""
    defaults = yaml.safe_load(default_config_path().read_text(encoding="utf-8"))["/**"]["ros__parameters"]
    for name, spec in SPECS.items():
        node.declare_parameter(name, defaults[name], _descriptor(spec, defaults[name]))


def check_change(changes: Sequence[Parameter], *, active: bool) -> SetParametersResult:
    """Accepts or refuses a change of parameters as a whole, with one line that says why."""
    for change in changes:
        spec = SPECS.get(change.name)
        if spec is None:
            continue
        if spec.choices and change.value not in spec.choices:
            reason = f"{change.name} must be one of {', '.join(spec.choices)}, got '{change.value}'"
            return SetParametersResult(successful=False, reason=reason)
        if active and not spec.live:
            reason = f"{change.name} cannot change while the node is active: deactivate and clean it up first"
            return SetParametersResult(successful=False, reason=reason)
    return SetParametersResult(successful=True)


def stream_config(node: Node) -> StreamConfig:
    """The stream's configuration from the node's parameters."""
    names = ("audio_pre_s", "audio_post_s", "max_frame_offset_s", "max_missing_s", "patience_s")
    return StreamConfig(
        **{name: node.get_parameter(name).value for name in names},
        max_frame_bytes=node.get_parameter("frame_buffer_mb").value * 2**20,
    )


def verification_config(node: Node, preset: VerificationConfig) -> VerificationConfig:
    """The preset's thresholds, with those that the node's parameters override."""
    values = {name: node.get_parameter(name).value for name in ("merge_iou", "contact_distance_px")}
    overrides = {name: value for name, value in values.items() if value >= 0.0}
    return VerificationConfig(
        **{"merge_iou": preset.merge_iou, "contact_distance_px": preset.contact_distance_px, **overrides},
        reference_width_px=preset.reference_width_px,
    )


def _descriptor(spec: Spec, default: Any) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(description=spec.about)
    if spec.choices:
        descriptor.additional_constraints = f"one of {', '.join(spec.choices)}"
    if spec.low is not None and isinstance(default, float):
        descriptor.floating_point_range = [FloatingPointRange(from_value=spec.low, to_value=spec.high)]
    elif spec.low is not None:
        descriptor.integer_range = [IntegerRange(from_value=int(spec.low), to_value=int(spec.high), step=1)]
    return descriptor
