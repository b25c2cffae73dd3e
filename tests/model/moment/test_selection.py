"""The selection's network: symmetric, independent of the order of candidates, and refused where its features changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cs3_model.moment.evidence import CANDIDATE_FEATURES, PAIR_FEATURES, SCENE_FEATURES, SelectionEvidence
from cs3_model.moment.selection import LearnedSelection, SelectionNetwork, load_selection, selection_metadata


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
    return LearnedSelection(SelectionNetwork(), "random")


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
    network = SelectionNetwork()
    network.temperature.fill_(1.7)
    save_file(network.state_dict(), tmp_path / "selection.safetensors", selection_metadata())
    loaded = load_selection(tmp_path / "selection.safetensors")
    evidence = random_evidence(3)
    assert loaded.choose(evidence) == LearnedSelection(network, "").choose(evidence)


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
