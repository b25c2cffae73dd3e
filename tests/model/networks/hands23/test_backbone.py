from __future__ import annotations

import pytest
import torch

from cs3_model.networks.hands23.backbone import Bottleneck, FeaturePyramid, FrozenNorm
from cs3_model.networks.hands23.detector import DEBUG_CONFIG, build_debug_hand_detector
from cs3_model.networks.hands23.proposals import RPNHead


def test_five_levels_at_strides_4_to_64() -> None:
    pyramid = FeaturePyramid(DEBUG_CONFIG)(torch.zeros(1, 3, 96, 160))
    assert [tuple(level.shape) for level in pyramid] == [
        (1, 16, 24, 40),
        (1, 16, 12, 20),
        (1, 16, 6, 10),
        (1, 16, 3, 5),
        (1, 16, 2, 3),
    ]


def test_the_3x3_convolution_carries_the_stride() -> None:
    block = Bottleneck(8, 8, 16, stride=2, groups=4)
    assert (block.conv1.stride, block.conv2.stride, block.conv3.stride) == ((1, 1), (2, 2), (1, 1))
    assert block.shortcut.stride == (2, 2)


def test_frozen_norm_uses_its_statistics_and_an_epsilon_of_1e_5() -> None:
    norm = FrozenNorm(1)
    norm.running_mean.fill_(3.0)
    norm.running_var.fill_(1e-5)
    norm.weight.fill_(2.0)
    norm.bias.fill_(1.0)
    value = norm.train()(torch.full((1, 1, 1, 1), 3.01)).item()
    assert value == pytest.approx(1 + 2 * 0.01 / (2e-5) ** 0.5, rel=1e-4)
    assert not list(norm.parameters())


@torch.inference_mode()
def test_folding_the_norms_changes_no_feature() -> None:
    image = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    pyramid = build_debug_hand_detector().network.backbone
    expected = pyramid(image)
    pyramid.fold_norms()
    assert not any(isinstance(module, FrozenNorm) for module in pyramid.modules())
    torch.testing.assert_close(pyramid(image), expected, rtol=0, atol=1e-4)


@pytest.mark.slow
@torch.inference_mode()
def test_the_parts_with_static_shapes_compile_without_graph_breaks() -> None:
    image = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    pyramid, head = FeaturePyramid(DEBUG_CONFIG).eval(), RPNHead(DEBUG_CONFIG.fpn_channels)
    compiled = torch.compile(pyramid, fullgraph=True, backend="eager")(image)
    for ours, expected in zip(compiled, pyramid(image), strict=True):
        torch.testing.assert_close(ours, expected)
    torch.compile(head, fullgraph=True, backend="eager")(compiled[0])
