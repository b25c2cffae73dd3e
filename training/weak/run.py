"""One training run, from a preset, a recipe and data to exported weights."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from cs3_model.build import Preset, load_preset, select_device
from cs3_model.files import file_digest, write_whole
from cs3_model.placement import Precision
from training.data.samples import DataSet
from training.loop.checkpoints import CheckpointFolder, RunProgress, TrainingState
from training.loop.distributed import Ranks, joined_ranks
from training.loop.trainer import LoopConfig, Trainer
from training.run_info import RunInfo, run_info
from training.weak.export import TrainedOn, export
from training.weak.models import build_model
from training.weak.objective import Compute, TrainableModel, WeakObjective
from training.weak.pairs import PairBatch, PairDataset, StepBatches
from training.weak.recipe import Recipe
from training.weak.step import WeakStep, build_optimizer


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSettings:
    """All of a run but its data."""

    preset: str
    """Name of a preset, or of a YAML file."""
    recipe: Recipe
    """The hyperparameters."""
    out: Path
    """Folder of the run: checkpoints, curves, run.json, at the end weights and README.md."""
    resume: bool = False
    """Go on from the newest checkpoint in `out`, if there is one."""
    seed: int = 0
    """Fixes initial weights, order, times and noise."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    precision: Precision = Precision.AUTO
    """bfloat16 is autocast."""
    recompute: bool = False
    """As in `Compute`."""
    max_pairs: int = 256
    """As in `Compute`."""
    workers: int = 2
    """Processes that read data; 0: none but this."""
    replace_unreadable: bool = False
    """Replace samples that cannot be read, and count them, instead of stopping."""
    loop: LoopConfig = field(default_factory=LoopConfig)
    """How often the loop logs, saves and stops."""


def train(settings: RunSettings, data_set: DataSet, command: Mapping[str, Any]) -> tuple[RunProgress, Path | None]:
    """Trains and exports. Under `torchrun`, every process calls this.

    Args:
        settings: of the run.
        data_set: what to train on.
        command: the options that the user gave, for run.json.

    Returns:
        How it went, and the path of the weights, in the process that wrote them.

    Raises:
        ValueError: for settings that do not fit each other, the machine, the data or an earlier run.
        RunStoppedError: if training cannot go on.
        ProcessLostError: if another process has ended.
    """
    with joined_ranks(on_cuda=settings.device != "cpu" and torch.cuda.is_available()) as ranks:
        recipe, preset = settings.recipe, load_preset(settings.preset)
        device = _device(settings.device, ranks)
        model = build_model(preset, pooling_dropout=recipe.pooling_dropout, seed=settings.seed)
        if not recipe.train_encoder:
            for parameter in model.trained_parameters()[0]:
                parameter.requires_grad_(False)
        compute = _compute(settings, device)
        objective = WeakObjective(model, recipe.losses, compute=compute, ranks=ranks).to(device)
        state = TrainingState(model=objective, optimizer=build_optimizer(objective, recipe))
        checkpoints = CheckpointFolder(settings.out / "checkpoints", _identity(settings, preset, model.name, data_set))
        progress = _start(settings, checkpoints, state)
        info = run_info(_effective(settings, command), data_set.name, data_set.split, settings.seed)
        if ranks.is_first:
            _write_info(settings.out, info, progress)
        trainer = Trainer(
            state,
            WeakStep(device, seed=settings.seed, rank=ranks.rank),
            checkpoints=checkpoints,
            log_folder=settings.out / "tensorboard",
            ranks=ranks,
            config=settings.loop,
            how_to_go_on="go on with --resume",
        )
        steps = range(progress.step, recipe.steps)
        batches = load_pairs(data_set, settings, model, ranks=ranks, steps=steps, pin_memory=device.type == "cuda")
        progress = trainer.run(batches, progress, recipe.steps)
        return progress, _export(settings, preset, objective, progress, data_set, info) if ranks.is_first else None


def load_pairs(
    data_set: DataSet,
    settings: RunSettings,
    model: TrainableModel,
    *,
    ranks: Ranks,
    steps: range,
    pin_memory: bool = False,
) -> Iterator[PairBatch | str]:
    """Reads this process's share of the batch of each step, ahead of time, in worker processes.

    Raises:
        ValueError: if the batch fits neither the data nor the number of processes.
    """
    recipe = settings.recipe
    dataset = PairDataset(
        data_set.samples,
        recipe.pairs,
        prepare_image=model.prepare_image,
        prepare_sound=model.prepare_sound,
        seed=settings.seed,
        replace_unreadable=settings.replace_unreadable,
    )
    sampler = StepBatches(
        len(dataset),
        batch_size=recipe.batch_size,
        rows=ranks.rows(recipe.batch_size),
        steps=steps,
        seed=settings.seed,
    )
    return iter(
        DataLoader(
            dataset,
            batch_sampler=sampler,
            num_workers=settings.workers,
            collate_fn=PairBatch.of,
            pin_memory=pin_memory,
        )
    )


def _device(name: str, ranks: Ranks) -> torch.device:
    device = select_device(name)
    if device.type == "cuda" and ranks.size > 1:
        device = select_device(f"cuda:{ranks.local_rank}")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


def _compute(settings: RunSettings, device: torch.device) -> Compute:
    on_cuda = settings.precision is Precision.AUTO and device.type == "cuda"
    return Compute(
        bfloat16=settings.precision is Precision.BFLOAT16 or on_cuda,
        recompute=settings.recompute,
        max_pairs=settings.max_pairs,
    )


def _identity(settings: RunSettings, preset: Preset, model: str, data_set: DataSet) -> dict[str, Any]:
    """What must not change when a run goes on. Its length may."""
    recipe = dict(_flat("recipe", json.loads(json.dumps(asdict(settings.recipe)))))
    del recipe["recipe.steps"]
    data = {"data set": data_set.name, "split": data_set.split, "number of samples": len(data_set.samples)}
    files = {"audio weights": preset.audio_weights, "micro weights": preset.micro_weights}
    weights = {name: file_digest(Path(path)) for name, path in files.items() if path}
    return {"model": model, **weights, **data, "seed": settings.seed, **recipe}


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}", inner)
    else:
        yield name, value


def _start(settings: RunSettings, checkpoints: CheckpointFolder, state: TrainingState) -> RunProgress:
    if settings.resume:
        return checkpoints.resume(state)
    if checkpoints.steps():
        raise ValueError(f"{settings.out} holds an earlier run: --resume goes on with it, another --out starts anew")
    return RunProgress()


def _effective(settings: RunSettings, command: Mapping[str, Any]) -> dict[str, Any]:
    return {"command": dict(command), "settings": json.loads(json.dumps(asdict(settings), default=str))}


def _write_info(out: Path, info: RunInfo, progress: RunProgress) -> None:
    """A run that goes on may do so with another commit: what it began with stays."""
    name = f"run-from-step-{progress.step}.json" if progress.step else "run.json"
    write_whole(out / name, json.dumps(asdict(info), indent=1).encode())


def _export(
    settings: RunSettings,
    preset: Preset,
    objective: WeakObjective,
    progress: RunProgress,
    data_set: DataSet,
    info: RunInfo,
) -> Path:
    trained_on = TrainedOn(
        preset=settings.preset, part=preset.parts.audio_visual, num_samples=len(data_set.samples), info=info
    )
    return export(settings.out, objective, settings.recipe, progress, trained_on)
