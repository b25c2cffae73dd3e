"""Reading weight files: right ones, and all kinds of wrong ones."""

from __future__ import annotations

import argparse
import collections
import functools
import os
import pickle
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from cs3_model.hints import cs3_command
from cs3_model.networks.state_dicts import load_strictly
from cs3_model.weights import WeightFile
from cs3_model.weights.checkpoint import load_weights, read_checkpoint

TENSORS = {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.arange(2.0)}
WEIGHTS = WeightFile(
    name="mine", filename="mine.pth", licence="MIT", megabytes=1, url="http://127.0.0.1:1/mine.pth", extras=("cfg",)
)


@pytest.fixture
def stored(cache: Path) -> Path:
    """A published checkpoint that is on this machine."""
    cache.mkdir()
    torch.save({"model": TENSORS, "cfg": {"layers": 3}, "iteration": 7}, cache / "mine.pth")
    return cache / "mine.pth"


def refusal(path: Path) -> str:
    with pytest.raises(ValueError) as error:
        read_checkpoint(path, remedy="do something")
    message = str(error.value)
    assert message.startswith(str(path)) and message.endswith("; do something") and "\n" not in message
    return message


def test_a_checkpoint_gives_its_tensors_and_the_entries_asked_for(stored: Path) -> None:
    checkpoint = load_weights(WEIGHTS)
    assert checkpoint.path == stored and dict(checkpoint.extras) == {"cfg": {"layers": 3}}
    assert checkpoint.tensors.keys() == TENSORS.keys()
    assert all(torch.equal(checkpoint.tensors[name], TENSORS[name]) for name in TENSORS)


def test_the_second_time_the_pickle_is_not_read(stored: Path, cache: Path, monkeypatch) -> None:
    first = load_weights(WEIGHTS)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("the pickle was read again"))
    second = load_weights(WEIGHTS)
    assert load_file(cache / "converted" / "mine.safetensors").keys() == second.tensors.keys()
    assert all(torch.equal(first.tensors[name], second.tensors[name]) for name in first.tensors)
    assert second.extras == first.extras and second.path == stored


def test_a_replaced_file_is_converted_again(stored: Path) -> None:
    load_weights(WEIGHTS)
    torch.save({"other": torch.zeros(1)}, stored)
    os.utime(stored, (time.time() + 10, time.time() + 10))
    assert load_weights(WEIGHTS).tensors.keys() == {"other"}


def test_a_damaged_conversion_heals(stored: Path, cache: Path) -> None:
    load_weights(WEIGHTS)
    converted = cache / "converted" / "mine.safetensors"
    converted.write_bytes(converted.read_bytes()[:-4])
    assert torch.equal(load_weights(WEIGHTS).tensors["a.bias"], TENSORS["a.bias"])
    assert torch.equal(load_file(converted)["a.bias"], TENSORS["a.bias"])


def test_without_room_for_the_conversion_it_loads_all_the_same(stored: Path, cache: Path, caplog) -> None:
    (cache / "converted").write_text("in the way")
    assert load_weights(WEIGHTS).tensors.keys() == TENSORS.keys()
    assert "could not be written" in caplog.text


def test_tensors_that_share_memory_are_converted(cache: Path) -> None:
    cache.mkdir()
    shared = torch.arange(4.0)
    torch.save({"one": shared, "two": shared[1:]}, cache / "mine.pth")
    load_weights(WEIGHTS)
    assert load_weights(WEIGHTS).tensors["two"].tolist() == [1.0, 2.0, 3.0]


def test_a_changed_file_is_refused_before_it_is_parsed(stored: Path, cache: Path, monkeypatch) -> None:
    (cache / "mine.sha256").write_text(f"{'0' * 64}  mine.pth\n")
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was parsed"))
    with pytest.raises(ValueError, match=r"mine.pth is damaged or another file.*cs3 weights fetch mine --again"):
        load_weights(WEIGHTS)


class _RunsCode:
    def __reduce__(self):
        return os.system, ("touch was_run",)


@pytest.mark.parametrize("culprit", [_RunsCode(), functools.partial(print)], ids=["os.system", "partial"])
def test_a_pickle_with_code_is_refused_and_not_run(culprit, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"model": TENSORS, "extra": culprit}, tmp_path / "evil.pt")
    name = "posix.system" if isinstance(culprit, _RunsCode) else "functools.partial"
    assert f"is refused: it would run code when loaded ({name})" in refusal(tmp_path / "evil.pt")
    assert not (tmp_path / "was_run").exists()


IN_THE_WILD = {
    "model": TENSORS,
    "iteration": np.int64(7),
    "loss": np.float64(0.25),
    "history": np.arange(3.0),
    "args": argparse.Namespace(rate=np.float32(0.1), folder="out"),
    "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 1e-3}]},
    "order": collections.OrderedDict(a=1),
    "ema": torch.zeros(2),
}


@pytest.mark.parametrize("in_zip", [True, False], ids=["zip", "before 1.6"])
def test_what_training_leaves_beside_the_tensors_is_no_obstacle(in_zip: bool, tmp_path: Path) -> None:
    path = tmp_path / "wild.pt"
    torch.save(IN_THE_WILD, path, _use_new_zipfile_serialization=in_zip)
    extras = ("iteration", "args", "optimizer", "history", "absent")
    checkpoint = read_checkpoint(path, remedy="", extras=extras)
    assert checkpoint.tensors.keys() == TENSORS.keys()
    assert checkpoint.extras["iteration"] == 7 and checkpoint.extras["history"] == [0.0, 1.0, 2.0]
    assert checkpoint.extras["args"]["folder"] == "out" and checkpoint.extras["args"]["rate"] == pytest.approx(0.1)
    assert checkpoint.extras["optimizer"]["state"] == {"0": {"step": 3.0}} and "absent" not in checkpoint.extras


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("protocol", [0, 1, 4, 5])
def test_a_protocol_that_only_runs_code_is_refused_by_name(protocol: int, tmp_path: Path) -> None:
    torch.save({"model": TENSORS}, tmp_path / "file.pt", pickle_protocol=protocol)
    assert "pickle protocol that cannot be read without running code" in refusal(tmp_path / "file.pt")


def test_a_scalar_that_numpy_1_wrote_is_read(tmp_path: Path) -> None:
    """NumPy 1 called the module `numpy.core`; a pickle of that time says so."""
    torch.save({"model": TENSORS, "loss": np.float64(0.25)}, tmp_path / "new.pt", _use_new_zipfile_serialization=False)
    content = (tmp_path / "new.pt").read_bytes()
    assert b"cnumpy._core.multiarray" in content
    (tmp_path / "old.pt").write_bytes(content.replace(b"cnumpy._core.multiarray", b"cnumpy.core.multiarray"))
    assert read_checkpoint(tmp_path / "old.pt", remedy="", extras=("loss",)).extras == {"loss": 0.25}


def test_a_model_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    torch.save({"model": "resnet", "epoch": 3}, tmp_path / "file.pt")
    assert "holds no tensors" in refusal(tmp_path / "file.pt")


def test_an_entry_of_another_class_is_refused_by_its_name(tmp_path: Path) -> None:
    torch.save({"model": TENSORS, "cfg": Config()}, tmp_path / "file.pt")
    assert "test_checkpoint.Config" in refusal(tmp_path / "file.pt")


class Config:
    """What a training script of somebody's might leave in a file."""


def test_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save(TENSORS, tmp_path / "whole.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:-100])
    assert "is damaged or no checkpoint" in refusal(tmp_path / "cut.pt")


@pytest.mark.parametrize("name", ["file.pt", "file.safetensors"])
@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\x00" * 1000, pickle.dumps([1, 2], protocol=2)])
def test_what_is_no_checkpoint_is_refused(content: bytes, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    refusal(tmp_path / name)


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, {"model": {}}])
def test_a_checkpoint_without_tensors_is_refused(content, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "file.pt")
    assert "tensors" in refusal(tmp_path / "file.pt")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "absent.pt")


def test_safetensors_are_read_as_they_are(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "file.safetensors")
    assert read_checkpoint(tmp_path / "file.safetensors", remedy="").tensors.keys() == TENSORS.keys()


def test_loading_puts_every_tensor_in_its_place() -> None:
    network = torch.nn.ModuleDict({"a": torch.nn.Linear(3, 2)})
    load_strictly(network, TENSORS, "a test")
    assert network["a"].weight.data_ptr() == TENSORS["a.weight"].data_ptr()


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"a.bias": TENSORS["a.bias"]}, r"of a test: 1 tensors missing \(first: a.weight\)"),
        (TENSORS | {"b": TENSORS["a.bias"]}, r"1 unknown \(first: b\)"),
        (TENSORS | {"a.bias": torch.zeros(3)}, r"1 of another shape \(first: a.bias \[3\] instead of \[2\]\)"),
    ],
)
def test_weights_of_another_network_are_named(tensors: dict, message: str) -> None:
    network = torch.nn.ModuleDict({"a": torch.nn.Linear(3, 2)})
    with pytest.raises(ValueError, match=message):
        load_strictly(network, tensors, "a test")


def test_file_and_remedy_are_added_to_what_a_network_complains_about(stored: Path) -> None:
    with pytest.raises(ValueError) as error, load_weights(WEIGHTS).blamed():
        raise ValueError("two\nlines")
    assert str(error.value) == f"{stored}: two lines; run: {cs3_command('weights fetch mine --again')}"
