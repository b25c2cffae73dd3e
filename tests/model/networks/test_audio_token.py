"""The audio token's projection and attentive pooling."""

from __future__ import annotations

import torch
from torch.nn import functional

from cs3_model.networks.audio_token import AttentivePooling, AudioToken


def test_the_default_sizes_are_those_of_acl_ssl():
    """2304 -> 2304 -> 512, then a pooling with three 512 x 512 maps: 7.28 M parameters."""
    token = AudioToken()
    assert sum(parameter.numel() for parameter in token.parameters()) == 7_279_363
    assert token([torch.zeros(2, 96, 768)] * 3).shape == (2, 512)


def test_pooling_weighs_tokens_by_a_unary_score_and_their_mean_similarity_to_all_tokens():
    """Against the formula written out with the full matrix of cosine similarities."""
    torch.manual_seed(0)
    pooling = AttentivePooling(8, dropout=0.5).eval()
    x = torch.randn(2, 5, 8)
    unary = pooling.unary[3](functional.relu(pooling.unary[0](x))).squeeze(-1)
    similarity = functional.cosine_similarity(pooling.query(x)[:, :, None], pooling.key(x)[:, None, :], dim=-1)
    mix_unary, mix_pairwise = pooling.mix.weight[0]
    weights = functional.softmax(mix_unary * unary + mix_pairwise * similarity.mean(dim=2), dim=1)
    torch.testing.assert_close(pooling(x), torch.einsum("bn,bne->be", weights, x))


def test_pooling_of_equal_tokens_returns_the_token():
    pooling = AttentivePooling(4, dropout=0.5).eval()
    token = torch.tensor([1.0, -2.0, 3.0, 0.5])
    torch.testing.assert_close(pooling(token.expand(1, 7, 4)), token[None])


def test_pooling_does_not_depend_on_the_order_of_tokens():
    torch.manual_seed(0)
    pooling = AttentivePooling(8, dropout=0.5).eval()
    x = torch.randn(1, 6, 8)
    torch.testing.assert_close(pooling(x), pooling(x.flip(1)))


def test_dropout_acts_while_training_only():
    torch.manual_seed(0)
    pooling = AttentivePooling(8, dropout=0.5)
    x = torch.randn(1, 6, 8)
    assert not torch.equal(pooling.train()(x), pooling(x))
    assert torch.equal(pooling.eval()(x), pooling(x))
