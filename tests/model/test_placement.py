"""Where and how networks run; that compiling changes nothing but the speed."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch

from cs3_model.build import load_preset, warm_up
from cs3_model.foundation import prepare_audio_visual, prepare_boxes, prepare_hands
from cs3_model.networks.audio_visual import audio_visual_segmenter, build_debug_audio_visual_network
from cs3_model.networks.hands23 import Hands23Detector, build_debug_hand_detector
from cs3_model.networks.sam import Sam2Segmenter, build_debug_box_segmenter
from cs3_model.pipeline import CollisionPipeline
from cs3_model.placement import Compilation, Placement, Precision
from cs3_model.types import AudioWindow, Frame

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("device", "precision", "compilation", "dtype", "compiled"),
    [
        (CPU, Precision.AUTO, Compilation.ON_CUDA, torch.float32, False),
        (CUDA, Precision.AUTO, Compilation.ON_CUDA, torch.bfloat16, True),
        (CUDA, Precision.FLOAT32, Compilation.NEVER, torch.float32, False),
        (CPU, Precision.BFLOAT16, Compilation.ALWAYS, torch.bfloat16, True),
    ],
)
def test_what_depends_on_the_device_is_decided_once(device, precision, compilation, dtype, compiled) -> None:
    placement = Placement.choose(device, precision, compilation)
    assert (placement.dtype, placement.compiled) == (dtype, compiled)


def test_the_foundation_preset_compiles_on_cuda_only() -> None:
    preset = load_preset("foundation")
    assert Placement.choose(CUDA, preset.precision, preset.compilation).compiled
    assert not Placement.choose(CPU, preset.precision, preset.compilation).compiled


def test_weights_are_cast_once_and_frozen() -> None:
    network = Placement.choose(CPU, Precision.BFLOAT16, Compilation.NEVER).place(torch.nn.Linear(2, 2))
    assert network.weight.dtype is torch.bfloat16 and not network.weight.requires_grad and not network.training


def build(precision: Precision, compilation: Compilation) -> CollisionPipeline:
    """The networks of the debug preset, placed and compiled as those of `foundation`."""
    placement = Placement.choose(CPU, precision, compilation)
    torch.manual_seed(0)
    network = prepare_audio_visual(build_debug_audio_visual_network(), placement)
    detector = build_debug_hand_detector()
    prepare_hands(detector.network, placement)
    boxes = prepare_boxes(build_debug_box_segmenter().network, placement)
    assert isinstance(detector, Hands23Detector)
    return CollisionPipeline(
        audio_visual=audio_visual_segmenter(network, name="", trained=False),
        hands=detector,
        boxes=Sam2Segmenter(boxes, name="", trained=False),
    )


@pytest.fixture
def frame() -> Frame:
    return Frame(image=np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8))


def test_all_networks_run_in_bfloat16(frame: Frame, window: AudioWindow) -> None:
    """On the debug networks; the masks are close to those of float32."""
    exact, rounded = (
        build(p, Compilation.NEVER).process(frame, window) for p in (Precision.FLOAT32, Precision.BFLOAT16)
    )
    assert rounded.heatmap.dtype == np.float32
    assert np.abs(exact.heatmap - rounded.heatmap).mean() < 0.05


@pytest.mark.slow
def test_compiled_networks_are_whole_graphs_and_not_captured_again(frame, window, monkeypatch) -> None:
    """All that TorchDynamo decides. The generated code is left out: it takes minutes, and is PyTorch's own."""
    eager = build(Precision.FLOAT32, Compilation.NEVER).process(frame, window)
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    compiled = build(Precision.FLOAT32, Compilation.ALWAYS)
    warm_up(compiled, size_hw=(120, 160), window_s=2.0)
    with torch.compiler.set_stance("fail_on_recompile"):
        result = compiled.process(frame, window)
    np.testing.assert_array_equal(result.heatmap, eager.heatmap)
    for mine, theirs in zip(result.candidates, eager.candidates, strict=True):
        assert mine.role is theirs.role
        np.testing.assert_array_equal(mine.mask, theirs.mask)
