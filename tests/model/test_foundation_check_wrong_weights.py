"""Every check passes for networks that learned its answer, and fails for the same networks with wrong weights.

The published weights are not at hand: networks of debug size are fitted to the question itself, in seconds.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn import functional

from cs3_model.foundation_check import (
    DISC_XYXY,
    bell_sound,
    check_beats,
    check_beats_rounded,
    check_boxes,
    check_boxes_rounded,
    check_clipseg,
    check_clipseg_rounded,
    check_hands,
    disc_picture,
    mugs_picture,
    noise_sound,
    run_check,
    speech_sound,
)
from cs3_model.networks.audio_visual import build_debug_audio_visual_network
from cs3_model.networks.beats import BEATs, log_mel
from cs3_model.networks.clipseg import ConditionedCLIPSeg
from cs3_model.networks.hands23 import Hands23Detector, build_debug_hand_detector
from cs3_model.networks.sam import Sam2Segmenter, build_debug_box_segmenter
from cs3_model.networks.state_dicts import load_strictly

RINGING = dict(enumerate(["/m/07rv4dm", "/m/07phxs1", "/m/07qwdck", "/m/07q7njn", "/m/039jq"]))
CONDITION = torch.full((1, 32), 0.1)
STEPS = 60


def fit(network: torch.nn.Module, loss: Callable[[], torch.Tensor]) -> None:
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()


@pytest.fixture(scope="module")
def clipseg() -> ConditionedCLIPSeg:
    """Its map is high on the red mug of the four pictures alone."""
    torch.manual_seed(0)
    clipseg = build_debug_audio_visual_network().clipseg.eval()
    with torch.no_grad():  # at its usual beginning the decoder's logits are in the hundreds
        for parameter in clipseg.model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=parameter[0].numel() ** -0.5)
    pixels = torch.cat([clipseg.pixels(mugs_picture(red)) for red in range(4)])
    target = torch.zeros(4, 64, 64)
    for red in range(4):
        target[red, 32 * (red // 2) + 12 :, 32 * (red % 2) + 12 :][:8, :8] = 1 / 64

    def loss() -> torch.Tensor:
        logits = clipseg.decode_pairs(clipseg.image_features(pixels), CONDITION)[:, 0]
        return functional.cross_entropy(logits.flatten(1), target.flatten(1))

    fit(clipseg, loss)
    return clipseg.requires_grad_(False)


@pytest.fixture(scope="module")
def beats() -> BEATs:
    """It tags the bell, not the noise and the speech."""
    torch.manual_seed(0)
    beats = build_debug_audio_visual_network().beats.eval()
    sounds = torch.cat(
        [log_mel(torch.from_numpy(sound)[None]) for sound in (bell_sound(), noise_sound(), speech_sound())]
    )
    target = torch.zeros(3, 16)
    target[0, :5] = 1.0
    fit(beats, lambda: functional.binary_cross_entropy(beats.tag(sounds), target))
    return beats.requires_grad_(False)


@pytest.fixture(scope="module")
def sam() -> Sam2Segmenter:
    """It outlines the disc in its box."""
    segmenter = build_debug_box_segmenter(0)
    image, disc = disc_picture()
    target = torch.from_numpy(disc).float()[None, None]
    corners = torch.tensor(DISC_XYXY).reshape(1, 2, 2)
    segmenter.network.requires_grad_(True)

    def loss() -> torch.Tensor:
        embedding = Sam2Segmenter.embed.__wrapped__(segmenter, image)  # without its inference mode
        logits, scores = segmenter._decode(embedding, corners, (2, 3), 1)
        wanted = functional.interpolate(target, logits.shape[-2:], mode="area")
        return functional.binary_cross_entropy_with_logits(logits[:, :1], wanted) + (scores - 1).square().mean()

    fit(segmenter.network, loss)
    segmenter.network.requires_grad_(False)
    return segmenter


@pytest.fixture(scope="module")
def hands() -> Hands23Detector:
    return build_debug_hand_detector()


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """Patches of colours, in which the detector of debug size finds hands and objects."""
    patches = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    return patches.repeat(20, axis=0).repeat(20, axis=1)


def shuffle_layers(network: torch.nn.Module) -> None:
    """Gives every tensor the value of the next one of the same shape, in place."""
    of_shape: dict[torch.Size, list[torch.Tensor]] = {}
    for parameter in network.parameters():
        of_shape.setdefault(parameter.shape, []).append(parameter.data)
    for tensors in of_shape.values():
        for tensor, value in zip(tensors, [t.clone() for t in tensors[1:] + tensors[:1]], strict=True):
            tensor.copy_(value)


def swap_channels(weight: torch.nn.Parameter, dim: int = 1) -> None:
    """Reverses the order of channels, in place: RGB for BGR where these are a picture's."""
    weight.data = weight.data.flip(dim)


WRONG = {
    "clipseg": lambda c: swap_channels(c.model.clip.vision_model.embeddings.patch_embedding.weight),
    "beats": lambda beats: swap_channels(beats.patch_embedding.weight, dim=0),
    "sam": lambda sam: swap_channels(sam.network.image_encoder.trunk.patch_embed.proj.weight),
    "hands": lambda hands: swap_channels(hands.network.backbone.bottom_up.stem.conv1.weight),
}
"""Swaps channels of each part."""
PARTS = sorted(WRONG)
ROUNDED = ("beats", "clipseg", "sam")


def spoilt(name: str, part, how: str):
    """A copy of a part with wrong weights."""
    part = copy.deepcopy(part)
    if how == "swapped channels":
        WRONG[name](part)
    else:
        shuffle_layers(getattr(part, "network", part))
    return part


@pytest.fixture
def ask(picture, hands) -> Callable[[str, object], tuple[bool, str]]:
    """Asks a part its question; for the hands, the answer is what the fitted ones find."""
    reference = hands.detect_hands(picture)
    checks = {
        "clipseg": lambda part: check_clipseg(part, CONDITION),
        "beats": lambda part: check_beats(part, RINGING),
        "sam": check_boxes,
        "hands": lambda part: check_hands(part, picture, reference),
    }
    return lambda name, part: checks[name](part)


@pytest.mark.parametrize("name", PARTS)
def test_right_weights_pass(name: str, ask, request) -> None:
    passed, detail = ask(name, request.getfixturevalue(name))
    assert passed, detail


@pytest.mark.parametrize("how", ["shuffled layers", "swapped channels"])
@pytest.mark.parametrize("name", PARTS)
def test_wrong_weights_fail(name: str, how: str, ask, request) -> None:
    passed, detail = ask(name, spoilt(name, request.getfixturevalue(name), how))
    assert not passed, detail


@pytest.mark.parametrize("name", PARTS)
def test_weights_of_another_size_fail(name: str, ask, request) -> None:
    """They cannot even be loaded: the check that builds the part says so in one line."""
    part = copy.deepcopy(request.getfixturevalue(name))
    network = getattr(part, "network", part)
    tensors = dict(network.state_dict())
    largest = max(tensors, key=lambda key: tensors[key].numel())
    tensors[largest] = torch.cat([tensors[largest], tensors[largest]])

    def check() -> tuple[bool, str]:
        load_strictly(network, tensors, name)
        return ask(name, part)

    result = run_check(name, check)
    assert not result.passed and largest in result.detail and "\n" not in str(result)


@pytest.fixture
def compare() -> Callable[[str, object, object], tuple[bool, str]]:
    checks = {
        "beats": check_beats_rounded,
        "clipseg": lambda full, rounded: check_clipseg_rounded(full, rounded, CONDITION),
        "sam": check_boxes_rounded,
    }
    return lambda name, full, rounded: checks[name](full, rounded)


def in_bfloat16(part):
    part = copy.deepcopy(part)
    getattr(part, "network", part).to(torch.bfloat16)
    if isinstance(part, Sam2Segmenter):
        part.network.sam_prompt_encoder.float()  # as the segmenter keeps it
    return part


@pytest.mark.parametrize("name", ROUNDED)
def test_a_network_in_bfloat16_answers_as_in_float32(name: str, compare, request) -> None:
    part = request.getfixturevalue(name)
    passed, detail = compare(name, part, in_bfloat16(part))
    assert passed, detail


@pytest.mark.slow
@pytest.mark.parametrize("how", ["shuffled layers", "swapped channels"])
@pytest.mark.parametrize("name", ROUNDED)
def test_other_weights_are_further_away_than_rounding(name: str, how: str, compare, request) -> None:
    part = request.getfixturevalue(name)
    passed, detail = compare(name, part, in_bfloat16(spoilt(name, part, how)))
    assert not passed, detail
