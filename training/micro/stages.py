"""The commands that make `micro` and the other weights of its results, in their order; what is finished is not repeated."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from cs3_model.files import file_digest, write_whole

_RECORD = "stages.json"
_WEAK_PRESET = """\
parts: {audio_visual: micro-weak, hands: micro, boxes: micro}
micro_weights: micro-seed0.safetensors
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One command."""

    name: str
    """For people and for the record."""
    command: tuple[str, ...]
    """Module and arguments, after `python -m`."""
    made: Path
    """What the command writes."""
    kept: Path
    """Where later stages and the tables look for that; a copy, if it is another path."""
    needs: tuple[Path, ...] = ()
    """Weights that it builds on: when they change, it is no longer finished."""

    def about(self) -> dict[str, Any]:
        """What must be the same for a finished stage to stay finished.

        Raises:
            ValueError: if weights that it builds on cannot be read.
        """
        return {"command": list(self.command), "needs": {path.name: file_digest(path) for path in self.needs}}


@dataclass(frozen=True, kw_only=True, slots=True)
class StagePlan:
    """What to learn from and how much; zeros leave the number to each stage.

    Raises:
        ValueError: if there are no seeds.
    """

    data: Path
    """Sim-CS3 with the splits train and val."""
    out: Path
    """Folder of everything that is made."""
    hits: int = 50_000
    """Impact sounds without pictures."""
    seeds: int = 3
    """Runs of the heard stage, with the seeds 0, 1, ..."""
    steps: int = 0
    """Batches of every stage that trains."""
    debug: bool = False
    """Tiny networks and batches of two."""

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ValueError(f"StagePlan.seeds must be 1 or more, got {self.seeds}")


def stages_of(plan: StagePlan) -> list[Stage]:
    """All stages; writes the preset that the weak stage trains for into the folder.

    Raises:
        ValueError: if the preset cannot be written.
    """
    data, out = plan.data, plan.out
    write_whole(out / "weak.yaml", _WEAK_PRESET.encode())
    train, val = f"sim_cs3:{data}:train", f"sim_cs3:{data}:val"
    few = ("--steps", plan.steps) if plan.steps else ()
    tiny, small = (("--debug",), ("--batch-size", 2)) if plan.debug else ((), ())
    audio, vision, ours = (
        out / "audio.safetensors",
        out / "vision" / "vision.safetensors",
        out / "micro-seed0.safetensors",
    )

    def stage(name: str, *command: object, made: Path, kept: Path | None = None, needs: Sequence[Path] = ()) -> Stage:
        words = tuple(map(str, command))
        return Stage(name=name, command=words, made=made, kept=kept or made, needs=tuple(needs))

    def heard(name: str, title: str, *options: object) -> Stage:
        return stage(
            title, "training.micro.audio_visual.train_heard", "--data", data, "--vision", vision, "--audio", audio, "--out", out / name,
            "--features", out / "heard_features", "--validation", data, *options, *few, *tiny, *small,
            made=out / name / "micro.safetensors", kept=out / f"{name}.safetensors", needs=(vision, audio),
        )  # fmt: skip

    return [
        stage("hits", "training.micro.audio.audio_hits", out / "hits", "--count", plan.hits, made=out / "hits"),
        stage(
            "audio", "training.micro.audio.train_audio", "--hits", out / "hits", "--data", train, "--out", audio,
            "--evaluate", val, *few, *tiny, made=audio,
        ),
        stage(
            "vision", "training.micro.vision.train_vision", "--data", data, "--out", vision.parent, "--validation", data,
            *few, *tiny, *small, made=vision,
        ),
        *(heard(f"micro-seed{seed}", f"heard, seed {seed}", "--seed", seed) for seed in range(plan.seeds)),
        heard("no-audio-seed0", "heard, no audio", "--no-audio"),
        stage(
            "weak", "training.train", "--preset", out / "weak.yaml", "--recipe", "sim_cs3", "--data", train,
            "--out", out / "weak-seed0", "--resume", *few, *small,
            made=out / "weak-seed0" / "audio_weights.safetensors", kept=out / "weak-seed0.safetensors", needs=(ours,),
        ),
        stage(
            "mixture", "training.micro.audio_visual.train_mix_localize", "--data", data, "--weights", ours, "--out", out / "mixture-seed0",
            *few, *small,
            made=out / "mixture-seed0" / "mixture.safetensors", kept=out / "mixture-seed0.safetensors", needs=(ours,),
        ),
    ]  # fmt: skip


def run_stages(stages: Sequence[Stage], out: Path) -> int:
    """Runs what is not finished, each in a process of its own.

    Args:
        stages: in their order.
        out: folder of the record of what is finished.

    Returns:
        0, or the exit code of the command that failed.

    Raises:
        ValueError: if the record or weights cannot be read or written: one line.
    """
    finished = dict(_read(out / _RECORD))
    for number, stage in enumerate(stages, 1):
        title, about = f"stage {number} of {len(stages)}, {stage.name}", stage.about()
        if finished.get(stage.name) == about and stage.kept.exists():
            typer.echo(f"{title}: finished before", err=True)
            continue
        typer.echo(title, err=True)
        code = subprocess.run([sys.executable, "-m", *stage.command]).returncode
        if code:
            typer.echo(f"{title}: stopped; once the cause is gone, the same command goes on from here", err=True)
            return max(code, 1)
        if stage.kept != stage.made:
            write_whole(stage.kept, stage.made.read_bytes())
        finished[stage.name] = about
        write_whole(out / _RECORD, json.dumps(finished, indent=1).encode())
    return 0


def _read(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{path} cannot be read ({error}): delete it to look at every stage again") from None
