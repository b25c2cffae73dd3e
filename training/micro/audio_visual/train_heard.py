"""The heard stage of `micro`: audio token and decoder, which point at what is heard, on frozen encoders.

python -m training.micro.audio_visual.train_heard --data data/sim_cs3 --vision out/micro/vision/vision.safetensors \
    --audio out/micro/audio.safetensors --out out/micro/heard
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor, nn
from tqdm import tqdm

from cs3_model.command_errors import one_line_errors
from cs3_model.files import file_digest, write_whole
from cs3_model.networks.micro.micro_parts import DEBUG_MICRO, MicroConfig, MicroNetworks, micro_file
from training.loop.freed_memory import keep_freed_memory
from training.loop.trainer import RunStoppedError
from training.micro.audio_visual.heard_data import (
    BATCH_SIZE,
    VIEWS,
    HeardBatch,
    HeardBatches,
    HeardFeatures,
    gather,
    heard_batch,
    joined,
)
from training.micro.audio_visual.heard_store import load_heard, save_heard
from training.micro.fitting import StageConfig, fit, quick_autocast
from training.micro.initial_weights import load_part
from training.micro.stage_options import DataFolders, Debug, LearningRate, Seed, Steps, Validation
from training.micro.vision.scenes import list_scenes, scenes_to_learn_from
from training.micro.vision.vision_losses import mask_loss


def main(
    data: DataFolders,
    vision: Annotated[Path, typer.Option(help="Weights of training.micro.vision.train_vision.")],
    audio: Annotated[Path, typer.Option(help="Weights of training.micro.audio.train_audio.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, curves and micro.safetensors.")],
    steps: Steps = 3000,
    batch_size: Annotated[int, typer.Option(min=1, help="Scenes per batch.")] = 12,
    learning_rate: LearningRate = 2e-3,
    seed: Seed = 0,
    validation: Validation = None,
    features: Annotated[
        Path | None,
        typer.Option(help="Folder for the features of all scenes, 1.7 MB each, which other runs use again."),
    ] = None,
    no_audio: Annotated[bool, typer.Option("--no-audio", help="Hear nothing: the row that only looks.")] = False,
    start_from: Annotated[
        Path | None, typer.Option(help="Initial audio token and decoder: those of a whole micro.safetensors.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Train what is between vision network, audio encoder and map; the same command goes on after an interruption."""
    with one_line_errors(status=1, kinds=(ValueError, OSError, RunStoppedError)):
        torch.manual_seed(seed)
        networks = MicroNetworks(DEBUG_MICRO if debug else MicroConfig())
        load_part(networks.vision, "vision", vision)
        load_part(networks.audio, "audio", audio)
        if start_from is not None:
            load_part(networks.heard, "heard", start_from)
        networks.vision.requires_grad_(False)
        networks.audio.requires_grad_(False)
        scenes, about_scenes = scenes_to_learn_from(data)
        source = about_scenes | {"vision": file_digest(vision), "audio": file_digest(audio)}
        heard = load_heard(features, source) if features else None
        if heard is None:
            pieces = _look_and_listen(networks, scenes)
            heard = save_heard(features, pieces, len(scenes), source) if features else joined(pieces, len(scenes))
        batches = HeardBatches(_silenced(heard) if no_audio else heard, batch_size=batch_size, seed=seed)
        config = StageConfig(steps=steps, learning_rate=learning_rate, loader_workers=0)
        run: dict[str, str | int | bool] = {
            **source, "batch size": batch_size, "seed": seed, "no audio": no_audio,
            "start": file_digest(start_from) if start_from else "random",
        }  # fmt: skip
        average = fit(HeardStage(networks), batches, heard_losses, config, out, run=run)
        networks.heard.load_state_dict(average.heard.state_dict())
        write_whole(out / "micro.safetensors", micro_file(networks.eval(), {}))
        if validation is not None:
            unknown = list_scenes(validation, "val")
            found = joined(_look_and_listen(networks, unknown), len(unknown))
            typer.echo(measure_pointing(networks, _silenced(found) if no_audio else found, "val"))


class HeardStage(nn.Module):
    """What this stage trains, with the frozen text side beside it."""

    def __init__(self, networks: MicroNetworks) -> None:
        super().__init__()
        self.heard = networks.heard
        self.prompt = networks.vision.prompt

    def forward(self, batch: HeardBatch) -> Tensor:
        with quick_autocast():
            condition = self.heard.condition(self.prompt, batch.embedding, batch.materials)
            return self.heard.decoder(batch.features.float(), condition).float()


def heard_losses(model: HeardStage, batch: HeardBatch, step: int) -> Mapping[str, Tensor]:
    """Mask loss, and how surely the peak lies on what was hit: more than all else, since `micro` segments at the peak."""
    logits = model(batch)
    return {
        "mask": mask_loss(logits.flatten(0, 1), batch.masks.flatten(0, 1), positive_weight=2.0),
        "peak": 3.0 * peak_loss(logits, batch.masks),
    }


def peak_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Negative log of the share of the spatial softmax that falls on the mask; both [N, 1, H, W]."""
    flat, wanted = logits.flatten(1), masks.flatten(1)
    seen = wanted.any(1)
    inside = flat.masked_fill(~wanted, -torch.inf)[seen].logsumexp(1)
    return (flat[seen].logsumexp(1) - inside).sum() / seen.sum().clamp(min=1)


def _look_and_listen(networks: MicroNetworks, folders: Sequence[Path]) -> Iterable[HeardFeatures]:
    return tqdm(gather(networks, folders), total=-(-len(folders) // BATCH_SIZE), desc="features")


def _silenced(heard: HeardFeatures) -> HeardFeatures:
    """The same scenes with a sound that says nothing."""
    return heard._replace(embedding=torch.zeros_like(heard.embedding), materials=torch.full_like(heard.materials, -9.0))


@torch.no_grad()
def measure_pointing(networks: MicroNetworks, heard: HeardFeatures, split: str) -> str:
    """How often the map's peak lies on what was hit, where that is in view: with the own sound and with another's."""
    model = HeardStage(networks).eval()
    order = torch.arange(len(heard.scene))
    other = torch.from_numpy(np.random.default_rng(0).permutation(len(order)))
    lines = []
    for view in (VIEWS.index("as it is"), VIEWS.index("as filmed")):
        for name, sound in (("own sound", order), ("another sound", other)):
            parts = zip(order.split(32), sound.split(32), strict=True)
            found = torch.cat([_found(model, heard, *some, view) for some in parts])
            lines.append(f"| {split} | peak on target, {name}, {VIEWS[view]} | {found.mean():.3f} | {len(found)} |")
    return "\n".join(lines)


def _found(model: HeardStage, heard: HeardFeatures, chosen: Tensor, sound: Tensor, view: int) -> Tensor:
    """Whether the peaks lie on the target for some collisions and sounds; those whose target is seen, float32."""
    first = torch.zeros_like(chosen)
    batch = heard_batch(heard, chosen, first, first + view)
    batch = batch._replace(embedding=heard.embedding[sound, 0], materials=heard.materials[sound, 0])
    peak = model(batch).flatten(1).argmax(1)
    masks = batch.masks.flatten(1)
    return masks.gather(1, peak[:, None])[masks.any(1)].float().flatten()


if __name__ == "__main__":
    keep_freed_memory()
    typer.run(main)
