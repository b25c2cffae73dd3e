"""Where and how networks run: device, floating-point type, compiled or not."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch

Network = TypeVar("Network", bound=torch.nn.Module)
Function = TypeVar("Function", bound=Callable[..., Any])


class Precision(str, enum.Enum):
    """Floating-point type of the networks. Spectrograms, coordinates and masks are float32 in any case."""

    AUTO = "auto"
    """bfloat16 on CUDA, float32 on the CPU."""
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Compilation(str, enum.Enum):
    """Where TorchInductor compiles the networks, which takes minutes at the first start."""

    NEVER = "never"
    ON_CUDA = "cuda"
    ALWAYS = "always"


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Device, type and compilation of all networks of one pipeline."""

    device: torch.device
    dtype: torch.dtype
    compiled: bool

    @classmethod
    def choose(cls, device: torch.device, precision: Precision, compilation: Compilation) -> Placement:
        """Decides what depends on the device."""
        on_cuda = device.type == "cuda"
        bfloat16 = precision is Precision.BFLOAT16 or (precision is Precision.AUTO and on_cuda)
        return cls(
            device=device,
            dtype=torch.bfloat16 if bfloat16 else torch.float32,
            compiled=compilation is Compilation.ALWAYS or (compilation is Compilation.ON_CUDA and on_cuda),
        )

    def place(self, network: Network) -> Network:
        """Moves a network to its device and casts its weights, once: autocast would cast them again at every call."""
        return network.eval().requires_grad_(False).to(self.device, self.dtype)

    def compile(self, function: Function) -> Function:
        """Compiles a function or a network whose inputs have few shapes, if this placement compiles.

        Whole graphs only, one per shape, so that nothing is recompiled after each shape was seen once. Without CUDA
        graphs, which may be replayed only by the thread that recorded them (pytorch#123177), while pipelines are built
        in one thread and used in another.
        """
        if not self.compiled:
            return function
        return cast(Function, torch.compile(function, fullgraph=True, dynamic=False))
