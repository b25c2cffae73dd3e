"""A baseline with two masks: sounds of two pictures are mixed, and each half of what is heard finds its picture again.

After *Mix and Localize* (Hu, Chen and Owens, CVPR 2022): a walker steps from a slot of one mixture to one of the two
pictures, by the best place in each, and on to a slot of another mixture of the same events; it should come back to the
slot that it left. Slots and places are two-layer embeddings of unit length. Here they stand on the frozen audio encoder
and tower of `micro`, where the original trains a ResNet-18 for each.

Shape suffixes: G pairs of pictures with a mixture each, K = 2 slots and pictures, P joint features, N places.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn import functional as F

from cs3_model.files import write_whole
from cs3_model.geometry import mask_to_box_xyxy
from cs3_model.localisation import LocalisationConfig, peak_mask, score_map
from cs3_model.networks.micro.micro_parts import MicroConfig, MicroNetworks, SharedTower
from cs3_model.networks.state_dicts import as_float32, load_strictly
from cs3_model.types import Candidate, CollisionResult, Reason, Role, Verdict
from training.evaluation.row import LoadedSample

NUM_SLOTS = 2
"""K."""
_JOINT_DIM = 128
"""P, of the original."""
_TEMPERATURE = 0.07
"""As in the original."""


class MixtureNetwork(nn.Module):
    """What is trained: slots of a sound and places of a picture.

    Args:
        config: sizes of `micro`.
    """

    def __init__(self, config: MicroConfig) -> None:
        super().__init__()
        self.slots = nn.ModuleList(_two_layers(config.audio.embedding_dim) for _ in range(NUM_SLOTS))
        self.places = _two_layers(config.vision.feature_dim)

    def embed_sound(self, embedding_GD: Tensor) -> Tensor:
        """From the audio encoder's summaries to [G, K, P]."""
        return F.normalize(torch.stack([slot(embedding_GD) for slot in self.slots], 1), dim=-1)

    def embed_image(self, features_BChw: Tensor) -> Tensor:
        """From the tower's features to [B, h / 2, w / 2, P]."""
        return F.normalize(self.places(F.avg_pool2d(features_BChw, 2).permute(0, 2, 3, 1)), dim=-1)


def _two_layers(num_in: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(num_in, _JOINT_DIM), nn.ReLU(), nn.Linear(_JOINT_DIM, _JOINT_DIM))


def return_loss(places_GKNP: Tensor, leaving_GKP: Tensor, arriving_GKP: Tensor) -> Tensor:
    """Negative log of the probability that the walker comes back.

    Args:
        places_GKNP: of the K pictures of each pair.
        leaving_GKP: slots of one mixture of their sounds.
        arriving_GKP: slots of another one.
    """
    to_picture = torch.einsum("gsp,ginp->gsin", leaving_GKP, places_GKNP).amax(-1)
    to_slot = torch.einsum("ginp,gtp->gint", places_GKNP, arriving_GKP).amax(2)
    there_and_back = (to_picture / _TEMPERATURE).softmax(-1) @ (to_slot / _TEMPERATURE).softmax(-1)
    return -there_and_back.diagonal(dim1=1, dim2=2).clamp(min=1e-8).log().mean()


def save_mixture(network: MixtureNetwork, path: Path) -> None:
    """Writes float16 safetensors.

    Raises:
        ValueError: if they cannot be written.
    """
    write_whole(path, save({name: value.half().contiguous() for name, value in network.state_dict().items()}))


class MixtureBaseline:
    """One mask for each slot.

    Args:
        networks: of `micro`.
        tower: features of images.
        path: weights of `save_mixture`.

    Raises:
        ValueError: if the file is missing, damaged or no such file: one line.
    """

    def __init__(self, networks: MicroNetworks, tower: SharedTower, path: Path) -> None:
        try:
            tensors = as_float32(load_file(path).items())
        except (OSError, SafetensorError) as error:
            raise ValueError(
                f"{path} cannot be read ({error}): run python -m training.micro.audio_visual.train_mix_localize"
            ) from None
        self._network = MixtureNetwork(networks.config)
        load_strictly(self._network, tensors, "mixture")
        self._network.eval().requires_grad_(False).to(tower.device)
        self._audio_encoder, self._tower = networks.audio, tower

    @torch.inference_mode()
    def predict(self, scene: LoadedSample) -> CollisionResult:
        """All of the picture that is at least half as near to a slot as the nearest place."""
        samples = torch.from_numpy(scene.window.samples).unsqueeze(0).to(self._tower.device)
        slots_KP = self._network.embed_sound(self._audio_encoder(samples).embedding_ND)[0]
        seen = self._tower.see(scene.frame.image)
        places_hwP = self._network.embed_image(seen.features)[0]
        config, masks = LocalisationConfig(), []
        for similarity in seen.on_image((places_hwP @ slots_KP.T).permute(2, 0, 1)):
            mask = peak_mask(score_map(similarity.copy(), config), scene.frame.size_hw, config)
            masks.append(
                Candidate(
                    role=Role.AUDIO_VISUAL,
                    mask=mask,
                    box_xyxy=mask_to_box_xyxy(mask),
                    score=float(similarity.max().clip(0, 1)),
                    reason="a slot of the sound",
                )
            )
        return CollisionResult(
            verdict=Verdict.TWO_OBJECTS, reason=Reason.SELECTED, detail="one mask per slot", masks=tuple(masks)
        )
