"""CLIPSeg's text encoder, fed with a prompt that ends in an audio token: "a photo of a <audio>".

`transformers.CLIPSegTextModel` takes token ids only. This module runs its parts on embeddings instead, and is causal
by the same means: without ``is_causal`` the encoder silently becomes bidirectional when the attention back end builds
no mask. It pools at the position of the end token, given rather than searched for, which avoids the published
configuration's ``eos_token_id`` of 2 (there, transformers pools where the token id is largest).

Shape suffixes: B batch, L prompt tokens, E token features, P features of the joint image-text space.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers import CLIPSegModel
from transformers.masking_utils import create_causal_mask

PROMPT_IDS = (49406, 320, 1125, 539, 320)
"""Start token and "a photo of a" in CLIP's vocabulary (paper, section 4.1)."""
END_ID = 49407
"""CLIP's end token."""


def encode_embeddings(clip: CLIPSegModel, embeddings_BLE: Tensor) -> Tensor:
    """Encodes prompts given as token embeddings whose last position is the end token.

    Later positions would change nothing, because the encoder is causal: cutting at the end token is exact.

    Returns:
        Text features [B, P], not normalised, as `CLIPSegModel.get_text_features` gives them.
    """
    text = clip.text_model
    hidden_BLE = text.embeddings(inputs_embeds=embeddings_BLE)
    mask = create_causal_mask(config=text.config, inputs_embeds=hidden_BLE, attention_mask=None, past_key_values=None)
    encoded = text.encoder(inputs_embeds=hidden_BLE, attention_mask=mask, is_causal=True).last_hidden_state
    return clip.text_projection(text.final_layer_norm(encoded[:, -1]))


def encode_tokens(clip: CLIPSegModel, ids: Sequence[int]) -> Tensor:
    """Encodes one plain prompt, start and end token included, no padding. Returns [1, P]."""
    embedding = clip.text_model.embeddings.token_embedding
    return encode_embeddings(clip, embedding(torch.tensor([list(ids)], device=embedding.weight.device)))


class AudioPrompt(nn.Module):
    """Puts audio tokens at the end of a text prompt.

    Args:
        prompt_ids: ids of the start token and the words before the audio token.
        end_id: id of the end token.
    """

    def __init__(self, prompt_ids: Sequence[int] = PROMPT_IDS, end_id: int = END_ID) -> None:
        super().__init__()
        self.register_buffer("ids", torch.tensor([*prompt_ids, end_id]), persistent=False)

    def forward(self, clip: CLIPSegModel, token_BE: Tensor) -> Tensor:
        """Encodes "<prompt> <audio token>". Returns A_C, [B, P], not normalised."""
        words_LE = clip.text_model.embeddings.token_embedding(self.ids)
        words_BLE = words_LE.expand(token_BE.shape[0], -1, -1)
        return encode_embeddings(clip, torch.cat([words_BLE[:, :-1], token_BE.unsqueeze(1), words_BLE[:, -1:]], dim=1))
