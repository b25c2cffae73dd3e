"""The map of a text prompt in place of the sound's: what `micro` finds without hearing."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cs3_model.localisation import Masker
from cs3_model.networks.micro.micro_parts import MicroNetworks, Seen, SharedTower
from cs3_model.networks.micro.vocabulary import encode_prompt
from cs3_model.types import AudioWindow, Float32Array, UInt8Image


class PromptedMap:
    """`cs3_model.parts.AudioVisualSegmenter` that hears nothing.

    Args:
        networks: of `micro`.
        tower: features of images.
        words: of the vocabulary.

    Raises:
        ValueError: if a word is not known.
    """

    trained = True
    masker: Masker | None = None

    def __init__(self, networks: MicroNetworks, tower: SharedTower, words: Sequence[str]) -> None:
        self.name = f"micro, asked for {' '.join(words)}"
        self._tower, self._decoder = tower, networks.vision.decoder
        with torch.inference_mode():
            prompt = torch.tensor([[encode_prompt(words)]], device=tower.device)
            self._condition = networks.vision.prompt(prompt)

    def embed_image(self, image: UInt8Image) -> Seen:
        """What the tower sees."""
        return self._tower.see(image)

    def embed_audio(self, window: AudioWindow) -> Tensor:
        """The condition [1, 1, P] of the words, whatever is heard."""
        return self._condition

    @torch.inference_mode()
    def decode(self, image_features: Seen, audio_embedding: Tensor) -> Float32Array:
        """The map's logits at half the network's resolution."""
        logits = self._decoder(image_features.features, audio_embedding)
        return image_features.on_image(logits)[0, 0]
