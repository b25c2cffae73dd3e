"""Text prompts chosen by audio tags, with a tagging head whose logits are set by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from transformers import CLIPSegConfig, CLIPSegForImageSegmentation, CLIPTokenizer

from cs3_model.networks.beats import BEATs
from cs3_model.networks.clipseg import ConditionedCLIPSeg
from cs3_model.networks.tagged_prompts import GENERIC_PROMPT, build_tagged_prompts, tagged_prompt_segmenter
from cs3_model.types import AudioWindow

LABELS = {0: "/m/speech", 1: "/m/pan", 2: "/m/glass", 3: "/m/door"}
PROMPTS = {"/m/glass": "a glass", "/m/pan": "a frying pan", "/m/door": "a door"}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory) -> CLIPTokenizer:
    """CLIP's tokenizer with letters for words, from files as a download would bring them."""
    folder = tmp_path_factory.mktemp("tokenizer")
    letters = [chr(code) + end for code in range(ord("a"), ord("z") + 1) for end in ("", "</w>")]
    tokens = [*letters, "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def clipseg(tokenizer) -> ConditionedCLIPSeg:
    transformer = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4}
    config = CLIPSegConfig(
        text_config=transformer | {"vocab_size": len(tokenizer), "bos_token_id": 52, "eos_token_id": 2},
        vision_config=transformer | {"image_size": 32, "patch_size": 16},
        projection_dim=24,
        reduce_dim=16,
        extract_layers=[0, 1, 2],
        decoder_intermediate_size=32,
    )
    torch.manual_seed(0)
    return ConditionedCLIPSeg(CLIPSegForImageSegmentation(config), input_size=32).eval()


def beats_that_hears(**probabilities: float) -> BEATs:
    """A small BEATs whose tags have these probabilities, whatever the sound; all others are as good as 0."""
    network = BEATs(
        num_layers=1, dim=32, ffn_dim=32, num_heads=4, patch_dim=16, conv_pos=16, conv_pos_groups=4, num_classes=4
    )
    torch.nn.init.zeros_(network.predictor.weight)
    torch.nn.init.constant_(network.predictor.bias, -100)
    for index, machine_id in LABELS.items():
        probability = probabilities.get(machine_id.removeprefix("/m/"))
        if probability is not None:
            network.predictor.bias.data[index] = math.log(probability / (1 - probability))
    return network


@torch.no_grad()
def text_features(clipseg, tokenizer, text: str) -> torch.Tensor:
    """transformers' own features of a prompt."""
    ids = tokenizer(f"a photo of {text}", return_tensors="pt").input_ids
    return clipseg.model.clip.get_text_features(ids).pooler_output


@torch.no_grad()
def condition(clipseg, tokenizer, **probabilities: float) -> torch.Tensor:
    network = build_tagged_prompts(
        beats_that_hears(**probabilities), LABELS, clipseg.model.clip, tokenizer, prompts=PROMPTS
    )
    return network(torch.zeros(1, 32, 128))


def test_the_condition_is_the_mean_of_the_prompts_weighted_by_tag_probability(clipseg, tokenizer):
    glass, pan, generic = (
        text_features(clipseg, tokenizer, text) for text in ("a glass", "a frying pan", GENERIC_PROMPT)
    )
    expected = (0.6 * glass + 0.2 * pan + 0.05 * generic) / 0.85
    torch.testing.assert_close(condition(clipseg, tokenizer, glass=0.6, pan=0.2), expected)


def test_sounds_without_a_visible_source_do_not_count(clipseg, tokenizer):
    with_speech = condition(clipseg, tokenizer, glass=0.6, speech=0.99)
    torch.testing.assert_close(with_speech, condition(clipseg, tokenizer, glass=0.6))


def test_the_generic_prompt_decides_where_no_tag_is_likely(clipseg, tokenizer):
    torch.testing.assert_close(condition(clipseg, tokenizer), text_features(clipseg, tokenizer, GENERIC_PROMPT))


def test_only_the_likeliest_tags_take_part(clipseg, tokenizer):
    network = build_tagged_prompts(
        beats_that_hears(glass=0.6, pan=0.2, door=0.1), LABELS, clipseg.model.clip, tokenizer, prompts=PROMPTS
    )
    network.max_tags = 1
    glass, generic = (text_features(clipseg, tokenizer, text) for text in ("a glass", GENERIC_PROMPT))
    with torch.no_grad():
        torch.testing.assert_close(network(torch.zeros(1, 32, 128)), (0.6 * glass + 0.05 * generic) / 0.65)


def test_the_part_segments_by_the_tags_of_the_sound(clipseg, tokenizer):
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    window = AudioWindow(samples=np.zeros(16_000, np.float32))
    maps = []
    for heard in ({"glass": 0.9}, {"door": 0.9}):
        network = build_tagged_prompts(
            beats_that_hears(**heard), LABELS, clipseg.model.clip, tokenizer, prompts=PROMPTS
        )
        part = tagged_prompt_segmenter(clipseg, network, name="tagged prompts", trained=False)
        maps.append(part.decode(part.embed_image(image), part.embed_audio(window)))
    assert maps[0].shape == (32, 32)
    assert maps[0].dtype == np.float32
    assert not np.allclose(maps[0], maps[1])


def test_a_prompt_for_an_unknown_class_is_refused(clipseg, tokenizer):
    with pytest.raises(ValueError, match=r"prompts are given for \['/m/anvil'\]"):
        build_tagged_prompts(
            beats_that_hears(), LABELS, clipseg.model.clip, tokenizer, prompts={"/m/anvil": "an anvil"}
        )


def test_beats_without_a_tagging_head_is_refused(clipseg, tokenizer):
    network = BEATs(
        num_layers=1, dim=32, ffn_dim=32, num_heads=4, patch_dim=16, conv_pos=16, conv_pos_groups=4, num_classes=None
    )
    with pytest.raises(ValueError, match="no predictor"):
        build_tagged_prompts(network, LABELS, clipseg.model.clip, tokenizer, prompts=PROMPTS)
