"""Weights on the straight line between two files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import typer

from cs3_model.networks.micro.micro_parts import MicroNetworks, load_micro
from tests.training.micro.small import small_weights
from training.micro.interpolate_weights import main


def load(path: Path) -> MicroNetworks:
    return load_micro(path, torch.device("cpu"))


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_named_network_lies_between_both_and_the_others_stay(tmp_path, share):
    before, after = small_weights(tmp_path / "a.safetensors", 1), small_weights(tmp_path / "b.safetensors", 2)
    main(out=tmp_path / "out.safetensors", share=share, before=before, vision=after)
    one, other, between = (load(path).state_dict() for path in (before, after, tmp_path / "out.safetensors"))
    assert any(name.startswith("vision.") and not torch.equal(one[name], other[name]) for name in one)
    for name, weights in between.items():
        if not weights.is_floating_point():
            continue
        wanted = one[name] + share * (other[name] - one[name]) if name.startswith("vision.") else one[name]
        torch.testing.assert_close(weights, wanted, rtol=0, atol=2e-3, msg=name)  # the files are float16


def test_nothing_named_and_weights_of_another_size_are_one_line(tmp_path, capsys):
    before = small_weights(tmp_path / "a.safetensors")
    with pytest.raises(typer.Exit):
        main(out=tmp_path / "out.safetensors", share=0.5, before=before)
    assert "name what was trained" in capsys.readouterr().err
    with pytest.raises(typer.Exit):
        main(out=tmp_path / "out.safetensors", share=0.5, heard=before)
    assert "this size of heard" in capsys.readouterr().err
    assert not (tmp_path / "out.safetensors").exists()
