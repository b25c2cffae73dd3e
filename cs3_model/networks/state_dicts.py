"""State dictionaries into networks, whatever file they came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch


def as_float32(tensors: Iterable[tuple[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Tensors by name, those of floats as float32; each is converted as it comes."""
    return {name: value.float() if value.is_floating_point() else value for name, value in tensors}


def load_strictly(network: torch.nn.Module, tensors: Mapping[str, torch.Tensor], what: str) -> None:
    """Puts tensors into a network without copying them; every name and shape must agree.

    Args:
        network: Of the right size; its parameters are replaced.
        tensors: By parameter name.
        what: The network's name, for the message.

    Raises:
        ValueError: if a tensor is missing, unknown or of another shape: one line with the first of each kind.
    """
    wanted = network.state_dict()
    missing = [name for name in wanted if name not in tensors]
    unknown = [name for name in tensors if name not in wanted]
    reshaped = [
        f"{name} {list(tensors[name].shape)} instead of {list(wanted[name].shape)}"
        for name in wanted
        if name in tensors and tensors[name].shape != wanted[name].shape
    ]
    problems = [
        f"{len(names)} {kind} (first: {names[0]})"
        for kind, names in (("tensors missing", missing), ("unknown", unknown), ("of another shape", reshaped))
        if names
    ]
    if problems:
        raise ValueError(f"these are not the weights of {what}: {', '.join(problems)}")
    network.load_state_dict(tensors, strict=True, assign=True)
