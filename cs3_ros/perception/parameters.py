"""The perception node's parameters: types, meanings, ranges. Their defaults live in config/perception.yaml only."""

from __future__ import annotations

import difflib
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from cs3_model.preset_files import check_preset_name
from cs3_model.stream import StreamConfig
from cs3_model.verification import VerificationConfig
from cs3_ros.conversions.audio import AudioFormat
from cs3_ros.conversions.pcm import PCM_ENCODINGS
from cs3_ros.default_parameters import OVERRIDES_OF_QOS, PARAMETERS_OF_RCLPY, default_values

if TYPE_CHECKING:
    from cs3_model.build import Preset  # imports PyTorch, which takes seconds


class Changes(enum.Enum):
    """When a parameter may change."""

    ALWAYS = "at any time"
    """At once, for the next event."""
    INACTIVE = "while not active"
    """With the next activation."""
    UNCONFIGURED = "before configuring"
    """With the next configuration."""


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
    changes: Changes = Changes.INACTIVE
    """When it may change."""


SPECS: dict[str, Spec] = {
    "preset": Spec(
        about="which networks and weights: auto, a preset's name or the path of a .yaml file",
        changes=Changes.UNCONFIGURED,
    ),
    "device": Spec(about="auto, cpu, cuda or cuda:N", changes=Changes.UNCONFIGURED),
    "autostart": Spec(
        about="configure and activate at start; otherwise wait for lifecycle transitions", changes=Changes.UNCONFIGURED
    ),
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
    "input_timeout_s": Spec(about="an input that brings nothing for longer is an error, s", low=0.1, high=60.0),
    "min_image_rate_hz": Spec(about="fewer images per second are a warning; 0 accepts any rate", low=0.0, high=1000.0),
    "max_input_loss": Spec(about="share of messages, or of the sound, that may be lost", low=0.0, high=1.0),
    "audio_pre_s": Spec(
        about="audio before the onset that the model hears, s; negative takes the preset's", low=-1.0, high=10.0
    ),
    "audio_post_s": Spec(
        about="audio after the onset that the model hears, s: masks cannot come earlier; negative takes the preset's",
        low=-1.0,
        high=10.0,
    ),
    "max_frame_offset_s": Spec(
        about="the image may lie this far from the onset, s", low=0.0, high=10.0, changes=Changes.ALWAYS
    ),
    "replace_bad_frame": Spec(
        about="take the next nearest image where the nearest one cannot be decoded, instead of bad_frame",
        changes=Changes.ALWAYS,
    ),
    "max_missing_s": Spec(
        about="audio that may be missing inside the window, s", low=0.0, high=10.0, changes=Changes.ALWAYS
    ),
    "motion_wait_s": Spec(
        about="how long an event waits for the image after the onset that tells what moved, s of sound",
        low=0.0,
        high=10.0,
    ),
    "patience_s": Spec(about="how long an event waits for a late image or late audio, s", low=0.0, high=10.0),
    "max_waiting": Spec(about="events that may wait for the device; beyond it the oldest is given up", low=1, high=100),
    "device_timeout_s": Spec(
        about="one event or request that takes the networks longer means that the device hangs: the process ends, s",
        low=1.0,
        high=3600.0,
        changes=Changes.ALWAYS,
    ),
    "frame_buffer_mb": Spec(about="memory for images that wait for an onset, MiB", low=1, high=4096),
    "merge_iou": Spec(
        about="alpha: masks of a greater IoU are one object; negative takes the preset's",
        low=-1.0,
        high=1.0,
        changes=Changes.ALWAYS,
    ),
    "contact_distance_px": Spec(
        about="beta: objects collide if nearer than this, pixels; negative takes the preset's",
        low=-1.0,
        high=10_000.0,
        changes=Changes.ALWAYS,
    ),
    "mask_format": Spec(
        about="form of the masks in the messages: raw or compressed without loss",
        choices=("mono8", "png"),
        changes=Changes.ALWAYS,
    ),
    "publish_rejected": Spec(about="send the masks of rejected candidates too", changes=Changes.ALWAYS),
}


def override_values(values: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The values with some replaced, checked as a node checks them, where there is no node to do so.

    Raises:
        ValueError: if a name is no parameter, or a value has the wrong type or is out of range.
    """
    for name, value in overrides.items():
        spec = SPECS.get(name)
        if spec is None:
            raise ValueError(f"there is no parameter {name}; choose from {', '.join(SPECS)}")
        kind = type(values[name])
        if type(value) is not kind and not (kind is float and type(value) is int):
            raise ValueError(f"{name} must be a {kind.__name__}, got {value!r}")
        if spec.choices and value not in spec.choices:
            raise ValueError(f"{name} must be one of {', '.join(spec.choices)}, got '{value}'")
        if spec.low is not None and not spec.low <= value <= spec.high:
            raise ValueError(f"{name} must be {spec.low} to {spec.high}, got {value}")
    return {**values, **{name: type(values[name])(value) for name, value in overrides.items()}}


def declare_parameters(node: Node) -> None:
    """Declares all parameters with descriptions and ranges."""
    defaults = default_values()
    for name, spec in SPECS.items():
        node.declare_parameter(name, defaults[name], _descriptor(spec, defaults[name]))


def check_change(
    node: Node, changes: Sequence[Parameter[Any]], *, preset: Preset | None, active: bool
) -> SetParametersResult:
    """Accepts or refuses a change of parameters as a whole, with one line that says why.

    Args:
        node: The node, with its present values.
        changes: What is to change.
        preset: The preset that is loaded; None while the node is not configured.
        active: Whether the node listens.
    """
    try:
        for change in changes:
            if change.name in SPECS:
                _check(change, SPECS[change.name], configured=preset is not None, active=active)
        if all(node.has_parameter(name) for name in SPECS):  # later than the declarations
            for change in changes:
                if change.name == "preset":
                    check_preset_name(change.value)
            stream_config({**parameter_values(node), **{change.name: change.value for change in changes}}, preset)
    except ValueError as error:
        return SetParametersResult(successful=False, reason=str(error))
    return SetParametersResult(successful=True)


def _check(change: Parameter[Any], spec: Spec, *, configured: bool, active: bool) -> None:
    """Types and ranges are checked by rclpy."""
    name = change.name
    if spec.choices and change.value not in spec.choices:
        raise ValueError(f"{name} must be one of {', '.join(spec.choices)}, got '{change.value}'")
    if spec.changes is Changes.UNCONFIGURED and configured:
        raise ValueError(f"{name} cannot change once the node is configured: deactivate and clean it up first")
    if spec.changes is Changes.INACTIVE and active:
        raise ValueError(f"{name} cannot change while the node is active: deactivate it first")


def unknown_parameters(node: Node) -> dict[str, str]:
    """What the command line or a parameter file sets that the node does not have: by name the nearest right one, or "".

    Args:
        node: The node, with its parameters declared.
    """
    unknown = {}
    for name in sorted(node._parameter_overrides):
        if node.has_parameter(name) or name in PARAMETERS_OF_RCLPY or name.startswith(OVERRIDES_OF_QOS):
            continue
        unknown[name] = next(iter(difflib.get_close_matches(name, SPECS, n=1)), "")
    return unknown


def parameter_values(node: Node) -> dict[str, Any]:
    """The values of all parameters by name."""
    return {name: node.get_parameter(name).value for name in SPECS}


def audio_options(values: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments of `audio_adapter` and `block_reader` from the values of the parameters.

    Raises:
        ValueError: if the assumed format cannot be that of PCM audio.
    """
    assumed = None
    if values["assumed_sample_rate"]:
        assumed = AudioFormat(
            sample_rate_hz=values["assumed_sample_rate"],
            channels=values["assumed_channels"],
            encoding=values["assumed_encoding"],
        )
    return {
        "stamp_reference": values["audio_stamp_reference"],
        "offset_s": values["audio_stamp_offset_s"],
        "assumed_format": assumed,
    }


def stream_config(values: Mapping[str, Any], preset: Preset | None) -> StreamConfig:
    """The stream's configuration from the values of the parameters.

    Args:
        values: The values by name.
        preset: Says how much sound its networks hear, where the parameters do not; None where it is not known yet.

    Raises:
        ValueError: if they do not fit together.
    """
    names = ("max_frame_offset_s", "replace_bad_frame", "max_missing_s", "motion_wait_s", "patience_s")
    window: dict[str, Any] = (
        {} if preset is None else {"audio_pre_s": preset.audio_pre_s, "audio_post_s": preset.audio_post_s}
    )
    window |= _overridden(values, "audio_pre_s", "audio_post_s")
    return StreamConfig(
        **window,
        motion_s=0.0 if preset is None else preset.motion_s,
        **{name: values[name] for name in names},
        max_frame_bytes=values["frame_buffer_mb"] * 2**20,
    )


def verification_config(values: Mapping[str, Any], preset: Preset) -> VerificationConfig:
    """The preset's thresholds, with those that the parameters override."""
    return replace(preset.pipeline.verification, **_overridden(values, "merge_iou", "contact_distance_px"))


def _overridden(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The values that are not left to the preset."""
    return {name: values[name] for name in names if values[name] >= 0.0}


def _descriptor(spec: Spec, default: Any) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(description=spec.about)
    if spec.choices:
        descriptor.additional_constraints = f"one of {', '.join(spec.choices)}"
    if spec.low is None or spec.high is None:
        return descriptor
    if isinstance(default, float):
        descriptor.floating_point_range = [FloatingPointRange(from_value=spec.low, to_value=spec.high)]
    else:
        descriptor.integer_range = [IntegerRange(from_value=int(spec.low), to_value=int(spec.high), step=1)]
    return descriptor
