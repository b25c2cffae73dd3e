"""A microphone as a stream of PCM blocks, through PortAudio."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedBlock:
    """One block as the sound card delivers it."""

    data: bytes
    """Interleaved S16LE samples."""
    num_samples: int
    """Samples per channel."""
    age_s: float
    """How long ago the first sample was taken, seconds."""
    lost_before: bool
    """Whether samples were lost between the block before and this one."""


class MicrophoneStream:
    """An open microphone."""

    def __init__(
        self,
        *,
        device: str,
        sample_rate_hz: int,
        channels: int,
        block_s: float,
        on_block: Callable[[RecordedBlock], None],
    ) -> None:
        """Opens the device; blocks arrive from then on.

        Args:
            device: Part of its name, or its number; "" for the system's default.
            sample_rate_hz: Rate, or 0 for the device's default.
            channels: How many to record.
            block_s: Length of a block, seconds.
            on_block: Called from PortAudio's thread; it must not take long.

        Raises:
            ValueError: if PortAudio is not installed, there is no such device, or it does not do what is asked.
        """
        self._sounddevice = _import_sounddevice()
        self._device, self._block_s = device, block_s
        self.sample_rate_hz = sample_rate_hz
        self.channels = channels
        self._on_block = on_block
        self._open()

    def close(self) -> None:
        """Ends the recording."""
        self._stream.close()

    def reopen(self) -> None:
        """Opens the device anew, at the same rate, after it was unplugged.

        Raises:
            ValueError: as when it was opened first.
        """
        with suppress(self._sounddevice.PortAudioError):  # what is gone may not let itself be closed
            self._stream.close()
        # PortAudio looks for devices once, when it starts.
        self._sounddevice._terminate()
        self._sounddevice._initialize()
        self._open()

    def _open(self) -> None:
        info = _find_device(self._sounddevice, self._device)
        self.name: str = info["name"]
        self.sample_rate_hz = self.sample_rate_hz or int(info["default_samplerate"])
        try:
            self._stream = self._sounddevice.RawInputStream(
                device=info["index"],
                samplerate=self.sample_rate_hz,
                channels=self.channels,
                dtype="int16",
                blocksize=max(1, round(self._block_s * self.sample_rate_hz)),
                callback=self._receive,
            )
            self._stream.start()
        except self._sounddevice.PortAudioError as error:
            raise ValueError(
                f"microphone {self.name!r} cannot record {self.channels} channel(s) at {self.sample_rate_hz} Hz: "
                f"{error}; it has {info['max_input_channels']} channel(s), "
                f"default rate {info['default_samplerate']:.0f} Hz"
            ) from error

    def _receive(self, samples: Any, num_samples: int, times: Any, flags: Any) -> None:
        # Drivers that do not know when they sampled say 0; the block cannot be younger than its own length.
        age_s = times.currentTime - times.inputBufferAdcTime if times.inputBufferAdcTime else 0.0
        self._on_block(
            RecordedBlock(
                data=bytes(samples),
                num_samples=num_samples,
                age_s=max(age_s, num_samples / self.sample_rate_hz),
                lost_before=bool(flags.input_overflow),
            )
        )


def _import_sounddevice() -> ModuleType:
    try:
        import sounddevice
    except ImportError as error:
        raise ValueError("the microphone needs the Python package sounddevice: pip install sounddevice") from error
    except OSError as error:
        raise ValueError("the microphone needs the PortAudio library: apt install libportaudio2") from error
    return sounddevice


def _find_device(sounddevice: ModuleType, device: str) -> dict[str, Any]:
    wanted = int(device) if device.isdecimal() else device or None
    try:
        return sounddevice.query_devices(wanted, "input")
    except (ValueError, sounddevice.PortAudioError) as error:
        inputs = [
            f"{info['index']}: {info['name']}" for info in sounddevice.query_devices() if info["max_input_channels"]
        ]
        choice = "; ".join(inputs) or "none, this machine has no microphone"
        reason = "no default microphone" if wanted is None else f"not exactly one microphone matches {device!r}"
        raise ValueError(f"{reason}; found: {choice}") from error
