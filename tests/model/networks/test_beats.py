"""BEATs against the published layout, against another public implementation, and at the edges of its input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torchaudio.compliance import kaldi

from cs3_model.networks.beats import BEATs, log_mel
from cs3_model.networks.beats.attention import distance_buckets, relative_position_buckets
from cs3_model.types import MIN_WINDOW_SAMPLES
from tests.model.networks.beats_recipe import PUBLISHED_CFG, SMALL_CFG, impact, random_state_dict

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def small_beats() -> BEATs:
    torch.manual_seed(0)
    return BEATs(
        num_layers=2, dim=32, ffn_dim=64, num_heads=4, patch_dim=16, conv_pos=16, conv_pos_groups=4, num_classes=8
    ).eval()


def checkpoint(cfg: dict, *, seed: int = 7) -> dict:
    """A checkpoint file's content with the recipe's weights."""
    sizes = {
        "num_layers": cfg["encoder_layers"],
        "dim": cfg["encoder_embed_dim"],
        "ffn_dim": cfg["encoder_ffn_embed_dim"],
        "num_heads": cfg["encoder_attention_heads"],
        "patch_dim": cfg["embed_dim"],
        "num_classes": cfg["predictor_class"],
    }
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in BEATs(**sizes).state_dict().items()}
    state = {name: torch.from_numpy(value) for name, value in random_state_dict(shapes, seed=seed).items()}
    return {"cfg": dict(cfg), "model": state}


def test_the_default_network_has_the_252_published_tensor_names_and_shapes():
    """The list is the state dict of Microsoft's own code (microsoft/unilm, beats/) for the published configuration."""
    published = dict(line.split() for line in (GOLDEN / "beats_published_layout.txt").read_text().splitlines())
    with torch.device("meta"):
        network = BEATs()
    ours = {name: "x".join(map(str, value.shape)) for name, value in network.state_dict().items()}
    assert len(published) == 252
    assert ours == published
    assert sum(parameter.numel() for parameter in network.parameters()) == 90_717_055


@pytest.mark.parametrize(
    "case",
    json.loads((GOLDEN / "beats.json").read_text())["cases"],
    ids=lambda case: f"{case['size']}-{case['seconds']}s",
)
def test_hidden_states_and_tags_equal_those_of_speechbrain_on_the_same_weights(case):
    """The golden values are outputs of ``speechbrain.lobes.models.beats.BEATs`` 1.1.2 with torch 2.11 on the CPU.

    Weights: `beats_recipe.random_state_dict` with seed 7, saved as a checkpoint file and loaded by speechbrain from it;
    sound: `beats_recipe.impact` with seed 11. Microsoft's own code gave the same numbers to the last bit. The slices
    take every (N // 8)th token and every (D // 12)th feature.
    """
    cfg = {"small": SMALL_CFG, "published": PUBLISHED_CFG}[case["size"]]
    network = BEATs.from_checkpoint(checkpoint(cfg)).eval()
    spectrogram = log_mel(torch.from_numpy(impact(seconds=case["seconds"], seed=11)).unsqueeze(0))
    with torch.inference_mode():
        outputs = network(spectrogram, blocks=[block["index"] for block in case["blocks"]])
        tags = network.tag(spectrogram)[0].numpy()
    for block, output in zip(case["blocks"], outputs, strict=True):
        _, num_tokens, dim = output.shape
        values = output[0, :: num_tokens // 8, :: dim // 12].numpy()
        np.testing.assert_allclose(values, block["slice"], atol=2e-5, err_msg=f"block {block['index']}")
        assert float(output.mean()) == pytest.approx(block["mean"], abs=1e-6)
        assert float(output.std(correction=0)) == pytest.approx(block["std"], abs=1e-6)
    np.testing.assert_allclose(tags[:: len(tags) // 16], case["tags"], atol=1e-6)


@pytest.mark.parametrize("seconds, tokens", [(0.5, 24), (1.0, 48), (2.0, 96), (10.0, 496)])
def test_token_count_follows_the_duration(small_beats, seconds, tokens):
    with torch.inference_mode():
        (output,) = small_beats(log_mel(torch.zeros(1, int(seconds * 16_000))), blocks=[1])
    assert output.shape == (1, tokens, 32)


def test_the_spectrogram_of_a_batch_equals_kaldis_of_each_clip():
    rng = np.random.default_rng(0)
    for num_samples in (2_800, 16_000, 16_001, 31_999):
        clips = torch.from_numpy(rng.uniform(-1, 1, (3, num_samples)).astype(np.float32))
        spectrograms = log_mel(clips)
        for clip, spectrogram in zip(clips, spectrograms, strict=True):
            fbank = kaldi.fbank(
                clip[None] * 2**15, num_mel_bins=128, sample_frequency=16_000, frame_length=25, frame_shift=10
            )
            assert torch.equal(spectrogram, (fbank - 15.41663) / (2 * 6.55582))


def test_digital_silence_has_the_value_of_the_smallest_float():
    """log(2^-23) = -15.9424; (-15.9424 - 15.41663) / (2 * 6.55582) = -2.3917."""
    assert log_mel(torch.zeros(1, 16_000)).unique().tolist() == pytest.approx([-2.3917], abs=1e-4)


def test_a_clip_shorter_than_a_patch_is_padded_with_silence_at_its_end():
    clip = torch.from_numpy(impact(seconds=0.165, seed=1)).unsqueeze(0)
    assert clip.shape[1] == 2_640
    padded = torch.cat([clip, torch.zeros(1, MIN_WINDOW_SAMPLES - 2_640)], dim=1)
    assert log_mel(clip).shape == (1, 16, 128)
    assert torch.equal(log_mel(clip), log_mel(padded))


def test_samples_after_the_last_whole_patch_do_not_matter(small_beats):
    """One second is 98 frames, 6 patches of 16: frames 96 and 97 are ignored, as in the original."""
    clip = torch.from_numpy(impact(seconds=1.0, seed=1)).unsqueeze(0)
    changed = clip.clone()
    changed[:, 15_600:] = 0.5  # frame 95 ends at sample 15 600
    with torch.inference_mode():
        before, after = (small_beats(log_mel(samples), blocks=[1])[0] for samples in (clip, changed))
    assert torch.equal(before, after)


def test_clips_of_a_batch_do_not_influence_each_other(small_beats):
    clips = torch.stack([torch.from_numpy(impact(seconds=1.0, seed=seed)) for seed in (1, 2)])
    with torch.inference_mode():
        (together,) = small_beats(log_mel(clips), blocks=[1])
        (alone,) = small_beats(log_mel(clips[1:]), blocks=[1])
    torch.testing.assert_close(together[1:], alone)


def test_gradient_reaches_every_parameter_of_the_blocks_that_were_asked_for(small_beats):
    outputs = small_beats(log_mel(torch.from_numpy(impact(seconds=0.5, seed=1))[None]), blocks=[0, 1])
    sum(output.square().sum() for output in outputs).backward()
    without = {name for name, parameter in small_beats.named_parameters() if parameter.grad is None}
    small_beats.zero_grad()
    assert without == {"predictor.weight", "predictor.bias"}


def test_position_buckets_are_exact_near_and_logarithmic_far():
    """160 buckets a side: 0-79 one offset each; offset 80 starts the logarithmic ones; from 800 on the last one."""
    table = distance_buckets(num_buckets=320, max_distance=800)
    buckets = relative_position_buckets(1_000, table, num_buckets=320)
    from_last = buckets[999].flip(0)  # keys behind the last query, nearest first
    assert from_last[:81].tolist() == list(range(81))
    assert from_last[800:].unique().tolist() == [159]
    # 80 + 80 * ln(400 / 80) / ln(800 / 80) = 135.9
    assert from_last[400] == 135
    assert torch.equal(buckets[0, 1:], from_last[1:] + 160)


@pytest.mark.parametrize("key, value", [("layer_norm_first", True), ("gru_rel_pos", False), ("input_patch_size", 8)])
def test_a_checkpoint_of_another_variant_is_refused(key, value):
    with pytest.raises(ValueError, match=f"cfg.{key} must be .* unsupported variant"):
        BEATs.from_checkpoint(checkpoint(SMALL_CFG) | {"cfg": SMALL_CFG | {key: value}})


def test_a_checkpoint_without_a_size_is_refused():
    cfg = {key: value for key, value in SMALL_CFG.items() if key != "conv_pos"}
    with pytest.raises(ValueError, match=r"lacks \['conv_pos'\]"):
        BEATs.from_checkpoint(checkpoint(SMALL_CFG) | {"cfg": cfg})


def test_a_checkpoint_with_a_missing_or_foreign_tensor_is_refused():
    incomplete = checkpoint(SMALL_CFG)
    incomplete["model"]["encoder.layers.0.fc3.weight"] = incomplete["model"].pop("encoder.layers.0.fc1.weight")
    with pytest.raises(ValueError, match=r"do not fit its cfg(.|\n)*fc1.weight(.|\n)*fc3.weight"):
        BEATs.from_checkpoint(incomplete)


def test_a_file_that_is_no_checkpoint_is_refused_by_its_keys():
    with pytest.raises(ValueError, match=r"holds 'cfg' and 'model', this one holds \['state_dict'\]"):
        BEATs.from_checkpoint({"state_dict": {}})


def test_a_checkpoint_without_a_tagging_head_loads():
    pretrained = checkpoint(SMALL_CFG)
    pretrained["cfg"]["finetuned_model"] = False
    pretrained["model"] = {name: value for name, value in pretrained["model"].items() if "predictor" not in name}
    assert BEATs.from_checkpoint(pretrained).predictor is None
