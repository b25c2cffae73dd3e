"""The onset detector on synthetic sounds with exactly known onsets."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import sounds
from cs3_model.media import MediaFile
from cs3_model.onset import OnsetConfig, OnsetDetector, OnsetState, PeakConfig

RATE_HZ = 48_000


def detect(samples, rate_hz=RATE_HZ, chunk=960, **options):
    detector = OnsetDetector(rate_hz, **options)
    samples = np.asarray(samples, dtype=np.float32)
    events = []
    for start in range(0, len(samples), chunk):
        events += detector.push(samples[start : start + chunk])
    return events + detector.flush()


def onsets_s(events, state=OnsetState.CONFIRMED, rate_hz=RATE_HZ):
    return [event.onset_sample / rate_hz for event in events if event.state is state]


def scene(times_s, rate_hz=RATE_HZ, seconds=None, material="wood", noise_rms=0.0005, gain=0.3, seed=0):
    """Equal impacts at the given times in faint pink noise."""
    rng = np.random.default_rng(seed)
    seconds = seconds or max(times_s, default=1.0) + 0.5
    noise = noise_rms * sounds.pink_noise(rng, seconds, rate_hz)
    hits = [gain * sounds.impact(rng, rate_hz, material) for _ in times_s]
    return sounds.place(noise, times_s, hits, rate_hz)


@pytest.mark.parametrize("material", list(sounds.MATERIALS))
@pytest.mark.parametrize("rate_hz", [8000, 16_000, 44_100, 48_000, 96_000])
def test_impacts_are_confirmed_within_five_milliseconds_of_their_true_onset(material, rate_hz):
    times_s = [0.5, 1.1, 1.7]
    events = detect(scene(times_s, rate_hz, material=material), rate_hz, chunk=rate_hz // 50)
    assert onsets_s(events, rate_hz=rate_hz) == pytest.approx(times_s, abs=0.005)


@pytest.mark.parametrize("gain_db", [-20, -10, 0, 12])
def test_impacts_are_found_over_32_decibels_of_gain_and_through_clipping(gain_db):
    times_s = [0.5, 1.1, 1.7]
    samples = np.clip(scene(times_s, gain=0.8) * 10 ** (gain_db / 20), -1, 1)
    assert onsets_s(detect(samples)) == pytest.approx(times_s, abs=0.005)


def test_impacts_20_db_above_pink_noise_are_found():
    times_s = [0.5 * k for k in range(1, 11)]
    events = detect(scene(times_s, material="ceramic", gain=0.5, noise_rms=0.5 * 0.3 / 10))
    assert onsets_s(events) == pytest.approx(times_s, abs=0.005)


@settings(max_examples=12, deadline=None)
@given(chunks=st.lists(st.integers(0, 5000), min_size=1, max_size=20), seed=st.integers(0, 3))
def test_any_chunking_gives_the_same_events_to_the_sample(chunks, seed):
    samples = scene([0.05, 0.3, 0.34, 0.7], seconds=1.0, noise_rms=0.01, seed=seed).astype(np.float32)
    detector, events, start = OnsetDetector(RATE_HZ), [], 0
    while start < len(samples):
        for chunk in chunks if any(chunks) else [1]:
            events += detector.push(samples[start : start + chunk])
            start += chunk
    assert events + detector.flush() == detect(samples, chunk=len(samples))


def test_single_samples_give_the_same_events_as_the_whole():
    samples = scene([0.15], rate_hz=8000, seconds=0.5)
    assert detect(samples, 8000, chunk=1) == detect(samples, 8000, chunk=len(samples)) != []


def test_events_do_not_depend_on_what_comes_after_they_are_decided():
    samples = scene([0.4], seconds=1.0)
    whole = detect(samples)
    confirmed = next(event for event in whole if event.state is OnsetState.CONFIRMED)
    known = [event for event in whole if event.decided_sample <= confirmed.decided_sample]
    assert detect(samples[: confirmed.decided_sample]) == known


def test_the_provisional_onset_is_out_within_15_ms_and_the_confirmed_one_within_55_ms():
    events = detect(scene([0.4 * k for k in range(1, 9)]))
    for state, limit_s in ((OnsetState.PROVISIONAL, 0.015), (OnsetState.CONFIRMED, 0.055)):
        latencies_s = [(e.decided_sample - e.onset_sample) / RATE_HZ for e in events if e.state is state]
        assert len(latencies_s) == 8 and max(latencies_s) <= limit_s


def test_every_provisional_onset_ends_exactly_once():
    rng = np.random.default_rng(1)
    speech = 0.5 * sounds.speech_like(rng, 8.0, RATE_HZ)
    samples = sounds.place(speech, [1.0, 2.03, 2.06, 7.98], [sounds.impact(rng, RATE_HZ)] * 4, RATE_HZ)
    events = detect(samples)
    begun = [event.onset_id for event in events if event.state is OnsetState.PROVISIONAL]
    ended = [event.onset_id for event in events if event.state is not OnsetState.PROVISIONAL]
    assert len(begun) > 10
    assert sorted(begun) == sorted(ended) == sorted(set(ended))
    for onset_id in begun:
        states = [event.state for event in events if event.onset_id == onset_id]
        assert states[0] is OnsetState.PROVISIONAL and len(states) == 2


def test_an_impact_in_the_first_100_ms_of_a_stream_is_found():
    for time_s in (0.03, 0.06, 0.1):
        assert onsets_s(detect(scene([time_s]))) == pytest.approx([time_s], abs=0.005)


@pytest.mark.parametrize("gap_s", [0.035, 0.042, 0.05])
def test_a_restrike_makes_one_or_two_onsets_and_keeps_the_first(gap_s):
    found = onsets_s(detect(scene([0.5, 0.5 + gap_s], material="stone")))
    assert found[0] == pytest.approx(0.5, abs=0.005)
    assert len(found) == (1 if gap_s < 0.04 else 2)


@pytest.mark.parametrize("silence_s", [0.0, 0.5])
@pytest.mark.parametrize("seed", range(4))
def test_switching_on_within_an_impact_or_a_noise_is_no_impact(silence_s, seed):
    """Digital silence, then the sound from some time within the ringing on; the impact after it counts."""
    rng = np.random.default_rng(seed)
    cut_s = rng.uniform(0.1, 0.13)
    sound = scene([0.1, 0.7], seconds=1.2, material="metal", seed=seed)[round(cut_s * RATE_HZ) :]
    events = detect(np.concatenate([np.zeros(round(silence_s * RATE_HZ)), sound]))
    assert onsets_s(events) == pytest.approx([silence_s + 0.7 - cut_s], abs=0.005)


def test_a_quiet_impact_after_a_loud_one_is_found():
    rng = np.random.default_rng(2)
    noise = 0.0003 * sounds.pink_noise(rng, 1.6, RATE_HZ)
    loud, quiet = sounds.impact(rng, RATE_HZ), 0.1 * sounds.impact(rng, RATE_HZ)
    assert onsets_s(detect(sounds.place(noise, [0.4, 1.0], [0.9 * loud, quiet], RATE_HZ))) == pytest.approx(
        [0.4, 1.0], abs=0.005
    )


def test_a_much_louder_onset_within_the_refractory_time_withdraws_the_first():
    rng = np.random.default_rng(3)
    noise = 0.0003 * sounds.pink_noise(rng, 1.0, RATE_HZ)
    hits = [0.03 * sounds.impact(rng, RATE_HZ, "stone"), 0.9 * sounds.impact(rng, RATE_HZ, "stone")]
    events = detect(sounds.place(noise, [0.5, 0.525], hits, RATE_HZ))
    assert [event.state for event in events] == [
        OnsetState.PROVISIONAL,
        OnsetState.WITHDRAWN,
        OnsetState.PROVISIONAL,
        OnsetState.CONFIRMED,
    ]
    assert events[0].onset_id == events[1].onset_id != events[2].onset_id
    assert onsets_s(events) == pytest.approx([0.525], abs=0.005)


def test_pre_echo_does_not_move_the_onset():
    rng = np.random.default_rng(4)
    samples = 0.0003 * sounds.pink_noise(rng, 1.0, RATE_HZ)
    echo = slice(round(0.48 * RATE_HZ), round(0.5 * RATE_HZ))
    samples[echo] += 0.012 * rng.standard_normal(echo.stop - echo.start)
    samples = sounds.place(samples, [0.5], [0.9 * sounds.impact(rng, RATE_HZ, "metal")], RATE_HZ)
    assert onsets_s(detect(samples)) == pytest.approx([0.5], abs=0.005)


def _steps(rng):
    return 0.3 * (np.arange(6 * RATE_HZ) // RATE_HZ % 2) + 0.001 * rng.standard_normal(6 * RATE_HZ)


def _clicks(rng):
    samples = 0.0005 * rng.standard_normal(6 * RATE_HZ)
    samples[RATE_HZ // 2 :: RATE_HZ + 37] = 0.9
    return samples


def _missing(rng):
    samples = 0.02 * sounds.pink_noise(rng, 6.0, RATE_HZ)
    for start in range(RATE_HZ, len(samples), RATE_HZ):
        samples[start : start + RATE_HZ // 10] = rng.choice([np.nan, np.inf, 0.0])
    return samples


def _sweep(rng):
    t = np.arange(6 * RATE_HZ) / RATE_HZ
    return 0.5 * np.sin(2 * np.pi * (50 * t + 1500 * t**2))


NOT_COLLISIONS = {
    "silence": lambda rng: np.zeros(6 * RATE_HZ),
    "dither": lambda rng: rng.integers(-1, 2, 6 * RATE_HZ) / 32768,
    "loud pink noise": lambda rng: 0.25 * sounds.pink_noise(rng, 6.0, RATE_HZ),
    "faint pink noise": lambda rng: 0.0005 * sounds.pink_noise(rng, 6.0, RATE_HZ),
    "white noise": lambda rng: 0.05 * rng.standard_normal(6 * RATE_HZ),
    "steps of the DC offset": _steps,
    "single-sample clicks": _clicks,
    "a sine sweep": _sweep,
    "a square wave": lambda rng: 0.5 * np.sign(np.sin(2 * np.pi * 441 * np.arange(6 * RATE_HZ) / RATE_HZ + 0.1)),
    "hum": lambda rng: 0.5 * sounds.hum(6.0, RATE_HZ) + 0.0001 * rng.standard_normal(6 * RATE_HZ),
    "bursts of NaN, infinity and zeros": _missing,
    "wind": lambda rng: 0.7 * sounds.wind(rng, 6.0, RATE_HZ),
    "rustle": lambda rng: 0.2 * sounds.rustle(rng, 6.0, RATE_HZ),
    "music": lambda rng: 0.4 * sounds.music_like(rng, 6.0, RATE_HZ),
}


@pytest.mark.parametrize("name", list(NOT_COLLISIONS))
def test_nothing_is_confirmed_in(name):
    assert onsets_s(detect(NOT_COLLISIONS[name](np.random.default_rng(5)))) == []


@pytest.mark.parametrize("name", ["hum", "wind", "rustle", "music"])
def test_impacts_are_found_over(name):
    times_s = [1.0, 2.2, 3.4]
    rng = np.random.default_rng(6)
    samples = 0.2 * NOT_COLLISIONS[name](rng)
    samples = sounds.place(samples, times_s, [0.9 * sounds.impact(rng, RATE_HZ, "metal") for _ in times_s], RATE_HZ)
    assert onsets_s(detect(samples)) == pytest.approx(times_s, abs=0.005)


def test_speech_like_sound_makes_few_confirmed_onsets():
    """Plosives do resemble taps; most are told apart by the vowel after them."""
    events = detect(0.5 * sounds.speech_like(np.random.default_rng(7), 30.0, RATE_HZ))
    assert len(onsets_s(events)) <= 0.25 * len(onsets_s(events, OnsetState.PROVISIONAL))


def test_reset_forgets_the_stream_and_ends_what_was_pending():
    samples = scene([0.4], seconds=1.0).astype(np.float32)
    cut = round(0.42 * RATE_HZ)
    detector = OnsetDetector(RATE_HZ)
    begun = detector.push(samples[:cut])
    ended = detector.reset()
    assert [e.state for e in begun] == [OnsetState.PROVISIONAL]
    assert [(e.state, e.onset_id) for e in ended] == [(OnsetState.WITHDRAWN, begun[0].onset_id)]
    assert detector.samples_seen == 0
    again = detector.push(samples) + detector.flush()
    assert [(e.state, e.onset_sample, e.decided_sample) for e in again] == [
        (e.state, e.onset_sample, e.decided_sample) for e in detect(samples)
    ]
    assert again[0].onset_id > begun[0].onset_id


def test_flush_confirms_an_impact_that_was_heard_long_enough():
    samples = scene([0.4], seconds=1.0, material="metal")
    events = detect(samples[: round(0.445 * RATE_HZ)])
    assert [e.state for e in events] == [OnsetState.PROVISIONAL, OnsetState.CONFIRMED]


def test_samples_seen_counts_every_pushed_sample():
    detector = OnsetDetector(16_000)
    for count in (0, 1, 7, 5000):
        detector.push(np.zeros(count, dtype=np.float32))
    assert detector.samples_seen == 5008


def test_memory_does_not_grow_with_the_stream():
    def held(detector):
        return sum(len(h._buffer) for h in (detector._raw, detector._filtered)) + len(detector._recent)

    detector = OnsetDetector(8000)
    detector.push(np.zeros(8000, dtype=np.float32))
    before = held(detector)
    detector.push(np.random.default_rng(0).normal(0, 0.1, 80_000))
    assert held(detector) == before


def test_float32_and_float64_are_heard_alike():
    samples = scene([0.3]).astype(np.float32)
    detector = OnsetDetector(RATE_HZ)
    assert detector.push(samples.astype(np.float64)) + detector.flush() == detect(samples)


@pytest.mark.parametrize("samples", [np.zeros((10, 2)), np.zeros(10, dtype=np.int16)])
def test_channels_and_integers_are_refused_with_advice(samples):
    with pytest.raises(ValueError, match="average the channels and scale integers"):
        OnsetDetector().push(samples)


@pytest.mark.parametrize("rate_hz", [0, 7999, 200_000])
def test_a_rate_out_of_range_is_refused(rate_hz):
    with pytest.raises(ValueError, match=str(rate_hz)):
        OnsetDetector(rate_hz)


def test_the_gate_is_asked_at_confirmation_with_the_sound_around_the_onset():
    samples = scene([0.4, 1.0]).astype(np.float32)
    heard = []

    def gate(window, sample_rate_hz):
        heard.append((window, sample_rate_hz))
        return 0.9 if len(heard) == 1 else 0.1

    events = detect(samples, gate=gate)
    assert onsets_s(events) == pytest.approx([0.4], abs=0.005)
    assert onsets_s(events, OnsetState.WITHDRAWN)[-1] == pytest.approx(1.0, abs=0.005)
    window, rate_hz = heard[0]
    onset = next(e.onset_sample for e in events if e.state is OnsetState.CONFIRMED)
    assert rate_hz == RATE_HZ and window.dtype == np.float32
    assert np.array_equal(window, samples[onset - 4800 : onset - 4800 + len(window)])
    assert 0.13 * RATE_HZ <= len(window) <= 0.15 * RATE_HZ


def test_the_gate_is_not_asked_about_what_the_detector_itself_refuses():
    def gate(window, sample_rate_hz):
        raise AssertionError("asked")

    assert onsets_s(detect(_clicks(np.random.default_rng(0)), gate=gate)) == []


def test_a_higher_threshold_finds_fewer_onsets():
    strict = OnsetConfig(peak=PeakConfig(threshold=1000.0, sharp_threshold=1000.0))
    assert detect(scene([0.4]), config=strict) == []


@functools.cache
def _sound_of(path):
    clip = MediaFile(path)
    return np.concatenate([samples for _, samples in clip.mono()]), clip.sample_rate_hz


@pytest.mark.parametrize("gain_db", [-20, 0, 6, 12])
@pytest.mark.parametrize("noise_db", [None, -20])
def test_the_labelled_chops_of_a_real_recording_are_found(shared_data, gain_db, noise_db):
    """Knife on a board: at four gains, two of them clipping, as recorded and over pink noise 20 dB below the peaks."""
    labels_s = np.loadtxt(shared_data("real/chopping.onsets.csv"), skiprows=1)
    samples, rate_hz = _sound_of(shared_data("real/chopping.mp4"))
    if noise_db is not None:
        noise = sounds.pink_noise(np.random.default_rng(0), len(samples) / rate_hz, rate_hz)
        samples = samples + 0.3 * np.abs(samples).max() * 10 ** (noise_db / 20) * noise
    events = detect(np.clip(samples * 10 ** (gain_db / 20), -1, 1), rate_hz)
    assert onsets_s(events, rate_hz=rate_hz) == pytest.approx(labels_s.tolist(), abs=0.025)
