"""CLIPSeg (Lüddecke and Ecker, CVPR 2022) cut into what is done per image and what is done per image-sound pair.

Around `transformers.CLIPSegForImageSegmentation`, whose parameters and names stay as they are. Its own ``forward``
encodes the image again for every pair and keeps gradients out of the condition; the methods here do neither.

Shape suffixes: B images, A conditions, S decoder stages, N tokens (class token first), R reduced features,
P features of the joint image-text space, h w pixels of the network's input.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

from cs3_model.networks.image_input import IMAGENET, Normalisation, image_pixels
from cs3_model.types import UInt8Image


def rd64_refined_config() -> CLIPSegConfig:
    """Configuration of the published ``CIDAS/clipseg-rd64-refined`` (150.7 M parameters).

    Its position table is CLIP's, for 224 pixels; transformers interpolates it to the 352 that CLIPSeg works at.
    """
    return CLIPSegConfig(
        text_config={"eos_token_id": 2},
        vision_config={"patch_size": 16},
        use_complex_transposed_convolution=True,
    )


class ConditionedCLIPSeg(nn.Module):
    """Segments images by any vector of CLIP's joint image-text space.

    Args:
        model: the network, of any size, with random or loaded weights.
        input_size: side of the square input, pixels; a multiple of the patch size.
        normalisation: of the input pixels.
    """

    def __init__(
        self, model: CLIPSegForImageSegmentation, *, input_size: int = 352, normalisation: Normalisation = IMAGENET
    ) -> None:
        super().__init__()
        self.model = model
        self.input_size = input_size
        self.normalisation = normalisation

    def pixels(self, image: UInt8Image) -> Tensor:
        """Prepares an RGB uint8 image [H, W, 3] of any size as float32 [1, 3, h, w] on the CPU."""
        return image_pixels(image, size=self.input_size, normalisation=self.normalisation)

    def image_features(self, pixels_B3hw: Tensor) -> Tensor:
        """Computes what decoding needs of images: the extracted hidden states, reduced, deepest first.

        Blocks above the deepest extracted one are not computed.

        Returns:
            [S, B, N, R].
        """
        return self._reduce(self._hidden_states(pixels_B3hw, num_blocks=max(self.model.extract_layers) + 1))

    def image_and_patch_features(self, pixels_B3hw: Tensor) -> tuple[Tensor, Tensor]:
        """Computes, in one pass, what decoding needs of images and an embedding of each patch in the joint space.

        The patch embeddings are those of MaskCLIP (Zhou et al., ECCV 2022): the last block's attention is replaced by
        its value and output projections, so that each patch speaks for itself; residual and MLP are kept.

        Returns:
            `image_features` [S, B, N, R], and patch embeddings [B, P, s, s], not normalised, s patches on a side.
        """
        clip = self.model.clip
        *earlier, last = clip.vision_model.encoder.layers
        states_BND = self._hidden_states(pixels_B3hw, num_blocks=len(earlier))
        attention = last.self_attn
        hidden_BND = states_BND[-1]
        hidden_BND = hidden_BND + attention.out_proj(attention.v_proj(last.layer_norm1(hidden_BND)))
        hidden_BND = hidden_BND + last.mlp(last.layer_norm2(hidden_BND))
        patches_BNP = clip.visual_projection(clip.vision_model.post_layernorm(hidden_BND[:, 1:]))
        side = int(patches_BNP.shape[1] ** 0.5)
        return self._reduce(states_BND), patches_BNP.transpose(1, 2).unflatten(-1, (side, side))

    def decode_pairs(
        self, features_SBNR: Tensor, conditions_AP: Tensor, *, max_pairs: int = 64, recompute: bool = False
    ) -> Tensor:
        """Decodes every image under every condition.

        Args:
            features_SBNR: of `image_features`.
            conditions_AP: vectors of the joint space, such as A_C; not normalised.
            max_pairs: pairs decoded at once, at least one condition for all images; bounds the memory.
            recompute: keep no activations for the backward pass but compute them again, chunk by chunk.

        Returns:
            Logits [B, A, h, w].
        """
        num_images = features_SBNR.shape[1]
        logits = []
        for chunk_aP in conditions_AP.split(max(1, max_pairs // num_images)):
            if recompute:
                logits.append(checkpoint(self._decode, features_SBNR, chunk_aP, use_reentrant=False))
            else:
                logits.append(self._decode(features_SBNR, chunk_aP))
        return torch.cat(logits, dim=1)

    def image_embedding(self, pixels_B3hw: Tensor) -> Tensor:
        """Embeds whole images in the joint space, [B, P], not normalised; gradients reach the pixels."""
        return self.model.clip.get_image_features(pixels_B3hw).pooler_output

    def _hidden_states(self, pixels_B3hw: Tensor, *, num_blocks: int) -> list[Tensor]:
        """The outputs of the vision encoder's first blocks."""
        vision = self.model.clip.vision_model
        hidden, states = vision.pre_layrnorm(vision.embeddings(pixels_B3hw)), []
        for layer in vision.encoder.layers[:num_blocks]:
            hidden = layer(hidden, attention_mask=None)
            states.append(hidden)
        return states

    def _reduce(self, states_BND: list[Tensor]) -> Tensor:
        extracted = [states_BND[index] for index in sorted(self.model.extract_layers, reverse=True)]
        return torch.stack([reduce(state) for reduce, state in zip(self.model.decoder.reduces, extracted, strict=True)])

    def _decode(self, features_SBNR: Tensor, conditions_AP: Tensor) -> Tensor:
        decoder = self.model.decoder
        _, num_images, num_tokens, _ = features_SBNR.shape
        num_conditions = len(conditions_AP)
        x_PNR = features_SBNR.new_zeros(())
        for stage, (features_BNR, layer) in enumerate(zip(features_SBNR, decoder.layers, strict=True)):
            x_PNR = x_PNR + features_BNR.repeat_interleave(num_conditions, dim=0)
            if stage == decoder.conditional_layer:  # FiLM, on the class token too
                scale_PR, shift_PR = (
                    film(conditions_AP).repeat(num_images, 1) for film in (decoder.film_mul, decoder.film_add)
                )
                x_PNR = scale_PR.unsqueeze(1) * x_PNR + shift_PR.unsqueeze(1)
            x_PNR = layer(x_PNR, attention_mask=None)
        side = int((num_tokens - 1) ** 0.5)
        grid_PRss = x_PNR[:, 1:].transpose(1, 2).unflatten(-1, (side, side))
        return decoder.transposed_convolution(grid_PRss).squeeze(1).unflatten(0, (num_images, num_conditions))
