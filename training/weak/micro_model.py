"""The networks of `micro` as a `training.weak.objective.TrainableModel`: audio encoder and token before a frozen segmenter.

`micro` has no CLIP: nothing embeds whole images among words. Its frozen head of labels stands in. It is a linear
classifier of every feature, so that the conditions of the words that it sees, weighted by its probabilities, embed a
place; an image is embedded as the sum over its places, in which what is no object has no share.

Shape suffixes as in `training.weak.losses`; P features of a condition, which is the joint space.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from cs3_model.networks.micro.audio import LogMel
from cs3_model.networks.micro.letterbox import Letterbox
from cs3_model.networks.micro.micro_parts import MicroNetworks
from cs3_model.networks.micro.vision import MicroVision
from cs3_model.networks.micro.vocabulary import CLASSES, MATERIALS, encode_prompt
from cs3_model.networks.micro.weak import weakly_heard
from cs3_model.types import Float32Array, UInt8Image

_MEAN_COLOUR = 0.5
"""Pixels are given as differences from it, so that a masked place has this colour."""


class MicroWeakModel(nn.Module):
    """Trains audio encoder (from its pretraining) and audio token (from scratch); tower, prompts and decoder are frozen.

    Args:
        networks: of `micro`; its decoder for sounds takes no part.
    """

    def __init__(self, networks: MicroNetworks) -> None:
        super().__init__()
        self.name = "audio encoder of micro + frozen prompts of micro"
        self.vision = networks.vision.requires_grad_(False)
        self.heard = weakly_heard(networks)
        self.heard.audio.requires_grad_(True)
        self.words = WordsOfPlaces(networks.vision)
        self.prepare_image = Pixels(networks.config.vision.side)
        self.prepare_sound = Spectrogram(networks.audio.spectrogram)

    def train(self, mode: bool = True) -> MicroWeakModel:
        """Sets training mode of what is trained."""
        super().train(mode)
        self.vision.eval()
        if not self._encoder_is_trained:
            self.heard.audio.eval()
        return self

    @property
    def _encoder_is_trained(self) -> bool:
        return any(parameter.requires_grad for parameter in self.heard.audio.parameters())

    def encode_images(self, pixels_b3HW: Tensor) -> tuple[Tensor, Tensor]:
        features = self.vision.tower(pixels_b3HW + _MEAN_COLOUR)
        return features, self.words(features)

    def embed_images(self, pixels_b3HW: Tensor) -> Tensor:
        return self.words(self.vision.tower(pixels_b3HW + _MEAN_COLOUR)).mean(dim=(2, 3))

    def embed_sounds(self, sounds_bX: Tensor) -> Tensor:
        return self.heard(sounds_bX)

    def decode(self, features: Tensor, conditions_aP: Tensor) -> Tensor:
        return self.vision.decoder(features, conditions_aP.expand(len(features), -1, -1))

    def trained_parameters(self) -> tuple[Sequence[nn.Parameter], Sequence[nn.Parameter]]:
        return list(self.heard.audio.parameters()), list(self.heard.token.parameters())

    def exported(self) -> Mapping[str, Tensor]:
        kept = ("token.", "audio.") if self._encoder_is_trained else ("token.",)
        return {name: value for name, value in self.heard.state_dict().items() if name.startswith(kept)}


class WordsOfPlaces(nn.Module):
    """Embeds places by the words that the frozen label head has for them.

    Conditions are taken relative to their mean, because what all words share says nothing.

    Args:
        vision: frozen.
    """

    def __init__(self, vision: MicroVision) -> None:
        super().__init__()
        self.labels = vision.dense_labels
        words = torch.tensor([encode_prompt((word,)) for word in (*MATERIALS, *CLASSES, "table")])
        with torch.no_grad():
            conditions_WP = vision.prompt(words)
        centred_WP = nn.functional.normalize(conditions_WP - conditions_WP.mean(0), dim=-1)
        self.register_buffer("conditions_WP", centred_WP, persistent=False)

    def forward(self, features_bChw: Tensor) -> Tensor:
        """Returns embeddings [b, P, h, w], the shorter the less the place looks like an object."""
        probabilities = [logits.float().softmax(1)[:, 1:] for logits in self.labels(features_bChw)]
        return torch.einsum("bwij,wp->bpij", torch.cat(probabilities, 1), self.conditions_WP)


class Pixels:
    """Prepares images; picklable.

    Args:
        side: of the network's images.
    """

    def __init__(self, side: int) -> None:
        self._side = side

    def __call__(self, image: UInt8Image) -> Tensor:
        """From RGB [H, W, 3] to [3, side, side]."""
        place = Letterbox.around(image.shape[:2], self._side)
        return place.pixels(torch.from_numpy(image.copy())).squeeze(0) - _MEAN_COLOUR


class Spectrogram:
    """Prepares sounds; picklable.

    Args:
        log_mel: of the audio encoder.
    """

    def __init__(self, log_mel: LogMel) -> None:
        self._log_mel = log_mel

    def __call__(self, samples: Float32Array) -> Tensor:
        """From [T] to [M, F]."""
        return self._log_mel(torch.from_numpy(samples).unsqueeze(0)).squeeze(0)
