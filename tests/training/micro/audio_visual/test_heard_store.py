"""Features on disk: the same again, and never those of something else."""

from __future__ import annotations

import pytest
import torch

from tests.training.full_disk import room_for
from training.micro.audio_visual.heard_data import HeardFeatures
from training.micro.audio_visual.heard_store import load_heard, save_heard

ABOUT = {"vision": "1234", "number of scenes": 2}


@pytest.fixture
def heard() -> HeardFeatures:
    return HeardFeatures(
        features=torch.randn(2, 2, 3, 4, 4).bfloat16(),
        ids=torch.ones(2, 2, 8, 8, dtype=torch.uint8),
        scene=torch.tensor([0, 1, 1]),
        target=torch.rand(3, 256) < 0.5,
        embedding=torch.randn(3, 4, 5),
        materials=torch.randn(3, 4, 7),
    )


def saved(folder, heard) -> HeardFeatures:
    """Written in two pieces, of the first scene and of the second."""
    pieces = [
        HeardFeatures(heard.features[:1], heard.ids[:1], *(part[:1] for part in heard[2:])),
        HeardFeatures(heard.features[1:], heard.ids[1:], *(part[1:] for part in heard[2:])),
    ]
    return save_heard(folder, pieces, 2, ABOUT)


def test_features_come_back_as_they_were(heard, tmp_path) -> None:
    folder = tmp_path / "new" / "heard"
    for again in (saved(folder, heard), load_heard(folder, ABOUT)):
        assert all(torch.equal(mine, theirs) for mine, theirs in zip(heard, again, strict=True))
    assert sorted(path.name for path in folder.iterdir()) == ["pictures.bin", "sounds.safetensors"]


def test_features_of_other_weights_or_data_are_not_used(heard, tmp_path) -> None:
    assert load_heard(tmp_path, ABOUT) is None
    saved(tmp_path, heard)
    assert load_heard(tmp_path, ABOUT | {"vision": "5678"}) is None


@pytest.mark.parametrize("name", ["pictures.bin", "sounds.safetensors"])
def test_a_damaged_file_is_one_line(heard, tmp_path, name) -> None:
    saved(tmp_path / "heard", heard)
    path = tmp_path / "heard" / name
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"heard is damaged .*: delete it") as raised:
        load_heard(tmp_path / "heard", ABOUT)
    assert "\n" not in str(raised.value)


def test_features_that_were_not_finished_are_not_used(heard, tmp_path) -> None:
    def interrupted():
        yield heard
        raise KeyboardInterrupt

    saved(tmp_path, heard)
    with pytest.raises(KeyboardInterrupt):
        save_heard(tmp_path, interrupted(), 3, ABOUT)
    assert load_heard(tmp_path, ABOUT) is None


def test_a_full_disk_is_one_line(heard, tmp_path) -> None:
    with room_for(100), pytest.raises(ValueError, match=r"heard cannot be written: .*[Ff]ile too large") as raised:
        saved(tmp_path / "heard", heard)
    assert "\n" not in str(raised.value)
    assert load_heard(tmp_path / "heard", ABOUT) is None
