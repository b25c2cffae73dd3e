"""The selection's network: symmetric, independent of the order of candidates, and refused where its features changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cs3_model.build import Preset, build_selection
from cs3_model.moment.evidence import CANDIDATE_FEATURES, PAIR_FEATURES, SCENE_FEATURES, SelectionEvidence
from cs3_model.moment.selection import (
    Calibration,
    LearnedSelection,
    LogisticLine,
    SelectionNetwork,
    load_selection,
    save_selection,
)
from cs3_model.pipeline import PipelineConfig
from cs3_model.preset_files import PRESETS
from cs3_model.strategies import Strategy


def random_evidence(number: int, seed: int = 0) -> SelectionEvidence:
    rng = np.random.default_rng(seed)
    pairs = np.array([(i, j) for i in range(number) for j in range(i + 1, number)], np.intp).reshape(-1, 2)
    return SelectionEvidence(
        candidates_KD=rng.normal(size=(number, len(CANDIDATE_FEATURES))).astype(np.float32),
        pairs_P2=pairs,
        pairs_PE=rng.normal(size=(len(pairs), len(PAIR_FEATURES))).astype(np.float32),
        scene_G=rng.normal(size=len(SCENE_FEATURES)).astype(np.float32),
    )


@pytest.fixture
def selection() -> LearnedSelection:
    torch.manual_seed(0)
    return LearnedSelection([SelectionNetwork()], name="random")


def test_the_order_of_the_candidates_changes_nothing(selection: LearnedSelection) -> None:
    evidence = random_evidence(4)
    order = np.array([2, 0, 3, 1])
    place = np.argsort(order)
    shuffled = SelectionEvidence(
        candidates_KD=evidence.candidates_KD[order],
        pairs_P2=np.sort(place[evidence.pairs_P2], axis=1),
        pairs_PE=evidence.pairs_PE,
        scene_G=evidence.scene_G,
    )
    one, other = selection.choose(evidence), selection.choose(shuffled)
    assert sorted(order[list(other.option)].tolist()) == sorted(one.option)
    assert other.probability == pytest.approx(one.probability, abs=1e-5)
    assert other.not_in_view == pytest.approx(one.not_in_view, abs=1e-5)


def test_a_single_candidate_is_an_option(selection: LearnedSelection) -> None:
    choice = selection.choose(random_evidence(1))
    assert choice.option == (0,)
    assert 0.0 < choice.probability < 1.0 and 0.0 < choice.not_in_view < 1.0
    assert choice.probability + choice.not_in_view < 1.0


def test_the_events_of_a_batch_do_not_see_each_other() -> None:
    torch.manual_seed(0)
    network = SelectionNetwork().eval()
    one, other = random_evidence(3, 1), random_evidence(2, 2)

    def outputs(*events: SelectionEvidence) -> list[torch.Tensor]:
        counts = [len(event.candidates_KD) for event in events]
        starts = np.cumsum([0, *counts[:-1]])
        return list(
            network(
                torch.from_numpy(np.concatenate([event.candidates_KD for event in events])),
                torch.from_numpy(np.repeat(np.arange(len(events)), counts)),
                torch.from_numpy(
                    np.concatenate([event.pairs_P2 + start for event, start in zip(events, starts, strict=True)])
                ),
                torch.from_numpy(np.concatenate([event.pairs_PE for event in events])),
                torch.from_numpy(np.stack([event.scene_G for event in events])),
            )
        )

    (alone, alone_scene, _), (both, both_scene, _) = outputs(one), outputs(one, other)
    assert torch.allclose(both[:3], alone[:3], atol=1e-5)
    assert torch.allclose(both[5:8], alone[3:], atol=1e-5)
    assert torch.allclose(both_scene[0], alone_scene[0], atol=1e-5)


def test_weights_survive_their_file(tmp_path: Path) -> None:
    torch.manual_seed(3)
    networks = [SelectionNetwork(), SelectionNetwork()]
    calibration = Calibration(
        right=LogisticLine(slope=1.5, offset=0.25), not_in_view=LogisticLine(slope=0.5, offset=-1.0)
    )
    save_selection(tmp_path / "selection.safetensors", networks, calibration)
    loaded = load_selection(tmp_path / "selection.safetensors")
    evidence = random_evidence(3)
    assert loaded.choose(evidence) == LearnedSelection(networks, calibration=calibration, name="").choose(evidence)
    assert loaded.calibration == calibration


def test_several_networks_vote_with_the_mean_of_their_probabilities() -> None:
    torch.manual_seed(4)
    one, other, evidence = SelectionNetwork(), SelectionNetwork(), random_evidence(1)
    alone = [LearnedSelection([network], name="").choose(evidence) for network in (one, other)]
    both = LearnedSelection([one, other], name="").choose(evidence)
    assert both.not_in_view == pytest.approx((alone[0].not_in_view + alone[1].not_in_view) / 2, abs=1e-6)
    assert both.probability == pytest.approx((alone[0].probability + alone[1].probability) / 2, abs=1e-6)


def test_a_logistic_line_moves_the_logit() -> None:
    """The odds of 0.8 are 4 to 1: squared, 16 to 1; halved, 2 to 1."""
    assert LogisticLine()(0.8) == pytest.approx(0.8)
    assert LogisticLine(slope=2.0)(0.8) == pytest.approx(16 / 17)
    assert LogisticLine(offset=-np.log(2.0))(0.8) == pytest.approx(2 / 3)
    assert 0.0 < LogisticLine()(0.0) < LogisticLine()(1.0) < 1.0


def test_weights_of_other_features_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.safetensors"
    save_file(SelectionNetwork().state_dict(), path, {"features": "speed;area"})
    with pytest.raises(ValueError, match=r"old.safetensors was trained on other features"):
        load_selection(path)


def test_a_file_that_is_none_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"broken.safetensors cannot be read") as error:
        load_selection(path)
    assert "\n" not in str(error.value)


def test_the_shipped_weights_fit_the_features_and_are_small() -> None:
    selection = build_selection(Preset(pipeline=PipelineConfig(strategy=Strategy.LEARNED)))
    assert selection is not None and selection.calibration != Calibration()
    assert len(selection.choose(random_evidence(3)).option) in (1, 2)
    assert (PRESETS / "micro_selection.safetensors").stat().st_size < 100_000
    assert build_selection(Preset()) is None
