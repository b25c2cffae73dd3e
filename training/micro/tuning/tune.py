"""Fine-tunes a trained `micro` on own labelled collisions: where what collided lies, and how it looks there.

    python -m training.micro.tuning.tune --data recordings:kitchen --out out/kitchen

Points, boxes, outlines, hands (where the labels name them) and the map of what is heard are learned. The tower and the
audio encoder stay, and so do the statistics of the normalisation layers: a few pictures of one place would spoil them. A
run that was stopped goes on with the same command.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor, nn

from cs3_model.command_errors import one_line_errors
from cs3_model.files import file_digest, write_whole
from cs3_model.networks.micro.held import HeldMaps
from cs3_model.networks.micro.micro_parts import MicroNetworks, load_micro, micro_file
from training.data import DataSpec, open_data_set
from training.loop.freed_memory import keep_freed_memory
from training.loop.trainer import RunStoppedError
from training.micro.audio_visual.train_heard import peak_loss
from training.micro.fitting import StageConfig, fit, quick_autocast
from training.micro.initial_weights import SHIPPED
from training.micro.stage_options import LearningRate, Seed, Steps
from training.micro.tuning.labelled import LabelledBatch, LabelledBatches, read_labelled
from training.micro.vision.picture_batches import PictureBatch
from training.micro.vision.targets import draw_boxes, held_boxes, ids_to_point_at, jittered, masks_of
from training.micro.vision.vision_losses import box_mask_targets, held_loss, mask_loss, point_box_loss

_JITTER = 0.12


def main(
    data: Annotated[list[str], typer.Option(help="NAME:PATH[:SPLIT] with true masks; given more than once, all.")],
    out: Annotated[
        Path, typer.Option(help="Folder for checkpoints, curves, and the preset micro.yaml with its weights.")
    ],
    start_from: Annotated[Path, typer.Option(help="Weights of a whole micro.")] = SHIPPED,
    steps: Steps = 100,
    batch_size: Annotated[int, typer.Option(min=1, help="Collisions per batch.")] = 8,
    learning_rate: LearningRate = 3e-4,
    seed: Seed = 0,
) -> None:
    """Fine-tune micro on own labelled collisions; the same command goes on after an interruption."""
    with one_line_errors(status=1, kinds=(ValueError, OSError, RunStoppedError)):
        specs = [DataSpec.parse(text) for text in data]
        networks = load_micro(start_from, torch.device("cpu"))
        collisions = read_labelled([sample for spec in specs for sample in open_data_set(spec).samples], networks)
        batches = LabelledBatches(collisions, side=networks.config.vision.side, batch_size=batch_size, seed=seed)
        run: dict[str, str | int | bool] = {
            "data": ", ".join(data), "number of collisions": len(collisions), "batch size": batch_size, "seed": seed,
            "start": file_digest(start_from),
        }  # fmt: skip
        config = StageConfig(
            steps=steps,
            learning_rate=learning_rate,
            weight_decay=0.0,
            warm_up_steps=20,
            averaging=0.98,
            loader_workers=0,
        )
        average = fit(Tuned(networks), batches, losses_of, config, out, run=run)
        networks.vision.load_state_dict(average.vision.state_dict())
        networks.heard.load_state_dict(average.heard.state_dict())
        write_whole(out / "micro.safetensors", micro_file(networks, {}))
        preset = SHIPPED.with_suffix(".yaml").read_text(encoding="utf-8") + "micro_weights: micro.safetensors\n"
        write_whole(out / "micro.yaml", preset.encode())
        typer.echo(f"learned from {len(collisions)} collisions: the preset {out / 'micro.yaml'}")


class Tuned(nn.Module):
    """The networks that learn, and those that they stand on.

    Args:
        networks: of `micro`.
    """

    def __init__(self, networks: MicroNetworks) -> None:
        super().__init__()
        self.vision = networks.vision
        self.heard = networks.heard.requires_grad_(True)
        for part in (self.vision.held, self.vision.pointed, self.vision.boxed):
            part.requires_grad_(True)

    def train(self, mode: bool = True) -> Tuned:
        """Normalisation keeps the statistics of the first training."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self


def losses_of(model: Tuned, batch: LabelledBatch, step: int) -> Mapping[str, Tensor]:
    """The weighted losses of one batch."""
    pictures, vision = batch.pictures, model.vision
    boxes = draw_boxes(np.random.default_rng([step, 1]), pictures, 2)
    asked = jittered(np.random.default_rng([step, 2]), boxes.boxes_K5, _JITTER)
    with quick_autocast():
        with torch.no_grad():
            features = vision.tower(pictures.images)
        condition = model.heard.condition(vision.prompt, batch.embedding_ND, batch.material_logits_NM)
        heard = model.heard.decoder(features, condition).float()
        held, point_boxes = vision.held(features), vision.pointed(features)
        box_logits = vision.boxed(features, asked)
    target = heard_target(pictures)
    losses = {
        "point": 0.5
        * point_box_loss(point_boxes, pictures.ids[:, ::4, ::4], pictures.boxes, ids_to_point_at(pictures.ids)),
        "heard": mask_loss(heard.flatten(0, 1), target.flatten(0, 1), positive_weight=2.0),
        "peak": 3.0 * peak_loss(heard, target),
    }
    if len(asked):
        losses["box"] = mask_loss(box_logits.float(), box_mask_targets(boxes.masks_KSS, asked[:, 1:]))
    held_xyxy, is_held = held_boxes(pictures)
    if is_held.any():  # what other hands hold the labels do not say
        maps = HeldMaps(held.logits_NSHW[is_held][:, None], held.distances_NS4HW[is_held][:, None])
        losses["held"] = 0.3 * held_loss(maps, held_xyxy[is_held][:, None], is_held[is_held][:, None])
    return losses


def heard_target(pictures: PictureBatch) -> Tensor:
    """What the sound should point at, bool [N, 1, S / 2, S / 2]: what collided and is in no hand, else all of it."""
    is_free = pictures.struck & ~pictures.held.any(2)
    wanted = torch.where(is_free.any(1, keepdim=True), is_free, pictures.struck)
    return masks_of(wanted[:, None], pictures.ids[:, ::2, ::2])


if __name__ == "__main__":
    keep_freed_memory()
    typer.run(main)
