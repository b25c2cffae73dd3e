"""The method put together from upstream libraries in the plainest way: what `latency.py` compares with."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations

import cv2
import numpy as np
import torch
from sam2.sam2_image_predictor import SAM2ImagePredictor
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import MultiScaleRoIAlign
from transformers import ViTImageProcessor
from transformers.masking_utils import create_causal_mask

from cs3_model.localisation import LocalisationConfig, box_around_peak, crop_around, peak_xy, place_crop, score_map
from cs3_model.networks.audio_visual import AudioVisualNetwork
from cs3_model.networks.beats import log_mel
from cs3_model.networks.hands23 import Hands23Network, Hands23Thresholds
from cs3_model.types import AudioWindow, BoolMask, Frame, HandObjects, UInt8Image

TEXT_LENGTH = 77
CONFIG = LocalisationConfig()
TORCHVISION_NAMES = [
    (r"^backbone\.bottom_up\.(stem\.)?", "backbone.body."),
    (r"^backbone\.fpn_lateral(\d)", lambda match: f"backbone.fpn.inner_blocks.{int(match[1]) - 2}.0"),
    (r"^backbone\.fpn_output(\d)", lambda match: f"backbone.fpn.layer_blocks.{int(match[1]) - 2}.0"),
    (r"\.res(\d)\.", lambda match: f".layer{int(match[1]) - 1}."),
    (r"\.conv(\d)\.norm\.", r".bn\1."),
    (r"\.shortcut\.norm\.", ".downsample.1."),
    (r"\.shortcut\.", ".downsample.0."),
    (r"^proposal_generator\.rpn_head\.conv\.", "rpn.head.conv.0.0."),
    (r"^proposal_generator\.rpn_head\.objectness_logits\.", "rpn.head.cls_logits."),
    (r"^proposal_generator\.rpn_head\.anchor_deltas\.", "rpn.head.bbox_pred."),
    (r"\.box_head\.fc(\d)", lambda match: f".box_head.fc{int(match[1]) + 5}"),
]
"""From detectron2's names, in order, to those of torchvision's Faster R-CNN."""


class Reference:
    """Runs the method eagerly in float32.

    Args:
        audio_visual: BEATs, audio token and CLIPSeg.
        hands: Hands23, whose weights torchvision's detector gets.
        sam: SAM 2.1.
        device: Where all of it runs.
        is_debug: Whether the networks are those of the preset `debug`: a small detector with random weights takes the
            place of torchvision's ResNeXt.
    """

    def __init__(
        self,
        audio_visual: AudioVisualNetwork,
        hands: Hands23Network,
        sam: torch.nn.Module,
        *,
        device: torch.device,
        is_debug: bool = False,
    ) -> None:
        self.device = device
        self.network = audio_visual.to(device)
        self.clipseg = audio_visual.clipseg.model
        self.side = side = audio_visual.clipseg.input_size
        self.text_length = min(TEXT_LENGTH, self.clipseg.config.text_config.max_position_embeddings)
        self.processor = ViTImageProcessor(
            size={"height": side, "width": side}, image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225]
        )
        self.detector = (debug_detector() if is_debug else torchvision_detector(hands)).to(device)
        self.sam = SAM2ImagePredictor(sam.to(device))
        quarter = self.sam.model.image_size // 4
        self.sam._bb_feat_sizes = [(quarter // n, quarter // n) for n in (1, 2, 4)]  # fixed to 1024 there

    @torch.no_grad()
    def run(self, frame: Frame, window: AudioWindow, held: HandObjects) -> tuple[dict[str, float], list[BoolMask]]:
        """Returns milliseconds per stage, and the masks of the right hand, the left hand and the heard object."""
        stage_ms: dict[str, float] = {}
        with self._timed(stage_ms, "audio"):
            condition = self._condition(window)
        with self._timed(stage_ms, "audio_visual"):
            box = self._heard_box(frame, condition)
        with self._timed(stage_ms, "hands"):
            pixels = torch.from_numpy(frame.image).to(self.device).permute(2, 0, 1).float() / 255
            self.detector([pixels])[0]["boxes"].cpu()
        with self._timed(stage_ms, "box_embedding"):
            self.sam.set_image(frame.image)
        with self._timed(stage_ms, "masks"):
            boxes = [held.right.box_xyxy, held.left.box_xyxy, box]
            masks = [self.sam.predict(box=np.array(box), multimask_output=False)[0][0] > 0 for box in boxes]
        with self._timed(stage_ms, "verification"):
            for first, second in combinations(masks, 2):
                cv2.distanceTransform((~second).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[first].min(
                    initial=0
                )
        return stage_ms | {"whole": sum(stage_ms.values())}, masks

    def _condition(self, window: AudioWindow) -> torch.Tensor:
        """The audio token in a prompt padded to 77 tokens."""
        spectrogram = log_mel(torch.tensor(window.samples)[None]).to(self.device)
        levels = self.network.beats(spectrogram, blocks=range(len(self.network.beats.encoder.layers)))
        token = self.network.audio_token([levels[index] for index in self.network.audio_blocks])
        text, ids = self.clipseg.clip.text_model, self.network.prompt.ids
        words = text.embeddings.token_embedding(torch.cat([ids, ids[-1:].expand(self.text_length - 1 - len(ids))]))[
            None
        ]
        prompt = torch.cat([words[:, : len(ids) - 1], token[:, None], words[:, len(ids) - 1 :]], dim=1)
        hidden = text.embeddings(inputs_embeds=prompt)
        mask = create_causal_mask(config=text.config, inputs_embeds=hidden, attention_mask=None, past_key_values=None)
        encoded = text.encoder(inputs_embeds=hidden, attention_mask=mask, is_causal=True).last_hidden_state
        return self.clipseg.clip.text_projection(text.final_layer_norm(encoded[:, len(ids)]))

    def _heard_box(self, frame: Frame, condition: torch.Tensor) -> tuple[float, float, float, float]:
        """CLIPSeg on the frame, on the crop around the peak, and the box around the new peak."""
        size_hw = frame.size_hw
        logits = self._segment(frame.image, condition)
        crop_xyxy = crop_around(peak_xy(score_map(logits, CONFIG), size_hw), size_hw, CONFIG)
        x_min, y_min, x_max, y_max = crop_xyxy
        crop_logits = self._segment(frame.image[y_min:y_max, x_min:x_max], condition)
        refined = place_crop(crop_logits, crop_xyxy, size_hw, logits.shape)
        return box_around_peak(score_map(refined, CONFIG), size_hw, CONFIG)

    def _segment(self, image: UInt8Image, condition: torch.Tensor) -> np.ndarray:
        pixels = self.processor(images=image, return_tensors="pt")["pixel_values"].to(self.device)
        output = self.clipseg(pixel_values=pixels, conditional_embeddings=condition)
        return output.logits.reshape(self.side, self.side).cpu().numpy()

    @contextmanager
    def _timed(self, stage_ms: dict[str, float], stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        stage_ms[stage] = 1e3 * (time.perf_counter() - start)


def torchvision_detector(hands: Hands23Network) -> FasterRCNN:
    """Builds torchvision's Faster R-CNN with the weights of Hands23, so that it has as much to propose and to pool.

    The same sizes and thresholds, and as many samples per cell as Hands23 takes (`sampling_ratio=0`, where torchvision's
    default is two). Its boxes differ a little: torchvision rounds anchors and shifts the samples by half a pixel.
    """
    detector = FasterRCNN(
        resnet_fpn_backbone(backbone_name="resnext101_32x8d", weights=None),
        num_classes=4,
        min_size=800,
        max_size=1333,
        box_roi_pool=MultiScaleRoIAlign(["0", "1", "2", "3"], output_size=7, sampling_ratio=0),
        box_score_thresh=min(Hands23Thresholds().per_class),
        box_detections_per_img=hands.config.max_detections,
    )
    weights = {_torchvision_name(name): tensor for name, tensor in hands.state_dict().items()}
    weights = {name: tensor for name, tensor in weights.items() if not re.search(r"mask_head|[zhtg]_head", name)}
    # RGB instead of BGR, and the background, which has a box too, first instead of last.
    weights["backbone.body.conv1.weight"] = weights["backbone.body.conv1.weight"].flip(1)
    for part in ("weight", "bias"):
        scores, boxes = (f"roi_heads.box_predictor.{name}.{part}" for name in ("cls_score", "bbox_pred"))
        weights[scores] = weights[scores].roll(1, dims=0)
        weights[boxes] = torch.cat([torch.zeros_like(weights[boxes][:4]), weights[boxes]])
    detector.load_state_dict(weights)
    return detector.eval()


def debug_detector() -> FasterRCNN:
    """A small detector with random weights, to go through all steps without the time that they take."""
    backbone = resnet_fpn_backbone(backbone_name="resnet18", weights=None)
    return FasterRCNN(backbone, num_classes=4, min_size=160, max_size=320).eval()


def _torchvision_name(name: str) -> str:
    for pattern, replacement in TORCHVISION_NAMES:
        name = re.sub(pattern, replacement, name)
    return name
