"""One evaluation for all rows: every row sees the same scenes and is scored by the same metrics."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from cs3_model.metrics import MaskScore, score_alternatives
from cs3_model.types import AudioWindow, BoolMask, CollisionResult, Frame, UInt8Image, Verdict
from training.data.samples import Around, DataSet, Sample, SampleError
from training.data.sound_windows import WindowRule, read_window
from training.evaluation.counterfactual import fingerprint
from training.evaluation.row import LoadedSample, Row, Sound
from training.evaluation.strata import strata_of

_NOISE_RMS = 0.1
"""Loudness of `Sound.NOISE`, full scale 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleResult:
    """What one row made of one sample."""

    sample_id: str
    group: str
    """What the sample is resampled with: its picture, what it is a framing of, or itself."""
    verdict: Verdict
    score: MaskScore | None
    """None if no colliding object can be seen: the right answer is no mask."""
    answer: str
    """What the true answer is, by its masks; framings of one sample have the same."""
    strata: dict[str, str]
    """Label of the sample in each stratum."""
    confidence: float | None = None
    """As the row published it; None where it cannot say."""
    not_in_view: float | None = None
    """Its probability that nothing in view collided, likewise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """A sample that could not be read."""

    sample_id: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Example:
    """A scene to look at."""

    sample_id: str
    image: UInt8Image
    true_masks: list[BoolMask]
    results: dict[str, CollisionResult]
    """By name of the row."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Evaluation:
    """What all rows made of all samples."""

    rows: tuple[Row, ...]
    records: dict[str, list[SampleResult]] = field(default_factory=dict)
    """By name of the row; one record per sample that was read, in the order of the samples."""
    skipped: list[Skipped] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)


def evaluate(
    rows: Sequence[Row],
    data_set: DataSet,
    *,
    rule: WindowRule,
    seed: int,
    limit: int = 0,
    num_examples: int = 6,
) -> Iterator[Evaluation]:
    """Runs all rows on all samples.

    Args:
        rows: What to compare; names must differ.
        data_set: Samples with true masks.
        rule: How the sound is cut.
        seed: Chooses the sounds of `Sound.SHUFFLED`, the examples, and the samples where `limit` leaves some out.
        limit: Number of samples to draw; 0: all.
        num_examples: How many scenes to keep for pictures.

    Yields:
        The evaluation so far, after each sample.

    Raises:
        ValueError: if a row needs truth that the samples lack, or names are doubled.
    """
    rng = np.random.default_rng(seed)
    samples = _draw(data_set.samples, limit, rng)
    _check(rows, samples, data_set.name)
    partners = {0: _partners(len(samples), rng)}
    shown = set(rng.permutation(len(samples))[:num_examples].tolist())
    for shuffle in {row.shuffle for row in rows} - {0}:
        partners[shuffle] = _partners(len(samples), np.random.default_rng([seed, shuffle]))
    needs_others = any(row.sound is Sound.OTHER_CLIP for row in rows)
    others = _partners_of_other_clips(samples, np.random.default_rng(seed)) if needs_others else []
    evaluation = Evaluation(rows=tuple(rows), records={row.name: [] for row in rows})
    for index, sample in enumerate(samples):
        try:
            scene = _read_scene(sample, rule, with_motion=any(row.uses_motion for row in rows))
            heard = {
                (row.sound, row.shuffle): _hear(
                    row.sound,
                    scene,
                    samples[(others if row.sound is Sound.OTHER_CLIP else partners[row.shuffle])[index]],
                    rule,
                )
                for row in {(row.sound, row.shuffle): row for row in rows}.values()
            }
        except SampleError as error:
            evaluation.skipped.append(Skipped(sample_id=sample.sample_id, reason=str(error)))
        else:
            results = {row.name: row.predict(replace(scene, window=heard[row.sound, row.shuffle])) for row in rows}
            for name, result in results.items():
                evaluation.records[name].append(_record(scene, result))
            if index in shown:
                example = Example(
                    sample_id=sample.sample_id,
                    image=scene.frame.image,
                    true_masks=scene.true_masks,
                    results=results,
                )
                evaluation.examples.append(example)
        yield evaluation


def _draw(samples: Sequence[Sample], limit: int, rng: np.random.Generator) -> list[Sample]:
    if not 0 < limit < len(samples):
        return list(samples)
    return [samples[index] for index in sorted(rng.choice(len(samples), limit, replace=False))]


def _check(rows: Sequence[Row], samples: Sequence[Sample], data_set: str) -> None:
    names = [row.name for row in rows]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"method '{doubled[0]}' is named twice")
    if not samples:
        raise ValueError(f"{data_set} has no samples")
    if not all(sample.load_objects for sample in samples):
        raise ValueError(f"this split of {data_set} has no true masks: it cannot be evaluated")
    unknown = sum(not sample.knows_whole_scene for sample in samples)
    needy = [row.name for row in rows if row.needs_whole_scene]
    if unknown and needy:
        raise ValueError(
            f"{', '.join(needy)}: these methods need to know all objects and the hands that hold them, "
            f"which {data_set} does not say for {unknown} of {len(samples)} samples"
        )
    if len(samples) == 1 and any(row.sound is Sound.SHUFFLED for row in rows):
        raise ValueError("sound=shuffled needs at least two samples")


def _partners(count: int, rng: np.random.Generator) -> list[int]:
    """For each sample another one, each used once."""
    order = rng.permutation(count)
    partners = np.empty(count, int)
    partners[order] = np.roll(order, 1)
    return partners.tolist()


def _partners_of_other_clips(samples: Sequence[Sample], rng: np.random.Generator) -> list[int]:
    """For each sample a random one whose sound lies in another file."""
    partners = []
    for sample in samples:
        choices = [index for index, other in enumerate(samples) if other.sound.path != sample.sound.path]
        if not choices:
            raise ValueError("sound=other-clip needs samples of at least two sound files")
        partners.append(int(rng.choice(choices)))
    return partners


def _read_scene(sample: Sample, rule: WindowRule, *, with_motion: bool) -> LoadedSample:
    assert sample.load_objects is not None
    frame = Frame(image=sample.load_image())
    objects = sample.load_objects()
    for item in objects:
        if item.mask.shape != frame.size_hw:
            raise SampleError(
                f"{sample.sample_id}: a true mask is {list(item.mask.shape)}, the picture {list(frame.size_hw)}"
            )
    around = sample.load_around() if with_motion and sample.load_around else Around()
    window = read_window(sample.sound, rule)
    return LoadedSample(sample=sample, frame=frame, window=window, objects=objects, around=around)


def _hear(sound: Sound, scene: LoadedSample, partner: Sample, rule: WindowRule) -> AudioWindow:
    if sound in (Sound.SHUFFLED, Sound.OTHER_CLIP):
        return read_window(partner.sound, rule)
    if sound is Sound.NOISE:
        rng = np.random.default_rng(zlib.crc32(scene.sample.sample_id.encode()))
        noise = (_NOISE_RMS * rng.standard_normal(scene.window.samples.size)).clip(-1, 1).astype(np.float32)
        return AudioWindow(samples=noise, start_ns=scene.window.start_ns)
    if sound is Sound.SILENT:
        return AudioWindow(samples=np.zeros_like(scene.window.samples), start_ns=scene.window.start_ns)
    return scene.window


def _record(scene: LoadedSample, result: CollisionResult) -> SampleResult:
    sample, true_masks = scene.sample, scene.true_masks
    truth = [(item.mask, *item.alternatives) for item in scene.visible_colliding]
    return SampleResult(
        sample_id=sample.sample_id,
        group=sample.conditions.group or sample.conditions.framing_of or sample.sample_id,
        verdict=result.verdict,
        confidence=None if math.isnan(result.confidence) else result.confidence,
        not_in_view=None if math.isnan(result.not_in_view) else result.not_in_view,
        score=score_alternatives([item.mask for item in result.masks], truth) if truth else None,
        answer=sample.conditions.framing_of or fingerprint(true_masks),
        strata=strata_of(sample, scene.objects) if true_masks else {"scenario": sample.conditions.scenario},
    )
