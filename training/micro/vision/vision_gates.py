"""What the vision stage must be able to do before sound is trained on top of it, on pictures as they are and as filmed.

python -m training.micro.vision.vision_gates data/sim_cs3 --weights out/micro/vision/vision.safetensors
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import box_iou

from cs3_model.command_errors import one_line_errors
from cs3_model.networks.micro.boxed import paste_masks
from cs3_model.networks.micro.held import best_boxes
from cs3_model.networks.micro.pointed import boxes_at
from cs3_model.networks.micro.vision import MicroVision, VisionConfig
from cs3_model.networks.micro.vocabulary import CLASSES, MATERIALS, encode_prompt
from training.micro.initial_weights import SHIPPED, load_part
from training.micro.vision.picture_batches import PictureBatch, filmed_batch, plain_batch
from training.micro.vision.scenes import MAX_OBJECTS, list_scenes
from training.micro.vision.targets import SIDES, Boxes, draw_boxes, held_boxes, table_boxes, visible_objects

_BATCH = 16


def main(
    data: Annotated[Path, typer.Argument(help="Folder of the simulated world.")],
    weights: Annotated[Path, typer.Option(help="vision.safetensors, or a whole micro.safetensors.")] = SHIPPED,
    split: Annotated[str, typer.Option(help="Its scenes.")] = "val",
    limit: Annotated[int | None, typer.Option(min=1, help="Only as many of them.")] = None,
) -> None:
    """Measure a vision network on pictures as they are and as other cameras film them."""
    with one_line_errors(status=1, kinds=(ValueError, OSError)):
        model = MicroVision(VisionConfig())
        load_part(model, "vision", weights)
        typer.echo(measure_vision(model, list_scenes(data, split)[:limit]))


def measure_vision(model: MicroVision, folders: Sequence[Path]) -> str:
    """Measures prompts, region labels, held boxes and box masks on scenes; returns a Markdown table.

    The second value is that of one drawn view of each scene, see `filming`.
    """
    plain, as_filmed = (_measure(model, folders, filmed=filmed) for filmed in (False, True))
    lines = ["| measured | as it is | n | as filmed | n |", "|---|---|---|---|---|"]
    for name, values in plain.items():
        others = as_filmed.get(name, [])
        mean = f"{np.mean(others):.3f}" if others else "-"
        lines.append(f"| {name} | {np.mean(values):.3f} | {len(values)} | {mean} | {len(others)} |")
    return "\n".join(lines)


@torch.no_grad()
def _measure(model: MicroVision, folders: Sequence[Path], *, filmed: bool) -> dict[str, list[float]]:
    model.eval()
    found: dict[str, list[float]] = {}
    for start in range(0, len(folders), _BATCH):
        chosen, side = list(folders[start : start + _BATCH]), model.config.side
        batch = filmed_batch(np.random.default_rng(start), chosen, side) if filmed else plain_batch(chosen, side)
        features = model.tower(batch.images)
        _measure_prompts(model, features, batch, found)
        _measure_regions(model, features, batch, found)
        _measure_held(model, features, batch, found)
        _measure_boxes(model, features, batch, found)
    return found


def iou(predicted: Tensor, truth: Tensor) -> Tensor:
    """IoU of masks [..., H, W]; 1 where both are empty."""
    overlap, union = (predicted & truth).sum((-1, -2)), (predicted | truth).sum((-1, -2))
    return torch.where(union > 0, overlap / union.clamp(min=1), torch.ones(()))


def _measure_prompts(model: MicroVision, features: Tensor, batch: PictureBatch, found: dict[str, list[float]]) -> None:
    questions: list[tuple[str, tuple[str, ...], Tensor]]
    questions = [("IoU of a material", (word,), batch.material == index) for index, word in enumerate(MATERIALS)]
    questions += [("IoU of a class", (word,), batch.category == index) for index, word in enumerate(CLASSES)]
    questions += [("IoU of what a hand holds", ("held", side), batch.held[..., i]) for i, side in enumerate(SIDES)]
    words = torch.tensor([encode_prompt(prompt) for _, prompt, _ in questions])
    logits = model.decoder(features, model.prompt(words).expand(len(batch.ids), -1, -1))
    seen, ids = visible_objects(batch.ids), batch.ids[:, ::2, ::2]
    for number, (name, _, wanted) in enumerate(questions):
        wanted = wanted & seen
        for n in wanted.any(1).nonzero().flatten().tolist():
            truth = torch.isin(ids[n], wanted[n].nonzero().flatten().to(torch.uint8))
            found.setdefault(name, []).append(float(iou(logits[n, number] > 0, truth)))


def _measure_regions(model: MicroVision, features: Tensor, batch: PictureBatch, found: dict[str, list[float]]) -> None:
    materials, classes = (
        F.interpolate(x, batch.ids.shape[-2:], mode="bilinear").softmax(1) for x in model.dense_labels(features)
    )
    for n, number in visible_objects(batch.ids).nonzero().tolist():
        region = batch.ids[n] == number
        material = int(materials[n, 1:, region].mean(1).argmax())
        category = int(classes[n, 1:, region].mean(1).argmax())
        found.setdefault("material of a region (gate .75)", []).append(material == int(batch.material[n, number]))
        found.setdefault("class of a region", []).append(category == int(batch.category[n, number]))


def _measure_held(model: MicroVision, features: Tensor, batch: PictureBatch, found: dict[str, list[float]]) -> None:
    boxes, scores = best_boxes(model.held(features))
    truth, there = held_boxes(batch)
    for n, side in np.ndindex(*there.shape):
        if there[n, side]:
            overlap = float(box_iou(boxes[n, side][None], truth[n, side][None]))
            found.setdefault("IoU of a held box", []).append(overlap)
            found.setdefault("held box found (IoU > .5)", []).append(overlap > 0.5)
        else:
            found.setdefault("something held where nothing is, at score .3", []).append(bool(scores[n, side] > 0.3))
        found.setdefault("held or not, at score .3", []).append(bool(scores[n, side] > 0.3) == bool(there[n, side]))


def _measure_boxes(model: MicroVision, features: Tensor, batch: PictureBatch, found: dict[str, list[float]]) -> None:
    """Masks of true boxes, of the table's, and of the boxes that are seen at one random point of each object."""
    rng = np.random.default_rng(0)
    objects = draw_boxes(rng, batch, MAX_OBJECTS)
    tables = table_boxes(rng, batch, share=1.0, cut=0.0)
    pointed = objects._replace(boxes_K5=_boxes_at_points(rng, model.pointed(features), objects))
    overlaps = box_iou(pointed.boxes_K5[:, 1:], objects.boxes_K5[:, 1:]).diagonal()
    found.setdefault("IoU of the box at a point", []).extend(overlaps.tolist())
    asked = {
        "IoU of the mask of a true box": objects,
        "IoU of the mask of the table's box": tables,
        "IoU of the mask at a point": pointed,
    }
    for name, boxes in asked.items():
        logits = model.boxed(features, boxes.boxes_K5)
        masks = paste_masks(logits, boxes.boxes_K5[:, 1:], (batch.ids.shape[-2], batch.ids.shape[-1])) > 0
        found.setdefault(name, []).extend(iou(masks, boxes.masks_KSS).tolist())


def _boxes_at_points(rng: np.random.Generator, boxes_N4HW: Tensor, objects: Boxes) -> Tensor:
    """The boxes [K, 5] that are seen at a random pixel of each object."""
    asked = []
    for row, mask in zip(objects.boxes_K5[:, 0].long(), objects.masks_KSS, strict=True):
        y, x = rng.choice(mask.nonzero().numpy()) + 0.5
        asked.append(torch.cat([row[None].float(), boxes_at(boxes_N4HW[row], torch.tensor([[x, y]]).float())[0]]))
    return torch.stack(asked) if asked else torch.zeros(0, 5)


if __name__ == "__main__":
    typer.run(main)
