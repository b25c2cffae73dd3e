"""The paper's networks as a `training.weak.objective.TrainableModel`: BEATs and the audio token before a frozen CLIPSeg."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from cs3_model.foundation import TRAINED_PARTS
from cs3_model.networks.audio_visual import AudioVisualNetwork
from cs3_model.networks.beats import log_mel
from cs3_model.networks.image_input import Normalisation, image_pixels
from cs3_model.types import Float32Array, UInt8Image


class CLIPSegModel(nn.Module):
    """Trains BEATs (fine-tuned) and the audio token (from scratch); CLIP and CLIPSeg's decoder are frozen.

    Args:
        network: all networks; BEATs without its tagging head, which takes no part.
        name: identity of the architecture.
        pooling_dropout: of the audio token's pooling score.
    """

    def __init__(self, network: AudioVisualNetwork, *, name: str, pooling_dropout: float) -> None:
        super().__init__()
        self.name = name
        self.network = network
        self.prepare_image = partial(
            _pixels, size=network.clipseg.input_size, normalisation=network.clipseg.normalisation
        )
        self.prepare_sound = _spectrogram
        network.beats.predictor = None
        network.clipseg.requires_grad_(False)
        for module in network.audio_token.modules():
            if isinstance(module, nn.Dropout):
                module.p = pooling_dropout

    def train(self, mode: bool = True) -> CLIPSegModel:
        """Sets training mode of what is trained."""
        super().train(mode)
        self.network.clipseg.eval()
        return self

    def encode_images(self, pixels_b3HW: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.clipseg.image_and_patch_features(pixels_b3HW)

    def embed_images(self, pixels_b3HW: Tensor) -> Tensor:
        return self.network.clipseg.image_embedding(pixels_b3HW)

    def embed_sounds(self, sounds_bX: Tensor) -> Tensor:
        return self.network.condition(sounds_bX)

    def decode(self, features: Tensor, conditions_aP: Tensor) -> Tensor:
        return self.network.clipseg.decode_pairs(
            features, conditions_aP, max_pairs=features.shape[1] * len(conditions_aP)
        )

    def trained_parameters(self) -> tuple[Sequence[nn.Parameter], Sequence[nn.Parameter]]:
        return list(self.network.beats.parameters()), list(self.network.audio_token.parameters())

    def exported(self) -> Mapping[str, Tensor]:
        return {name: value for name, value in self.network.state_dict().items() if name.startswith(TRAINED_PARTS)}


def _pixels(image: UInt8Image, *, size: int, normalisation: Normalisation) -> Tensor:
    return image_pixels(image, size=size, normalisation=normalisation).squeeze(0)


def _spectrogram(samples: Float32Array) -> Tensor:
    return log_mel(torch.from_numpy(samples).unsqueeze(0)).squeeze(0)
