"""Configuration files are strict, and say what would have been right."""

from __future__ import annotations

import pytest

from cs3_model.build import Preset, load_preset, select_device
from cs3_model.config_mapping import from_mapping
from cs3_model.pipeline import PipelineConfig
from cs3_model.preset_files import preset_names
from cs3_model.strategies import Strategy


def test_only_differences_need_to_be_given() -> None:
    config = from_mapping(PipelineConfig, {"strategy": "right-av", "verification": {"contact_distance_px": 30}})
    assert config.strategy is Strategy.RIGHT_AV and config.verification.contact_distance_px == 30.0
    assert config.verification.merge_iou == PipelineConfig().verification.merge_iou


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"alpha": 1}, "unknown field 'alpha'; valid fields: use_hands, "),
        ({"verification": {"beta": 1}}, "unknown field 'verification.beta'; valid fields: merge_iou, "),
        ({"verification": {"merge_iou": 2.0}}, "verification: merge_iou must be in"),
        ({"strategy": "both"}, "strategy must be one of ours, right, "),
        ({"use_hands": "yes"}, "use_hands must be of type bool, got 'yes'"),
        ({"verification": 3}, "verification must be a mapping"),
    ],
)
def test_mistakes_are_named(values: dict, message: str) -> None:
    with pytest.raises(ValueError) as error:
        from_mapping(PipelineConfig, values)
    assert str(error.value).startswith(message)


def test_every_preset_that_ships_can_be_read() -> None:
    assert "debug" in preset_names()
    for name in preset_names():
        assert isinstance(load_preset(name), Preset)


def test_a_preset_may_be_a_file_of_ones_own(tmp_path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("pipeline: {use_crop: false}\n")
    assert not load_preset(str(path)).pipeline.use_crop


def test_bad_presets_say_what_to_do(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"unknown preset 'huge'; choose one of .*debug"):
        load_preset("huge")
    path = tmp_path / "mine.yaml"
    path.write_text("parts: {hands: gloves}\n")
    with pytest.raises(ValueError, match=r"hands must be one of debug.*'gloves'"):
        load_preset(str(path))
    path.write_text("parts: [\n")
    with pytest.raises(ValueError, match=r"mine.yaml"):
        load_preset(str(path))


def test_devices_that_are_not_there_are_refused() -> None:
    assert select_device("cpu").type == "cpu"
    with pytest.raises(ValueError, match="device must be auto, cpu, cuda or cuda:N, got 'gpu'"):
        select_device("gpu")
    with pytest.raises(ValueError, match=r"cuda:99.*is not there"):
        select_device("cuda:99")
