"""A training step and the loader: time, memory, and the ratio to the plainest implementation.

The plainest implementation does what the closest public code (ACL-SSL) does: it runs CLIPSeg's whole forward pass, the
vision encoder included, on all images once for every sound, and the vision encoder once more for the patch features.
Same weights, sound embeddings and noise; losses and gradients of both are compared before any time is reported.

    scripts/run python benchmarks/training_step.py --size debug
    scripts/run python benchmarks/training_step.py --size full --repeats 1   # a few minutes on an idle CPU
    scripts/run python benchmarks/training_step.py --size full --count       # operations only, in seconds, at any load
"""

from __future__ import annotations

import enum
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Annotated

import av
import numpy as np
import psutil
import torch
import typer
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.scaffold import elapsed, print_header, print_row, where
from cs3_model.networks.audio_visual import build_debug_audio_visual_network, build_full_audio_visual_network
from training.data.clip_media import read_picture
from training.data.extraction import extract_clip, extract_sound
from training.data.samples import DataSet, Sample, SoundSegment
from training.loop.distributed import Ranks
from training.weak import objective as weak_objective
from training.weak.clipseg_model import CLIPSegModel
from training.weak.losses import contrast, features_under_masks, logistic_noise, minmax_mask
from training.weak.objective import Compute, WeakObjective
from training.weak.recipe import Recipe
from training.weak.run import RunSettings, load_pairs

Step = Callable[[Tensor, Tensor, torch.Generator], dict[str, Tensor]]
BUILDERS = {"debug": build_debug_audio_visual_network, "full": build_full_audio_visual_network}


class Size(str, enum.Enum):
    """Sizes of the networks."""

    DEBUG = "debug"
    FULL = "full"


def build(size: str, compute: Compute | None = None, ranks: Ranks | None = None) -> WeakObjective:
    """The same random weights at every call; a bias that lets the random decoder's masks cut something out."""
    torch.manual_seed(0)
    model = CLIPSegModel(BUILDERS[size](), name=size, pooling_dropout=0.0)
    objective = WeakObjective(model, compute=compute, ranks=ranks).train()
    with torch.no_grad():
        objective.masker.bias.zero_()
    return objective


def plain_step(
    objective: WeakObjective, pixels: Tensor, sounds: Tensor, generator: torch.Generator
) -> dict[str, Tensor]:
    """The losses with nothing shared between pairs but the sound embeddings."""
    clipseg = objective.model.network.clipseg.model
    conditions = objective.model.embed_sounds(sounds)
    with torch.no_grad():
        _, patches = objective.model.network.clipseg.image_and_patch_features(pixels)
    size = pixels.shape[-2:]
    logits = torch.stack(
        [
            clipseg(pixel_values=pixels, conditional_embeddings=condition.expand(len(pixels), -1)).logits.view(
                -1, *size
            )
            for condition in conditions
        ],
        dim=1,
    )
    own = logits.diagonal().permute(2, 0, 1)
    masks = objective.masker(own, logistic_noise(tuple(own.shape), generator))
    masked = clipseg.clip.get_image_features(pixels * masks.unsqueeze(1)).pooler_output
    conditions = functional.normalize(conditions, dim=-1)
    pooled = functional.normalize(features_under_masks(patches, minmax_mask(logits)), dim=-1)
    image = contrast(functional.normalize(masked, dim=-1) @ conditions.T, objective.config)
    feature = contrast(torch.einsum("baP,aP->ba", pooled, conditions), objective.config)
    area = (masks.mean(dim=(1, 2)) - objective.config.area_prior).abs().mean()
    return {"total": image + feature + area, "image": image, "feature": feature, "area": area}


def shared_step(
    objective: WeakObjective, pixels: Tensor, sounds: Tensor, generator: torch.Generator
) -> dict[str, Tensor]:
    """The project's own."""
    losses = objective(pixels, sounds, generator)
    return {name: getattr(losses, name) for name in ("total", "image", "feature", "area")}


def run_step(
    objective: WeakObjective, step: Callable, batch: tuple[Tensor, Tensor]
) -> tuple[dict[str, float], float, float]:
    """Forward and backward pass. Returns the losses and the gradients' norm, seconds, and CPU seconds."""
    objective.zero_grad(set_to_none=True)
    generator = torch.Generator().manual_seed(1)
    with elapsed() as taken:
        losses = step(objective, *batch, generator)
        losses["total"].backward()
        numbers = {name: float(value.detach()) for name, value in losses.items()}
        gradients = [p.grad for p in objective.parameters() if p.grad is not None]
        numbers["gradient norm"] = float(torch.nn.utils.get_total_norm(gradients))
    return numbers, taken.wall_s, taken.cpu_s


class PeakMemory:
    """Largest growth of this process's resident memory while it is open, GiB."""

    def __enter__(self) -> PeakMemory:
        self._process, self._open = psutil.Process(), True
        self._before, self.gib = self._process.memory_info().rss, 0.0
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._open = False
        self._thread.join()

    def _watch(self) -> None:
        while self._open:
            self.gib = max(self.gib, (self._process.memory_info().rss - self._before) / 2**30)
            time.sleep(0.01)


def compare(size: str, batch_size: int, repeats: int, tolerance: float = 1e-3) -> float:
    """Prints the table of a size. Returns the seconds of the project's step in float32."""
    objective = build(size)
    side = objective.model.network.clipseg.input_size
    generator = torch.Generator().manual_seed(0)
    waves = 0.3 * torch.randn(batch_size, 32_000, generator=generator) * torch.rand(batch_size, 1, generator=generator)
    sounds = torch.stack([objective.model.prepare_sound(wave.numpy()) for wave in waves])
    batch = torch.randn(batch_size, 3, side, side, generator=generator), sounds
    rows: dict[str, tuple[WeakObjective, Callable]] = {
        "plainest": (objective, plain_step),
        "shared": (objective, shared_step),
        "shared, recomputed": (build(size, Compute(recompute=True, max_pairs=batch_size)), shared_step),
        "shared, bfloat16": (build(size, Compute(bfloat16=True)), shared_step),
    }
    seconds: dict[str, list[float]] = {name: [] for name in rows}
    cpu_seconds: dict[str, list[float]] = {name: [] for name in rows}
    memory, numbers = {}, {}
    if size == "debug":  # the first pass fills caches, which is seen only where a step takes milliseconds
        for network, step in rows.values():
            run_step(network, step, batch)
    for _ in range(repeats):
        for name, (network, step) in rows.items():
            with PeakMemory() as peak:
                numbers[name], taken, cpu_taken = run_step(network, step, batch)
            seconds[name].append(taken)
            cpu_seconds[name].append(cpu_taken)
            memory[name] = max(memory.get(name, 0.0), peak.gib)
            network.zero_grad(set_to_none=True)
    print(f"\n{size}, B = {batch_size}, {side} x {side}, forward and backward, median of {repeats}\n")
    columns = ("s", "CPU s", "times as fast, by CPU s", "growth of memory GiB", "total", "gradient norm")
    print_header("step", *columns, "largest difference")
    for name in rows:
        difference = max(abs(numbers[name][key] / value - 1) for key, value in numbers["plainest"].items())
        ratio = np.median(
            [plain / mine for plain, mine in zip(cpu_seconds["plainest"], cpu_seconds[name], strict=True)]
        )
        measured = f"{np.median(seconds[name]):.3f}", f"{np.median(cpu_seconds[name]):.3f}", f"{ratio:.2f}"
        computed = f"{numbers[name]['total']:.5f}", f"{numbers[name]['gradient norm']:.5f}"
        print_row(name, *measured, f"{memory[name]:.2f}", *computed, f"{100 * difference:.4f} %")
        assert "bfloat16" in name or difference < tolerance, f"{name} computes something else"
    return float(np.median(seconds["shared"]))


def count_operations(size: str, batch_sizes: list[int]) -> None:
    """Prints the floating-point operations of a step, counted on tensors without content."""
    print(f"\n{size}: TFLOP of a step, forward and backward\n")
    print_header("B", "plainest", "shared", "ratio")
    for batch_size in batch_sizes:
        counted = []
        with FakeTensorMode():
            objective = build(size)
            side = objective.model.network.clipseg.input_size
            batch = torch.empty(batch_size, 3, side, side), torch.empty(batch_size, 198, 128)
            for step in (plain_step, shared_step):
                objective.zero_grad(set_to_none=True)
                with FlopCounterMode(display=False) as counter:
                    step(objective, *batch, torch.Generator())["total"].backward()
                counted.append(counter.get_total_flops() / 1e12)
        print_row(str(batch_size), f"{counted[0]:.2f}", f"{counted[1]:.2f}", f"{counted[0] / counted[1]:.2f}")


def count_share(size: str, batch_size: int, num_ranks: int) -> None:
    """Prints operations and memory of a step of one of several processes, counted on tensors without content."""
    share = batch_size // num_ranks
    print(f"\n{size}: one of {num_ranks} processes, {share} of {batch_size} pairs, so {share} x {batch_size} maps\n")
    print_header("step", "TFLOP", "kept for the backward pass, GiB", "weights, gradients and Adam's moments, GiB")
    computes = {
        "float32": Compute(),
        "bfloat16": Compute(bfloat16=True),
        "bfloat16, recomputed": Compute(bfloat16=True, recompute=True),
    }
    for name, compute in computes.items():
        with FakeTensorMode(), gathered_from(num_ranks):
            objective = build(size, compute, Ranks(size=num_ranks))
            side = objective.model.network.clipseg.input_size
            batch = torch.empty(share, 3, side, side), torch.empty(share, 198, 128)
            weights = {weight.untyped_storage()._cdata for weight in objective.parameters()}
            kept: dict[int, int] = {}

            def keep(tensor: Tensor, weights: set[int] = weights, kept: dict[int, int] = kept) -> Tensor:
                storage = tensor.untyped_storage()
                if storage._cdata not in weights:
                    kept[storage._cdata] = storage.nbytes()
                return tensor

            with FlopCounterMode(display=False) as counter:
                with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
                    total = objective(*batch, torch.Generator()).total
                forward_gib = sum(kept.values()) / 2**30
                total.backward()
            sizes = [(weight.numel(), weight.requires_grad) for weight in objective.parameters()]
            state_gib = sum(count * 4 * (4 if trained else 1) for count, trained in sizes) / 2**30
        print_row(name, f"{counter.get_total_flops() / 1e12:.2f}", f"{forward_gib:.2f}", f"{state_gib:.2f}")


@contextmanager
def gathered_from(num_ranks: int) -> Iterator[None]:
    """While it is open, a process alone gathers as many rows as if there were others, so that it computes as one of them."""
    gather = weak_objective.gather_rows
    weak_objective.gather_rows = lambda rows_bX: torch.cat([rows_bX] * num_ranks)
    try:
        yield
    finally:
        weak_objective.gather_rows = gather


def make_data(folder: Path, size: tuple[int, int] = (1280, 720), seconds: int = 30) -> DataSet:
    """A noisy video with sound, and 64 collisions in it."""
    path, rng = folder / "video.mp4", np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        video, audio = container.add_stream("mpeg4", rate=30), container.add_stream("aac", rate=48_000, layout="mono")
        video.width, video.height, video.pix_fmt, video.bit_rate = *size, "yuv420p", 8_000_000
        still = rng.integers(0, 256, (size[1] // 16, size[0] // 16, 3), np.uint8).repeat(16, 0).repeat(16, 1)
        for number in range(30 * seconds):
            frame = av.VideoFrame.from_ndarray(np.roll(still, 3 * number, axis=1), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(video.encode(frame))
        for start in range(0, 48_000 * seconds, 1024):
            block = av.AudioFrame.from_ndarray(rng.normal(0, 0.1, (1, 1024)).astype(np.float32), "fltp", "mono")
            block.sample_rate, block.pts, block.time_base = 48_000, start, Fraction(1, 48_000)
            container.mux(audio.encode(block))
        container.mux(video.encode())
        container.mux(audio.encode())
    starts_s = rng.uniform(2, seconds - 4, 64)
    samples = tuple(
        Sample(
            sample_id=str(index), data_set="made", split="train",
            load_image=partial(read_picture, path, start_s),
            load_image_at=partial(_picture_after, path, start_s),
            sound=SoundSegment(path=path, start_s=start_s, stop_s=start_s + 0.6),
        )
        for index, start_s in enumerate(starts_s)
    )  # fmt: skip
    return DataSet(name="made", split="train", samples=samples)


def _picture_after(path: Path, start_s: float, offset_s: float) -> np.ndarray:
    return read_picture(path, start_s + offset_s)


def taken_out(data_set: DataSet, folder: Path) -> DataSet:
    """The same collisions from clips of their own and a WAV file, as `training.extract` makes them."""
    video = data_set.samples[0].sound.path
    extract_sound(video, folder / "video.wav")
    samples = []
    for sample in data_set.samples:
        start_s, clip = sample.sound.start_s, folder / f"{sample.sample_id}.mp4"
        extract_clip(video, start_s, sample.sound.stop_s, clip, 400)
        sound = replace(sample.sound, path=folder / "video.wav")
        read = partial(read_picture, clip)
        samples.append(replace(sample, load_image=partial(read, 0.0), load_image_at=read, sound=sound))
    return replace(data_set, samples=tuple(samples))


def loader_rates(size: str, workers: list[int], num_steps: int = 4) -> None:
    """Prints how many pairs per second come out: seeking, decoding, resizing, resampling, spectrogram."""
    model = build(size).model
    print("\nloader: 1280 x 720, 30 Hz MPEG-4 with AAC, picture and 2 s of sound at random times\n")
    print_header("from", "worker processes", "pairs / s", "a pair, ms of one core")
    with tempfile.TemporaryDirectory() as folder:
        whole = make_data(Path(folder))
        for source, data_set in {"the whole video": whole, "clips and WAV": taken_out(whole, Path(folder))}.items():
            for count in workers:
                settings = RunSettings(preset=size, recipe=Recipe(batch_size=8), out=Path(folder), workers=count)
                pairs = load_pairs(data_set, settings, model, ranks=Ranks(), steps=range(num_steps + 1))
                next(pairs)  # starts the processes
                with elapsed() as taken:
                    assert sum(len(batch.sounds_bX) for batch in pairs) == 8 * num_steps
                # Only where there are no other processes does this one's time tell what a pair takes.
                cpu_ms = f"{1e3 * taken.cpu_s / (8 * num_steps):.0f}" if count == 0 else ""
                print_row(source, str(count), f"{8 * num_steps / taken.wall_s:.1f}", cpu_ms)


def main(
    size: Annotated[Size, typer.Option(help="Size of the networks.")] = Size.DEBUG,
    batch: Annotated[int, typer.Option(help="Pairs of a step.")] = 8,
    repeats: Annotated[int, typer.Option(help="Steps of each kind, by turns.")] = 3,
    threads: Annotated[int, typer.Option(help="Threads of PyTorch.")] = torch.get_num_threads(),
    workers: Annotated[list[int], typer.Option(help="Processes of the loader; repeat it for several.")] = [0, 1, 2],  # noqa: B006
    no_loader: Annotated[bool, typer.Option("--no-loader", help="Leave the loader out.")] = False,
    count: Annotated[bool, typer.Option("--count", help="Count operations instead of measuring.")] = False,
) -> None:
    """A training step and the loader: time, memory, and the ratio to the plainest implementation."""
    if count:
        print(where("torch"))
        count_operations(size.value, [2, 8, 32])
        count_share(size.value, batch_size=32, num_ranks=4)
        return
    torch.set_num_threads(threads)
    print(f"{where('torch')}, {threads} threads")
    seconds = compare(size.value, batch, repeats)
    print(f"\nA step takes {batch / seconds:.1f} pairs / s.")
    if not no_loader:
        loader_rates(size.value, workers)


if __name__ == "__main__":
    typer.run(main)
