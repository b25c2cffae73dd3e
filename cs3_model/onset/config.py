"""Every threshold of the onset detector, with its unit and its reason."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class NoveltyConfig:
    """Spectral novelty: where the spectrum rises (SuperFlux with an adaptive gain)."""

    frame_s: float = 0.0116
    """Frame length, seconds. Short, so that the rise of an impact fills a frame at once."""
    hop_s: float = 0.005
    """Frame spacing, seconds. It bounds the latency; the onset itself is stamped to the sample."""
    bands_per_octave: int = 24
    """Spacing of the bands, quarter tones: a vibrato stays within the three bands of the maximum filter."""
    min_band_hz: float = 30.0
    """Lowest band centre."""
    max_band_hz: float = 17_000.0
    """Highest band centre; AAC and MP3 carry nothing above."""
    difference_frames: int = 2
    """A frame is compared with the one this many hops earlier, which it hardly overlaps."""
    gain_over_floor: float = 0.05
    """The logarithm's gain is at most this / noise floor (RMS): stationary noise stays in the linear part."""
    gain_over_peak: float = 0.7
    """The gain is at most this / remembered peak: ticks far below the recent impacts stay in the linear part."""
    max_gain: float = 3000.0
    """Upper bound of the gain, reached below -100 dBFS of noise: digital silence is not amplified without end."""
    floor_rise_db_per_s: float = 3.0
    """How fast the noise floor follows a rise of the level. Slow, so that a sound is not its own floor."""
    floor_fall_s: float = 0.1
    """Time constant with which the noise floor follows a fall of the level, seconds."""
    peak_decay_db_per_s: float = 1.0
    """How fast the remembered peak is forgotten."""
    peak_lag_s: float = 0.03
    """A peak enters the memory this late, so that an impact is judged with the gain before it, seconds."""

    def __post_init__(self) -> None:
        _require_positive(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class PeakConfig:
    """Which peaks of the novelty become provisional onsets."""

    threshold: float = 5.5
    """Height above the recent mean, in units of the novelty (about 0.08 decades per band on average)."""
    sharp_threshold: float = 2.0
    """Lower threshold for sharp attacks: a single ringing mode or a soft tap raises few bands."""
    sharp_rise_db: float = 16.0
    """A sharp attack exceeds the background by this much, decibel ..."""
    sharp_attack_s: float = 0.005
    """... within this time, seconds."""
    maximum_s: float = 0.01
    """A peak is the maximum over this long before it, seconds."""
    mean_s: float = 0.15
    """Span of the recent mean, seconds."""
    min_rise_db: float = 3.0
    """The 1 ms level must exceed the background before it by this much, decibel."""
    min_level_db: float = -75.0
    """Quietest peak of the 1 ms level that counts, dBFS: below it lie dither and codec noise."""
    refractory_s: float = 0.04
    """One impact makes at most one onset in this time, seconds. Bounces within it belong to the impact."""
    supersede_db: float = 8.0
    """An onset within the refractory time replaces the earlier one if it is this much louder, decibel."""

    def __post_init__(self) -> None:
        _require_positive(self, allow_negative=("min_level_db",))


@dataclass(frozen=True, kw_only=True, slots=True)
class AttackConfig:
    """Where exactly the onset lies: a back-search in the 1 ms level."""

    level_window_s: float = 0.001
    """Window of the level (RMS), seconds."""
    background_s: float = 0.075
    """How far back from the end of the frame the background reaches, seconds."""
    background_percentile: float = 90.0
    """The background is this percentile of the level before the attack: single ticks in it do not count."""
    margin_db: float = 6.0
    """The onset is where the level first exceeds the background by this much, decibel ..."""
    range_db: float = 20.0
    """... or lies this far below the peak, whichever is higher: codec pre-echo lies further below."""
    attack_db: float = 3.0
    """The attack is over when the level is this close to the peak, decibel."""
    max_attack_s: float = 0.02
    """How far before the peak the onset may lie, seconds."""
    quiet_s: float = 0.002
    """The back-search ends where the level stays below the threshold for this long, seconds."""

    def __post_init__(self) -> None:
        _require_positive(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class DecayTest:
    """How clearly a sound must decay after its peak."""

    decay_db: float
    """The level at the end must lie this far below the peak, decibel."""
    slope_db_per_ms: float
    """The fitted slope of the level must not exceed this, decibel per millisecond (negative falls)."""
    high_decay_db: float
    """The mean level must fall this much in the band above `ConfirmationConfig.high_band_hz`, decibel."""
    max_voicing: float
    """Veto for a periodicity above this (normalised autocorrelation) with a low spectral centroid."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfirmationConfig:
    """Whether the sound goes on as an impact does."""

    early_s: float = 0.03
    """An obvious decay confirms this long after the onset, seconds."""
    final_s: float = 0.05
    """Everything else is decided this long after the onset, seconds."""
    early: DecayTest = field(
        default_factory=lambda: DecayTest(decay_db=12.0, slope_db_per_ms=-0.3, high_decay_db=4.0, max_voicing=0.6)
    )
    """What is obvious."""
    final: DecayTest = field(
        default_factory=lambda: DecayTest(decay_db=2.0, slope_db_per_ms=-0.02, high_decay_db=0.0, max_voicing=0.7)
    )
    """What is enough in the end."""
    min_rise_db: float = 5.0
    """Rise over the background, decibel."""
    max_attack_s: float = 0.015
    """Longest attack, seconds: an impact is at its peak within a few milliseconds, a vowel is not."""
    max_growth_db: float = 3.0
    """The level may later exceed the peak of the attack by this much, decibel; more is a sound that swells."""
    high_band_hz: float = 2500.0
    """Lower edge of the band in which even a ringing object decays, Hz."""
    voice_hz: tuple[float, float] = (80.0, 400.0)
    """Range of fundamental frequencies of a voice, Hz."""
    max_voice_centroid_hz: float = 1640.0
    """A voiced sound with its spectral centroid below this is speech, Hz."""
    strong_voicing: float = 0.9
    """A sound as periodic as this ..."""
    strong_voice_centroid_hz: float = 2500.0
    """... is speech up to this centroid, Hz."""
    voice_decay_db: float = 12.0
    """A periodic sound that has fallen this much is a ringing object: a syllable lasts longer, decibel."""
    voice_high_decay_db: float = 2.5
    """So is one that never grows and whose high band has fallen this much, decibel."""
    background_voicing: float = 0.7
    """If the sound before the onset is as periodic as this, somebody is speaking ..."""
    background_voice_rise_db: float = 12.0
    """... and a rise below this is one more pitch pulse or syllable, decibel."""
    wideband_fraction: float = 0.85
    """An attack that rises in this share of the octave-like bands at once is wide-band."""
    wideband_rise_db: float = 20.0
    """A wide-band attack this far above the background is strong: speech has few such, decibel."""
    wideband_decay_db: float = 3.0
    """After a strong wide-band attack this is decay enough, as in a clatter; noise switched on has less, decibel."""
    wideband_growth_db: float = 6.0
    """Growth allowed after a strong wide-band attack, decibel."""
    digital_silence_db: float = -100.0
    """No microphone is as quiet as this: the stream was muted, or samples were missing, dBFS."""
    unmuting_s: float = 0.01
    """A rise this soon after digital silence, or after the start of the stream, is no attack: whether something hit or
    somebody switched the microphone on cannot be told, seconds."""
    clip_level: float = 0.99
    """Samples at or beyond this are clipped. Clipping flattens the decay."""
    min_clipped_fraction: float = 0.002
    """A window with this share of clipped samples is excused from the slope test, and from every decay test ..."""
    clipped_bands_fraction: float = 0.4
    """... if the attack rises in this share of the bands."""
    max_discontinuity: float = 0.8
    """Veto if this share of the energy of the sample differences lies within `discontinuity_s`: one lost sample, a
    click or a step of the DC offset. No object rings that briefly."""
    discontinuity_s: float = 0.00015
    """Length of a jump of the signal, seconds (at least three samples): a filtered step is a little wide."""
    min_voice: float = 0.5
    """From this probability of a voice on, an onset is judged as one beside speech."""
    voice_lead_s: float = 0.2
    """A voice counts from this long before the onset: a plosive follows a pause of the same sentence, seconds."""
    speech_s: float = 1.0
    """How much sound before the onset tells how loud the speech is, seconds."""
    speech_percentile: float = 99.0
    """The speech is as loud as this percentile of the 1 ms level: one blow in that second does not count."""
    min_over_speech_db: float = -6.0
    """Beside speech an impact must peak at most this far below the speech: a plosive is weaker than vowels, decibel."""
    max_voicing_beside_speech: float = 0.5
    """Beside speech an impact must not be more periodic than this: a vowel follows a plosive."""
    overpowering_db: float = 6.0
    """An attack this far above the speech, and never followed by more, may ring at a pitch, decibel."""
    gate_threshold: float = 0.5
    """Smallest probability of the collision gate that confirms, where there is a gate."""
    gate_lead_s: float = 0.1
    """How much sound before the onset the gate is given, seconds."""

    def __post_init__(self) -> None:
        _require_positive(self, allow_negative=("digital_silence_db", "min_over_speech_db"))
        if self.early_s > self.final_s:
            raise ValueError(
                f"ConfirmationConfig.early_s must not exceed final_s, got {self.early_s} > {self.final_s} seconds"
            )
        if not 0 < self.voice_hz[0] < self.voice_hz[1]:
            raise ValueError(f"ConfirmationConfig.voice_hz must be a rising pair of Hz, got {self.voice_hz}")


@dataclass(frozen=True, kw_only=True, slots=True)
class OnsetConfig:
    """The whole detector, one group per step."""

    high_pass_hz: float = 100.0
    """Corner of the high-pass that removes DC, wind and most of the mains hum first, Hz."""
    novelty: NoveltyConfig = field(default_factory=NoveltyConfig)
    peak: PeakConfig = field(default_factory=PeakConfig)
    attack: AttackConfig = field(default_factory=AttackConfig)
    confirmation: ConfirmationConfig = field(default_factory=ConfirmationConfig)
    speech_gate: bool = True
    """Listen for voices with silero-vad, where it is installed, and ask more of an onset while somebody speaks."""

    def __post_init__(self) -> None:
        _require_positive(self)


def _require_positive(config: Any, allow_negative: tuple[str, ...] = ()) -> None:
    for item in fields(config):
        value = getattr(config, item.name)
        if (
            isinstance(value, (int, float))
            and not isinstance(value, bool)
            and item.name not in allow_negative
            and not value > 0
        ):
            raise ValueError(f"{type(config).__name__}.{item.name} must be positive, got {value}")
