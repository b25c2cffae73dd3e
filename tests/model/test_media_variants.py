"""One scene in many files: codecs, containers, rates, tracks, channels and damage, as FFmpeg writes them."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from benchmarks import sounds
from cs3_model.cli import app
from cs3_model.cli.sound import find_onsets
from cs3_model.media import MediaFile
from cs3_model.onset import OnsetState

RATE_HZ = 48_000
TIMES_S = [0.4, 1.0, 1.6, 2.3]

VARIANTS = {
    # name of the file, options of ffmpeg, seconds that the onsets may move
    "flac": ("x.flac", "-c:a flac", 0.0001),
    "16 bit in Matroska": ("x.mkv", "-c:a pcm_s16le", 0.0001),
    "24 bit": ("x.wav", "-c:a pcm_s24le", 0.0001),
    "float": ("x.wav", "-c:a pcm_f32le", 0.0001),
    "AIFF": ("x.aiff", "-c:a pcm_s16be", 0.0001),
    "AVI": ("x.avi", "-c:a pcm_s16le", 0.0001),
    "Apple lossless": ("x.m4a", "-c:a alac", 0.0001),
    "stereo": ("x.wav", "-ac 2", 0.0001),
    "5.1": ("x.mkv", "-ac 6 -c:a pcm_s16le", 0.0001),
    "96 kHz": ("x.wav", "-ar 96000", 0.001),
    "44.1 kHz": ("x.wav", "-ar 44100", 0.001),
    "16 kHz": ("x.wav", "-ar 16000", 0.001),
    "AAC": ("x.mp4", "-c:a aac -b:a 128k", 0.001),
    # Here the container does not say that the encoder's run-up, 1024 and 256 samples, is none of the sound.
    "AAC in Matroska": ("x.mkv", "-c:a aac -b:a 128k", 0.022),
    "MP3": ("x.mp3", "-c:a libmp3lame -b:a 128k", 0.001),
    "Opus": ("x.webm", "-c:a libopus -b:a 96k", 0.001),
    "Ogg/Opus": ("x.opus", "-c:a libopus -b:a 96k", 0.001),
    "Ogg/Vorbis": ("x.ogg", "-c:a libvorbis", 0.001),
    "AC-3": ("x.mkv", "-c:a ac3", 0.006),
}


@pytest.fixture(scope="module")
def scene():
    rng = np.random.default_rng(0)
    noise = 0.0005 * sounds.pink_noise(rng, 3.0, RATE_HZ)
    return sounds.place(noise, TIMES_S, [0.5 * sounds.impact(rng, RATE_HZ, "stone") for _ in TIMES_S], RATE_HZ)


@pytest.fixture
def convert(tmp_path, scene):
    """Returns a function that writes the scene, or other samples, by FFmpeg."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")

    def write(name, options, samples=scene):
        soundfile.write(tmp_path / "source.wav", samples, RATE_HZ, subtype="FLOAT")
        command = ["ffmpeg", "-v", "error", "-y", "-i", tmp_path / "source.wav", *options.split(), tmp_path / name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if "Unknown encoder" in done.stderr:
            pytest.skip(done.stderr.strip())
        assert done.returncode == 0, done.stderr
        return tmp_path / name

    return write


def confirmed_s(media):
    return [onset.time_ns / 1e9 for onset in find_onsets(media) if onset.state is OnsetState.CONFIRMED]


def run(*arguments):
    return CliRunner().invoke(app, ["onsets", *map(str, arguments)])


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_the_onsets_are_those_of_the_plain_file(convert, variant):
    plain = confirmed_s(MediaFile(convert("plain.wav", "-c:a pcm_f32le")))
    assert plain == pytest.approx(TIMES_S, abs=0.003)
    name, options, tolerance_s = VARIANTS[variant]
    media = MediaFile(convert(name, options))
    assert confirmed_s(media) == pytest.approx(plain, abs=tolerance_s)
    assert media.damage == []


def test_frame_times_that_jump_and_return_are_no_hole(convert):
    """FFmpeg's times of Ogg/Vorbis jump by 10 ms where the block size changes."""
    media = MediaFile(convert("x.ogg", "-c:a libvorbis"))
    pieces = [(time_ns, len(samples)) for time_ns, samples in media.mono()]
    ends_ns = [time_ns + count * 10**9 // RATE_HZ for time_ns, count in pieces]
    assert max(abs(begin - end) for (begin, _), end in zip(pieces[1:], ends_ns[:-1], strict=True)) <= 1


@pytest.mark.parametrize("other", ["opposite", "dead"])
def test_channels_that_cancel_or_hold_nothing_are_not_averaged_away(convert, scene, other):
    second = -scene if other == "opposite" else np.zeros_like(scene)
    media = MediaFile(convert("x.wav", "-c:a pcm_f32le", np.stack([scene, second], axis=1)))
    heard = np.concatenate([samples for _, samples in media.mono()])
    assert np.allclose(heard, scene, atol=1e-6)


def test_a_silent_first_track_is_told_and_another_one_can_be_chosen(convert):
    path = convert("x.mkv", "-f lavfi -i anullsrc=r=48000:cl=mono -map 1:a -map 0:a -shortest -t 3 -c:a pcm_s16le")
    first, second = run(path), run(path, "--track", 2)
    assert "track 1 of 2 is silent; choose another with --track" in first.stderr
    assert second.stderr == "" and second.stdout.count("confirmed\n") == len(TIMES_S)
    assert "has 2 tracks of sound; there is no number 3" in run(path, "--track", 3).stderr


def test_damaged_packets_are_left_out_and_told(convert):
    path = convert("x.mp4", "-c:a aac")
    data = bytearray(path.read_bytes())
    middle = data.index(b"mdat") + (data.index(b"moov") - data.index(b"mdat")) * 2 // 5
    data[middle : middle + 200] = bytes(200)
    path.write_bytes(data)
    result = run(path)
    assert result.exit_code == 1
    found = [float(line.split(",")[0]) for line in result.stdout.splitlines() if line.endswith(",confirmed")]
    assert [time_s for time_s in found if time_s > 1.5] == pytest.approx(TIMES_S[2:], abs=0.003)
    assert found[0] == pytest.approx(TIMES_S[0], abs=0.003)


@pytest.mark.parametrize(("name", "options"), [("x.mp4", "-c:a aac -movflags +faststart"), ("x.mkv", "-c:a aac")])
def test_a_file_that_is_cut_off_is_read_and_told(convert, name, options, caplog):
    path = convert(name, options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    result = run(path)
    assert result.exit_code == 1 and result.stdout.count("confirmed\n") >= 2
    assert "is cut off: its sound ends at" in caplog.text


def test_sound_that_begins_late_does_not_begin_with_an_impact(convert, scene):
    rng = np.random.default_rng(1)
    samples = scene + 0.02 * sounds.pink_noise(rng, 3.0, RATE_HZ)
    media = MediaFile(convert("x.mkv", "-f lavfi -i color=s=64x48:r=10:d=4 -map 1:v -map 0:a -c:a pcm_s16le", samples))
    late = MediaFile(convert("late.mkv", "-af adelay=0 -output_ts_offset 0.5 -c:a pcm_s16le", samples))
    assert confirmed_s(media)[0] > 0.3 and confirmed_s(late)[0] > 0.3


def test_what_only_looks_like_a_frame_of_flac_is_no_damage(tmp_path):
    """FFmpeg finds frames by their first bytes, which may stand inside of one, here as loud samples of noise."""
    samples = np.random.default_rng(0).integers(-(2**15), 2**15, 5 * 4096, dtype=np.int16)
    path = tmp_path / "x.flac"
    soundfile.write(path, samples, 16_000)
    data = path.read_bytes()
    samples[-2000:-1996] = np.frombuffer(data[data.index(b"\xff\xf8") :][:8], ">i2")
    soundfile.write(path, samples, 16_000)
    media = MediaFile(path)
    np.testing.assert_array_equal(np.concatenate([piece for _, piece in media.mono()]), samples / np.float32(2**15))
    assert media.damage == []

    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(200) + data[len(data) // 2 + 200 :])
    broken = MediaFile(path)
    assert sum(len(piece) for _, piece in broken.mono()) < len(samples)
    assert "packets of its sound cannot be decoded" in broken.damage[0]
