"""What the heard stage learns from: features of pictures and of sounds, both from frozen networks and kept in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from cs3_model.networks.micro.micro_parts import MicroNetworks
from cs3_model.types import MODEL_SAMPLE_RATE_HZ
from training.data.clip_media import read_sound
from training.micro.fitting import quick_autocast
from training.micro.vision.picture_batches import filmed_batch, plain_batch
from training.micro.vision.scenes import twin_of
from training.micro.vision.targets import masks_of
from training.simulation.dataset.storage import read_truth
from training.simulation.dataset.truth import SceneTruth

BATCH_SIZE = 16
"""Scenes that are looked at together."""
VIEWS = ("as it is", "mirrored", "as filmed", "as filmed again")
"""V pictures of each scene; what was hit need not be in those that are filmed."""
_WINDOWS_S = ((0.8, 1.2), (0.6, 1.0), (1.0, 1.0), (0.5, 0.5))
"""Seconds before and after the onset: first as in evaluation, then as other users may cut them."""


class HeardFeatures(NamedTuple):
    """Scenes [K], their collisions [M], and windows of sound [W] around each onset."""

    features: Tensor
    """Those of the tower, bfloat16 [K, V, C, h, w]: of the picture as it is, mirrored, and as filmed, see `VIEWS`."""
    ids: Tensor
    """What is seen in them, uint8 [K, V, S / 2, S / 2]."""
    scene: Tensor
    """Index of the scene of each collision, int64 [M]."""
    target: Tensor
    """Ids of what the sound should point at, bool [M, 256]."""
    embedding: Tensor
    """What the audio encoder gives, float32 [M, W, D]."""
    materials: Tensor
    """Its logits, [M, W, 7]."""


class HeardBatch(NamedTuple):
    """N collisions, of which neighbours often share a scene."""

    features: Tensor
    embedding: Tensor
    materials: Tensor
    masks: Tensor
    """bool [N, 1, S / 2, S / 2]."""


def pointed_at(truth: SceneTruth) -> list[int]:
    """Ids of what the sound should point at: what collided and is in no hand, else all that collided.

    The held objects are found by looking; where a sound pointed at one of them, it would add nothing.
    """
    if truth.collision is None:
        return []
    held = {item.id for item in truth.objects if item.held_by}
    return [number for number in truth.collision.ids if number not in held] or list(truth.collision.ids)


@torch.no_grad()
def gather(networks: MicroNetworks, folders: Sequence[Path]) -> Iterator[HeardFeatures]:
    """Looks at scenes and listens to their collisions; yields them in pieces."""
    networks.eval()
    side = networks.config.vision.side
    for start in range(0, len(folders), BATCH_SIZE):
        chosen = folders[start : start + BATCH_SIZE]
        images, ids = _views(np.random.default_rng(start), chosen, side)
        with quick_autocast():
            features = networks.vision.tower(images.contiguous(memory_format=torch.channels_last)).bfloat16()
        scenes, targets, sounds = _collisions(chosen)
        heard = (
            [networks.audio(torch.from_numpy(np.stack(window))) for window in zip(*sounds, strict=True)]
            if sounds
            else []
        )
        yield HeardFeatures(
            features=torch.stack(features.chunk(len(VIEWS)), 1),
            ids=torch.stack(ids[:, ::2, ::2].chunk(len(VIEWS)), 1),
            scene=torch.tensor(scenes, dtype=torch.int64) + start,
            target=torch.tensor(np.array(targets).reshape(-1, 256)),
            embedding=_stacked([item.embedding_ND for item in heard]),
            materials=_stacked([item.material_logits for item in heard]),
        )


def _views(rng: np.random.Generator, folders: Sequence[Path], side: int) -> tuple[Tensor, Tensor]:
    """Images [V K, 3, S, S] and ids [V K, S, S] of scenes, view after view."""
    plain = plain_batch(folders, side)
    filmed = [filmed_batch(rng, folders, side) for _ in VIEWS[2:]]
    images = [plain.images, plain.images.flip(-1), *(batch.images for batch in filmed)]
    ids = [plain.ids, plain.ids.flip(-1), *(batch.ids for batch in filmed)]
    return torch.cat(images), torch.cat(ids)


def _stacked(windows: list[Tensor]) -> Tensor:
    return torch.stack(windows, 1) if windows else torch.zeros(0)


def _collisions(folders: Sequence[Path]) -> tuple[list[int], list[np.ndarray], list[list[np.ndarray]]]:
    scenes, targets, sounds = [], [], []
    for number, first in enumerate(folders):
        for folder in (first, twin_of(first)):
            truth = read_truth(folder)
            wanted = pointed_at(truth)
            if not wanted:
                continue
            target = np.zeros(256, bool)
            target[wanted] = True
            scenes.append(number)
            targets.append(target)
            sounds.append([_window(folder, truth.onset_s, *around) for around in _WINDOWS_S])
    return scenes, targets, sounds


def _window(folder: Path, onset_s: float, before_s: float, after_s: float) -> np.ndarray:
    """The sound around an onset, always of one length: silence where a shorter window ends."""
    samples = read_sound(folder / "sound.flac", onset_s - before_s, onset_s + after_s)
    padded = np.zeros(2 * MODEL_SAMPLE_RATE_HZ, np.float32)
    padded[: samples.size] = samples[: padded.size]
    return padded


def _in_memory(shape: tuple[int, ...]) -> Tensor:
    return torch.empty(shape, dtype=torch.bfloat16)


def joined(
    pieces: Iterable[HeardFeatures],
    num_scenes: int,
    room: Callable[[tuple[int, ...]], Tensor] = _in_memory,
) -> HeardFeatures:
    """One of many.

    Args:
        pieces: what `gather` yields of that many scenes.
        num_scenes: K.
        room: makes the place for the features of the pictures, bfloat16 of that shape.
    """
    features, ids, start, heard = torch.empty(0), torch.empty(0), 0, []
    for piece in pieces:
        if not start:
            features = room((num_scenes, *piece.features.shape[1:]))
            ids = torch.empty((num_scenes, *piece.ids.shape[1:]), dtype=torch.uint8)
        end = start + len(piece.ids)
        features[start:end], ids[start:end], start = piece.features, piece.ids, end
        if len(piece.scene):  # nothing of the pictures, and no view of them, which would keep them
            heard.append(piece._replace(features=torch.empty(0), ids=torch.empty(0)))
    return HeardFeatures(
        features=features,
        ids=ids,
        scene=torch.cat([piece.scene for piece in heard]),
        target=torch.cat([piece.target for piece in heard]),
        embedding=torch.cat([piece.embedding for piece in heard]),
        materials=torch.cat([piece.materials for piece in heard]),
    )


class HeardBatches(Dataset[HeardBatch]):
    """Batch `step` of an endless, fixed sequence; both collisions of a scene are in the same batch.

    Args:
        heard: of `joined`.
        batch_size: scenes per batch.
        seed: fixes the sequence.
    """

    def __init__(self, heard: HeardFeatures, *, batch_size: int, seed: int) -> None:
        self._heard, self._batch_size, self._seed = heard, batch_size, seed
        self._of_scene: dict[int, list[int]] = {}
        for index, scene in enumerate(heard.scene.tolist()):
            self._of_scene.setdefault(scene, []).append(index)
        self._scenes = sorted(self._of_scene)

    def __getitem__(self, step: int) -> HeardBatch:
        rng = np.random.default_rng([self._seed, step])
        drawn = rng.choice(self._scenes, self._batch_size, replace=len(self._scenes) < self._batch_size)
        of_scenes = [self._of_scene[int(scene)] for scene in drawn]
        views = rng.integers(len(VIEWS), size=len(drawn))
        view = torch.from_numpy(np.repeat(views, [len(indices) for indices in of_scenes]))
        chosen = torch.tensor([index for indices in of_scenes for index in indices])
        window = torch.from_numpy(rng.integers(self._heard.embedding.shape[1], size=len(chosen)))
        return heard_batch(self._heard, chosen, window, view)


def heard_batch(heard: HeardFeatures, chosen: Tensor, window: Tensor, view: Tensor) -> HeardBatch:
    """Looks up N collisions, and for each a window of its sound and a view of its scene, all int64 [N]."""
    scene = heard.scene[chosen]
    return HeardBatch(
        features=heard.features[scene, view],
        embedding=heard.embedding[chosen, window],
        materials=heard.materials[chosen, window],
        masks=masks_of(heard.target[chosen][:, None], heard.ids[scene, view]),
    )
