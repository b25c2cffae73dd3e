"""The three parts of the preset `micro` over one shared tower, and their weights in one file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from cs3_model.config_mapping import from_mapping
from cs3_model.files import file_digest
from cs3_model.localisation import Masker
from cs3_model.networks.micro.audio import DEBUG_AUDIO, NUM_MATERIALS, MicroAudioConfig, MicroAudioEncoder
from cs3_model.networks.micro.boxed import paste_masks
from cs3_model.networks.micro.heard import MicroHeard
from cs3_model.networks.micro.held import best_boxes
from cs3_model.networks.micro.letterbox import Letterbox
from cs3_model.networks.micro.pointed import boxes_at
from cs3_model.networks.micro.vision import DEBUG_VISION, MicroVision, VisionConfig
from cs3_model.networks.state_dicts import as_float32, load_strictly
from cs3_model.types import AudioWindow, BoolMask, Float32Array, HandObjects, HeldObject, UInt8Image

_CONFIG_KEY = "cs3_micro"


@dataclass(frozen=True, kw_only=True, slots=True)
class MicroConfig:
    """Sizes of all networks of `micro`."""

    vision: VisionConfig = field(default_factory=VisionConfig)
    audio: MicroAudioConfig = field(default_factory=MicroAudioConfig)


DEBUG_MICRO = MicroConfig(vision=DEBUG_VISION, audio=DEBUG_AUDIO)
"""For tests."""


class MicroNetworks(nn.Module):
    """All networks of `micro`.

    Args:
        config: sizes.
    """

    def __init__(self, config: MicroConfig) -> None:
        super().__init__()
        self.config = config
        self.vision = MicroVision(config.vision)
        self.audio = MicroAudioEncoder(config.audio)
        self.heard = MicroHeard(config.vision, config.audio.embedding_dim, NUM_MATERIALS)


def micro_file(networks: MicroNetworks, facts: Mapping[str, str]) -> bytes:
    """Weights as the content of a float16 safetensors file; `facts` are further metadata, such as data and commit."""
    tensors = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in networks.state_dict().items()
    }
    return save(tensors, metadata={_CONFIG_KEY: json.dumps(asdict(networks.config)), **facts})


def load_micro(path: Path, device: torch.device) -> MicroNetworks:
    """Reads a file of `micro_file`, as float32 in evaluation mode.

    Raises:
        ValueError: if the file is missing, damaged or no such file: one line.
    """
    try:
        with safe_open(path, framework="pt") as file:
            config = (file.metadata() or {}).get(_CONFIG_KEY)
            # Each made float32 as it is read: both copies of all weights at once would stay in the heap.
            tensors = as_float32((name, file.get_tensor(name)) for name in file.keys())  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path} cannot be read ({error}): run python -m training.micro, or get it anew") from None
    if config is None:
        raise ValueError(f"{path} holds other weights than those of micro: run python -m training.micro")
    networks = MicroNetworks(from_mapping(MicroConfig, json.loads(config)))
    load_strictly(networks, tensors, "micro")
    return networks.eval().requires_grad_(False).to(device)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MicroParts:
    """The three parts of one pipeline."""

    audio_visual: MicroAudioVisual
    hands: MicroHands
    boxes: MicroBoxes


def build_micro_parts(path: Path, device: torch.device) -> MicroParts:
    """Loads the parts.

    Raises:
        ValueError: if the file is missing, damaged or no such file: one line.
    """
    networks = load_micro(path, device)
    tower = SharedTower(networks.vision, device)
    name = f"micro ({path.name}, {file_digest(path)[:8]}, trained in simulation)"
    return MicroParts(
        audio_visual=MicroAudioVisual(networks, tower, name=name, trained=True),
        hands=MicroHands(tower, name=name, trained=True),
        boxes=MicroBoxes(tower, name=name, trained=True),
    )


class Seen(NamedTuple):
    """What the tower makes of one image."""

    features: Tensor
    """[1, C, h, w], of the square that the image lies in."""
    place: Letterbox
    """Where in the square."""

    def on_image(self, maps: Tensor) -> Float32Array:
        """What maps of the square [..., s, s] say of the image, float32 [..., h, w] on the CPU."""
        return np.asarray(self.place.cut(maps).float().cpu().numpy())


class SharedTower:
    """Features of an image, computed once for all parts that ask about the same array.

    The latest two images are kept: the frame stays at hand while crops of it come and go.

    Args:
        vision: the network.
        device: where it runs.
    """

    def __init__(self, vision: MicroVision, device: torch.device) -> None:
        self.vision = vision.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in its types
        self.device = device
        self._latest: list[tuple[UInt8Image, Seen]] = []

    @torch.inference_mode()
    def see(self, image: UInt8Image) -> Seen:
        """Looks at an RGB uint8 image [H, W, 3]."""
        known = next((seen for latest, seen in self._latest if latest is image), None)
        if known is None:
            place = Letterbox.around(image.shape[:2], self.vision.config.side)
            x = place.pixels(torch.from_numpy(image).to(self.device))
            known = Seen(self.vision.tower(x.contiguous(memory_format=torch.channels_last)), place)
        self._latest = [(image, known), *(pair for pair in self._latest if pair[0] is not image)][:2]
        return known


class MicroAudioVisual:
    """`cs3_model.parts.AudioVisualSegmenter` of `micro`."""

    masker: Masker | None = None

    def __init__(self, networks: MicroNetworks, tower: SharedTower, *, name: str, trained: bool) -> None:
        self.name, self.trained = name, trained
        self.networks, self.tower = networks, tower

    def embed_image(self, image: UInt8Image) -> Seen:
        """What the tower sees."""
        return self.tower.see(image)

    @torch.inference_mode()
    def embed_audio(self, window: AudioWindow) -> Tensor:
        """The condition [1, P] of a sound."""
        heard = self.networks.audio(torch.from_numpy(window.samples).unsqueeze(0).to(self.tower.device))
        return self.networks.heard.condition(self.networks.vision.prompt, *heard)

    @torch.inference_mode()
    def decode(self, image_features: Seen, audio_embedding: Tensor) -> Float32Array:
        """The map's logits at half the network's resolution."""
        logits = self.networks.heard.decoder(image_features.features, audio_embedding)
        return image_features.on_image(logits)[0, 0]


class MicroHands:
    """`cs3_model.parts.HandObjectDetector` of `micro`.

    Args:
        tower: features.
        name: identity of the weights.
        trained: whether they mean anything.
        min_score: least confidence that a hand holds something.
    """

    names_touched = False

    def __init__(self, tower: SharedTower, *, name: str, trained: bool, min_score: float = 0.3) -> None:
        self.name, self.trained = name, trained
        self._tower, self._min_score = tower, min_score

    @torch.inference_mode()
    def detect(self, image: UInt8Image) -> HandObjects:
        """The likeliest object in each hand, if it is likely enough."""
        features, place = self._tower.see(image)
        boxes, scores = best_boxes(self._tower.vision.held(features))
        height, width = image.shape[:2]
        edges = place.to_image(boxes[0].cpu().numpy())
        limits = np.array([width, height, width, height], float)
        held = []
        for box, score in zip(np.clip(edges, 0.0, limits).tolist(), scores[0].tolist(), strict=True):
            x_min, y_min, x_max, y_max = box
            seen = score >= self._min_score and x_max > x_min and y_max > y_min
            held.append(HeldObject(box_xyxy=(x_min, y_min, x_max, y_max), score=score) if seen else None)
        return HandObjects(left=held[0], right=held[1])


class MicroBoxEmbedding(NamedTuple):
    """What `MicroBoxes` needs of one image."""

    seen: Seen
    """What the tower sees."""
    point_boxes: Tensor
    """What `MicroVision.pointed` gives, [4, h, w]: computed before the sound is there."""


class MicroBoxes:
    """`cs3_model.parts.BoxSegmenter` of `micro`."""

    def __init__(self, tower: SharedTower, *, name: str, trained: bool) -> None:
        self.name, self.trained = name, trained
        self._tower = tower

    @torch.inference_mode()
    def embed(self, image: UInt8Image) -> MicroBoxEmbedding:
        """Looks at the image, and for the box of the object at each place."""
        seen = self._tower.see(image)
        return MicroBoxEmbedding(seen, self._tower.vision.pointed(seen.features)[0])

    @torch.inference_mode()
    def segment(self, embedding: MicroBoxEmbedding, boxes_xyxy: Float32Array) -> tuple[BoolMask, Float32Array]:
        """The object that fills each box."""
        features, place = embedding.seen
        boxes = np.asarray(boxes_xyxy, np.float32)
        in_square = torch.from_numpy(place.to_square(boxes)).to(features.device)
        rows = torch.cat([torch.zeros(len(boxes), 1, device=features.device), in_square], 1)
        logits = self._tower.vision.boxed(features, rows).float()
        masks = paste_masks(logits, torch.from_numpy(boxes).to(features.device), place.size_hw) > 0
        inside = logits.sigmoid() * (logits > 0)
        scores = inside.sum((1, 2)) / (logits > 0).sum((1, 2)).clamp(min=1)
        return masks.cpu().numpy(), scores.cpu().numpy().astype(np.float32)

    @torch.inference_mode()
    def segment_points(self, embedding: MicroBoxEmbedding, points_xy: Float32Array) -> tuple[BoolMask, Float32Array]:
        """The object at each point, through the box that the network sees there."""
        place = embedding.seen.place
        points = torch.from_numpy(place.to_square(np.asarray(points_xy, np.float32))).to(embedding.point_boxes.device)
        boxes = place.to_image(boxes_at(embedding.point_boxes, points).cpu().numpy())
        return self.segment(embedding, np.clip(boxes, 0.0, np.tile(np.array(place.size_hw[::-1], np.float32), 2)))
