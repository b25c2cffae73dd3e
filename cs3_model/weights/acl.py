"""Audio weights of ACL-SSL (Park et al., "Can CLIP Help Sound Source Localization?", WACV 2024) as ours.

ACL-SSL is the row CLIPSound of the paper, and its trained weights are published (`Param_best.pth`, trained on
VGGSound): projection and pooling of exactly our sizes over frozen BEATs. They were trained with another prompt and
another normalisation of pictures, which travel with them. Upstream resizes pictures bicubically, ours bilinearly.
"""

from __future__ import annotations

from pathlib import Path

import torch

from cs3_model.weights.checkpoint import Checkpoint, read_checkpoint, write_safetensors

PROMPT_IDS = (49406, 320, 1125, 539)
"""Start token and "a photo of" in CLIP's vocabulary; the audio token stands where the paper has "a" before it."""
LAYOUT = {"prompt_ids": list(PROMPT_IDS), "normalisation": "clip"}
"""What `cs3_model.foundation` reads beside the tensors."""

_PARTS = ("audio_proj", "masker_i")
_NAMES = {
    "audio_proj.fc1": "audio_token.projection.0",
    "audio_proj.fc2": "audio_token.projection.2",
    "audio_proj.fga.un_models.0.embed": "audio_token.pooling.unary.0",
    "audio_proj.fga.un_models.0.feature_reduce": "audio_token.pooling.unary.3",
    "audio_proj.fga.pp_models.0.embed_X": "audio_token.pooling.query",
    "audio_proj.fga.pp_models.0.embed_Y": "audio_token.pooling.key",
    "audio_proj.fga.reduce_potentials.0": "audio_token.pooling.mix",
    "masker_i": "masker",
}
_SCALARS = {"masker.w": "masker.scale", "masker.b": "masker.bias"}


def import_acl(source: Path, target: Path) -> None:
    """Converts a checkpoint of ACL-SSL into audio weights, without BEATs, which is taken as published.

    Args:
        source: Its `Param_best.pth`: `audio_proj` and `masker_i`.
        target: A safetensors file to write, for `audio_weights` of a preset.

    Raises:
        ValueError: if the file cannot be read, holds something else, or the target is no .safetensors: one line.
        OSError: if the target cannot be written.
    """
    if target.suffix != ".safetensors":
        raise ValueError(f"{target} must end in .safetensors")
    checkpoint = read_checkpoint(source, remedy="give Param_best.pth of ACL-SSL", parts=_PARTS)
    with checkpoint.blamed():
        tensors = converted(checkpoint.tensors)
    write_safetensors(Checkpoint(path=target, remedy="", tensors=tensors, extras=LAYOUT), target)


def converted(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Our names and shapes of ACL-SSL's tensors; its convolutions of width 1 are our linear layers.

    Raises:
        ValueError: if a tensor is not one of ACL-SSL's, or none of them is there.
    """
    ours = {}
    for name, value in tensors.items():
        module, _, kind = name.rpartition(".")
        if module not in _NAMES:
            raise ValueError(f"these are not the weights of ACL-SSL: {name} is unknown")
        new = f"{_NAMES[module]}.{kind}"
        ours[_SCALARS.get(new, new)] = value.float().reshape(value.shape[:2])
    wanted = set(_NAMES.values()) - {new.rpartition(".")[0] for new in ours}
    if wanted:
        raise ValueError(f"these are not the weights of ACL-SSL: nothing for {sorted(wanted)[0]}")
    return ours
