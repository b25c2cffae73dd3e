from __future__ import annotations

import pytest

from cs3_model.onset import ConfirmationConfig, NoveltyConfig, OnsetConfig, PeakConfig


@pytest.mark.parametrize(
    ("config", "field", "value"),
    [
        (NoveltyConfig, "hop_s", 0.0),
        (PeakConfig, "refractory_s", -1.0),
        (OnsetConfig, "high_pass_hz", float("nan")),
        (ConfirmationConfig, "voice_hz", (400.0, 80.0)),
    ],
)
def test_a_bad_value_is_refused_by_name(config, field, value):
    with pytest.raises(ValueError, match=f"{config.__name__}.{field}"):
        config(**{field: value})


def test_the_early_test_must_not_come_after_the_final_one():
    with pytest.raises(ValueError, match="early_s must not exceed final_s"):
        ConfirmationConfig(early_s=0.06, final_s=0.05)
