"""The truth of a sample survives the way through its file."""

from __future__ import annotations

import json

import pytest

from training.simulation.dataset.storage import read_truth, sample_folder
from training.simulation.dataset.truth import SceneTruth


def test_a_truth_that_was_read_is_written_to_the_same_bytes(tiny):
    paths = sorted(tiny.glob("*/*/*/truth.json"))
    assert len(paths) == 16
    for path in paths:
        text = path.read_text(encoding="utf-8")
        truth = SceneTruth.from_json(json.loads(text))
        assert json.dumps(truth.to_json(), separators=(",", ":")) == text


def test_the_values_are_those_of_the_file(tiny):
    folder = sample_folder(tiny, "counterfactual", 2)
    content = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    truth = read_truth(folder)
    assert (truth.split, truth.index, truth.group) == ("counterfactual", 2, "counterfactual-000001")
    assert truth.collision is not None and list(truth.collision.ids) == content["collision"]["ids"]
    assert [item.category for item in truth.objects] == [item["class"] for item in content["objects"]]
    assert [hand.object_id for hand in truth.hands] == [hand["object"] for hand in content["hands"]]


def test_what_a_truth_file_lacks_is_named(tiny, tmp_path):
    content = json.loads((sample_folder(tiny, "counterfactual", 2) / "truth.json").read_text(encoding="utf-8"))
    del content["camera"]["focal_px"]
    (tmp_path / "truth.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match=r"truth.json is no truth file .*it has no 'focal_px'.*generate it again"):
        read_truth(tmp_path)


@pytest.mark.parametrize("content", [[], 3, {"frame_times_s": [1.0, 2.0]}, {"frame_times_s": None}])
def test_a_truth_of_another_kind_is_refused(content):
    with pytest.raises(ValueError):
        SceneTruth.from_json(content)
