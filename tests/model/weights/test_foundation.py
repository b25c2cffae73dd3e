"""The `foundation` preset from files with the published names and shapes, without the published numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cs3_model import build, foundation
from cs3_model.foundation import build_audio_visual, build_boxes, build_hands
from cs3_model.networks.audio_token import AudioToken
from cs3_model.networks.audio_visual import build_debug_audio_visual_network
from cs3_model.networks.beats import BEATs
from cs3_model.networks.clipseg import ConditionedCLIPSeg
from cs3_model.networks.hands23 import Hands23Config, Hands23Network
from cs3_model.networks.image_input import CLIP, IMAGENET, Normalisation
from cs3_model.networks.sam import build_sam2
from cs3_model.networks.tagged_prompts import AUDIOSET_PROMPTS
from cs3_model.networks.text_prompt import END_ID, PROMPT_IDS
from cs3_model.placement import Compilation, Placement, Precision
from cs3_model.tracking.build_tracker import build_tracker
from cs3_model.weights import WEIGHTS, registry
from cs3_model.weights.checkpoint import Checkpoint, read_checkpoint, write_safetensors

ON_CPU = Placement.choose(torch.device("cpu"), Precision.AUTO, Compilation.NEVER)
BEATS_CFG = {
    "encoder_layers": 12, "encoder_embed_dim": 768, "encoder_ffn_embed_dim": 3072, "encoder_attention_heads": 12,
    "embed_dim": 512, "input_patch_size": 16, "conv_bias": False, "activation_fn": "gelu", "layer_norm_first": False,
    "deep_norm": True, "relative_position_embedding": True, "num_buckets": 320, "max_distance": 800,
    "gru_rel_pos": True, "conv_pos": 128, "conv_pos_groups": 16, "finetuned_model": True, "predictor_class": 527,
}  # fmt: skip


@pytest.fixture
def store(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts a checkpoint where the download of some weights would put it; its hash is not checked."""
    for name, weights in WEIGHTS.items():
        by_hand = replace(weights, repo="", url=f"http://127.0.0.1:1/{name}", filename=f"{name}.pt", sha256=None)
        monkeypatch.setitem(registry.WEIGHTS, name, by_hand)

    def put(name: str, checkpoint: object) -> Path:
        cache.mkdir(exist_ok=True)
        path = cache / f"{name}.pt"
        path.write_bytes(checkpoint) if isinstance(checkpoint, bytes) else torch.save(checkpoint, path)
        return path

    return put


def beats_checkpoint() -> dict:
    ids = [*AUDIOSET_PROMPTS, *(f"/m/{index}" for index in range(527 - len(AUDIOSET_PROMPTS)))]
    return {"cfg": BEATS_CFG, "model": blank(BEATs()), "label_dict": dict(enumerate(ids))}


def vocabulary() -> tuple[bytes, bytes]:
    """A vocabulary with CLIP's numbers for the prompt and single letters for the rest, and merges for the prompt."""
    words = dict(zip(("a</w>", "photo</w>", "of</w>"), (320, 1125, 539), strict=True))
    numbers = words | {"<|startoftext|>": PROMPT_IDS[0], "<|endoftext|>": END_ID}
    letters = [chr(code) + end for code in range(ord("a"), ord("z") + 1) for end in ("", "</w>")]
    steps = ["ph", "pho", "phot"]
    free = (number for number in range(1000) if number not in numbers.values())
    numbers |= {token: next(free) for token in [*letters, *steps] if token not in numbers}
    merges = "#version: 0.2\np h\nph o\npho t\nphot o</w>\no f</w>\n"
    return json.dumps(numbers).encode(), merges.encode()


def blank(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Tensors of a network's names and shapes that take no room in a file."""
    return {name: torch.zeros((), device="cpu").expand(tensor.shape) for name, tensor in network.state_dict().items()}


def published_clipseg() -> dict[str, torch.Tensor]:
    """Tensors of the names and shapes of the published file, from a list of them."""
    layout = Path(__file__).parents[1] / "networks" / "golden" / "clipseg_published_layout.txt"
    named = (line.split() for line in layout.read_text().splitlines())
    shapes = {name: [int(side) for side in shape.split("x")] if shape != "scalar" else [] for name, shape in named}
    return {name: torch.zeros(()).expand(shape) for name, shape in shapes.items()}


@pytest.mark.slow
def test_the_preset_builds_from_files_of_the_published_layout(store, cache: Path) -> None:
    """Strictly: every tensor has its place. What the networks compute is tested with each of them."""
    with torch.device("meta"):
        hands = blank(Hands23Network(Hands23Config()))
    clipseg = published_clipseg()
    vocab, merges = vocabulary()
    store("beats", beats_checkpoint())
    store("clipseg", clipseg | {"clip.text_model.embeddings.position_ids": torch.arange(77)[None]})
    store("clip-vocabulary", vocab)
    store("clip-merges", merges)
    store("hands23", {"model": hands, "iteration": 1})
    store("sam2.1-base-plus", {"model": blank(build_sam2("base-plus"))})
    assert {path.stem for path in cache.iterdir()} == set(registry.FOUNDATION)
    (cache / "converted").touch()  # no folder: nothing is converted

    pipeline = build.build_pipeline(build.load_preset("foundation"), device=torch.device("cpu"))
    assert pipeline.trained and pipeline.models == (
        "clipseg-rd64-refined + AudioSet tags of beats (zero-training)", "hands23", "sam2.1-base-plus",
    )  # fmt: skip


@pytest.mark.slow
def test_a_tracker_is_built_from_the_file_of_the_box_segmenter(store) -> None:
    """Strictly: every tensor of SAM 2.1 has its place, those of the memory too."""
    store("sam2.1-base-plus", {"model": blank(build_sam2("base-plus"))})
    tracker = build_tracker(build.load_preset("foundation"), device=torch.device("cpu"))
    assert (tracker.name, tracker.trained) == ("sam2.1-base-plus, memory", True)


def test_weights_of_another_size_of_sam_are_named(store) -> None:
    path = store("sam2.1-tiny", {"model": {"image_encoder.trunk.pos_embed": torch.zeros(1, 112, 7, 7)}})
    with pytest.raises(ValueError, match=r"not the weights of SAM 2.1 tiny: .*cs3 weights fetch sam2.1-tiny --again"):
        build_boxes("tiny", ON_CPU)
    with pytest.raises(ValueError, match=str(path)):
        build_boxes("tiny", ON_CPU)


def test_other_weights_than_hands23_are_named(store) -> None:
    path = store("hands23", {"model": {"backbone.stem.weight": torch.zeros(3)}})
    with pytest.raises(ValueError, match=r"these are not the weights of Hands23.*cs3 weights fetch hands23") as error:
        build_hands(ON_CPU)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.fixture
def small_clipseg(monkeypatch: pytest.MonkeyPatch) -> ConditionedCLIPSeg:
    """Takes the place of CLIPSeg's published weights."""
    torch.manual_seed(0)
    clipseg = build_debug_audio_visual_network().clipseg

    def load(normalisation: Normalisation = IMAGENET) -> ConditionedCLIPSeg:
        return ConditionedCLIPSeg(clipseg.model, input_size=clipseg.input_size, normalisation=normalisation)

    monkeypatch.setattr(foundation, "load_clipseg", load)
    return clipseg


def test_a_beats_without_cfg_is_named(store, small_clipseg) -> None:
    store("beats", {"model": {"a": torch.zeros(1)}})
    with pytest.raises(ValueError, match=r"beats.pt: a BEATs checkpoint holds 'cfg'.*cs3 weights fetch beats --again"):
        build_audio_visual("", ON_CPU)


def test_a_vocabulary_other_than_clips_is_refused(store) -> None:
    store("clip-vocabulary", b'{"a</w>": 0, "<|startoftext|>": 1, "<|endoftext|>": 2}')
    store("clip-merges", b"#version: 0.2\n")
    with pytest.raises(ValueError, match=r"are not CLIP's vocabulary.*cs3 weights fetch clip-vocabulary clip-merges"):
        foundation.load_tokenizer()


@pytest.fixture
def small_trained_parts(monkeypatch: pytest.MonkeyPatch, small_clipseg) -> dict[str, torch.Tensor]:
    """BEATs and the audio token at debug size, with the sizes of a trained file."""
    network = build_debug_audio_visual_network()
    blocks = {"num_layers": 3, "dim": 32, "ffn_dim": 64, "num_heads": 4, "patch_dim": 16}
    monkeypatch.setattr(
        foundation, "BEATs", lambda num_classes: BEATs(**blocks, conv_pos=16, conv_pos_groups=4, num_classes=None)
    )
    monkeypatch.setattr(foundation, "AudioToken", lambda: AudioToken(in_dim=96, token_dim=32))
    return {name: value for name, value in network.state_dict().items() if name.startswith(foundation.TRAINED_PARTS)}


def test_trained_audio_weights_replace_the_tags(small_trained_parts, tmp_path: Path) -> None:
    torch.save({"model": small_trained_parts}, tmp_path / "run7.pt")
    part = build_audio_visual(str(tmp_path / "run7.pt"), ON_CPU)
    assert part.name == "beats + clipseg-rd64-refined, trained: run7" and part.trained


def test_trained_audio_weights_that_do_not_fit_are_named(small_trained_parts, tmp_path: Path) -> None:
    del small_trained_parts["audio_token.pooling.mix.weight"]
    torch.save(small_trained_parts, tmp_path / "half.pt")
    with pytest.raises(
        ValueError, match=r"half.pt: .*1 tensors missing \(first: audio_token.pooling.mix.weight\).*preset"
    ):
        build_audio_visual(str(tmp_path / "half.pt"), ON_CPU)


def test_audio_weights_without_beats_take_the_published_one_and_bring_their_prompt(
    small_trained_parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = {name: value for name, value in small_trained_parts.items() if name.startswith("audio_token.")}
    published = build_debug_audio_visual_network().beats
    monkeypatch.setattr(foundation, "load_beats", lambda: (published, None))
    path = tmp_path / "acl.safetensors"
    checkpoint = Checkpoint(path=path, remedy="", tensors=token, extras={"prompt_ids": [3, 1], "normalisation": "clip"})
    write_safetensors(checkpoint, path)
    assert build_audio_visual(str(path), ON_CPU).name == "beats + clipseg-rd64-refined, trained: acl"
    network = foundation._load_trained(read_checkpoint(path, remedy=""))
    assert network.beats is published and network.prompt.ids.tolist() == [3, 1, END_ID]
    assert network.clipseg.normalisation == CLIP
    torch.save(small_trained_parts, tmp_path / "ours.pt")
    assert foundation.load_audio_visual_network(str(tmp_path / "ours.pt")).clipseg.normalisation == IMAGENET
    with pytest.raises(ValueError, match="another prompt than the paper's"):
        foundation.load_audio_visual_network(str(path))


def test_a_random_token_stands_between_the_published_networks(
    small_trained_parts, small_clipseg, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row Random of the paper's Table 1: the same seed, the same projection; BEATs and CLIPSeg are as loaded."""
    published = build_debug_audio_visual_network().beats
    monkeypatch.setattr(foundation, "load_beats", lambda: (published, None))

    def projection(seed: int) -> torch.Tensor:
        part = foundation.build_random_token(ON_CPU, seed)
        assert not part.trained and part.name == f"beats + clipseg-rd64-refined, random token {seed}"
        network = part._condition.__self__  # the method of the network that it hears with
        assert network.beats is published and network.clipseg.model is small_clipseg.model
        return network.audio_token.projection[0].weight

    first, again, other = projection(3), projection(3), projection(4)
    assert torch.equal(first, again) and not torch.allclose(first, other)


def test_missing_trained_audio_weights_are_named(small_trained_parts, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"absent.pt does not exist; name another file in audio_weights"):
        build_audio_visual(str(tmp_path / "absent.pt"), ON_CPU)


def test_the_path_of_audio_weights_is_relative_to_the_preset(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("audio_weights: run/best.pt\n")
    assert build.load_preset(str(tmp_path / "mine.yaml")).audio_weights == str(tmp_path / "run" / "best.pt")
    (tmp_path / "mine.yaml").write_text("audio_weights: /else/where.pt\n")
    assert build.load_preset(str(tmp_path / "mine.yaml")).audio_weights == "/else/where.pt"
