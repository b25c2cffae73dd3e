"""Trained weights for others: safetensors with a model card."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import save

from cs3_model.files import write_whole
from training.loop.checkpoints import RunProgress
from training.run_info import RunInfo
from training.weak.objective import WeakObjective
from training.weak.recipe import Recipe

WEIGHTS_NAME = "audio_weights.safetensors"

_CARD = """\
---
license: apache-2.0
library_name: cs3
tags: [audio-visual, segmentation, egocentric-video]
---
# Audio weights for CS3: {model}

Turns a collision sound into a condition of a frozen, text-promptable segmenter. Trained without masks, on pairs of
picture and sound only, after *Segmenting Collision Sound Sources in Egocentric Videos* (Parida et al., 2025,
arXiv:2511.13863) by an independent implementation; not the authors' weights.

| | |
|---|---|
| architecture | {model} |
| parameters in `{weights}` | {millions:.2f} M, float32 |
| preset it was made for | `{preset}` |
| data | {data_set}, split {split}, {num_samples} samples |
| steps, batch | {steps} x {batch} |
| learning rate | {rate:g} (new parts: x {multiplier:g}) |
| seed, commit | {seed}, {commit} |
| versions | {versions} |
| steps skipped as not finite | {skipped} |
| times a sample could not be read | {unreadable} |

## Use

A preset of your own, `my_preset.yaml`, beside the weights:

```yaml
{yaml}
```

`cs3 segment photo.jpg sound.wav --preset my_preset.yaml`, the ROS node and `training.evaluate` then use them.

## Limits

{limits}Not evaluated by the training run: use `python -m training.evaluate`. Everything that decided the run stands in
`run.json`. The data's licence may forbid uses that this licence allows.
"""

_DEBUG_LIMITS = "**Made for tests: tiny networks around random frozen ones. The masks mean nothing.**\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedOn:
    """What the card says of the run beside the recipe."""

    preset: str
    part: str
    """Name of the preset's audio-visual part."""
    num_samples: int
    info: RunInfo


def export(
    folder: Path, objective: WeakObjective, recipe: Recipe, progress: RunProgress, trained_on: TrainedOn
) -> Path:
    """Writes weights, the masker among them, and README.md. Returns the path of the weights.

    Raises:
        ValueError: if they cannot be written.
    """
    # Copied, because safetensors refuses tensors that share memory, as BEATs' position biases do.
    model, masker = objective.model, objective.masker
    exported = {**model.exported(), "masker.scale": masker.scale, "masker.bias": masker.bias}
    tensors = {name: value.detach().float().cpu().clone() for name, value in exported.items()}
    info, is_debug = trained_on.info, trained_on.part == "debug"
    lines = [f"parts: {{audio_visual: {trained_on.part}, hands: hands23, boxes: sam2.1-base-plus}}"]
    card = _CARD.format(
        model=model.name,
        weights=WEIGHTS_NAME,
        millions=sum(value.numel() for value in tensors.values()) / 1e6,
        preset=trained_on.preset,
        data_set=info.data_set,
        split=info.split,
        num_samples=trained_on.num_samples,
        steps=progress.step,
        batch=recipe.batch_size,
        rate=recipe.learning_rate,
        multiplier=recipe.new_parts_multiplier,
        seed=info.seed,
        commit=info.commit,
        versions=", ".join(f"{name} {version}" for name, version in info.versions.items()),
        skipped=progress.skipped_steps,
        unreadable=progress.unreadable_samples,
        yaml="\n".join([*lines, f"audio_weights: {WEIGHTS_NAME}"]),
        limits=_DEBUG_LIMITS if is_debug else "",
    )
    path = folder / WEIGHTS_NAME
    write_whole(path, save(tensors, metadata={"model": model.name, "commit": info.commit}))
    write_whole(folder / "README.md", card.encode())
    return path
