"""SAM2 as the pipeline's segmenter of boxes and points, at its published sizes and at debug size.

Ravi et al., "SAM 2: Segment Anything in Images and Videos" (2024), through the `sam2` package. The image predictor of
that package keeps the embedding of one image inside itself; here the embedding is a value, so that several frames can be
under way at once.

Shapes: N boxes, C channels, H W pixels of the image, h w positions of the embedding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F

from cs3_model.networks.image_input import IMAGENET
from cs3_model.types import BoolMask, Float32Array, UInt8Image

Sam2Size = Literal["tiny", "small", "base-plus", "large"]
CONFIG_FILES: dict[Sam2Size, str] = {
    "tiny": "sam2.1_hiera_t.yaml",
    "small": "sam2.1_hiera_s.yaml",
    "base-plus": "sam2.1_hiera_b+.yaml",
    "large": "sam2.1_hiera_l.yaml",
}
"""Files of the `sam2` package, for the checkpoints `facebook/sam2.1-hiera-<size>`."""

SINGLE_MASK_FALLBACK = {
    "sam_mask_decoder_extra_args": {
        "dynamic_multimask_via_stability": True,
        "dynamic_multimask_stability_delta": 0.05,
        "dynamic_multimask_stability_thresh": 0.98,
    }
}
"""If the single mask is unstable, the best of the three is taken: what sam2's own builder sets for images."""

FIRST_MASK_AS_GIVEN = {"binarize_mask_from_pts_for_mem_enc": True}
"""The memory of a mask that was given is of exactly that mask: what sam2's own builder sets for videos."""

_FOREGROUND, _TOP_LEFT, _BOTTOM_RIGHT = 1, 2, 3
"""What a point of a prompt is to SAM 2's prompt encoder."""

DEBUG_SIZES = {
    "image_size": 128,
    "image_encoder": {
        "trunk": {"embed_dim": 16, "stages": [1, 1, 2, 1], "global_att_blocks": [3]},
        "neck": {"d_model": 32, "backbone_channel_list": [128, 64, 32, 16], "position_encoding": {"num_pos_feats": 32}},
    },
    "memory_attention": None,
    "memory_encoder": None,
}
"""A tiny Hiera without the parts that only videos need."""

_DEBUG_ATTENTION = {"embedding_dim": 32, "feat_sizes": [8, 8]}
DEBUG_MEMORY_SIZES = {
    **DEBUG_SIZES,
    "memory_attention": {
        "d_model": 32,
        "num_layers": 1,
        "layer": {
            "d_model": 32,
            "dim_feedforward": 64,
            "self_attention": _DEBUG_ATTENTION,
            "cross_attention": {**_DEBUG_ATTENTION, "kv_in_dim": 16},
        },
    },
    "memory_encoder": {
        "in_dim": 32,
        "out_dim": 16,
        "position_encoding": {"num_pos_feats": 16},
        "mask_downsampler": {"embed_dim": 32},
        "fuser": {"layer": {"dim": 32}, "num_layers": 1},
    },
}
"""The same with them."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sam2Embedding:
    """What the mask decoder needs of one image. Independent of the segmenter's state."""

    image: torch.Tensor
    """Coarse features, [1, C, h, w]."""
    high_resolution: tuple[torch.Tensor, torch.Tensor]
    """Features at four times and at twice that resolution, [1, C / 8, 4h, 4w] and [1, C / 4, 2h, 2w]."""
    size_hw: tuple[int, int]
    """Height and width of the image, pixels."""


class Sam2Segmenter:
    """Implements `cs3_model.parts.BoxSegmenter`."""

    def __init__(self, network: torch.nn.Module, *, name: str, trained: bool) -> None:
        """Wraps a network of `build_sam2`, on whatever device and in whatever floating-point type it is.

        Args:
            network: with its weights loaded.
            name: identity of network and weights.
            trained: whether the weights mean anything.
        """
        # What it consists of is sam2's, which has no types.
        self.network: Any = network.eval().requires_grad_(False)
        # It multiplies float32 coordinates with its weights, whatever the type of the rest.
        self.network.sam_prompt_encoder.float()
        self.name = name
        self.trained = trained

    @torch.inference_mode()
    def embed(self, image: UInt8Image) -> Sam2Embedding:
        """Computes the embedding of an RGB uint8 image [H, W, 3]."""
        weight = self.network.no_mem_embed
        pixels = normalised_square(image, self.network.image_size, weight.device)
        fine, middle, coarse = self.network.forward_image(pixels.to(weight.dtype))["backbone_fpn"]
        # A single image has no memory of earlier ones; the network learned an embedding that says so. The pyramid sums
        # its levels in float32, whatever the type of the weights.
        coarse = coarse.to(weight.dtype) + weight.reshape(1, -1, 1, 1)
        return Sam2Embedding(image=coarse, high_resolution=(fine, middle), size_hw=(image.shape[0], image.shape[1]))

    @torch.inference_mode()
    def segment(self, embedding: Sam2Embedding, boxes_xyxy: Float32Array) -> tuple[BoolMask, Float32Array]:
        """Segments the object in each box, all boxes in one call of the decoder.

        Args:
            embedding: of the image, from `embed`.
            boxes_xyxy: pixels of the image, float32 [N, 4]; clipped to it.

        Returns:
            Masks, bool [N, H, W], and predicted IoU with the true mask in [0, 1], float32 [N]. Both are empty for
            N = 0, without a call of the network.

        Raises:
            ValueError: if a box is not finite, has no area, or lies outside the image.
        """
        boxes = _checked_boxes(boxes_xyxy, embedding.size_hw)
        return self._segment(embedding, boxes.reshape(-1, 2, 2), (_TOP_LEFT, _BOTTOM_RIGHT))

    @torch.inference_mode()
    def segment_points(self, embedding: Sam2Embedding, points_xy: Float32Array) -> tuple[BoolMask, Float32Array]:
        """Segments the object at each point. A point may mean a part or a whole: of three masks, the best scored.

        Args:
            embedding: of the image, from `embed`.
            points_xy: pixels of the image, float32 [N, 2].

        Returns:
            As `segment`.

        Raises:
            ValueError: if a point lies outside the image.
        """
        points = _checked_points(points_xy, embedding.size_hw)
        return self._segment(embedding, points[:, None], (_FOREGROUND,), num_masks=3)

    def _segment(
        self, embedding: Sam2Embedding, prompts: Float32Array, labels: tuple[int, ...], num_masks: int = 1
    ) -> tuple[BoolMask, Float32Array]:
        """The best of as many masks for each of N prompts of P points in pixels, [N, P, 2]."""
        if not len(prompts):
            return np.zeros((0, *embedding.size_hw), dtype=np.bool_), np.zeros(0, dtype=np.float32)
        points = torch.from_numpy(prompts).to(embedding.image.device)
        logits, scores = self._decode(embedding, points, labels, num_masks)
        scores, best = scores.float().max(1)
        logits = logits[torch.arange(len(best)), best].unsqueeze(1).float()
        masks = F.interpolate(logits, embedding.size_hw, mode="bilinear", align_corners=False)[:, 0] > 0
        return masks.cpu().numpy(), scores.cpu().numpy()

    def _decode(
        self, embedding: Sam2Embedding, points: torch.Tensor, labels: tuple[int, ...], num_masks: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns mask logits [N, M, 4h, 4w] and scores [N, M] for points in pixels, float32 [N, P, 2]."""
        height, width = embedding.size_hw
        scaled = points / points.new_tensor([width, height]) * self.network.image_size
        kinds = torch.tensor([labels], dtype=torch.int32, device=points.device).repeat(len(points), 1)
        encoder, dtype = self.network.sam_prompt_encoder, embedding.image.dtype
        sparse, dense = encoder(points=(scaled, kinds), boxes=None, masks=None)
        logits, scores, _, _ = self.network.sam_mask_decoder(
            image_embeddings=embedding.image,
            image_pe=encoder.get_dense_pe().to(dtype),
            sparse_prompt_embeddings=sparse.to(dtype),
            dense_prompt_embeddings=dense.to(dtype),
            multimask_output=num_masks > 1,
            repeat_image=True,
            high_res_features=list(embedding.high_resolution),
        )
        return logits, scores


def normalised_square(image: UInt8Image, side: int, device: torch.device) -> torch.Tensor:
    """An RGB uint8 image [H, W, 3] as SAM 2 takes it: float32 [1, 3, side, side], stretched, normalised."""
    # torch warns of arrays that it must not write to.
    pixels = torch.from_numpy(np.require(image, requirements=["C", "W"])).to(device)
    pixels = pixels.permute(2, 0, 1)[None].float() / 255
    pixels = F.interpolate(pixels, (side, side), mode="bilinear", antialias=True)
    mean, std = (pixels.new_tensor(values)[:, None, None] for values in (IMAGENET.mean, IMAGENET.std))
    return (pixels - mean) / std


def build_sam2(size: Sam2Size) -> torch.nn.Module:
    """Builds SAM 2.1 with random weights; its state dict has the names of the published checkpoint.

    Args:
        size: of the image encoder.

    Returns:
        `sam2.modeling.sam2_base.SAM2Base`. The published files hold its state dict under the key `model`.

    Raises:
        ValueError: if the size is unknown.
    """
    if size not in CONFIG_FILES:
        raise ValueError(f"unknown size of SAM2 {size!r}, expected one of {', '.join(CONFIG_FILES)}")
    return _instantiate(CONFIG_FILES[size], {**SINGLE_MASK_FALLBACK, **FIRST_MASK_AS_GIVEN})


def build_debug_box_segmenter(seed: int = 0, device: torch.device | str = "cpu") -> Sam2Segmenter:
    """Builds a tiny random segmenter that takes every path of the real one within milliseconds on a CPU."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _instantiate(CONFIG_FILES["tiny"], {**SINGLE_MASK_FALLBACK, **DEBUG_SIZES})
    return Sam2Segmenter(network.to(device), name=f"sam2-debug-{seed}", trained=False)


def build_debug_memory_network(seed: int = 0) -> torch.nn.Module:
    """Builds a tiny random network with the memory that following needs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        sizes = {**SINGLE_MASK_FALLBACK, **FIRST_MASK_AS_GIVEN, **DEBUG_MEMORY_SIZES}
        return _instantiate(CONFIG_FILES["tiny"], sizes)


def _instantiate(config_file: str, changes: Mapping[str, Any]) -> torch.nn.Module:
    # sam2's own builder composes its configuration through Hydra's global state, which an application may have taken
    # for itself. Reading the file and instantiating it needs none.
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    text = (resources.files("sam2") / "configs" / "sam2.1" / config_file).read_text(encoding="utf-8")
    return instantiate(OmegaConf.merge(OmegaConf.create(text).model, dict(changes))).eval()


def _checked_boxes(boxes_xyxy: Float32Array, size_hw: tuple[int, int]) -> Float32Array:
    height, width = size_hw
    boxes = np.asarray(boxes_xyxy, dtype=np.float32)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes_xyxy must have shape [N, 4], got {list(boxes.shape)}")
    clipped = np.clip(boxes, 0, np.array([width, height, width, height], dtype=np.float32))
    for given, box in zip(boxes.tolist(), clipped, strict=True):
        if not (box[0] < box[2] and box[1] < box[3]):
            raise ValueError(f"box {given} covers no part of the image of {width} x {height} pixels")
    return clipped


def _checked_points(points_xy: Float32Array, size_hw: tuple[int, int]) -> Float32Array:
    height, width = size_hw
    points = np.asarray(points_xy, dtype=np.float32)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"points_xy must have shape [N, 2], got {list(points.shape)}")
    for x, y in points.tolist():
        if not (0 <= x <= width and 0 <= y <= height):
            raise ValueError(f"point {[x, y]} lies outside the image of {width} x {height} pixels")
    return points
