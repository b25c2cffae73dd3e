"""How probably somebody is speaking, window by window: the voice detector of the package silero-vad, in NumPy.

The package (MIT, https://github.com/snakers4/silero-vad) carries the trained weights of its 16 kHz model; the
network is small enough to run here without PyTorch: a short-time spectrum, four convolutions, an LSTM cell.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
from collections import deque
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.signal
from safetensors.numpy import load_file

from cs3_model.onset.history import SampleHistory
from cs3_model.types import Float32Array

logger = logging.getLogger(__name__)

MODEL_RATE_HZ = 16_000
WINDOW = 512
"""Samples per window at `MODEL_RATE_HZ`, 32 ms."""
_CONTEXT = 64
"""Samples of the window before that the network hears again."""
_LOW_PASS_HZ = 7000.0
_FFT_SIZE = 256
_FRAME_STARTS = range(0, WINDOW + 2 * _CONTEXT - _FFT_SIZE + 1, 128)
_MEMORY_S = 1.0
_WEIGHTS = "data/silero_vad_16k.safetensors"


class VoiceNetwork:
    """The network and its state. Called with successive windows, float32 [512] at 16 kHz in [-1, 1]."""

    def __init__(self, weights: dict[str, Float32Array]) -> None:
        self._spectrum = weights["stft_conv.weight"][:, 0].T  # [256, 2 * 129]: real parts, then imaginary ones
        # Convolutions as products: [taps * inputs, outputs].
        kernels = [weights[f"conv{index}.weight"].transpose(2, 1, 0) for index in range(1, 5)]
        self._conv1, self._conv2, self._conv3 = (kernel.reshape(-1, kernel.shape[2]) for kernel in kernels[:3])
        self._conv4 = kernels[3][1]  # one frame is left by then: the other taps meet padding alone
        self._biases = [weights[f"conv{index}.bias"] for index in range(1, 5)]
        self._lstm = np.concatenate([weights["lstm_cell.weight_ih"], weights["lstm_cell.weight_hh"]], axis=1).T
        self._lstm_bias = weights["lstm_cell.bias_ih"] + weights["lstm_cell.bias_hh"]
        self._final = weights["final_conv.weight"][0, :, 0]
        self._final_bias = float(weights["final_conv.bias"][0])
        self.reset()

    def reset(self) -> None:
        """Forgets the windows before."""
        self._context = np.zeros(_CONTEXT, np.float32)
        self._hidden = self._cell = np.zeros(len(self._final), np.float32)

    def __call__(self, window: Float32Array) -> float:
        """Returns the probability in [0, 1] that somebody speaks in the window."""
        mirrored = window[-_CONTEXT - 1 : -1][::-1]
        heard = np.concatenate([self._context, window, mirrored])
        self._context = window[-_CONTEXT:]
        frames = np.stack([heard[start : start + _FFT_SIZE] for start in _FRAME_STARTS])  # [4, 256]
        real, imaginary = np.split(frames @ self._spectrum, 2, axis=1)
        sound = np.sqrt(real**2 + imaginary**2)  # [4, 129]
        sound = _convolve(sound, self._conv1, self._biases[0], stride=1)  # [4, 128]
        sound = _convolve(sound, self._conv2, self._biases[1], stride=2)  # [2, 64]
        sound = _convolve(sound, self._conv3, self._biases[2], stride=2)  # [1, 64]
        features = np.maximum(sound[0] @ self._conv4 + self._biases[3], 0)
        gates = np.concatenate([features, self._hidden]) @ self._lstm + self._lstm_bias
        keep_in, forget, new, out = np.split(gates, 4)
        self._cell = _sigmoid(forget) * self._cell + _sigmoid(keep_in) * np.tanh(new)
        self._hidden = _sigmoid(out) * np.tanh(self._cell)
        return float(_sigmoid(np.maximum(self._hidden, 0) @ self._final + self._final_bias))


class VoiceDetector:
    """Follows a mono stream of any rate and remembers for a second how probably somebody spoke.

    The stream is cut into windows at fixed positions, whatever the chunks it comes in.

    Args:
        sample_rate_hz: Rate of the stream.
        weights: Of the network, see `load_weights`.
    """

    def __init__(self, sample_rate_hz: int, weights: dict[str, Float32Array]) -> None:
        self._step = sample_rate_hz / MODEL_RATE_HZ
        self._network = VoiceNetwork(weights)
        nyquist_margin_hz = 0.45 * sample_rate_hz
        self._low_pass = scipy.signal.butter(
            8, min(_LOW_PASS_HZ, nyquist_margin_hz), "lowpass", fs=sample_rate_hz, output="sos"
        )
        self._samples = SampleHistory(round(_MEMORY_S * sample_rate_hz))
        self._ends: deque[tuple[int, float]] = deque(maxlen=round(_MEMORY_S * MODEL_RATE_HZ / WINDOW))
        self.reset()

    def reset(self) -> None:
        """Starts over: the next sample has position 0."""
        self._network.reset()
        self._filter_state = np.zeros((len(self._low_pass), 2))
        self._samples.clear()
        self._ends.clear()
        self._waiting: list[npt.NDArray[np.float64]] = []
        self._num_waiting = 0
        self._begin_window(0)

    def push(self, samples: npt.NDArray[np.float64]) -> None:
        """Hears the next samples [T] of the stream, at most a second."""
        self._waiting.append(samples)
        self._num_waiting += len(samples)
        if self._samples.end + self._num_waiting < self._window_end:
            return  # to filter a stream sample by sample would take longer than all else
        waiting, self._waiting, self._num_waiting = np.concatenate(self._waiting), [], 0
        filtered, self._filter_state = scipy.signal.sosfilt(self._low_pass, waiting, zi=self._filter_state)
        self._samples.append(filtered)
        while self._window_end <= self._samples.end:
            first = int(self._positions[0])
            held = self._samples.segment(first, self._window_end)
            # The low-pass leaves little to interpolate wrongly.
            window = np.interp(self._positions - first, np.arange(len(held)), held).astype(np.float32)
            self._ends.append((self._window_end, self._network(window)))
            self._begin_window(self._num_windows + 1)

    def _begin_window(self, number: int) -> None:
        self._num_windows = number
        self._positions = (number * WINDOW + np.arange(WINDOW)) * self._step
        self._window_end = int(self._positions[-1]) + 2

    def probability(self, start: int, stop: int) -> float:
        """Returns the highest probability of a voice among the windows that end at positions in (start, stop]."""
        return max((value for end, value in self._ends if start < end <= stop), default=0.0)


@functools.cache
def load_weights() -> dict[str, Float32Array] | None:
    """Reads the weights that silero-vad ships; None, with one warning, where the package is not installed."""
    package = importlib.util.find_spec("silero_vad")  # not imported: that would load PyTorch
    path = Path(package.origin).parent / _WEIGHTS if package is not None and package.origin else None
    if path is None or not path.is_file():
        logger.warning(
            "silero-vad is not installed: voices are told from impacts less well (pip install silero-vad, or set "
            "speech_gate to false)"
        )
        return None
    return load_file(path)


def _convolve(frames: Float32Array, kernel: Float32Array, bias: Float32Array, stride: int) -> Float32Array:
    """Convolution over time with three taps, one frame of zeros at both ends, and rectification; [T, C] to [T', D]."""
    padded = np.zeros((len(frames) + 2, frames.shape[1]), np.float32)
    padded[1:-1] = frames
    starts = range(0, len(frames), stride)
    return np.maximum(np.stack([padded[start : start + 3].ravel() for start in starts]) @ kernel + bias, 0)


def _sigmoid(value: Float32Array) -> Float32Array:
    return 0.5 + 0.5 * np.tanh(0.5 * value)
