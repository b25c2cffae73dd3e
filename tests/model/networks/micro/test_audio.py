"""The small audio encoder: what it gives, and what must not matter to it."""

from __future__ import annotations

import pytest
import torch

from cs3_model.networks.micro.audio import MicroAudioConfig, MicroAudioEncoder
from cs3_model.networks.micro.vocabulary import MATERIALS

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def encoder() -> MicroAudioEncoder:
    torch.manual_seed(0)
    return MicroAudioEncoder().eval()


def click(time_s: float, length_s: float = 2.0) -> torch.Tensor:
    """A decaying tone [1, T]."""
    time = torch.arange(round(length_s * RATE_HZ)) / RATE_HZ - time_s
    return (0.5 * torch.sin(6000.0 * time) * torch.exp(-30.0 * time) * (time >= 0.0))[None]


@torch.inference_mode()
def test_one_embedding_and_one_logit_per_material_for_each_window(encoder):
    heard = encoder(torch.randn(3, 2 * RATE_HZ) * 0.1)
    assert heard.embedding_ND.shape == (3, 128)
    assert heard.material_logits.shape == (3, len(MATERIALS))


@torch.inference_mode()
def test_the_gain_is_irrelevant(encoder):
    window = torch.cat([click(0.9), click(0.7) + 0.01 * torch.randn(1, 2 * RATE_HZ)])
    loud, soft = encoder(window), encoder(window / 256.0)
    torch.testing.assert_close(soft.embedding_ND, loud.embedding_ND, rtol=1e-3, atol=1e-4)


@torch.inference_mode()
def test_each_window_is_heard_for_itself(encoder):
    """A loud neighbour in the batch changes nothing."""
    quiet, loud = click(0.9) * 0.01, torch.randn(1, 2 * RATE_HZ)
    alone = encoder(quiet).material_logits
    torch.testing.assert_close(encoder(torch.cat([quiet, loud])).material_logits[:1], alone, rtol=1e-3, atol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("length_s", [0.25, 0.5, 1.0, 3.0])
def test_windows_of_any_length_are_heard(encoder, length_s):
    heard = encoder(click(0.1, length_s))
    assert heard.embedding_ND.shape == (1, 128)
    assert torch.isfinite(heard.embedding_ND).all()


@torch.inference_mode()
@pytest.mark.parametrize("level", [0.0, 1e-9])
def test_silence_gives_finite_numbers(encoder, level):
    heard = encoder(torch.full((2, 2 * RATE_HZ), level))
    assert torch.isfinite(heard.material_logits).all()


@torch.inference_mode()
def test_an_event_sounds_the_same_wherever_it_lies_in_the_window(encoder):
    """By multiples of the 80 ms between the network's frames, and far from the edges."""
    early, late = encoder(click(0.64)), encoder(click(1.12))
    torch.testing.assert_close(late.embedding_ND, early.embedding_ND, rtol=1e-2, atol=1e-3)


def test_every_parameter_learns():
    encoder = MicroAudioEncoder(MicroAudioConfig(channels=(4, 4, 4, 4), temporal_channels=8, embedding_dim=8))
    encoder(torch.randn(4, 2 * RATE_HZ)).material_logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())


def test_the_weights_stay_below_five_megabytes():
    assert sum(value.numel() * value.element_size() for value in MicroAudioEncoder().state_dict().values()) < 5e6


@pytest.mark.parametrize(
    "field, value", [("num_mel_bands", 60), ("channels", (8, 8, 8)), ("embedding_dim", 0), ("dropout", 1.0)]
)
def test_bad_sizes_are_named(field, value):
    with pytest.raises(ValueError, match=f"MicroAudioConfig.{field} must be"):
        MicroAudioConfig(**{field: value})
