"""What a step reads: which samples, which moments of them, and what happens to unreadable ones."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from training.data.samples import Sample, SampleError, SoundSegment
from training.weak.pairs import (
    Augmentation,
    Pair,
    PairBatch,
    PairConfig,
    PairDataset,
    Part,
    StepBatches,
    loudest_part,
    read_pair,
)


def picture_at(time_s: float) -> np.ndarray:
    """A picture that tells its time."""
    return np.full((4, 6, 3), round(100 * time_s), np.uint8)


def sample(folder: Path, index: int, *, start_s: float = 2.0, stop_s: float = 4.0, click_s: float = 3.5) -> Sample:
    """Six seconds with a click, and a picture at every time of the segment."""
    path = folder / f"{index}.wav"
    sound = np.zeros(6 * 16_000, np.float32)
    sound[round(click_s * 16_000)] = 0.1 * (1 + index)
    soundfile.write(path, sound, 16_000)
    return Sample(
        sample_id=str(index),
        data_set="clicks",
        split="train",
        load_image=partial(picture_at, 0.0),
        load_image_at=picture_at,
        sound=SoundSegment(path=path, start_s=start_s, stop_s=stop_s),
    )


def dataset(samples: list[Sample], *, replace_unreadable: bool = True, seed: int = 0) -> PairDataset:
    return PairDataset(
        samples,
        PairConfig(),
        prepare_image=torch.from_numpy,
        prepare_sound=torch.from_numpy,
        seed=seed,
        replace_unreadable=replace_unreadable,
    )


def test_the_picture_is_drawn_from_the_whole_segment_and_the_sound_surrounds_its_middle(tmp_path) -> None:
    clicks = sample(tmp_path, 0)
    pairs = [read_pair(clicks, PairConfig(), np.random.default_rng(seed)) for seed in range(40)]
    times_s = [image[0, 0, 0] / 100 for image, _ in pairs]
    assert 0 <= min(times_s) < 0.3 and 1.7 < max(times_s) <= 2.0
    for _, samples in pairs:
        assert samples.shape == (32_000,) and samples.argmax() == pytest.approx(1.5 * 16_000, abs=2)


def test_the_sound_of_a_long_segment_surrounds_the_picture(tmp_path) -> None:
    """A click at 2.5 s of a segment of 5 s: where the picture is near its start or end, the click is not heard."""
    clicks = sample(tmp_path, 0, start_s=0.0, stop_s=5.0, click_s=2.5)
    clicks = replace(clicks, load_image_at=lambda time_s: picture_at(time_s / 2))
    for seed in range(40):
        image, samples = read_pair(clicks, PairConfig(), np.random.default_rng(seed))
        picture_s = image[0, 0, 0] / 50
        if abs(picture_s - 2.5) > 1.1:
            assert not samples.any() or samples.max() < 0.1
        if 1.6 < picture_s < 2.4:  # the picture in the middle of the window
            assert samples.argmax() / 16_000 == pytest.approx(1.0 + 2.5 - picture_s, abs=0.02)


def test_the_peak_rule_cuts_a_random_length_around_the_loudest_sample(tmp_path) -> None:
    segment, config = sample(tmp_path, 0, start_s=1.0, stop_s=4.0, click_s=2.2).sound, PairConfig(part=Part.PEAK)
    parts = [loudest_part(segment, config, np.random.default_rng(seed)) for seed in range(60)]
    assert {round((part.start_s + part.stop_s) / 2, 3) for part in parts} == {2.2}
    lengths_s = [part.duration_s for part in parts]
    assert 0.5 <= min(lengths_s) < 0.6 and 1.4 < max(lengths_s) <= 1.5


def test_the_part_around_a_peak_stays_inside_the_segment(tmp_path) -> None:
    segment = sample(tmp_path, 0, start_s=1.0, stop_s=4.0, click_s=1.1).sound
    part = loudest_part(segment, PairConfig(part=Part.PEAK), np.random.default_rng(0))
    assert part.start_s == 1.0 and 1.35 <= part.stop_s <= 1.85


def test_with_the_peak_rule_picture_and_sound_come_from_around_the_peak(tmp_path) -> None:
    clicks = sample(tmp_path, 0, start_s=1.0, stop_s=4.0, click_s=2.2)
    for seed in range(20):
        image, samples = read_pair(clicks, PairConfig(part=Part.PEAK), np.random.default_rng(seed))
        assert abs(image[0, 0, 0] / 100 - 1.2) <= 0.76
        assert samples.argmax() == pytest.approx(16_000, abs=2)


def test_a_sample_with_one_picture_gives_that(tmp_path) -> None:
    image, _ = read_pair(replace(sample(tmp_path, 0), load_image_at=None), PairConfig(), np.random.default_rng(5))
    assert not image.any()


def test_augmentations_crop_and_mirror_only_where_asked() -> None:
    image = np.arange(20 * 30 * 3, dtype=np.uint16).reshape(20, 30, 3)
    generator = np.random.default_rng(0)
    assert np.array_equal(Augmentation()(image, generator), image)
    assert np.array_equal(Augmentation(flip_probability=1.0)(image, generator), image[:, ::-1])
    crops = [Augmentation(crop_share=0.9)(image, generator) for _ in range(40)]
    assert {crop.shape for crop in crops} == {(18, 27, 3)}
    assert {int(crop[0, 0, 0]) for crop in crops} > {int(image[0, 0, 0]), int(image[2, 3, 0])}, "both far corners"


def test_a_pair_depends_on_seed_epoch_and_index_only(tmp_path) -> None:
    samples = [sample(tmp_path, index) for index in range(3)]
    first, again, other = dataset(samples), dataset(samples), dataset(samples, seed=1)
    assert torch.equal(first[4, 2].pixels, again[4, 2].pixels)
    pictures = {int(data[key].pixels[0, 0, 0]) for data, key in ((first, (4, 2)), (first, (5, 2)), (other, (4, 2)))}
    assert len(pictures) == 3


def test_an_unreadable_sample_is_replaced_and_named(tmp_path) -> None:
    samples = [sample(tmp_path, index) for index in range(4)]
    (tmp_path / "1.wav").write_bytes(b"no sound")
    pair = dataset(samples)[0, 1]
    assert isinstance(pair, Pair) and pair.sound.max() > 0.05
    assert all("1.wav" in reason for reason in pair.unreadable) and pair.unreadable
    assert PairBatch.of([pair, dataset(samples)[0, 0]]).unreadable == pair.unreadable


def test_an_unreadable_sample_may_end_the_batch_instead(tmp_path) -> None:
    samples = [sample(tmp_path, index) for index in range(2)]
    (tmp_path / "1.wav").unlink()
    data = dataset(samples, replace_unreadable=False)
    reason = PairBatch.of([data[0, 0], data[0, 1]])
    assert isinstance(reason, str) and reason.endswith("1.wav does not exist")


def test_data_without_any_readable_sample_end_the_batch() -> None:
    def fail(time_s: float) -> np.ndarray:
        raise SampleError("no such picture")

    silent = Sample(
        sample_id="", data_set="", split="", load_image=partial(fail, 0.0), load_image_at=fail,
        sound=SoundSegment(path=Path("none.wav"), start_s=0.0, stop_s=1.0),
    )  # fmt: skip
    assert dataset([silent])[0, 0] == "100 samples in a row cannot be read; the last: no such picture"


def keys(steps: range, rows: slice = slice(0, 4), seed: int = 0) -> list[list[tuple[int, int]]]:
    return list(StepBatches(10, batch_size=4, rows=rows, steps=steps, seed=seed))


def test_an_epoch_has_each_sample_at_most_once_in_a_new_order() -> None:
    batches = keys(range(4))  # two batches of 4 in each epoch of 10; two samples are left out
    assert [[epoch for epoch, _ in batch] for batch in batches] == [[0] * 4, [0] * 4, [1] * 4, [1] * 4]
    epochs = [[index for _, index in (*batches[at], *batches[at + 1])] for at in (0, 2)]
    assert all(len(set(order)) == 8 for order in epochs) and epochs[0] != epochs[1]


def test_batches_go_on_in_the_middle_of_an_epoch() -> None:
    assert keys(range(3, 7)) == keys(range(7))[3:]
    assert keys(range(3), seed=1) != keys(range(3))


def test_the_shares_of_the_processes_make_up_the_batch() -> None:
    shares = zip(keys(range(3), slice(0, 2)), keys(range(3), slice(2, 4)), strict=True)
    assert [[*first, *second] for first, second in shares] == keys(range(3))


def test_a_batch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(ValueError, match="at most the 3 samples of the data, got 4"):
        StepBatches(3, batch_size=4, rows=slice(0, 4), steps=range(1), seed=0)
