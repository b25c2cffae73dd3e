"""Counterfactual groups: same picture, other sound, other answer."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch

from cs3_model.strategies import Strategy
from tests.training.drawn_world import drawn_data_set, drawn_sample
from training.data.sound_windows import WindowRule
from training.evaluation.baselines.prior_map import fit_prior_map
from training.evaluation.counterfactual import check_counterfactuals, exact_by_looking
from training.evaluation.methods import build_row
from training.evaluation.row_spec import parse_row
from training.evaluation.runner import evaluate

CPU = torch.device("cpu")


def test_pairs_with_other_answers_are_at_chance_for_whoever_only_looks(tmp_path) -> None:
    check = check_counterfactuals(drawn_data_set(tmp_path).samples)
    assert (check.num_samples, check.num_groups, check.exact_by_looking, check.problems) == (8, 4, 0.5, ())


def test_rows_that_only_look_stay_at_chance(tmp_path) -> None:
    data_set = drawn_data_set(tmp_path)
    prior = fit_prior_map(data_set.samples)
    names = ["held-nearest", "prior-map", "random-objects", Strategy.ADJACENT.value, "right-left"]
    rows = [build_row(parse_row(name), device=CPU, seed=0, prior_map=prior) for name in names]
    *_, evaluation = evaluate(rows, data_set, rule=WindowRule(), seed=0)
    exact = {name: sum(record.score.is_exact for record in evaluation.records[name]) / 8 for name in names}
    assert exact["held-nearest"] == exact["adjacent"] == 0.5 and exact["prior-map"] == exact["right-left"] == 0.0
    assert max(exact.values()) <= check_counterfactuals(data_set.samples).exact_by_looking


def test_a_lone_sample_is_no_counterfactual(tmp_path) -> None:
    alone = drawn_sample(tmp_path, 0, "high")
    check = check_counterfactuals([alone])
    assert check.exact_by_looking == 1.0
    assert check.problems == ("group picture 0: it has one answer only",)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda high, low, other: [high, low, replace(high, sample_id="again")], r"not equally frequent \(2, 1\)"),
        (lambda high, low, other: [high, replace(low, load_image=other.load_image)], "show different pictures"),
        (lambda high, low, other: [high, replace(low, sound=high.sound)], "two of its samples have the same sound"),
        (lambda high, low, other: [high, replace(low, load_objects=lambda: ())], "a sample has no visible collision"),
    ],
)
def test_what_breaks_a_group_is_said(make, problem, tmp_path) -> None:
    high, low, other = (
        drawn_sample(tmp_path, picture, event) for picture, event in ((0, "high"), (0, "low"), (1, "low"))
    )
    (line,) = check_counterfactuals(make(high, low, other)).problems
    assert line.startswith("group picture 0: ")
    assert re.search(problem, line)


def test_the_commonest_answer_of_each_group_bounds_the_exact_share() -> None:
    answers = [("a", "x"), ("a", "x"), ("a", "y"), ("b", "z")]
    assert exact_by_looking(answers) == 0.75


def test_samples_without_truth_are_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="needs samples, all of them with true masks"):
        check_counterfactuals([replace(drawn_sample(tmp_path, 0, "high"), load_objects=None)])
