"""Features on disk: the same again, and never those of something else."""

from __future__ import annotations

import pytest
import torch

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


def test_features_come_back_as_they_were(heard, tmp_path) -> None:
    save_heard(tmp_path / "new" / "heard.safetensors", heard, ABOUT)
    again = load_heard(tmp_path / "new" / "heard.safetensors", ABOUT)
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(heard, again, strict=True))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["heard.safetensors"]


def test_features_of_other_weights_or_data_are_not_used(heard, tmp_path) -> None:
    path = tmp_path / "heard.safetensors"
    assert load_heard(path, ABOUT) is None
    save_heard(path, heard, ABOUT)
    assert load_heard(path, ABOUT | {"vision": "5678"}) is None


def test_a_damaged_file_is_named(heard, tmp_path) -> None:
    path = tmp_path / "heard.safetensors"
    save_heard(path, heard, ABOUT)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"heard.safetensors is damaged .*: delete it"):
        load_heard(path, ABOUT)


def test_a_file_that_cannot_be_written_is_one_line_and_leaves_the_old_one(heard, tmp_path) -> None:
    path = tmp_path / "folder"
    (path / "inside").mkdir(parents=True)  # a folder with something in it cannot be replaced
    with pytest.raises(ValueError, match=r"folder cannot be written \(0 MB\): ") as raised:
        save_heard(path, heard, ABOUT)
    assert "\n" not in str(raised.value) and [entry.name for entry in tmp_path.iterdir()] == ["folder"]
