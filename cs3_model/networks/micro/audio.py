"""The audio encoder of the `micro` preset: which materials a window of sound tells of, and a summary for the audio token.

Counterpart of BEATs in the `foundation` preset, for impact sounds alone. The network finds the event in the window by
itself: attention and maximum over time.

Shape suffixes: N windows, T samples, F frames of 10 ms, M mel bands, C channels, L frames of 80 ms, D embedding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torchaudio
from torch import Tensor, nn
from torch.nn import functional

from cs3_model.types import MODEL_SAMPLE_RATE_HZ

NUM_MATERIALS = 7
"""Materials of Sim-CS3, in the order of `training.simulation.objects.materials.MATERIALS`."""

_FFT_SAMPLES, _FRAME_SAMPLES, _HOP_SAMPLES = 512, 400, 160
_LOWEST_HZ = 50.0
_FLOOR = 1e-7
"""Mel power that counts as nothing where the window peaks at 1; keeps the logarithm of silence finite."""
_QUIETEST_PEAK = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class MicroAudioConfig:
    """Sizes of the network.

    Raises:
        ValueError: if a size is out of its range.
    """

    num_mel_bands: int = 64
    """Bands of the spectrogram, a multiple of 16."""
    channels: tuple[int, int, int, int] = (24, 40, 80, 128)
    """Channels of the stem and of the three stages, each of half the height."""
    temporal_channels: int = 256
    """Features of a frame of 80 ms once all its bands are joined."""
    embedding_dim: int = 128
    """D, what the audio token is made from."""
    dropout: float = 0.1
    """Share of the pooled features that is dropped while training."""

    def __post_init__(self) -> None:
        if self.num_mel_bands <= 0 or self.num_mel_bands % 16:
            raise ValueError(
                f"MicroAudioConfig.num_mel_bands must be a positive multiple of 16, got {self.num_mel_bands}"
            )
        if len(self.channels) != 4 or min(self.channels) < 1:
            raise ValueError(f"MicroAudioConfig.channels must be four positive numbers, got {self.channels}")
        for name in ("temporal_channels", "embedding_dim"):
            if getattr(self, name) < 1:
                raise ValueError(f"MicroAudioConfig.{name} must be positive, got {getattr(self, name)}")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"MicroAudioConfig.dropout must be in [0, 1), got {self.dropout}")


DEBUG_AUDIO = MicroAudioConfig(channels=(4, 4, 4, 4), temporal_channels=8, embedding_dim=8)
"""For tests."""


class MicroAudioOutput(NamedTuple):
    """What the encoder heard."""

    embedding_ND: Tensor
    """Summary of the event, float [N, D]."""
    material_logits: Tensor
    """[N, 7], one for each material: independent probabilities that it took part, before the sigmoid."""


class MicroAudioEncoder(nn.Module):
    """From the waveform around an onset to an embedding and the materials that took part.

    Args:
        config: Sizes.
    """

    def __init__(self, config: MicroAudioConfig = MicroAudioConfig()) -> None:
        super().__init__()
        self.config = config
        stem, low, middle, high = config.channels
        height = config.num_mel_bands // 16
        self.spectrogram = LogMel(config.num_mel_bands)
        self.stem = _Convolution(1, stem, kernel=5, stride=2)
        # Convolutions do not know the pitch, which tells a small hard object from a large soft one.
        self.pitch = nn.Parameter(torch.zeros(stem, config.num_mel_bands // 2, 1))
        self.stages = nn.Sequential(
            _Convolution(stem, low, stride=2),
            _Residual(low),
            _Convolution(low, middle, stride=2),
            _Residual(middle),
            _Convolution(middle, high, stride=(2, 1)),
        )
        width = config.temporal_channels
        self.join_bands = _Convolution(high, width, kernel=(height, 3), padding=(0, 1))
        self.over_time = _Residual(width, kernel=(1, 3))
        self.attention = nn.Conv1d(width, 1, 1)
        self.summary = nn.Linear(2 * width, config.embedding_dim)
        self.dropout = nn.Dropout(config.dropout)
        self.materials = nn.Linear(config.embedding_dim, NUM_MATERIALS)

    def forward(self, samples_NT: Tensor) -> MicroAudioOutput:
        """Hears windows.

        Args:
            samples_NT: mono sound in [-1, 1] at 16 kHz, float32, a quarter of a second or more; the gain is irrelevant.
        """
        return self.encode(self.spectrogram(samples_NT))

    def encode(self, log_mel_NMF: Tensor) -> MicroAudioOutput:
        """Hears what `spectrogram` gives."""
        x = self.stem(log_mel_NMF.unsqueeze(1)) + self.pitch
        x_NCL = self.over_time(self.join_bands(self.stages(x))).squeeze(2)
        weight_N1L = self.attention(x_NCL).softmax(dim=-1)
        pooled = torch.cat([(weight_N1L * x_NCL).sum(dim=-1), x_NCL.amax(dim=-1)], dim=1)
        embedding_ND = self.summary(self.dropout(pooled))
        return MicroAudioOutput(embedding_ND, self.materials(functional.gelu(embedding_ND)))


class LogMel(nn.Module):
    """Log-mel spectrogram of windows that are brought to the same peak first.

    Args:
        num_mel_bands: M, from 50 Hz to half the sample rate.
    """

    bands: Tensor
    taper: Tensor

    def __init__(self, num_mel_bands: int) -> None:
        super().__init__()
        bands = torchaudio.functional.melscale_fbanks(
            n_freqs=_FFT_SAMPLES // 2 + 1,
            f_min=_LOWEST_HZ,
            f_max=MODEL_SAMPLE_RATE_HZ / 2,
            n_mels=num_mel_bands,
            sample_rate=MODEL_SAMPLE_RATE_HZ,
            norm="slaney",
        )
        # Constants of the design, so no part of the weights.
        self.bands: Tensor
        self.taper: Tensor
        self.register_buffer("bands", bands.T.contiguous() * 100.0, persistent=False)
        self.register_buffer("taper", torch.hann_window(_FRAME_SAMPLES), persistent=False)

    def forward(self, samples_NT: Tensor) -> Tensor:
        """Returns float32 [N, M, F], about -1 for silence and at most about 1, F = T // 160."""
        samples_NT = samples_NT.float()
        samples_NT = samples_NT / samples_NT.abs().amax(dim=1, keepdim=True).clamp_min(_QUIETEST_PEAK)
        frames = torch.stft(
            samples_NT,
            _FFT_SAMPLES,
            hop_length=_HOP_SAMPLES,
            win_length=_FRAME_SAMPLES,
            window=self.taper,
            center=True,
            pad_mode="constant",
            return_complex=True,
        )[..., :-1]
        power = frames.real.square() + frames.imag.square()
        log10_NMF = (self.bands @ (power / _FRAME_SAMPLES) + _FLOOR).log10()
        return (log10_NMF + 3.5) / 3.5


class _Convolution(nn.Sequential):
    """Convolution without bias, batch normalisation, ReLU."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: int | tuple[int, int] = 3,
        stride: int | tuple[int, int] = 1,
        padding: tuple[int, int] | None = None,
    ) -> None:
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        super().__init__(
            nn.Conv2d(
                in_channels,
                out_channels,
                (height, width),
                stride,
                padding if padding is not None else (height // 2, width // 2),
                bias=False,
            ),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class _Residual(nn.Module):
    """Adds a convolution's output to its input."""

    def __init__(self, channels: int, *, kernel: int | tuple[int, int] = 3) -> None:
        super().__init__()
        self.convolution = _Convolution(channels, channels, kernel=kernel)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.convolution(x)
