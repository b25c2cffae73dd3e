"""Do the networks of `foundation` see and hear, with the weights that are on this machine? Small questions whose answers
are known.

The questions are asked of networks that are built already, so that tests can ask wrong ones. The limits are wide: other
arithmetic stays far inside them, wrong weights (shuffled layers, swapped channels, random numbers) far outside. They were
chosen without the published weights at hand.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from cs3_model.geometry import intersection_over_union
from cs3_model.networks.beats import BEATs, log_mel
from cs3_model.networks.clipseg import ConditionedCLIPSeg
from cs3_model.networks.hands23 import HandDetections, Hands23Detector, compare_detections
from cs3_model.parts import BoxSegmenter
from cs3_model.types import MODEL_SAMPLE_RATE_HZ, BoolMask, Float32Array, UInt8Image

RED_MUG = "a photo of a red mug"
DISC_XYXY = (315.0, 115.0, 485.0, 285.0)
"""The box around the disc of `disc_picture`."""
_LEAST_DISC_IOU = 0.9
_LEAST_RATIO = 3.0
_MOST_ROUNDING = 0.1
"""Distance of a network's answer in bfloat16 from that in float32, of its spread: rounding of 12 layers makes about
sqrt(12) 2^-8 = .014 and, where terms cancel, some times that; wrong weights make .5 and more (in tests, at debug size)."""
_LEAST_ROUNDED_IOU = 0.98
_RINGING = ("/m/07rv4dm", "/m/07phxs1", "/m/07qwdck", "/m/07q7njn", "/m/039jq")
"""Clang, ding, ping, chink and glass in AudioSet."""
_CENTRES_XY = ((160, 120), (480, 120), (160, 360), (480, 360))


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckResult:
    """The answer to one question."""

    name: str
    passed: bool
    detail: str
    """What was found, and what was wanted."""
    duration_s: float = 0.0

    def __str__(self) -> str:
        return f"{'ok  ' if self.passed else 'FAIL'} {self.name}: {self.detail} ({self.duration_s:.2f} s)"


def run_check(name: str, check: Callable[[], tuple[bool, str]]) -> CheckResult:
    """Asks one question; a failure of any kind is an answer too."""
    start_s = time.perf_counter()
    try:
        passed, detail = check()
    except Exception as error:  # networks with wrong weights may fail in any way
        passed, detail = False, " ".join(f"{type(error).__name__}: {error}".split())
    return CheckResult(name=name, passed=passed, detail=detail, duration_s=time.perf_counter() - start_s)


def check_boxes(boxes: BoxSegmenter) -> tuple[bool, str]:
    """SAM 2.1: the mask of a disc in a box around it is the disc."""
    image, disc = disc_picture()
    iou = float(intersection_over_union(_disc_mask(boxes, image), disc))
    return iou >= _LEAST_DISC_IOU, f"IoU {iou:.3f} with a disc, at least {_LEAST_DISC_IOU} wanted"


@torch.inference_mode()
def check_clipseg(clipseg: ConditionedCLIPSeg, condition_1P: Tensor) -> tuple[bool, str]:
    """CLIPSeg: asked for `RED_MUG`, the peak of the map is on the red one of four mugs, wherever that is."""
    found = 0
    for red in range(len(_CENTRES_XY)):
        logits = _map(clipseg, condition_1P, mugs_picture(red))
        row, column = np.unravel_index(logits.argmax(), logits.shape)
        x, y = 640 * (column + 0.5) / logits.shape[1], 480 * (row + 0.5) / logits.shape[0]
        centre_x, centre_y = _CENTRES_XY[red]
        found += bool(abs(x - centre_x) <= 90 and abs(y - centre_y) <= 70)
    return found == len(_CENTRES_XY), f"the peak is on the red mug in {found} of {len(_CENTRES_XY)} pictures"


@torch.inference_mode()
def check_beats(beats: BEATs, label_dict: Mapping[int, str]) -> tuple[bool, str]:
    """BEATs: a bell rings more than noise and something like speech do."""
    index_of = {machine_id: int(index) for index, machine_id in label_dict.items()}
    ringing = [index_of[machine_id] for machine_id in _RINGING]
    device = next(beats.parameters()).device
    bell, noise, speech = (
        float(beats.tag(log_mel(torch.from_numpy(sound)[None]).to(device))[0, ringing].float().sum())
        for sound in (bell_sound(), noise_sound(), speech_sound())
    )
    detail = f"tags of ringing: {bell:.3f} of a bell, {noise:.3f} of noise, {speech:.3f} of something like speech"
    return bell >= _LEAST_RATIO * max(noise, speech), detail


def check_hands(hands: Hands23Detector, image: UInt8Image, reference: HandDetections) -> tuple[bool, str]:
    """Hands23: it finds in its demo's picture what its authors published: boxes, sides and links."""
    agreement = compare_detections(hands.detect_hands(image), reference)
    found = sum(hand.agrees for hand in agreement.hands)
    detail = f"{found} hands as published, {len(agreement.hands) - found} otherwise, {agreement.num_missing} missing, "
    return agreement.agrees, f"{detail}{agreement.num_extra} too many"


@torch.inference_mode()
def check_beats_rounded(full: BEATs, rounded: BEATs) -> tuple[bool, str]:
    """BEATs in bfloat16: it hears the bell as in float32."""
    answers = []
    for beats in (full, rounded):
        weight = next(beats.parameters())
        # The spectrogram stays float32, as everywhere; the network casts it.
        spectrogram = log_mel(torch.from_numpy(bell_sound())[None]).to(weight.device)
        answers.append(beats(spectrogram, blocks=(len(beats.encoder.layers) - 1,))[0].float().cpu())
    return _distance(*answers)


@torch.inference_mode()
def check_clipseg_rounded(
    full: ConditionedCLIPSeg, rounded: ConditionedCLIPSeg, condition_1P: Tensor
) -> tuple[bool, str]:
    """CLIPSeg in bfloat16: its map of the mugs is that of float32."""
    weight = next(rounded.parameters())
    maps = (_map(clipseg, condition_1P.to(weight.device, next(clipseg.parameters()).dtype), mugs_picture(0))
            for clipseg in (full, rounded))  # fmt: skip
    return _distance(*(torch.from_numpy(logits) for logits in maps))


def check_boxes_rounded(full: BoxSegmenter, rounded: BoxSegmenter) -> tuple[bool, str]:
    """SAM 2.1 in bfloat16: its mask of the disc is that of float32."""
    image, _ = disc_picture()
    mask = _disc_mask(full, image)
    iou = float(intersection_over_union(_disc_mask(rounded, image), mask))
    return bool(
        mask.any()
    ) and iou >= _LEAST_ROUNDED_IOU, f"IoU {iou:.3f} with float32, at least {_LEAST_ROUNDED_IOU} wanted"


def _distance(full: Tensor, rounded: Tensor) -> tuple[bool, str]:
    distance = float((rounded - full).norm() / (full - full.mean()).norm())
    return distance <= _MOST_ROUNDING, f"{distance:.4f} from float32, of its spread, at most {_MOST_ROUNDING} wanted"


def _map(clipseg: ConditionedCLIPSeg, condition_1P: Tensor, image: UInt8Image) -> Float32Array:
    features = clipseg.image_features(clipseg.pixels(image).to(condition_1P))
    return clipseg.decode_pairs(features, condition_1P)[0, 0].float().cpu().numpy()


def _disc_mask(boxes: BoxSegmenter, image: UInt8Image) -> BoolMask:
    (mask,), _ = boxes.segment(boxes.embed(image), np.array([DISC_XYXY], np.float32))
    return mask


def disc_picture() -> tuple[UInt8Image, BoolMask]:
    """A yellow disc on grey, and where it is."""
    image = np.full((480, 640, 3), 90, np.uint8)
    cv2.circle(image, (400, 200), 80, (220, 200, 40), -1)
    return image, (image != 90).any(axis=2)


def mugs_picture(red: int) -> UInt8Image:
    """Four mugs on a table, one of them red.

    Args:
        red: Which: top left, top right, bottom left, bottom right.
    """
    image = np.full((480, 640, 3), (190, 170, 140), np.uint8)
    others = iter(((40, 60, 180), (60, 140, 70), (230, 230, 225)))
    for index, (x, y) in enumerate(_CENTRES_XY):
        colour = (200, 30, 30) if index == red else next(others)
        cv2.ellipse(image, (x + 45, y), (28, 32), 0, 0, 360, colour, 12)
        cv2.rectangle(image, (x - 45, y - 55), (x + 45, y + 55), colour, -1)
        cv2.ellipse(image, (x, y - 55), (45, 12), 0, 0, 360, tuple(int(0.6 * value) for value in colour), -1)
    return image


def bell_sound() -> Float32Array:
    """Two seconds with a stroke of a bell after half a second, 16 kHz."""
    time_s = np.arange(2 * MODEL_SAMPLE_RATE_HZ) / MODEL_SAMPLE_RATE_HZ - 0.5
    partials = ((880, 1.0, 1.5), (1760, 0.7, 2.5), (2640, 0.5, 3.5), (4752, 0.4, 5.0))
    rung = sum(level * np.exp(-rate * time_s) * np.sin(2 * np.pi * hz * time_s) for hz, level, rate in partials)
    return np.where(time_s < 0, 0.0, 0.3 * rung).astype(np.float32)


def noise_sound() -> Float32Array:
    """Two seconds of white noise, 16 kHz."""
    return (0.1 * np.random.default_rng(0).standard_normal(2 * MODEL_SAMPLE_RATE_HZ)).clip(-1, 1).astype(np.float32)


def speech_sound() -> Float32Array:
    """Two seconds of something like speech: pulses of a voice at 120 Hz through two formants, four syllables a second."""
    time_s = np.arange(2 * MODEL_SAMPLE_RATE_HZ) / MODEL_SAMPLE_RATE_HZ
    voice = sum(
        sum(np.exp(-(((120 * partial - formant_hz) / 150) ** 2)) for formant_hz in (600, 1300))
        * np.sin(2 * np.pi * 120 * partial * time_s)
        for partial in range(1, 30)
    )
    syllables = np.sin(2 * np.pi * 2 * time_s) ** 2
    return (0.1 * voice * syllables).clip(-1, 1).astype(np.float32)
