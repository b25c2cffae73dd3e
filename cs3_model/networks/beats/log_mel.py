"""The spectrogram that BEATs reads: Kaldi's log-mel filter bank at 16 kHz, standardised.

Shape suffixes: B batch, T samples, F frames of 10 ms, M mel bins.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional
from torchaudio.compliance import kaldi

SAMPLE_RATE_HZ = 16_000
NUM_MEL_BINS = 128
PATCH_FRAMES = 16
"""Filter-bank frames, and mel bins, on the side of one patch."""

_FRAME_LENGTH = 400
_FRAME_SHIFT = 160
_MIN_SAMPLES = _FRAME_LENGTH + (PATCH_FRAMES - 1) * _FRAME_SHIFT
_MEAN = 15.41663
_STD = 6.55582


def log_mel(samples_BT: Tensor) -> Tensor:
    """Computes the standardised log-mel filter bank, equal to `torchaudio.compliance.kaldi.fbank` of every clip.

    A clip too short for one patch (2800 samples, 175 ms) is padded with digital silence at its end. Of longer clips
    nothing is padded: frames exist only where they fit, as in the original (``snip_edges``).

    Args:
        samples_BT: mono clips in [-1, 1] at 16 kHz, floating point.

    Returns:
        float32 [B, F, 128] on the samples' device, F = 1 + (T - 400) // 160. Digital silence is -2.3917.
    """
    samples_BT = samples_BT.float() * 2**15  # Kaldi's scale is that of 16-bit integers
    if samples_BT.shape[1] < _MIN_SAMPLES:
        samples_BT = functional.pad(samples_BT, (0, _MIN_SAMPLES - samples_BT.shape[1]))
    batch, num_samples = samples_BT.shape
    num_frames = 1 + (num_samples - _FRAME_LENGTH) // _FRAME_SHIFT

    # Frames are independent of each other, so one call on the joined clips does for the batch: every clip is brought
    # to a whole number of shifts, and the frames that straddle two clips are dropped.
    stride = -(-num_samples // _FRAME_SHIFT)
    joined_BT = functional.pad(samples_BT, (0, stride * _FRAME_SHIFT - num_samples))
    joined_1T = functional.pad(joined_BT.reshape(1, -1), (0, _FRAME_LENGTH))
    fbank_FM = kaldi.fbank(
        joined_1T, num_mel_bins=NUM_MEL_BINS, sample_frequency=SAMPLE_RATE_HZ, frame_length=25, frame_shift=10
    )
    fbank_BFM = fbank_FM[: batch * stride].reshape(batch, stride, NUM_MEL_BINS)[:, :num_frames]
    return (fbank_BFM - _MEAN) / (2 * _STD)
