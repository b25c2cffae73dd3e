"""The prompt with an audio token, against `transformers.CLIPSegModel` for prompts of plain words."""

from __future__ import annotations

import pytest
import torch
from transformers import CLIPSegConfig, CLIPSegModel

from cs3_model.networks.clipseg import rd64_refined_config
from cs3_model.networks.text_prompt import END_ID, PROMPT_IDS, AudioPrompt, encode_tokens

CAT_ID = 2368  # any word


def text_only(config: CLIPSegConfig) -> CLIPSegModel:
    """The text encoder of a configuration beside a vision encoder of one small layer."""
    config.vision_config.num_hidden_layers = 1
    torch.manual_seed(0)
    return CLIPSegModel(config).eval()


@pytest.fixture(scope="module")
def clip() -> CLIPSegModel:
    """CLIP's vocabulary and end token at its place, in a narrow encoder."""
    config = CLIPSegConfig(
        text_config={"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4},
        vision_config={"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 4, "patch_size": 16},
        projection_dim=24,
    )
    config.text_config.eos_token_id = 2
    return text_only(config)


@pytest.fixture(scope="module")
def full_clip() -> CLIPSegModel:
    return text_only(rd64_refined_config())


@pytest.mark.parametrize("size", ["clip", "full_clip"])
@torch.no_grad()
def test_a_prompt_of_plain_words_equals_get_text_features_exactly(size, request):
    clip = request.getfixturevalue(size)
    ids = [*PROMPT_IDS, CAT_ID, END_ID]
    reference = clip.get_text_features(torch.tensor([ids])).pooler_output
    assert torch.equal(encode_tokens(clip, ids), reference)
    word = clip.text_model.embeddings.token_embedding(torch.tensor([CAT_ID]))
    assert torch.equal(AudioPrompt()(clip, word), reference)


@pytest.mark.parametrize("size", ["clip", "full_clip"])
@torch.no_grad()
def test_text_cut_at_the_end_token_equals_text_padded_to_77(size, request):
    clip = request.getfixturevalue(size)
    ids = [*PROMPT_IDS, CAT_ID, END_ID]
    padded = torch.tensor([ids + [END_ID] * (77 - len(ids))])  # CLIP pads with its end token; the first one is pooled
    reference = clip.get_text_features(padded).pooler_output
    torch.testing.assert_close(encode_tokens(clip, ids), reference, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_words_do_not_see_later_words(clip, attention):
    """Holds for the back end that builds a causal mask and for the one that only gets ``is_causal``."""
    hidden = []
    handle = clip.text_model.encoder.register_forward_hook(lambda _, __, output: hidden.append(output[0]))
    clip.set_attn_implementation(attention)
    for later_word in (5, 6):
        encode_tokens(clip, [49406, 320, later_word, END_ID])
    clip.set_attn_implementation("sdpa")
    handle.remove()
    assert torch.equal(hidden[0][:, :2], hidden[1][:, :2])
    assert not torch.allclose(hidden[0][:, 2:], hidden[1][:, 2:], atol=1e-2)


def test_the_audio_token_stands_between_the_words_and_the_end_token(clip):
    seen = []
    handle = clip.text_model.embeddings.register_forward_hook(
        lambda module, args, kwargs, output: seen.append(kwargs["inputs_embeds"]), with_kwargs=True
    )
    audio = torch.randn(2, 16)
    AudioPrompt()(clip, audio)
    handle.remove()
    words = clip.text_model.embeddings.token_embedding(torch.tensor([*PROMPT_IDS, END_ID]))
    (embeddings,) = seen
    assert embeddings.shape == (2, 7, 16)
    for clip_index in range(2):
        assert torch.equal(embeddings[clip_index, :5], words[:5])
        assert torch.equal(embeddings[clip_index, 5], audio[clip_index])
        assert torch.equal(embeddings[clip_index, 6], words[5])


def test_gradient_reaches_the_audio_token_of_its_own_clip_only(clip):
    audio = torch.randn(2, 16, requires_grad=True)
    AudioPrompt()(clip, audio)[0].sum().backward()
    assert audio.grad[0].abs().sum() > 0
    assert audio.grad[1].abs().sum() == 0
