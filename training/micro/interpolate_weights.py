"""Weights of `micro` between those before and those after a further training (WiSE-FT: Wortsman et al., 2022).

python -m training.micro.interpolate_weights --vision out/filmed/vision.safetensors --share 0.3 --out out/micro.safetensors
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import nn

from cs3_model.command_errors import one_line_errors
from cs3_model.files import write_whole
from cs3_model.networks.micro.micro_parts import load_micro, micro_file
from training.micro.initial_weights import SHIPPED, Part, load_part

_AFTER = "Its weights after the training, which began with those before; whole micro.safetensors or that network alone."


def main(
    out: Annotated[Path, typer.Option(help="The new micro.safetensors.")],
    share: Annotated[float, typer.Option(min=0, max=1, help="0: those before; 1: those after.")],
    before: Annotated[
        Path, typer.Option(help="A whole micro.safetensors; its other networks stay as they are.")
    ] = SHIPPED,
    vision: Annotated[Path | None, typer.Option(help=_AFTER)] = None,
    heard: Annotated[Path | None, typer.Option(help=_AFTER)] = None,
    audio: Annotated[Path | None, typer.Option(help=_AFTER)] = None,
) -> None:
    """Weigh what a network knew against what it learned later."""
    with one_line_errors(status=1):
        if not (vision or heard or audio):
            raise ValueError("name what was trained: --vision, --heard or --audio")
        networks = load_micro(before, torch.device("cpu"))
        after = deepcopy(networks)
        trained: dict[Part, Path | None] = {"vision": vision, "heard": heard, "audio": audio}
        for part, path in trained.items():
            if path is not None:
                load_part(getattr(after, part), part, path)
        move_towards(networks, after, share)
        write_whole(out, micro_file(networks, {}))


@torch.no_grad()
def move_towards(network: nn.Module, other: nn.Module, share: float) -> None:
    """Moves the floating-point weights of one network in a straight line towards those of another of the same shape.

    Args:
        network: Is changed.
        other: Where the line ends.
        share: How far, in [0, 1].
    """
    for weights, theirs in zip(network.state_dict().values(), other.state_dict().values(), strict=True):
        if weights.is_floating_point():
            weights.lerp_(theirs, share)


if __name__ == "__main__":
    typer.run(main)
