"""The command ``cs3 onsets`` on real files."""

from __future__ import annotations

import csv
import io
from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from benchmarks import sounds
from cs3_model.cli import app
from cs3_model.cli.sound import find_onsets
from cs3_model.media import MediaFile

RATE_HZ = 48_000
TIMES_S = [0.4, 1.0, 1.6]


@pytest.fixture(scope="module")
def scene():
    rng = np.random.default_rng(0)
    noise = 0.0005 * sounds.pink_noise(rng, 2.2, RATE_HZ)
    return sounds.place(noise, TIMES_S, [0.5 * sounds.impact(rng, RATE_HZ, "stone") for _ in TIMES_S], RATE_HZ)


def run(*arguments):
    return CliRunner().invoke(app, ["onsets", *map(str, arguments)])


def confirmed_s(output):
    return [float(row["onset_s"]) for row in csv.DictReader(io.StringIO(output)) if row["state"] == "confirmed"]


def write_video(path, scene, start_s=0.0, codec="aac", with_audio=True):
    """Two seconds of grey pictures with the scene beginning at `start_s` of the timeline."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream(codec, rate=RATE_HZ, layout="mono") if with_audio else None
        for index in range(20):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 128, dtype=np.uint8), format="rgb24")
            picture.pts = index
            container.mux(video.encode(picture))
        container.mux(video.encode())
        if audio is None:
            return
        for start in range(0, len(scene), 1024):
            frame = av.AudioFrame.from_ndarray(scene[None, start : start + 1024].astype(np.float32), "fltp", "mono")
            frame.sample_rate, frame.time_base = RATE_HZ, Fraction(1, RATE_HZ)
            frame.pts = start + round(start_s * RATE_HZ)
            container.mux(audio.encode(frame))
        container.mux(audio.encode())


def test_a_wav_file_gives_one_csv_line_per_onset(tmp_path, scene):
    soundfile.write(tmp_path / "scene.wav", scene, RATE_HZ)
    result = run(tmp_path / "scene.wav")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "onset_s,confirmed_s,strength,state"
    assert confirmed_s(result.stdout) == pytest.approx(TIMES_S, abs=0.005)
    for row in csv.DictReader(io.StringIO(result.stdout)):
        assert 0.02 < float(row["confirmed_s"]) - float(row["onset_s"]) < 0.056
        assert float(row["strength"]) > 3


def test_the_chunk_size_does_not_change_the_output(tmp_path, scene):
    soundfile.write(tmp_path / "scene.wav", scene, RATE_HZ)
    assert run(tmp_path / "scene.wav", "--chunk", 77).stdout == run(tmp_path / "scene.wav", "--chunk", 100_000).stdout


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_video_whose_audio_starts_late_gets_times_on_its_own_timeline(tmp_path, scene, suffix):
    for start_s in (0.0, 0.7):
        path = tmp_path / f"late{start_s}.{suffix}"
        write_video(path, scene, start_s)
        expected = [start_s + time_s for time_s in TIMES_S]
        assert confirmed_s(run(path).stdout) == pytest.approx(expected, abs=0.006)


def test_times_count_from_the_earliest_sample_whatever_the_containers_clock(tmp_path, scene):
    """MPEG-TS begins at 1.4 s."""
    write_video(tmp_path / "scene.ts", scene)
    assert confirmed_s(run(tmp_path / "scene.ts").stdout) == pytest.approx(TIMES_S, abs=0.03)


def test_a_gap_in_the_audio_of_a_file_keeps_the_timeline(tmp_path, scene):
    path = tmp_path / "gap.mkv"
    first, second = scene[: 36 * 1024], scene[36 * 1024 :]
    with av.open(str(path), "w") as container:
        audio = container.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono")
        for samples, offset in ((first, 0), (second, 36 * 1024 + RATE_HZ)):
            for start in range(0, len(samples), 1024):
                block = (samples[None, start : start + 1024] * 32767).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(block, "s16", "mono")
                frame.sample_rate, frame.time_base, frame.pts = RATE_HZ, Fraction(1, RATE_HZ), start + offset
                container.mux(audio.encode(frame))
        container.mux(audio.encode())
    found = [o.time_ns / 1e9 for o in find_onsets(MediaFile(path)) if o.state.value == "confirmed"]
    assert found == pytest.approx([0.4, 2.0, 2.6], abs=0.006)


def test_the_plot_is_a_picture(tmp_path, scene):
    soundfile.write(tmp_path / "scene.wav", scene, RATE_HZ)
    assert run(tmp_path / "scene.wav", "--plot", tmp_path / "scene.png").exit_code == 0
    assert (tmp_path / "scene.png").read_bytes().startswith(b"\x89PNG")


def _missing(path, scene):
    return "No such file"


def _folder(path, scene):
    path.mkdir()
    return "Is a directory"


def _text(path, scene):
    path.write_text("not a video")
    return "Invalid data"


def _empty(path, scene):
    path.touch()
    return "cannot read"


def _silent_video(path, scene):
    write_video(path, scene, with_audio=False)
    return "no audio stream"


def _unsupported_rate(path, scene):
    soundfile.write(path, scene, 4000, format="WAV")
    return "sample_rate_hz must be in"


@pytest.mark.parametrize("make", [_missing, _folder, _text, _empty, _silent_video, _unsupported_rate])
def test_a_bad_file_is_one_clear_line_on_stderr(tmp_path, scene, make):
    path = tmp_path / "bad.mp4"
    expected = make(path, scene)
    result = run(path)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert expected in result.stderr and "bad.mp4" in result.stderr


def test_a_truncated_video_reports_what_it_could_read(tmp_path, scene):
    path = tmp_path / "cut.mkv"
    write_video(path, scene)
    path.write_bytes(path.read_bytes()[:-1000])
    assert confirmed_s(run(path).stdout)[0] == pytest.approx(TIMES_S[0], abs=0.006)


def test_a_chunk_of_zero_samples_is_refused():
    result = run("any.wav", "--chunk", 0)
    assert result.exit_code == 2 and "--chunk" in result.stderr


def test_a_plot_into_a_missing_folder_is_one_clear_line(tmp_path, scene):
    soundfile.write(tmp_path / "scene.wav", scene, RATE_HZ)
    result = run(tmp_path / "scene.wav", "--plot", tmp_path / "nowhere" / "scene.png")
    assert result.exit_code == 1 and "cannot write" in result.stderr
