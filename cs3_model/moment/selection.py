"""The learned selection: how likely each single object and each pair of candidates is what collided, or nothing in view.

A network of some thousand weights scores every option from the evidence of `cs3_model.moment.evidence`. One softmax runs
over all options, *nothing in sight collided*, and *what collided is not among the candidates*; a second output is the IoU
that an option can be expected to reach. An option is symmetric in its two candidates. Several networks of other seeds vote,
and what is published of their probabilities is calibrated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from cs3_model.files import file_digest, write_whole
from cs3_model.moment.evidence import CANDIDATE_FEATURES, PAIR_FEATURES, SCENE_FEATURES, SelectionEvidence

_HIDDEN = 32
_CODE = 24
_FEATURES_KEY, _CALIBRATION_KEY = "features", "calibration"


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What the selection makes of one event."""

    option: tuple[int, ...]
    """The candidates that collided, by index, one or two: the best option, also where nothing in view is likelier."""
    probability: float
    """Calibrated probability that this option is exactly right, in [0, 1]."""
    expected_iou: float
    """IoU that it can be expected to reach, in [0, 1]."""
    not_in_view: float
    """Probability that nothing in view collided, in [0, 1]."""


class SelectionNetwork(nn.Module):
    """Scores all options of a batch of events, whose candidates and pairs are concatenated.

    N events, K candidates and P pairs in all.
    """

    candidate_mean: Tensor
    candidate_scale: Tensor
    pair_mean: Tensor
    pair_scale: Tensor
    scene_mean: Tensor
    scene_scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        num_candidate, num_pair, num_scene = len(CANDIDATE_FEATURES), len(PAIR_FEATURES), len(SCENE_FEATURES)
        for name, size in (("candidate", num_candidate), ("pair", num_pair), ("scene", num_scene)):
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_scale", torch.ones(size))
        self.encoder = nn.Sequential(
            nn.Linear(num_candidate + num_scene, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, _CODE)
        )
        self.option = nn.Sequential(nn.Linear(2 * _CODE + num_pair + 1, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, 2))
        self.scene = nn.Sequential(nn.Linear(_CODE + num_scene, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, 2))

    def forward(
        self, candidates_KD: Tensor, event_of_K: Tensor, pairs_P2: Tensor, pairs_PE: Tensor, scenes_NG: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Returns logits of the options [K + P], singles first, logits of (not in view, not among them) [N, 2], and the
        expected IoU of the options as logits [K + P]."""
        scenes = _standard(scenes_NG, self.scene_mean, self.scene_scale)
        rows = _standard(candidates_KD, self.candidate_mean, self.candidate_scale)
        codes = self.encoder(torch.cat([rows, scenes[event_of_K]], dim=1))
        one, other = codes[pairs_P2[:, 0]], codes[pairs_P2[:, 1]]
        pair_rows = _standard(pairs_PE, self.pair_mean, self.pair_scale)
        flag = codes.new_ones(len(pair_rows), 1)
        singles = torch.cat([codes, codes.abs(), codes.new_zeros(len(codes), pair_rows.shape[1] + 1)], dim=1)
        pairs = torch.cat([one + other, (one - other).abs(), pair_rows, flag], dim=1)
        logits, ious = self.option(torch.cat([singles, pairs])).unbind(dim=1)
        highest = codes.new_full((len(scenes), codes.shape[1]), -10.0)
        highest = highest.scatter_reduce(0, event_of_K[:, None].expand_as(codes), codes, "amax")
        return logits, self.scene(torch.cat([highest, scenes], dim=1)), ious


@dataclass(frozen=True, kw_only=True, slots=True)
class LogisticLine:
    """Makes a probability one to rely on: a straight line through its logit (Platt scaling)."""

    slope: float = 1.0
    offset: float = 0.0

    def __call__(self, probability: float) -> float:
        """The calibrated probability, in [0, 1]."""
        clipped = min(max(probability, 1e-6), 1.0 - 1e-6)
        logit = math.log(clipped / (1.0 - clipped))
        return 1.0 / (1.0 + math.exp(-(self.slope * logit + self.offset)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """Fitted to events that the networks did not learn from; the default changes nothing."""

    right: LogisticLine = LogisticLine()
    """Of the probability that the best option is exactly right if anything in view collided."""
    not_in_view: LogisticLine = LogisticLine()
    """Of the probability that nothing in view collided."""

    def as_tensor(self) -> Tensor:
        """For a file of weights, float32 [2, 2]."""
        return torch.tensor([[line.slope, line.offset] for line in (self.right, self.not_in_view)])

    @staticmethod
    def from_tensor(values: Tensor) -> Calibration:
        """The inverse of `as_tensor`."""
        right, not_in_view = (LogisticLine(slope=slope, offset=offset) for slope, offset in values.tolist())
        return Calibration(right=right, not_in_view=not_in_view)


class LearnedSelection:
    """Trained networks, ready for single events; their probabilities are averaged.

    Args:
        networks: With their weights, at least one.
        calibration: Makes their probabilities ones to rely on.
        name: Identity of the weights, for messages and reports.
    """

    def __init__(
        self, networks: Sequence[SelectionNetwork], *, name: str, calibration: Calibration | None = None
    ) -> None:
        self._networks = [network.eval() for network in networks]
        self.calibration = calibration or Calibration()
        self.name = name

    @torch.inference_mode()
    def choose(self, evidence: SelectionEvidence) -> Choice:
        """Weighs all options of one event with at least one candidate."""
        num_candidates = len(evidence.candidates_KD)
        inputs = (
            torch.from_numpy(evidence.candidates_KD),
            torch.zeros(num_candidates, dtype=torch.long),
            torch.from_numpy(evidence.pairs_P2),
            torch.from_numpy(evidence.pairs_PE),
            torch.from_numpy(evidence.scene_G)[None],
        )
        found = [network(*inputs) for network in self._networks]
        probabilities = _mean([torch.softmax(torch.cat([logits, others[0]]), dim=0) for logits, others, _ in found])
        expected = _mean([torch.sigmoid(ious) for *_, ious in found])
        best = int(np.argmax(probabilities[: len(expected)] + expected))
        option = (best,) if best < num_candidates else tuple(evidence.pairs_P2[best - num_candidates].tolist())
        in_view = 1.0 - float(probabilities[-2])
        not_in_view = self.calibration.not_in_view(float(probabilities[-2]))
        right_in_view = self.calibration.right(float(probabilities[best]) / max(in_view, 1e-6))
        return Choice(
            option=option,
            probability=(1.0 - not_in_view) * right_in_view,
            expected_iou=float(expected[best]),
            not_in_view=not_in_view,
        )


def load_selection(path: Path) -> LearnedSelection:
    """Reads the weights that `training.selection` wrote.

    Raises:
        ValueError: if the file is not one, or was trained on other features: one line.
    """
    expected = ";".join((*CANDIDATE_FEATURES, *PAIR_FEATURES, *SCENE_FEATURES))
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, the file is no mapping
    except Exception as error:  # safetensors raises types of its own
        raise ValueError(f"{path} cannot be read as weights of the selection: {error}") from None
    if about.get(_FEATURES_KEY) != expected:
        raise ValueError(f"{path} was trained on other features than this version measures: train it again")
    calibration = Calibration.from_tensor(tensors.pop(_CALIBRATION_KEY))
    networks = [SelectionNetwork() for _ in {name.partition(".")[0] for name in tensors}]
    nn.ModuleList(networks).load_state_dict(tensors)
    return LearnedSelection(networks, calibration=calibration, name=f"selection {file_digest(path)}")


def save_selection(path: Path, networks: Sequence[SelectionNetwork], calibration: Calibration) -> None:
    """Writes what `load_selection` reads.

    Raises:
        ValueError: if the file cannot be written: one line.
    """
    tensors = nn.ModuleList(networks).state_dict() | {_CALIBRATION_KEY: calibration.as_tensor()}
    features = ";".join((*CANDIDATE_FEATURES, *PAIR_FEATURES, *SCENE_FEATURES))
    write_whole(path, save(tensors, {_FEATURES_KEY: features}))


def _mean(values: Sequence[Tensor]) -> npt.NDArray[np.float32]:
    return np.asarray(torch.stack(list(values)).mean(dim=0).numpy())


def _standard(values: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    return ((values - mean) / scale).clamp(-6.0, 6.0)
