"""Following by SAM 2's memory, with tiny random networks: what it sees means nothing, what it computes does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sam2.sam2_video_predictor import SAM2VideoPredictor

from cs3_model.networks.sam import build_debug_memory_network, build_sam2, normalised_square
from cs3_model.tracking.memory_tracker import MemoryTracker
from cs3_model.types import BoolMask, UInt8Image

SIZE_HW = (60, 90)


def images(number: int) -> list[UInt8Image]:
    """A bright square that moves two pixels to the right per image, over noise."""
    rng = np.random.default_rng(0)
    made = [rng.integers(0, 60, (*SIZE_HW, 3), np.uint8) for _ in range(number)]
    for index, image in enumerate(made):
        image[20:40, 10 + 2 * index : 30 + 2 * index] = 220
    return made


def two_masks() -> list[BoolMask]:
    masks = np.zeros((2, *SIZE_HW), bool)
    masks[0, 20:40, 10:30] = True
    masks[1, 5:15, 50:80] = True
    return list(masks)


def network_that_sees() -> torch.nn.Module:
    """By chance the random one finds that neither object is there."""
    network = build_debug_memory_network()
    network.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.data.fill_(1.0)
    return network


def upstream_masks(network: torch.nn.Module, frames: list[UInt8Image], masks: list[BoolMask]) -> list[BoolMask]:
    """What sam2's own predictor says of a whole video: [N, H, W] for each image."""
    predictor = SAM2VideoPredictor.__new__(SAM2VideoPredictor)
    predictor.__dict__.update(network.__dict__)
    predictor.fill_hole_area, predictor.non_overlap_masks = 0, False
    predictor.clear_non_cond_mem_around_input = predictor.add_all_frames_to_correct_as_cond = False
    height, width = SIZE_HW
    video = torch.cat([normalised_square(frame, network.image_size, torch.device("cpu")) for frame in frames])
    state = empty_state(video, height, width)
    for number, mask in enumerate(masks):
        predictor.add_new_mask(state, frame_idx=0, obj_id=number, mask=torch.from_numpy(mask))
    return [(logits[:, 0] > 0).numpy() for _, _, logits in predictor.propagate_in_video(state)]


def empty_state(video: torch.Tensor, height: int, width: int) -> dict:
    """As `SAM2VideoPredictor.init_state` makes it of a folder of pictures."""
    names = (
        "point_inputs_per_obj",
        "mask_inputs_per_obj",
        "cached_features",
        "constants",
        "output_dict_per_obj",
        "temp_output_dict_per_obj",
        "frames_tracked_per_obj",
    )
    state: dict = {name: {} for name in names}
    state |= {"images": video, "num_frames": len(video), "video_height": height, "video_width": width}
    state |= {"offload_video_to_cpu": False, "offload_state_to_cpu": False}
    state |= {"device": torch.device("cpu"), "storage_device": torch.device("cpu")}
    from collections import OrderedDict

    state |= {"obj_id_to_idx": OrderedDict(), "obj_idx_to_id": OrderedDict(), "obj_ids": []}
    return state


def test_it_gives_the_masks_of_sam2s_own_video_predictor() -> None:
    """Over more images than SAM 2 looks back, so that what is forgotten must not be needed."""
    network = network_that_sees()
    frames, masks = images(24), two_masks()
    expected = upstream_masks(network, frames, masks)
    track = MemoryTracker(network, name="debug", trained=False).start(frames[0], masks)
    found = [[found.mask for found in track.step(frame)] for frame in frames[1:]]
    different = np.mean(np.array(found) != np.array(expected[1:]))
    assert different < 1e-3, "two objects at once and one by one may round differently"
    assert len({mask.tobytes() for masks in found for mask in masks}) > 20, "the masks say something of each image"


def test_what_it_remembers_does_not_grow() -> None:
    frames = images(30)
    track = MemoryTracker(build_debug_memory_network(), name="debug", trained=False).start(frames[0], two_masks())
    for frame in frames[1:]:
        track.step(frame)
    assert track.num_remembered == 17, "the first image and the 16 that SAM 2.1 looks back"


def test_an_object_is_lost_where_the_network_scores_it_so() -> None:
    network = build_debug_memory_network()
    with torch.no_grad():
        network.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(-100.0)
    frames = images(2)
    track = MemoryTracker(network, name="debug", trained=False).start(frames[0], two_masks())
    for found in track.step(frames[1]):
        assert not found.visible and not found.mask.any() and found.box_xyxy == (0.0, 0.0, 0.0, 0.0)
        assert found.score == pytest.approx(0.0, abs=1e-6) and found.mask.shape == SIZE_HW


@pytest.mark.slow
def test_the_published_network_has_the_memory_that_following_needs() -> None:
    """At full size, with random weights, through the builder that the published weights are loaded into."""
    frames = images(2)
    track = MemoryTracker(build_sam2("tiny"), name="tiny", trained=False).start(frames[0], two_masks())
    assert [found.mask.shape for found in track.step(frames[1])] == [SIZE_HW, SIZE_HW]
