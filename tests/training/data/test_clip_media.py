"""Pictures and sound out of files, on one timeline."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from tests.training.conftest import number_of_picture
from training.data.clip_media import read_around, read_image, read_picture, read_sound
from training.data.samples import SampleError, SoundSegment
from training.data.sound_windows import Padding, WindowPlace, WindowRule, read_window


@pytest.mark.parametrize(("time_s", "number"), [(0.0, 0), (0.4, 10), (0.419, 10), (0.421, 11), (1.96, 49), (1.99, 49)])
def test_the_picture_nearest_to_the_time_is_read(time_s, number, make_video, tmp_path) -> None:
    video = make_video(tmp_path / "a.mkv", seconds=2.0)
    assert number_of_picture(read_picture(video, time_s)) == number


def test_the_pictures_around_lie_nearest_to_the_span_and_say_how_far(make_video, tmp_path) -> None:
    """At 25 pictures a second, around picture 10: 0.08 s is two pictures, and nearest to 0.09 s."""
    around = read_around(make_video(tmp_path / "a.mkv", seconds=2.0), 0.4, 0.09)
    assert (number_of_picture(around.before.image), number_of_picture(around.after.image)) == (8, 12)
    assert (around.before.stamp_ns, around.after.stamp_ns) == pytest.approx((-80_000_000, 80_000_000), abs=1_000_000)


def test_at_the_ends_of_a_video_a_picture_is_missing_and_that_is_no_error(make_video, tmp_path) -> None:
    video = make_video(tmp_path / "a.mkv", seconds=2.0)
    assert read_around(video, 0.0, 0.09).before is None and read_around(video, 1.96, 0.09).after is None
    with pytest.raises(SampleError, match=r"a.mkv has no picture around 3.000 s"):
        read_around(video, 3.0, 0.09)


def test_a_time_beyond_the_end_has_no_picture(make_video, tmp_path) -> None:
    with pytest.raises(SampleError, match=r"a.mkv has no picture at 3.000 s: it ends earlier"):
        read_picture(make_video(tmp_path / "a.mkv"), 3.0)


def test_sound_lies_where_the_file_has_it(make_video, tmp_path) -> None:
    """A click at 2.5 s, in the middle of a stretch that starts at 2.2 s."""
    video = make_video(tmp_path / "a.mkv", seconds=4.0, click_s=[0.5, 2.5])
    samples = read_sound(video, 2.2, 2.8)
    assert samples.shape == (9600,) and samples.dtype == np.float32
    loud = np.flatnonzero(np.abs(samples) > 0.3)
    assert abs(loud[0] / 16_000 - 0.3) < 0.001 and loud[-1] - loud[0] < 32


def test_beyond_the_files_ends_there_is_silence(make_video, tmp_path) -> None:
    samples = read_sound(make_video(tmp_path / "a.mkv", click_s=[0.0]), -0.5, 1.5)
    assert samples.shape == (32_000,)
    assert np.abs(samples[:7900]).max() < 1e-6 and np.abs(samples[24_100:]).max() < 1e-6
    assert np.abs(samples[8000:8020]).max() > 0.3


def test_channels_are_averaged(tmp_path) -> None:
    time_s = np.arange(32_000) / 32_000
    tone = 0.8 * np.sin(2 * np.pi * 440 * time_s)
    soundfile.write(tmp_path / "a.wav", np.stack([tone, 0.5 * tone], axis=1), 32_000)
    samples = read_sound(tmp_path / "a.wav", 0.25, 0.75)
    assert np.abs(samples).max() == pytest.approx(0.6, abs=0.005)


def test_a_stretch_without_any_sound_is_refused(make_video, tmp_path) -> None:
    with pytest.raises(SampleError, match=r"no sound between 5.000 s and 6.000 s"):
        read_sound(make_video(tmp_path / "a.mkv"), 5.0, 6.0)


@pytest.mark.parametrize("read", [read_image, lambda path: read_picture(path, 0), lambda path: read_sound(path, 0, 1)])
def test_missing_and_broken_files_are_named(read, tmp_path) -> None:
    with pytest.raises(SampleError, match=r"gone.mp4 does not exist"):
        read(tmp_path / "gone.mp4")
    (tmp_path / "broken.mp4").write_bytes(b"no video at all" * 100)
    with pytest.raises(SampleError, match=r"broken.mp4 (cannot be read|is not an image)"):
        read(tmp_path / "broken.mp4")


def test_a_window_is_centred_on_its_segment_with_the_real_sound_around_it(make_video, tmp_path) -> None:
    """Segment 2.4-2.6 s: the window is 1.5-3.5 s, with the click at 3.2 s outside the segment."""
    video = make_video(tmp_path / "a.mkv", seconds=4.0, click_s=[2.5, 3.2])
    segment = SoundSegment(path=video, start_s=2.4, stop_s=2.6)
    window = read_window(segment)
    loud_s = np.flatnonzero(np.abs(window.samples) > 0.3) / 16_000
    assert window.start_ns == 1_500_000_000 and window.samples.size == 32_000
    assert np.allclose(loud_s[loud_s < 1.5], 1.0, atol=0.002) and np.allclose(loud_s[loud_s > 1.5], 1.7, atol=0.002)
    assert (loud_s > 1.5).any()


def test_zero_padding_hears_the_segment_only(make_video, tmp_path) -> None:
    video = make_video(tmp_path / "a.mkv", seconds=4.0, click_s=[2.5, 3.2])
    segment = SoundSegment(path=video, start_s=2.4, stop_s=2.6)
    samples = read_window(segment, WindowRule(padding=Padding.ZEROS)).samples
    assert not samples[: round(0.9 * 16_000) - 1].any() and not samples[round(1.1 * 16_000) + 1 :].any()
    assert np.abs(samples).max() > 0.3


def test_a_long_segment_loses_its_ends(make_video, tmp_path) -> None:
    segment = SoundSegment(path=make_video(tmp_path / "a.mkv", seconds=5.0), start_s=0.0, stop_s=5.0)
    window = read_window(segment, WindowRule(length_s=1.0))
    assert (window.start_ns, window.samples.size) == (2_000_000_000, 16_000)


@pytest.mark.parametrize(
    ("picture_s", "start_s"),
    [(None, 1.5), (2.6, 1.6), (0.3, 0.0), (4.9, 3.0)],
    ids=["no picture", "around the picture", "at the segment's start", "at its end"],
)
def test_the_window_of_a_long_segment_follows_the_picture_and_stays_inside(picture_s, start_s, make_video, tmp_path):
    video = make_video(tmp_path / "a.mkv", seconds=5.0, click_s=[0.5])
    segment = SoundSegment(path=video, start_s=0.0, stop_s=5.0, picture_s=picture_s)
    assert read_window(segment).start_ns == round(start_s * 1e9)
    middle = WindowRule(place=WindowPlace.SEGMENT)
    assert read_window(segment, middle).start_ns == 1_500_000_000


def test_the_window_of_a_short_segment_lies_around_its_middle_whenever_the_picture_was_taken(make_video, tmp_path):
    video = make_video(tmp_path / "a.mkv", seconds=4.0)
    segment = SoundSegment(path=video, start_s=2.0, stop_s=3.0, picture_s=2.9)
    assert read_window(segment).start_ns == 1_500_000_000


def test_the_window_may_surround_the_loudest_sample(make_video, tmp_path) -> None:
    """Two clicks; the later one lies outside the segment."""
    video = make_video(tmp_path / "a.mkv", seconds=5.0, click_s=[1.25, 4.5])
    segment = SoundSegment(path=video, start_s=1.0, stop_s=4.0, picture_s=3.5)
    window = read_window(segment, WindowRule(place=WindowPlace.PEAK))
    assert window.start_ns / 1e9 == pytest.approx(0.25, abs=0.005)


def test_a_window_too_short_for_the_models_is_refused() -> None:
    with pytest.raises(ValueError, match=r"length_s must be in \[0.2, 30\] seconds, got 0.1"):
        WindowRule(length_s=0.1)
