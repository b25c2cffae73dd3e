"""Following by SAM 2: its memory of the first masks and of the last images, one image after another.

`sam2.sam2_video_predictor.SAM2VideoPredictor` runs the same steps on a whole video that it holds in memory. Here images
come one by one and what lies behind is forgotten: with the same images both give the same masks.

Shapes: N objects, S side of the network's image, H W pixels of the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from cs3_model.networks.sam import normalised_square
from cs3_model.tracking.tracker import FollowedObject
from cs3_model.types import BoolMask, UInt8Image

_ENDLESS = 2**30
"""How many images there will be, which is not known and only has to be more than SAM 2 looks back."""


class MemoryTracker:
    """Implements `cs3_model.tracking.tracker.Tracker`.

    Args:
        network: of `cs3_model.networks.sam.build_sam2`, with its weights loaded, in float32.
        name: identity of network and weights.
        trained: whether the weights mean anything.
    """

    def __init__(self, network: torch.nn.Module, *, name: str, trained: bool) -> None:
        self.name, self.trained = name, trained
        self._network: Any = network.eval().requires_grad_(False)  # sam2 has no types

    def start(self, image: UInt8Image, masks: Sequence[BoolMask]) -> MemoryTrack:
        """Takes up the objects."""
        return MemoryTrack(self._network, image, masks)


class MemoryTrack:
    """Implements `cs3_model.tracking.tracker.Track`.

    Args:
        network: See `MemoryTracker`.
        image: RGB uint8 [H, W, 3].
        masks: bool [H, W] each, not empty.
    """

    def __init__(self, network: Any, image: UInt8Image, masks: Sequence[BoolMask]) -> None:
        self._network = network
        self._num_objects = len(masks)
        self._index = 0
        self._first: dict[int, dict[str, Any]] = {}
        self._latest: dict[int, dict[str, Any]] = {}
        self._begin(image, np.stack(masks))

    @property
    def num_remembered(self) -> int:
        """Images in memory."""
        return len(self._first) + len(self._latest)

    @torch.inference_mode()
    def _begin(self, image: UInt8Image, masks_NHW: BoolMask) -> None:
        side, device = self._network.image_size, self._network.device
        masks_N1HW = torch.from_numpy(np.asarray(masks_NHW)).to(device).float()[:, None]
        masks_N1SS = F.interpolate(masks_N1HW, (side, side), mode="bilinear", align_corners=False, antialias=True)
        with self._autocast():
            features = self._features(image)
            out = self._track_step(features, mask_inputs=(masks_N1SS >= 0.5).float())
            # As the video predictor does: the memory is of the mask as it was at the resolution of the decoder.
            high = F.interpolate(out["pred_masks"], (side, side), mode="bilinear", align_corners=False)
            out["maskmem_features"], out["maskmem_pos_enc"] = self._network._encode_new_memory(
                current_vision_feats=features["current_vision_feats"],
                feat_sizes=features["feat_sizes"],
                pred_masks_high_res=high,
                object_score_logits=out["object_score_logits"],
                is_mask_from_pts=True,
            )
        self._first[0] = _remembered(out)

    @torch.inference_mode()
    def step(self, image: UInt8Image) -> tuple[FollowedObject, ...]:
        """Finds the objects in the next image."""
        self._index += 1
        with self._autocast():
            out = self._track_step(self._features(image), run_mem_encoder=True)
        self._latest[self._index] = _remembered(out)
        self._latest.pop(self._index - self._reach, None)
        logits_NHW = F.interpolate(out["pred_masks"].float(), image.shape[:2], mode="bilinear", align_corners=False)[
            :, 0
        ]
        masks = (logits_NHW > 0).cpu().numpy()
        scores = out["object_score_logits"].float().sigmoid()[:, 0].tolist()
        size_hw = (image.shape[0], image.shape[1])
        return tuple(
            FollowedObject.seen(mask, score) if score > 0.5 else FollowedObject.lost(size_hw, score)
            for mask, score in zip(masks, scores, strict=True)
        )

    @property
    def _reach(self) -> int:
        """How many images back the network looks."""
        return int(max(self._network.num_maskmem, self._network.max_obj_ptrs_in_encoder))

    def _autocast(self) -> torch.autocast:
        """The precision in which SAM 2 was published: bfloat16 on CUDA."""
        device: torch.device = self._network.device
        return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")

    def _features(self, image: UInt8Image) -> dict[str, Any]:
        """What `track_step` needs of an image, once for all objects."""
        network = self._network
        seen = network.forward_image(normalised_square(image, network.image_size, network.device))
        for part in ("backbone_fpn", "vision_pos_enc"):
            seen[part] = [level.expand(self._num_objects, -1, -1, -1) for level in seen[part]]
        _, features, positions, sizes = network._prepare_backbone_features(seen)
        return {"current_vision_feats": features, "current_vision_pos_embeds": positions, "feat_sizes": sizes}

    def _track_step(
        self, features: dict[str, Any], *, mask_inputs: torch.Tensor | None = None, run_mem_encoder: bool = False
    ) -> dict[str, Any]:
        out: dict[str, Any] = self._network.track_step(
            frame_idx=self._index,
            is_init_cond_frame=mask_inputs is not None,
            point_inputs=None,
            mask_inputs=mask_inputs,
            output_dict={"cond_frame_outputs": self._first, "non_cond_frame_outputs": self._latest},
            num_frames=_ENDLESS,
            run_mem_encoder=run_mem_encoder,
            **features,
        )
        return out


def _remembered(out: dict[str, Any]) -> dict[str, Any]:
    """What later images need of one: the rest would be most of the memory."""
    return {
        "maskmem_features": out["maskmem_features"].to(torch.bfloat16),
        "maskmem_pos_enc": out["maskmem_pos_enc"],
        "obj_ptr": out["obj_ptr"],
    }
