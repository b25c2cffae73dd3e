"""The audio-visual part of `micro` that is trained as in the paper, without masks: the sound is one more word.

Audio encoder, audio token and prompt encoder make a condition; the decoder that follows words follows it too (paper, section
4.1). `MicroAudioVisual`, in contrast, has a decoder of its own, which learned from masks.

Shape suffixes: N windows, P features of a condition.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from cs3_model.localisation import Masker
from cs3_model.networks.micro.audio import NUM_MATERIALS, MicroAudioEncoder
from cs3_model.networks.micro.heard import MicroAudioToken
from cs3_model.networks.micro.micro_parts import MicroNetworks, Seen, SharedTower
from cs3_model.networks.micro.prompted import PromptEncoder
from cs3_model.networks.state_dicts import as_float32, load_strictly
from cs3_model.types import AudioWindow, Float32Array, UInt8Image

_AUDIO = "audio."


class WeaklyHeard(nn.Module):
    """A spectrogram to a condition of the frozen segmenter.

    Args:
        audio: encoder of the sound.
        prompt: the frozen text side.
        condition_dim: P.
    """

    def __init__(self, audio: MicroAudioEncoder, prompt: PromptEncoder, condition_dim: int) -> None:
        super().__init__()
        self.audio = audio
        self.token = MicroAudioToken(audio.config.embedding_dim, NUM_MATERIALS, condition_dim)
        self.prompt = prompt

    def forward(self, log_mel_NMF: Tensor) -> Tensor:
        """Returns conditions [N, P]; the spectrogram is that of the audio encoder."""
        return self.prompt.from_embedding(self.token(*self.audio.encode(log_mel_NMF)))


def weakly_heard(networks: MicroNetworks) -> WeaklyHeard:
    """Builds the network around the weights of `micro`; its token is random."""
    return WeaklyHeard(networks.audio, networks.vision.prompt, networks.config.vision.condition_dim)


class MicroWeakAudioVisual:
    """`cs3_model.parts.AudioVisualSegmenter` of weakly supervised weights.

    Args:
        networks: of `micro`; they keep their own audio encoder.
        tower: features of images.
        heard: from a sound to the condition.
        name: identity of the weights.
        trained: whether they mean anything.
        masker: where training cut the logits, if the weights say so.
    """

    def __init__(
        self,
        networks: MicroNetworks,
        tower: SharedTower,
        heard: WeaklyHeard,
        *,
        name: str,
        trained: bool,
        masker: Masker | None = None,
    ) -> None:
        self.name, self.trained, self.masker = name, trained, masker
        self._tower, self._decoder = tower, networks.vision.decoder
        self._heard = heard.eval().requires_grad_(False).to(tower.device)

    def embed_image(self, image: UInt8Image) -> Seen:
        """What the tower sees."""
        return self._tower.see(image)

    @torch.inference_mode()
    def embed_audio(self, window: AudioWindow) -> Tensor:
        """The condition [1, P] of a sound."""
        samples = torch.from_numpy(window.samples).unsqueeze(0).to(self._tower.device)
        return self._heard(self._heard.audio.spectrogram(samples))

    @torch.inference_mode()
    def decode(self, image_features: Seen, audio_embedding: Tensor) -> Float32Array:
        """The map's logits at half the network's resolution."""
        logits = self._decoder(image_features.features, audio_embedding.unsqueeze(1))
        return image_features.on_image(logits)[0, 0]


def load_weak(networks: MicroNetworks, tower: SharedTower, path: Path) -> MicroWeakAudioVisual:
    """Builds the part with weights of `training.train`: the token, and the audio encoder if it was trained.

    Raises:
        ValueError: if the file is missing, damaged or no such file: one line.
    """
    audio = MicroAudioEncoder(networks.config.audio)
    own = {f"{_AUDIO}{name}": value for name, value in networks.audio.state_dict().items()}
    heard = WeaklyHeard(audio, networks.vision.prompt, networks.config.vision.condition_dim)
    prompt = {f"prompt.{name}": value for name, value in networks.vision.prompt.state_dict().items()}
    tensors = _read(path)
    trained = {name: value for name, value in tensors.items() if not name.startswith("masker.")}
    load_strictly(heard, own | prompt | trained, "micro-weak")
    name = f"micro, weakly supervised ({path.name})"
    masker = Masker.of_weights(tensors)
    return MicroWeakAudioVisual(networks, tower, heard, name=name, trained=True, masker=masker)


def build_random_token(networks: MicroNetworks, tower: SharedTower, seed: int) -> MicroWeakAudioVisual:
    """Builds the part around the networks of `micro` with a random projection: Random of the paper's Table 1."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        heard = weakly_heard(networks)
    return MicroWeakAudioVisual(networks, tower, heard, name=f"micro, random token {seed}", trained=False)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return as_float32(load_file(path).items())
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path} cannot be read ({error}): train it with python -m training.train") from None
