"""What training reads: a picture of a collision and the sound around it, at random times, in worker processes.

Everything random about a pair is fixed by (seed, epoch, index), so that training can go on at any step.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from cs3_model.types import Float32Array, UInt8Image
from training.data.samples import Sample, SampleError, SoundSegment
from training.data.sound_windows import WindowRule, loudest_s, read_window

_MAX_REPLACEMENTS = 100
"""Samples in a row that may be unreadable before training stops."""


class Part(str, enum.Enum):
    """The part of an annotated segment that a pair is taken from."""

    WHOLE = "whole"
    """All of it (paper, EPIC-CS3)."""
    PEAK = "peak"
    """A window of random length around its loudest sample (paper, Ego4D-CS3, whose segments all last 3 s)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Augmentation:
    """Random changes of pictures; the paper names none.

    Raises:
        ValueError: if a value is out of its range.
    """

    crop_share: float = 1.0
    """Side of a randomly placed crop, a share of the picture's (ACL-SSL: 352/387 = 0.91); 1: no crop."""
    flip_probability: float = 0.0
    """Probability that a picture is mirrored left to right (ACL-SSL: 0.5)."""

    def __post_init__(self) -> None:
        if not 0.1 <= self.crop_share <= 1:
            raise ValueError(f"crop_share must be in [0.1, 1], got {self.crop_share}")
        if not 0 <= self.flip_probability <= 1:
            raise ValueError(f"flip_probability must be in [0, 1], got {self.flip_probability}")

    def __call__(self, image: UInt8Image, generator: np.random.Generator) -> UInt8Image:
        """Changes an image [H, W, 3]."""
        height, width = (round(self.crop_share * side) for side in image.shape[:2])
        top, left = (
            generator.integers(0, free, endpoint=True) for free in np.subtract(image.shape[:2], (height, width))
        )
        cropped = image[top : top + height, left : left + width]
        return cropped[:, ::-1] if generator.random() < self.flip_probability else cropped


@dataclass(frozen=True, kw_only=True, slots=True)
class PairConfig:
    """How a pair is taken from a sample.

    Raises:
        ValueError: if the lengths of the peak's window are not 0 < shortest <= longest.
    """

    part: Part = Part.WHOLE
    """What the picture and the sound's window are taken from."""
    shortest_s: float = 0.5
    """Least length of the window around the peak (paper: 0.5 s)."""
    longest_s: float = 1.5
    """Greatest length of it (paper: 1.5 s)."""
    window: WindowRule = field(default_factory=WindowRule)
    """The sound that the model hears."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """Changes of the picture."""

    def __post_init__(self) -> None:
        if not 0 < self.shortest_s <= self.longest_s:
            raise ValueError(
                f"shortest_s and longest_s must be 0 < shortest <= longest, got {self.shortest_s} and {self.longest_s}"
            )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pair:
    """A pair, prepared for the networks, and the samples that could not be read before it was found."""

    pixels: Tensor
    sound: Tensor
    unreadable: tuple[str, ...]
    """One line each."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PairBatch:
    """The pairs of one process and step."""

    pixels_b3HW: Tensor
    sounds_bX: Tensor
    unreadable: tuple[str, ...]

    def pin_memory(self) -> PairBatch:
        """Called by the data loader where batches go to a GPU."""
        return replace(self, pixels_b3HW=self.pixels_b3HW.pin_memory(), sounds_bX=self.sounds_bX.pin_memory())

    @staticmethod
    def of(pairs: Sequence[Pair | str]) -> PairBatch | str:
        """Joins pairs; the reason of the first that failed, if one did."""
        read: list[Pair] = []
        for pair in pairs:
            if isinstance(pair, str):
                return pair
            read.append(pair)
        return PairBatch(
            pixels_b3HW=torch.stack([pair.pixels for pair in read]),
            sounds_bX=torch.stack([pair.sound for pair in read]),
            unreadable=tuple(reason for pair in read for reason in pair.unreadable),
        )


class PairDataset(Dataset[Pair | str]):
    """Pairs by (epoch, index).

    Args:
        samples: the training split.
        config: how pairs are taken.
        prepare_image: of the model.
        prepare_sound: of the model.
        seed: fixes what is random.
        replace_unreadable: take another, random sample instead of one that cannot be read.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        config: PairConfig,
        *,
        prepare_image: Callable[[UInt8Image], Tensor],
        prepare_sound: Callable[[Float32Array], Tensor],
        seed: int,
        replace_unreadable: bool,
    ) -> None:
        self._samples = samples
        self._config = config
        self._prepare_image = prepare_image
        self._prepare_sound = prepare_sound
        self._seed = seed
        self._replace_unreadable = replace_unreadable

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, key: tuple[int, int]) -> Pair | str:
        """Reads a pair. Returns the reason if that cannot be done: exceptions of workers arrive as tracebacks."""
        generator = np.random.default_rng((self._seed, *key))
        index = key[1]
        unreadable: list[str] = []
        while len(unreadable) < _MAX_REPLACEMENTS:
            try:
                image, samples = read_pair(self._samples[index], self._config, generator)
                return Pair(
                    pixels=self._prepare_image(image),
                    sound=self._prepare_sound(samples),
                    unreadable=tuple(unreadable),
                )
            except SampleError as error:
                if not self._replace_unreadable:
                    return str(error)
                unreadable.append(str(error))
            index = int(generator.integers(len(self._samples)))
        return f"{len(unreadable)} samples in a row cannot be read; the last: {unreadable[-1]}"


class StepBatches(Sampler[list[tuple[int, int]]]):
    """The keys of each step's batch: every epoch a new order, fixed by the seed; a last, smaller batch is left out.

    Args:
        num_samples: of the data set.
        batch_size: of all processes together.
        rows: the share of this process.
        steps: the steps to yield.
        seed: fixes the orders.

    Raises:
        ValueError: if there are fewer samples than a batch takes.
    """

    def __init__(self, num_samples: int, *, batch_size: int, rows: slice, steps: range, seed: int) -> None:
        if num_samples < batch_size:
            raise ValueError(f"batch_size must be at most the {num_samples} samples of the data, got {batch_size}")
        self._num_samples = num_samples
        self._batch_size = batch_size
        self._rows = rows
        self._steps = steps
        self._seed = seed

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        drawn, order = -1, np.empty(0, int)
        for step in self._steps:
            epoch, batch = divmod(step, self._num_samples // self._batch_size)
            if epoch != drawn:
                drawn, order = epoch, np.random.default_rng((self._seed, epoch)).permutation(self._num_samples)
            keys = order[batch * self._batch_size : (batch + 1) * self._batch_size][self._rows]
            yield [(epoch, int(index)) for index in keys]


def read_pair(sample: Sample, config: PairConfig, generator: np.random.Generator) -> tuple[UInt8Image, Float32Array]:
    """Reads the picture at a random time of the segment, or the only one there is, and the window of sound.

    Returns:
        RGB uint8 [H, W, 3], and float32 [T] at 16 kHz.

    Raises:
        SampleError: if a file is missing or broken.
    """
    segment = sample.sound if config.part is Part.WHOLE else loudest_part(sample.sound, config, generator)
    picture_s = generator.uniform(segment.start_s, segment.stop_s) - sample.sound.start_s
    image = sample.load_image() if sample.load_image_at is None else sample.load_image_at(picture_s)
    if sample.load_image_at is not None:
        segment = replace(segment, picture_s=sample.sound.start_s + picture_s)
    return config.augmentation(image, generator), read_window(segment, config.window).samples


def loudest_part(segment: SoundSegment, config: PairConfig, generator: np.random.Generator) -> SoundSegment:
    """Cuts a window of random length, centred on the loudest sample, out of a segment; its ends stay inside."""
    peak_s = loudest_s(segment)
    half_s = generator.uniform(config.shortest_s, config.longest_s) / 2
    start_s, stop_s = max(segment.start_s, peak_s - half_s), min(segment.stop_s, peak_s + half_s)
    return replace(segment, start_s=start_s, stop_s=stop_s)
