"""The audio-visual network of CS3 (paper, section 4.1): sound in, a map of where it comes from out.

Shape suffixes: B clips, T samples, P features of the joint image-text space.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

from cs3_model.localisation import Masker
from cs3_model.networks.audio_token import AudioToken
from cs3_model.networks.beats import BEATs, log_mel
from cs3_model.networks.clipseg import ConditionedCLIPSeg, rd64_refined_config
from cs3_model.networks.text_prompt import AudioPrompt
from cs3_model.types import AudioWindow, Float32Array, UInt8Image

AUDIO_BLOCKS = (3, 7, 11)
"""Blocks of BEATs whose outputs make the audio token, as in ACL-SSL; the paper does not name any."""


class AudioVisualNetwork(nn.Module):
    """BEATs, the audio token and CLIPSeg: all weights of the audio-visual stage.

    The paper trains ``beats`` and ``audio_token`` and freezes ``clipseg``, text encoder included.

    Args:
        beats: audio encoder.
        audio_token: from its hidden states to a text token.
        prompt: the words around the token.
        clipseg: text encoder, vision encoder and decoder.
        audio_blocks: zero-based blocks of ``beats`` that the audio token is made of, rising.
    """

    def __init__(
        self,
        *,
        beats: BEATs,
        audio_token: AudioToken,
        prompt: AudioPrompt,
        clipseg: ConditionedCLIPSeg,
        audio_blocks: Sequence[int] = AUDIO_BLOCKS,
    ) -> None:
        super().__init__()
        self.beats = beats
        self.audio_token = audio_token
        self.prompt = prompt
        self.clipseg = clipseg
        self.audio_blocks = tuple(audio_blocks)

    def condition(self, log_mel_BFM: Tensor) -> Tensor:
        """Turns spectrograms (`cs3_model.networks.beats.log_mel`) into A_C, [B, P], not normalised."""
        levels_BND = self.beats(log_mel_BFM, blocks=self.audio_blocks)
        return self.prompt(self.clipseg.model.clip, self.audio_token(levels_BND))


class ConditionedSegmenter:
    """`cs3_model.parts.AudioVisualSegmenter` for any way to turn sound into a condition of CLIPSeg.

    Args:
        clipseg: the segmentation network, on its device and in its dtype.
        condition: from a spectrogram, on that device, to the condition, [1, P].
        name: identity of networks and weights.
        trained: whether the weights mean anything.
        masker: where training cut the logits, if the weights say so.
    """

    def __init__(
        self,
        clipseg: ConditionedCLIPSeg,
        condition: Callable[[Tensor], Tensor],
        *,
        name: str,
        trained: bool,
        masker: Masker | None = None,
    ) -> None:
        self.name = name
        self.trained = trained
        self.masker = masker
        self._clipseg = clipseg
        self._condition = condition

    @torch.inference_mode()
    def embed_image(self, image: UInt8Image) -> Tensor:
        """Computes the decoder's three reduced feature maps of an RGB uint8 image [H, W, 3]: [3, 1, N, R]."""
        return self._clipseg.image_features(self._clipseg.pixels(image).to(self._weight()))

    @torch.inference_mode()
    def embed_audio(self, window: AudioWindow) -> Tensor:
        """Computes the conditioning vector A_C, [1, P], not normalised."""
        # The spectrogram is float32, cheap and built from many small steps: it is made before the device is reached.
        return self._condition(log_mel(torch.tensor(window.samples).unsqueeze(0)).to(self._weight().device))

    @torch.inference_mode()
    def decode(self, image_features: Tensor, audio_embedding: Tensor) -> Float32Array:
        """Returns the logits of M_AV, float32 [h, w], stretched over the whole image."""
        return self._clipseg.decode_pairs(image_features, audio_embedding)[0, 0].float().cpu().numpy()

    def _weight(self) -> Tensor:
        """Any weight, for its device and dtype; looked up because loading may replace the parameters."""
        return self._clipseg.model.decoder.film_mul.weight


def audio_visual_segmenter(
    network: AudioVisualNetwork, *, name: str, trained: bool, masker: Masker | None = None
) -> ConditionedSegmenter:
    """Makes the pipeline's part of a network, for inference."""
    network.eval()
    return ConditionedSegmenter(network.clipseg, network.condition, name=name, trained=trained, masker=masker)


def build_full_audio_visual_network() -> AudioVisualNetwork:
    """Builds the network at the size of the published weights of BEATs and CLIPSeg, with random weights (249 M)."""
    return AudioVisualNetwork(
        beats=BEATs(),
        audio_token=AudioToken(),
        prompt=AudioPrompt(),
        clipseg=ConditionedCLIPSeg(CLIPSegForImageSegmentation(rd64_refined_config())),
    )


def build_debug_audio_visual_network() -> AudioVisualNetwork:
    """Builds the same classes at a size that runs in milliseconds on one core: 64 x 64 pixels, 12 words."""
    transformer = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4}
    config = CLIPSegConfig(
        text_config=transformer
        | {"vocab_size": 12, "max_position_embeddings": 16, "bos_token_id": 10, "eos_token_id": 2},
        vision_config=transformer | {"image_size": 32, "patch_size": 16},
        projection_dim=32,
        reduce_dim=16,
        extract_layers=[0, 1, 2],
        decoder_num_attention_heads=4,
        decoder_intermediate_size=32,
        use_complex_transposed_convolution=True,
    )
    beats = BEATs(
        num_layers=3, dim=32, ffn_dim=64, num_heads=4, patch_dim=16, conv_pos=16, conv_pos_groups=4, num_classes=16
    )
    return AudioVisualNetwork(
        beats=beats,
        audio_token=AudioToken(in_dim=3 * 32, token_dim=32),
        prompt=AudioPrompt(prompt_ids=(10, 1, 2, 3, 1), end_id=11),
        clipseg=ConditionedCLIPSeg(CLIPSegForImageSegmentation(config), input_size=64),
        audio_blocks=(0, 1, 2),
    )


def build_debug_audio_visual_segmenter(seed: int = 0, device: torch.device | str = "cpu") -> ConditionedSegmenter:
    """Builds the debug part: random, tiny, the same for the same seed; its masks mean nothing."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_debug_audio_visual_network()
    return audio_visual_segmenter(network.to(device), name=f"debug-audio-visual-{seed}", trained=False)
