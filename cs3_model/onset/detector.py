"""The streaming onset detector: candidates from the spectral novelty, each followed to its confirmation."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.signal

from cs3_model.onset.attack import Attack, find_attack
from cs3_model.onset.config import OnsetConfig
from cs3_model.onset.confirmation import Confirmation
from cs3_model.onset.events import CollisionGate, OnsetEvent, OnsetState
from cs3_model.onset.history import SampleHistory
from cs3_model.onset.novelty import SpectralNovelty
from cs3_model.onset.voice import VoiceDetector, load_weights

MIN_SAMPLE_RATE_HZ = 8_000
MAX_SAMPLE_RATE_HZ = 192_000

_BLOCK_S = 0.1
_HISTORY_S = 0.25
"""Reaches from a decision back over the onset to the background before it, seconds."""
_LEAD_S = 0.05
"""Sound before an onset that settles the filters of the confirmation and shows the background, seconds."""


@dataclass(kw_only=True, slots=True)
class _Pending:
    """A provisional onset on its way to a decision."""

    onset_id: int
    attack: Attack
    wideband_fraction: float
    tried_early: bool = False
    next_onset: int | None = None
    """Position of the onset that followed, which ends what can be said about this one."""
    doubt: float = 0.0


class OnsetDetector:
    """Finds the onsets of collision sounds in a mono stream.

    Causal, in constant memory; the events and their positions do not depend on how the stream is cut into chunks.
    Every provisional onset ends exactly once, confirmed or withdrawn.

    Args:
        sample_rate_hz: Rate of the stream, 8 kHz to 192 kHz.
        config: Thresholds.
        gate: Optional second opinion, asked about each onset that is about to be confirmed.

    Raises:
        ValueError: if the rate is out of range.
    """

    def __init__(
        self,
        sample_rate_hz: int = 48_000,
        config: OnsetConfig | None = None,
        gate: CollisionGate | None = None,
    ) -> None:
        if not MIN_SAMPLE_RATE_HZ <= sample_rate_hz <= MAX_SAMPLE_RATE_HZ:
            raise ValueError(
                f"sample_rate_hz must be in [{MIN_SAMPLE_RATE_HZ}, {MAX_SAMPLE_RATE_HZ}], got {sample_rate_hz}: "
                "resample the stream first"
            )
        config = config or OnsetConfig()
        self.sample_rate_hz = sample_rate_hz
        self.config = config
        self.gate = gate
        self._high_pass = scipy.signal.butter(2, config.high_pass_hz, "highpass", fs=sample_rate_hz)
        self._novelty = SpectralNovelty(sample_rate_hz, config.novelty)
        self._confirmation = Confirmation(sample_rate_hz, config.confirmation)
        self._block = self._samples(_BLOCK_S)
        max_frames = (self._block + self._novelty.frame) // self._novelty.hop + 1
        self._frame_indices = self._novelty.hop * np.arange(max_frames)[:, None] + np.arange(self._novelty.frame)
        self._raw = SampleHistory(self._samples(_HISTORY_S))
        self._filtered = SampleHistory(self._samples(_HISTORY_S + config.confirmation.speech_s))
        weights = load_weights() if config.speech_gate else None
        self._voice = VoiceDetector(sample_rate_hz, weights) if weights is not None else None
        self._maximum_frames = max(1, self._samples(config.peak.maximum_s) // self._novelty.hop)
        self._mean_frames = max(1, self._samples(config.peak.mean_s) // self._novelty.hop)
        self._refractory = self._samples(config.peak.refractory_s)
        self._next_id = 0
        self._clear()

    @property
    def samples_seen(self) -> int:
        """Number of samples pushed since construction or the last reset."""
        return self._raw.end

    def push(self, samples: npt.ArrayLike) -> list[OnsetEvent]:
        """Hears the next samples of the stream.

        Args:
            samples: Mono, [T], any T >= 0, float in [-1, 1]; values beyond are clipped, NaN and infinity are silence.

        Returns:
            The events decided by these samples, in the order of decision.

        Raises:
            ValueError: if the samples are not a vector of floats.
        """
        samples = np.asarray(samples)
        if samples.ndim != 1 or samples.dtype.kind != "f":
            raise ValueError(
                f"samples must be a mono float vector [T] in [-1, 1], got {samples.dtype} of shape "
                f"{list(samples.shape)}: average the channels and scale integers first"
            )
        events: list[OnsetEvent] = []
        for start in range(0, len(samples), self._block):
            block = samples[start : start + self._block].astype(np.float64)
            block[~np.isfinite(block)] = 0.0
            block = np.clip(block, -1.0, 1.0)
            self._raw.append(block)
            if self._voice is not None:
                self._voice.push(block)
            events += self._process_frames()
        return events

    def flush(self) -> list[OnsetEvent]:
        """Ends every pending onset with what is known of it, as at the end of a stream.

        An onset that has been heard for less than the time of the early test is withdrawn.
        """
        return [self._end(pending, self._raw.end) for pending in list(self._pending)]

    def reset(self) -> list[OnsetEvent]:
        """Starts over: the next sample has position 0 and nothing before it is remembered.

        To be called after a gap or a jump in the stream.

        Returns:
            The ends of the onsets that were pending, at positions of the stream before the reset.
        """
        events = self.flush()
        self._clear()
        return events

    def _clear(self) -> None:
        self._raw.clear()
        self._filtered.clear()
        if self._voice is not None:
            self._voice.reset()
        self._novelty.reset()
        self._filter_state: npt.NDArray[np.float64] | None = None
        self._num_frames = 0
        self._recent: deque[float] = deque(maxlen=self._mean_frames + 1)
        self._pending: list[_Pending] = []
        self._last_attack: Attack | None = None

    def _samples(self, seconds: float) -> int:
        return round(seconds * self.sample_rate_hz)

    def _process_frames(self) -> list[OnsetEvent]:
        """Processes every frame that the raw samples complete."""
        hop, frame = self._novelty.hop, self._novelty.frame
        first = self._num_frames
        num_new = (self._raw.end - frame) // hop + 1 - first
        if num_new <= 0:
            return []
        self._filter_up_to((first + num_new - 1) * hop + frame)
        result = self._novelty.process(
            self._filtered.segment(first * hop, self._filtered.end)[self._frame_indices[:num_new]]
        )
        self._num_frames += num_new

        events: list[OnsetEvent] = []
        for index, novelty in enumerate(result.novelty_K.tolist()):
            self._recent.append(novelty)
            frame_end = (first + index) * hop + frame
            excess = self._peak_excess(novelty)
            if excess >= self.config.peak.sharp_threshold:
                events += self._consider(frame_end, excess, result.rise_KB[index])
            for pending in list(self._pending):
                events += self._review(pending, frame_end)
        return events

    def _filter_up_to(self, stop: int) -> None:
        samples = self._raw.segment(self._filtered.end, stop)
        if self._filter_state is None:
            self._filter_state = scipy.signal.lfilter_zi(*self._high_pass) * samples[0]
        filtered, self._filter_state = scipy.signal.lfilter(*self._high_pass, samples, zi=self._filter_state)
        self._filtered.append(filtered)

    def _peak_excess(self, novelty: float) -> float:
        """Height of a local maximum of the novelty above the recent mean, otherwise 0."""
        if novelty < self.config.peak.sharp_threshold:
            return 0.0
        recent = list(self._recent)
        if novelty < max(recent[-self._maximum_frames - 1 :]):
            return 0.0
        return novelty - sum(recent) / len(recent)

    def _consider(self, frame_end: int, excess: float, rise_B: npt.NDArray[np.float64]) -> list[OnsetEvent]:
        """Localizes a peak of the novelty; reports it as provisional unless it belongs to the onset before."""
        config = self.config.peak
        attack = find_attack(self._filtered, frame_end, self._novelty.frame, self.sample_rate_hz, self.config.attack)
        if attack is None or attack.rise_db < config.min_rise_db or attack.peak_db < config.min_level_db:
            return []
        sharp = attack.rise_db >= config.sharp_rise_db and attack.duration_s <= config.sharp_attack_s
        if excess < config.threshold and not sharp:
            return []
        events: list[OnsetEvent] = []
        last = self._last_attack
        if last is not None and attack.onset_sample - last.onset_sample < self._refractory:
            if attack.peak_db <= last.peak_db + config.supersede_db:
                return []
            # Its background is the sound before both: the earlier one was its beginning.
            attack = replace(attack, background_db=min(attack.background_db, last.background_db))
            events = [
                self._finish(pending, OnsetState.WITHDRAWN, frame_end)
                for pending in list(self._pending)
                if attack.onset_sample - pending.attack.onset_sample < self._refractory
            ]
        for pending in self._pending:
            pending.next_onset = pending.next_onset or attack.onset_sample
        self._last_attack = attack
        pending = _Pending(
            onset_id=self._next_id, attack=attack, wideband_fraction=self._novelty.wideband_fraction(rise_B)
        )
        self._next_id += 1
        self._pending.append(pending)
        return [*events, self._event(pending, OnsetState.PROVISIONAL, frame_end)]

    def _review(self, pending: _Pending, frame_end: int) -> list[OnsetEvent]:
        """Decides a pending onset as soon as enough has been heard after it."""
        config = self.config.confirmation
        onset = pending.attack.onset_sample
        if pending.next_onset is not None or frame_end >= onset + self._samples(config.final_s):
            return [self._end(pending, frame_end)]
        if not pending.tried_early and frame_end >= onset + self._samples(config.early_s):
            pending.tried_early = True
            if self._accepts(pending, onset + self._samples(config.early_s), early=True):
                return [self._finish(pending, OnsetState.CONFIRMED, frame_end)]
        return []

    def _end(self, pending: _Pending, position: int) -> OnsetEvent:
        config = self.config.confirmation
        onset = pending.attack.onset_sample
        stop = min(position, onset + self._samples(config.final_s))
        if pending.next_onset is not None:
            stop = min(stop, pending.next_onset - self._samples(0.001))
        heard_enough = stop - onset >= self._samples(config.early_s)
        accepted = heard_enough and self._accepts(pending, stop, early=False)
        return self._finish(pending, OnsetState.CONFIRMED if accepted else OnsetState.WITHDRAWN, position)

    def _accepts(self, pending: _Pending, stop: int, *, early: bool) -> bool:
        config = self.config.confirmation
        onset = pending.attack.onset_sample
        start = max(0, onset - self._samples(_LEAD_S))
        voice_start = onset - self._samples(config.voice_lead_s)
        evidence = self._confirmation.measure(
            self._raw.segment(start, stop),
            self._filtered.segment(start, stop),
            onset - start,
            voice=self._voice.probability(voice_start, stop) if self._voice is not None else 0.0,
            before=self._filtered.segment(max(0, onset - self._samples(config.speech_s)), onset),
        )
        test = config.early if early else config.final
        if not self._confirmation.accepts(pending.attack, pending.wideband_fraction, evidence, test):
            return False
        pending.doubt = evidence.doubt(pending.attack)
        if self.gate is None:
            return True
        window = self._raw.segment(max(0, onset - self._samples(config.gate_lead_s)), stop)
        return self.gate(window.astype(np.float32), self.sample_rate_hz) >= config.gate_threshold

    def _finish(self, pending: _Pending, state: OnsetState, position: int) -> OnsetEvent:
        self._pending.remove(pending)
        return self._event(pending, state, position)

    @staticmethod
    def _event(pending: _Pending, state: OnsetState, position: int) -> OnsetEvent:
        return OnsetEvent(
            state=state,
            onset_id=pending.onset_id,
            onset_sample=pending.attack.onset_sample,
            decided_sample=position,
            strength_db=pending.attack.rise_db,
            doubt=pending.doubt if state is OnsetState.CONFIRMED else 0.0,
        )
