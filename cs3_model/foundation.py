"""The parts of the `foundation` preset: the published networks with their published weights.

Each network is compiled alone, where asked for. Left out, because their shapes depend on what is in the image: the
proposals, non-maximum suppression and heads of Hands23.
"""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import CLIPSegForImageSegmentation, CLIPTokenizer

from cs3_model.hints import cs3_command
from cs3_model.localisation import Masker
from cs3_model.networks.audio_token import AudioToken
from cs3_model.networks.audio_visual import AudioVisualNetwork, ConditionedSegmenter, audio_visual_segmenter
from cs3_model.networks.beats import BEATs
from cs3_model.networks.clipseg import ConditionedCLIPSeg, rd64_refined_config
from cs3_model.networks.hands23 import Hands23Detector, Hands23Network, hands23_from_checkpoint
from cs3_model.networks.image_input import CLIP, IMAGENET, Normalisation
from cs3_model.networks.sam import Sam2Segmenter, Sam2Size, build_sam2
from cs3_model.networks.state_dicts import load_strictly
from cs3_model.networks.tagged_prompts import build_tagged_prompts, tagged_prompt_segmenter
from cs3_model.networks.text_prompt import END_ID, PROMPT_IDS, AudioPrompt
from cs3_model.placement import Placement
from cs3_model.types import SideRule
from cs3_model.weights import WEIGHTS, fetch
from cs3_model.weights.checkpoint import Checkpoint, load_weights, read_checkpoint

TRAINED_PARTS = ("beats.", "audio_token.")
"""Beginnings of the names in a file of trained audio weights: the part of `AudioVisualNetwork` that is trained."""


def build_audio_visual(audio_weights: str, placement: Placement) -> ConditionedSegmenter:
    """Builds BEATs and CLIPSeg.

    Args:
        audio_weights: Path of trained audio weights; empty: CLIPSeg is conditioned on AudioSet tags of BEATs.
        placement: Where it runs.

    Raises:
        ValueError: if weights cannot be had or do not fit.
    """
    if audio_weights:
        return _trained_segmenter(audio_weights, placement)
    return _tag_segmenter(load_clipseg(), placement)


def build_random_token(placement: Placement, seed: int) -> ConditionedSegmenter:
    """Builds BEATs and CLIPSeg as published around a random projection: the row Random of the paper's Table 1.

    Args:
        placement: Where it runs.
        seed: Fixes projection and pooling.

    Raises:
        ValueError: if weights cannot be had or do not fit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = load_audio_visual_network()
    prepare_audio_visual(network, placement)
    return audio_visual_segmenter(network, name=f"beats + clipseg-rd64-refined, random token {seed}", trained=False)


def load_audio_visual_network(audio_weights: str = "") -> AudioVisualNetwork:
    """Loads BEATs and CLIPSeg as published, to train them on the CPU or elsewhere; BEATs without its tagging head.

    Args:
        audio_weights: Path of trained audio weights to start from; empty: BEATs as published, a random audio token.

    Raises:
        ValueError: if weights cannot be had or do not fit.
    """
    if audio_weights:
        checkpoint = _read_audio_weights(audio_weights)
        if checkpoint.extras:
            raise ValueError(f"{audio_weights} was made with another prompt than the paper's: it cannot be trained on")
        return _load_trained(checkpoint)
    beats, _ = load_beats()
    beats.predictor = None
    return AudioVisualNetwork(beats=beats, audio_token=AudioToken(), prompt=AudioPrompt(), clipseg=load_clipseg())


def build_hands(placement: Placement, sides: SideRule = SideRule.LABELS) -> Hands23Detector:
    """Builds Hands23.

    Args:
        placement: Where it runs.
        sides: How left and right hands are told apart.

    Raises:
        ValueError: if its weights cannot be had or do not fit.
    """
    checkpoint = load_weights(WEIGHTS["hands23"])
    with checkpoint.blamed():
        network = hands23_from_checkpoint(checkpoint.tensors)
    return Hands23Detector(prepare_hands(network, placement), name="hands23", trained=True, sides=sides)


def build_boxes(size: Sam2Size, placement: Placement) -> Sam2Segmenter:
    """Builds SAM 2.1.

    Raises:
        ValueError: if its weights cannot be had or do not fit.
    """
    return Sam2Segmenter(prepare_boxes(load_sam2(size), placement), name=f"sam2.1-{size}", trained=True)


def load_sam2(size: Sam2Size) -> torch.nn.Module:
    """Loads SAM 2.1 as published, on the CPU in float32, with the memory that videos need; ValueError as `build_boxes`."""
    checkpoint = load_weights(WEIGHTS[f"sam2.1-{size}"])
    network = build_sam2(size)
    with checkpoint.blamed():
        load_strictly(network, checkpoint.tensors, f"SAM 2.1 {size}")
    return network


def prepare_audio_visual(network: AudioVisualNetwork, placement: Placement) -> AudioVisualNetwork:
    """Places and compiles the network, in place."""
    placement.place(network)
    _compile_clipseg(network.clipseg, placement)
    _compile_method(network, "condition", placement)
    return network


def prepare_hands(network: Hands23Network, placement: Placement) -> Hands23Network:
    """Folds the norms of, places and compiles the network, in place."""
    network.backbone.fold_norms()  # in float32: the folded weights are rounded once
    placement.place(network)
    _compile_method(network.backbone, "forward", placement)
    _compile_method(network.proposal_generator.rpn_head, "forward", placement)
    return network


def prepare_boxes(network: torch.nn.Module, placement: Placement) -> torch.nn.Module:
    """Places and compiles SAM, in place."""
    placement.place(network)
    for part in ("image_encoder", "sam_mask_decoder"):
        _compile_method(network.get_submodule(part), "forward", placement)
    return network


def load_clipseg(normalisation: Normalisation = IMAGENET) -> ConditionedCLIPSeg:
    """Loads CLIPSeg as published, with its own normalisation or another; ValueError as of `build_audio_visual`."""
    checkpoint = load_weights(WEIGHTS["clipseg"])
    # Earlier versions of transformers saved the constant table of position numbers.
    tensors = {name: value for name, value in checkpoint.tensors.items() if not name.endswith(".position_ids")}
    network = CLIPSegForImageSegmentation(rd64_refined_config())
    with checkpoint.blamed():
        load_strictly(network, tensors, "CLIPSeg rd64-refined")
    return ConditionedCLIPSeg(network, normalisation=normalisation)


def load_beats() -> tuple[BEATs, Checkpoint]:
    """Loads BEATs as published, with its checkpoint; ValueError as of `build_audio_visual`."""
    checkpoint = load_weights(WEIGHTS["beats"])
    with checkpoint.blamed():
        return BEATs.from_checkpoint({"model": checkpoint.tensors, **checkpoint.extras}), checkpoint


def _load_trained(checkpoint: Checkpoint) -> AudioVisualNetwork:
    """Puts trained audio weights in front of CLIPSeg; without any of BEATs, BEATs is as published.

    Imported weights bring their own prompt and normalisation of pictures (`cs3_model.weights.acl`).
    """
    tensors = {name: value for name, value in checkpoint.tensors.items() if name.startswith(TRAINED_PARTS)}
    # The tagging head of BEATs takes no part in the audio token.
    tensors = {name: value for name, value in tensors.items() if not name.startswith("beats.predictor.")}
    audio_token = AudioToken()
    trained = torch.nn.ModuleDict({"audio_token": audio_token})
    if any(name.startswith("beats.") for name in tensors):
        trained["beats"] = beats = BEATs(num_classes=None)
    else:
        beats, _ = load_beats()
        beats.predictor = None
    with checkpoint.blamed():
        load_strictly(trained, tensors, "BEATs and the audio token")
    prompt = AudioPrompt(checkpoint.extras.get("prompt_ids", PROMPT_IDS))
    clipseg = load_clipseg(CLIP if checkpoint.extras.get("normalisation") == "clip" else IMAGENET)
    return AudioVisualNetwork(beats=beats, audio_token=audio_token, prompt=prompt, clipseg=clipseg)


def _read_audio_weights(path: str) -> Checkpoint:
    return read_checkpoint(Path(path), remedy="name another file in audio_weights of the preset, or leave it out")


def _trained_segmenter(path: str, placement: Placement) -> ConditionedSegmenter:
    checkpoint = _read_audio_weights(path)
    network = _load_trained(checkpoint)
    prepare_audio_visual(network, placement)
    with checkpoint.blamed():
        masker = Masker.of_weights(checkpoint.tensors)
    name = f"beats + clipseg-rd64-refined, trained: {checkpoint.path.stem}"
    return audio_visual_segmenter(network, name=name, trained=True, masker=masker)


def _tag_segmenter(clipseg: ConditionedCLIPSeg, placement: Placement) -> ConditionedSegmenter:
    beats, checkpoint = load_beats()
    with checkpoint.blamed():
        prompts = build_tagged_prompts(
            beats, checkpoint.extras.get("label_dict", {}), clipseg.model.clip, load_tokenizer()
        )
    placement.place(clipseg)
    _compile_clipseg(clipseg, placement)
    condition = placement.compile(placement.place(prompts))
    name = "clipseg-rd64-refined + AudioSet tags of beats (zero-training)"
    return tagged_prompt_segmenter(clipseg, condition, name=name, trained=True)


def load_tokenizer() -> CLIPTokenizer:
    """Loads the tokenizer of prompts; ValueError if it is not CLIP's."""
    vocabulary, merges = fetch(WEIGHTS["clip-vocabulary"]), fetch(WEIGHTS["clip-merges"])
    try:
        tokenizer = CLIPTokenizer(vocab=str(vocabulary), merges=str(merges))
        tokens = tuple(tokenizer("a photo of a").input_ids)
    except Exception as error:  # the tokenizers library raises its own
        tokens = (type(error).__name__,)
    if tokens != (*PROMPT_IDS, END_ID):
        raise ValueError(
            f"{vocabulary} and {merges} are not CLIP's vocabulary (they read 'a photo of a' as {tokens}); "
            f"run: {cs3_command('weights fetch clip-vocabulary clip-merges --again')}"
        )
    return tokenizer


def _compile_clipseg(clipseg: ConditionedCLIPSeg, placement: Placement) -> None:
    _compile_method(clipseg, "image_features", placement)
    _compile_method(clipseg, "decode_pairs", placement)


def _compile_method(network: torch.nn.Module, name: str, placement: Placement) -> None:
    setattr(network, name, placement.compile(getattr(network, name)))
