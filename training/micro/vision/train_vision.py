"""The vision stage of `micro`: prompts, labels, held objects and masks of boxes, on pictures with full truth.

python -m training.micro.vision.train_vision --data data/sim_cs3 --out out/micro/vision
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from safetensors.torch import save
from torch import Tensor

from cs3_model.command_errors import one_line_errors
from cs3_model.files import file_digest, write_whole
from cs3_model.networks.micro.vision import DEBUG_VISION, MicroVision, VisionConfig
from training.loop.freed_memory import keep_freed_memory
from training.loop.trainer import RunStoppedError
from training.micro.fitting import StageConfig, fit, quick_autocast
from training.micro.initial_weights import load_part
from training.micro.stage_options import DataFolders, Debug, LearningRate, Seed, Steps, Validation
from training.micro.vision.picture_batches import PictureBatch, PictureBatches
from training.micro.vision.scenes import list_scenes, scenes_to_learn_from
from training.micro.vision.targets import (
    Boxes,
    dense_labels,
    draw_boxes,
    draw_prompts,
    held_boxes,
    ids_to_point_at,
    jittered,
    masks_of,
    table_boxes,
)
from training.micro.vision.vision_gates import measure_vision
from training.micro.vision.vision_losses import (
    box_mask_targets,
    held_loss,
    label_loss,
    mask_loss,
    point_box_loss,
    region_loss,
)

_BOXES_PER_PICTURE = 4
_JITTER = 0.08, 0.16
"""How far the edges of boxes that a detector and a map give are off, a share of the box's side."""
_TABLE_SHARE, _TABLE_CUT = 0.3, 0.12
"""Share of pictures whose table is asked for too, and of its box that may be cut off on each side: a smaller box of the
table is like a rough one of an object."""


def main(
    data: DataFolders,
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, curves and weights.")],
    steps: Steps = 8000,
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures per batch.")] = 16,
    learning_rate: LearningRate = 2e-3,
    seed: Seed = 0,
    validation: Validation = None,
    start_from: Annotated[
        Path | None, typer.Option(help="Initial weights: a vision.safetensors, or those of a whole micro.safetensors.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Train the vision network of micro; the same command goes on after an interruption."""
    with one_line_errors(status=1, kinds=(ValueError, OSError, RunStoppedError)):
        torch.manual_seed(seed)
        model = MicroVision(DEBUG_VISION if debug else VisionConfig())
        if start_from is not None:
            load_part(model, "vision", start_from)
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        scenes, about_scenes = scenes_to_learn_from(data)
        batches = PictureBatches(scenes, side=model.config.side, batch_size=batch_size, seed=seed)
        run: dict[str, str | int | bool] = {
            **about_scenes, "batch size": batch_size, "seed": seed, "start": file_digest(start_from) if start_from else "random",
        }  # fmt: skip
        config = StageConfig(steps=steps, learning_rate=learning_rate)
        model = fit(model, batches, losses_of, config, out, run=run)
        weights = {name: value.to(torch.float16).contiguous() for name, value in model.state_dict().items()}
        write_whole(out / "vision.safetensors", save(weights))
        if validation is not None:
            typer.echo(measure_vision(model, list_scenes(validation, "val")))


def losses_of(model: MicroVision, batch: PictureBatch, step: int) -> Mapping[str, Tensor]:
    """The weighted losses of one batch."""
    rng = np.random.default_rng([step, 1])
    prompts = draw_prompts(rng, batch)
    asked, wanted = _asked_boxes(rng, batch)
    with quick_autocast():
        features = model.tower(batch.images)
        logits = model.decoder(features, model.prompt(prompts.words_NQL))
        materials, classes = model.dense_labels(features)
        held = model.held(features)
        box_logits = model.boxed(features, asked)
        point_boxes = model.pointed(features)
    answers = masks_of(prompts.chosen_NQ256, batch.ids[:, ::2, ::2])
    material_labels, class_labels = dense_labels(batch)
    seen = batch.ids[:, ::4, ::4]
    losses = {
        "prompt": 2.0 * mask_loss(logits.float().flatten(0, 1), answers.flatten(0, 1), positive_weight=2.0),
        "material": 0.5 * label_loss(materials.float(), material_labels[:, ::4, ::4]),
        "class": 0.5 * label_loss(classes.float(), class_labels[:, ::4, ::4]),
        "material_region": 0.5 * region_loss(materials.float(), seen, batch.material),
        "class_region": 0.5 * region_loss(classes.float(), seen, batch.category),
        "held": 0.3 * held_loss(held, *held_boxes(batch)),
        "point": 0.5 * point_box_loss(point_boxes, seen, batch.boxes, ids_to_point_at(batch.ids)),
    }
    if len(asked):
        losses["box"] = mask_loss(box_logits.float(), box_mask_targets(wanted, asked[:, 1:]))
    return losses


def _asked_boxes(rng: np.random.Generator, batch: PictureBatch) -> Boxes:
    """Inexact boxes, half of them as a detector gives them, half as a map that points does, and the masks in them."""
    exact = draw_boxes(rng, batch, _BOXES_PER_PICTURE)
    rough = torch.from_numpy(rng.random(len(exact.boxes_K5)) < 0.5)[:, None]
    near, far = (jittered(rng, exact.boxes_K5, amount) for amount in _JITTER)
    tables = table_boxes(rng, batch, _TABLE_SHARE, _TABLE_CUT)
    return Boxes(
        torch.cat([torch.where(rough, far, near), tables.boxes_K5]), torch.cat([exact.masks_KSS, tables.masks_KSS])
    )


if __name__ == "__main__":
    keep_freed_memory()
    typer.run(main)
