"""The voice detector, and how an onset is judged while somebody speaks."""

from __future__ import annotations

import importlib.util
import logging

import numpy as np
import pytest
import scipy.signal

from benchmarks import sounds
from cs3_model.media import MediaFile
from cs3_model.onset import OnsetConfig, OnsetDetector, OnsetState
from cs3_model.onset.voice import VoiceDetector, VoiceNetwork, load_weights

SPEECH = ("cmu_arctic_us_aew_a0001.wav", "cmu_arctic_us_aew_a0002.wav", "german_speech_8000.wav")


@pytest.fixture
def weights():
    if importlib.util.find_spec("silero_vad") is None:
        pytest.skip("silero-vad is not installed")
    return load_weights()


@pytest.fixture
def read(shared_data):
    def read_mono(name):
        clip = MediaFile(shared_data(f"real_sounds/speech/{name}"))
        return np.concatenate([samples for _, samples in clip.mono()]), clip.sample_rate_hz

    return read_mono


def confirmed(samples, rate_hz, chunk=None, **config):
    detector = OnsetDetector(rate_hz, OnsetConfig(**config))
    chunk = chunk or len(samples)
    events = []
    for start in range(0, len(samples), chunk):
        events += detector.push(samples[start : start + chunk])
    return [event for event in events + detector.flush() if event.state is OnsetState.CONFIRMED]


def test_the_network_agrees_with_the_packages_own_one(weights):
    silero_vad = pytest.importorskip("silero_vad")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    windows = (0.3 * sounds.speech_like(rng, 2.0, 16_000)).astype(np.float32)[: 60 * 512].reshape(60, 512)
    theirs = silero_vad.load_silero_vad()
    # The package holds two trainings of one network: theirs runs the other one, whose weights ours can take.
    state = {name: value.numpy() for name, value in theirs.state_dict().items() if name.startswith("_model.")}
    names = {"stft_conv.weight": "stft.forward_basis_buffer"}
    for index in range(4):
        for part in ("weight", "bias"):
            names[f"conv{index + 1}.{part}"] = f"encoder.{index}.reparam_conv.{part}"
    for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        names[f"lstm_cell.{part}"] = f"decoder.rnn.{part}"
    for part in ("weight", "bias"):
        names[f"final_conv.{part}"] = f"decoder.decoder.2.{part}"
    assert names.keys() == weights.keys()
    ours = VoiceNetwork({name: state[f"_model.{theirs_name}"] for name, theirs_name in names.items()})
    expected = [theirs(torch.from_numpy(window), 16_000).item() for window in windows]
    assert max(expected) > 0.5
    assert [ours(window) for window in windows] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("rate_hz", [8000, 44_100, 48_000])
def test_a_voice_is_heard_at_every_rate(weights, read, rate_hz):
    speech, own_hz = read(SPEECH[0])
    speech = scipy.signal.resample(speech, round(len(speech) * rate_hz / own_hz)).astype(float)
    voice = VoiceDetector(rate_hz, weights)
    spoken = []
    for start in range(0, len(speech), rate_hz // 10):
        voice.push(speech[start : start + rate_hz // 10])
        spoken.append(voice.probability(start, start + rate_hz // 10))
    assert np.mean(np.array(spoken) > 0.5) > 0.75


@pytest.mark.parametrize("name", ["chopping.mp4", "hammer.mp4", "drum.mp4"])
def test_no_voice_is_heard_in_clips_of_impacts(weights, shared_data, name):
    clip = MediaFile(shared_data(f"real/{name}"))
    voice, position = VoiceDetector(clip.sample_rate_hz, weights), 0
    for _, samples in clip.mono():
        voice.push(samples.astype(float))
        position += len(samples)
        assert voice.probability(0, position) < 0.5


@pytest.mark.parametrize("name", SPEECH)
def test_nothing_is_confirmed_in_read_speech(weights, read, name):
    """Without the voice detector 1, 5 and 3 plosives pass for impacts at 44.1 kHz."""
    speech, own_hz = read(name)
    speech = scipy.signal.resample_poly(speech, 441, own_hz // 100)
    assert confirmed(speech, 44_100) == []
    assert len(confirmed(speech, 44_100, speech_gate=False)) >= 1


def test_an_impact_louder_than_the_speech_around_it_is_heard(weights, read):
    speech, rate_hz = read(SPEECH[0])
    speech = 0.1 * speech / np.abs(speech).max()
    times_s = [0.8, 1.7, 2.6]
    rng = np.random.default_rng(2)
    hits = [0.4 * sounds.impact(rng, rate_hz, "ceramic") for _ in times_s]
    found = confirmed(sounds.place(speech, times_s, hits, rate_hz), rate_hz)
    assert [event.onset_sample / rate_hz for event in found] == pytest.approx(times_s, abs=0.005)
    assert all(0 < event.doubt < 0.5 for event in found)


def test_beside_speech_too_the_chunks_do_not_matter(weights, read):
    speech, rate_hz = read(SPEECH[1])
    rng = np.random.default_rng(3)
    samples = sounds.place(0.2 * speech, [0.8, 1.7], [0.8 * sounds.impact(rng, rate_hz, "stone")] * 2, rate_hz)
    whole = confirmed(samples, rate_hz)
    assert whole == confirmed(samples, rate_hz, chunk=77) == confirmed(samples, rate_hz, chunk=1600)
    assert whole != []


def test_without_a_voice_there_is_no_doubt(weights):
    rng = np.random.default_rng(4)
    noise = 0.0005 * sounds.pink_noise(rng, 1.0, 48_000)
    (event,) = confirmed(sounds.place(noise, [0.5], [0.4 * sounds.impact(rng, 48_000, "stone")], 48_000), 48_000)
    assert event.doubt < 0.05


def test_without_the_package_the_detector_works_and_says_so_once(monkeypatch, caplog):
    load_weights.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    rng = np.random.default_rng(5)
    noise = 0.0005 * sounds.pink_noise(rng, 1.0, 48_000)
    samples = sounds.place(noise, [0.5], [0.4 * sounds.impact(rng, 48_000, "stone")], 48_000)
    with caplog.at_level(logging.WARNING):
        assert len(confirmed(samples, 48_000)) == len(confirmed(samples, 48_000)) == 1
    assert [record.message.split(":")[0] for record in caplog.records] == ["silero-vad is not installed"]
    load_weights.cache_clear()
