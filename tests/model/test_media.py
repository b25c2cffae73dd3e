from __future__ import annotations

import av
import numpy as np
import pytest
import soundfile

from cs3_model.media import MediaFile

NS_PER_MS = 1_000_000


def ramp(num_samples: int, channels: int = 1, first: int = 0) -> np.ndarray:
    """Samples that tell their own position; channels differ in sign."""
    counted = np.arange(first, first + num_samples)[:, None]
    return counted * (np.array([1, -1])[:channels])


def heard(blocks) -> np.ndarray:
    return np.frombuffer(b"".join(block.data for block in blocks), "<i2")


def test_pictures_keep_the_times_of_a_variable_frame_rate(make_video):
    path = make_video("v.mkv", {0: 10, 40: 90, 100: 170, 350: 250}, {0: ramp(4000)})

    pictures = list(MediaFile(path).pictures())

    assert [picture.time_ns // NS_PER_MS for picture in pictures] == [0, 40, 100, 350]
    assert [int(picture.image.mean()) for picture in pictures] == pytest.approx([10, 90, 170, 250], abs=3)
    assert pictures[0].image.shape == (48, 64, 3)


@pytest.mark.parametrize("container", ["mkv", "mov", "avi"])
@pytest.mark.parametrize("channels", [1, 2])
def test_sound_is_cut_into_blocks_without_losing_a_bit(make_video, container, channels):
    samples = ramp(1000, channels)
    pictures = {0: 0, 40: 0, 80: 0, 120: 0}
    video = MediaFile(make_video(f"v.{container}", pictures, {0: samples[:700], 87.5: samples[700:]}))

    blocks = list(video.sound(0.02))

    assert (video.encoding, video.channels, video.sample_rate_hz) == ("S16LE", channels, 8000)
    assert [len(block.data) // (2 * channels) for block in blocks] == [160] * 6 + [40]
    assert [block.time_ns for block in blocks] == [20 * NS_PER_MS * index for index in range(7)]
    assert blocks[-1].end_ns == 125 * NS_PER_MS
    assert heard(blocks).tolist() == samples.reshape(-1).tolist()


@pytest.mark.parametrize("container", ["mkv", "mov", "ts"])
@pytest.mark.parametrize(("picture_ms", "sound_ms"), [(0, 200), (200, 0), (400, 400)])
def test_the_offset_between_picture_and_sound_is_kept(make_video, container, picture_ms, sound_ms):
    """Time 0 is the earlier of the two, whatever numbers the container uses: MPEG-TS begins at 1.4 s."""
    codecs = ("mpeg4", "mp2" if container == "ts" else "pcm_s16le")
    rate_hz = 16000
    tone = (8000 * np.sin(np.arange(rate_hz) * 0.3))[:, None]
    path = make_video(
        f"v.{container}",
        {picture_ms + 40 * index: 100 for index in range(10)},
        {sound_ms: tone},
        codecs=codecs,
        rate_hz=rate_hz,
    )
    video = MediaFile(path)

    first_picture_ns = next(video.pictures()).time_ns
    first_sound_ns = next(video.sound(0.02)).time_ns

    assert min(first_picture_ns, first_sound_ns) == 0
    encoder_delay_ms = 31 if container == "ts" else 0  # MPEG audio begins a frame early, with silence
    assert (first_sound_ns - first_picture_ns) / NS_PER_MS == pytest.approx(
        sound_ms - picture_ms, abs=1 + encoder_delay_ms
    )


def test_a_hole_in_the_sound_is_a_hole_in_the_stamps(make_video):
    """0.1 s of sound, 0.05 s of nothing, 0.1 s of sound: the block before the hole is short, the next is on time."""
    sound = {0: ramp(800), 150: ramp(800, first=5000)}
    video = MediaFile(make_video("v.mkv", {0: 0, 200: 0}, sound))

    blocks = list(video.sound(0.03))

    assert [block.time_ns // NS_PER_MS for block in blocks] == [0, 30, 60, 90, 150, 180, 210, 240]
    assert [len(block.data) // 2 for block in blocks] == [240, 240, 240, 80] * 2
    assert blocks[3].end_ns == 100 * NS_PER_MS
    assert heard(blocks[4:])[0] == 5000


def test_sound_that_the_container_has_twice_is_given_once(make_video):
    video = MediaFile(make_video("v.mkv", {0: 0, 200: 0}, {0: ramp(800), 50: ramp(800, first=400)}))

    blocks = list(video.sound(0.05))

    assert heard(blocks).tolist() == list(range(1200))
    assert [block.time_ns // NS_PER_MS for block in blocks] == [0, 50, 100]


def test_times_rounded_by_the_container_do_not_tear_the_sound(make_video):
    """Matroska keeps milliseconds; blocks of 441 samples at 44.1 kHz stay exactly 10 ms apart."""
    sound = {10 * index: ramp(441, first=441 * index) for index in range(20)}
    video = MediaFile(make_video("v.mkv", {0: 0, 150: 0}, sound, rate_hz=44100))

    blocks = list(video.sound(0.01))

    assert [block.time_ns for block in blocks] == [10 * NS_PER_MS * index for index in range(20)]


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT", "DOUBLE"])
def test_every_pcm_format_is_scaled_to_one(tmp_path, subtype):
    square = np.resize([0.5, 0.5, -0.5, -0.5], (4800,))
    soundfile.write(tmp_path / "square.wav", np.stack([square, square], 1), 48_000, subtype=subtype)
    samples = np.concatenate([samples for _, samples in MediaFile(tmp_path / "square.wav").mono()])
    assert samples.dtype == np.float32
    assert samples == pytest.approx(square, abs=0.01)


def test_channels_are_averaged(tmp_path):
    soundfile.write(tmp_path / "two.flac", np.tile([0.5, -0.25], (4800, 1)), 48_000)
    samples = np.concatenate([samples for _, samples in MediaFile(tmp_path / "two.flac").mono()])
    assert samples == pytest.approx(0.125, abs=1e-4)


def test_sound_that_changes_its_format_on_the_way_goes_on_in_the_first_one(make_video):
    """A second of mono at 48 kHz, then a second of stereo at 44.1 kHz, as in a broadcast."""
    codecs = ("mpeg4", "mp2")
    tones = {rate_hz: (8192 * np.sin(np.arange(rate_hz) / rate_hz * 2765))[:, None] for rate_hz in (48_000, 44_100)}
    first = make_video("first.ts", None, {0: tones[48_000]}, codecs=codecs, rate_hz=48_000)
    second = make_video("second.ts", None, {1000: tones[44_100].repeat(2, 1)}, codecs=codecs, rate_hz=44_100)
    first.write_bytes(first.read_bytes() + second.read_bytes())

    media = MediaFile(first)
    samples = np.concatenate([samples for _, samples in media.mono()])

    assert (media.sample_rate_hz, media.channels) == (48_000, 1)
    assert len(samples) == pytest.approx(96_000, abs=1200)  # MPEG audio has frames of 1152 samples
    for start in (10_000, 58_000):
        spectrum = np.abs(np.fft.rfft(samples[start : start + 24_000]))
        assert 2 * spectrum.argmax() == pytest.approx(440, abs=2)


def test_mono_runs_know_their_times_around_a_hole(make_video):
    """0.1 s of sound, 0.05 s of nothing, 0.1 s of sound; asked for from 0.04 s to 0.2 s, at 8 kHz."""
    sound = {0: ramp(800), 150: ramp(800, first=5000)}
    media = MediaFile(make_video("v.mkv", {0: 0, 200: 0}, sound))

    runs = list(media.mono(40 * NS_PER_MS, 200 * NS_PER_MS))

    heard_at = {
        time_ns / NS_PER_MS + index / 8: value * 32768
        for time_ns, samples in runs
        for index, value in enumerate(samples.tolist())
    }
    assert heard_at == {40 + index / 8: 320 + index for index in range(480)} | {
        150 + index / 8: 5000 + index for index in range(400)
    }


@pytest.mark.parametrize("start_ms", [50, 1500, 2900])
def test_a_span_is_cut_to_the_sample_and_keeps_its_times(make_video, start_ms):
    sound = {100 * index: ramp(800, first=800 * index) for index in range(35)}
    video = MediaFile(make_video("v.mkv", {40 * index: 0 for index in range(80)}, sound))

    start_ns, stop_ns = start_ms * NS_PER_MS, (start_ms + 100) * NS_PER_MS
    pictures = list(video.pictures(start_ns, stop_ns))
    blocks = list(video.sound(0.02, start_ns, stop_ns))

    assert [picture.time_ns // NS_PER_MS for picture in pictures] == [
        time_ms for time_ms in range(0, 3200, 40) if start_ms <= time_ms < start_ms + 100
    ]
    assert heard(blocks).tolist() == list(range(8 * start_ms, 8 * start_ms + 800))
    assert [block.time_ns for block in blocks] == [start_ns + 20 * NS_PER_MS * index for index in range(5)]


def test_pictures_filmed_with_a_turned_camera_are_upright(make_video):
    """A 64x48 video whose track says: turn by 90 degrees to show."""
    path = make_video("v.mov", {0: 100, 40: 100}, {0: ramp(800)})
    data = bytearray(path.read_bytes())
    one, minus_one, zero = (0x10000).to_bytes(4, "big"), (-0x10000).to_bytes(4, "big", signed=True), bytes(4)
    upright = one + zero * 3 + one  # the rotation part of the matrix in the track header
    place = data.index(upright, data.index(b"tkhd"))
    data[place : place + 20] = zero + one + zero + minus_one + zero
    path.write_bytes(data)

    assert next(MediaFile(path).pictures()).image.shape == (64, 48, 3)


def test_one_stream_is_enough_for_those_who_need_no_other(make_video):
    silent = MediaFile(make_video("silent.mkv", {0: 0, 40: 0}, None))
    sound = MediaFile(make_video("sound.wav", None, {0: ramp(800)}))

    assert (silent.has_pictures, silent.has_sound, len(list(silent.pictures()))) == (True, False, 2)
    assert (sound.has_pictures, sound.has_sound, len(list(sound.sound(0.05)))) == (False, True, 2)


@pytest.mark.parametrize(
    ("name", "pictures", "sound", "complaint"),
    [
        ("silent.mkv", {0: 0, 40: 0}, None, "silent.mkv has no sound that can be decoded: coll"),
        ("sound.wav", None, {0: np.zeros((800, 1))}, "sound.wav has no pictures that can be decoded"),
    ],
)
def test_files_that_lack_a_stream_are_refused(make_video, name, pictures, sound, complaint):
    with pytest.raises(ValueError, match=complaint):
        media = MediaFile(make_video(name, pictures, sound))
        media.pictures()
        media.sound(0.02)


def test_files_that_are_no_videos_are_refused(tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("not a video")

    for path in (text, tmp_path / "absent.mp4", tmp_path):
        with pytest.raises(ValueError, match=f"^{path} cannot be read as a video: [^\n]*$"):
            MediaFile(path, unreadable=f"{path} cannot be read as a video")


def test_every_picture_of_the_real_clip_has_its_exact_time(shared_data):
    pictures = list(MediaFile(shared_data("real/chopping.mp4")).pictures())

    assert len(pictures) == 241
    assert [picture.time_ns for picture in pictures] == [round(index * 1001 / 30000 * 1e9) for index in range(241)]


def test_the_sound_of_the_real_clip_is_that_of_a_plain_decode(shared_data):
    path = shared_data("real/chopping.mp4")
    with av.open(str(path)) as container:
        planes = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)

    video = MediaFile(path)
    blocks = list(video.sound(0.02))

    assert (video.encoding, video.sample_rate_hz) == ("F32LE", 44100)
    heard_samples = np.frombuffer(b"".join(block.data for block in blocks), "<f4").reshape(-1, 2)
    assert (heard_samples == planes.T).all()
    assert [block.time_ns for block in blocks] == [882 * index * 10**9 // 44100 for index in range(len(blocks))]
