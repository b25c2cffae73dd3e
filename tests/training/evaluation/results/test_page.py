"""The page of results, from records whose figures are worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from cs3_model.metrics import MaskScore
from cs3_model.types import Verdict
from training.evaluation.results.page import results_page
from training.evaluation.results.row_runs import runs_of
from training.evaluation.results.table_rows import (
    NO_AUDIO,
    OURS,
    OURS_AV,
    RIGHT_LEFT,
    SHUFFLED,
    TABLE_1,
    TABLE_2,
    TableRow,
    WeightFiles,
)
from training.evaluation.runner import SampleResult

RANDOM_TOKEN, RANDOM_SQUARE, CENTRE, WEAK = TABLE_1[:4]


def record(index: int, iou: float | None, size: str = "small") -> SampleResult:
    score = None if iou is None else MaskScore(matched_ious=(iou,), num_predicted=1, num_true=1)
    verdict = Verdict.NONE if iou is None else Verdict.ONE_OBJECT
    strata = {"object size": size, "audio duration": "< 1 s"}
    return SampleResult(
        sample_id=str(index), group=str(index // 2), verdict=verdict, score=score, answer=str(index), strata=strata
    )


def runs(row: TableRow, *ious: tuple[float | None, ...]):
    sizes = ("small", "large")
    return row, runs_of(row, [[record(i, iou, sizes[i % 2]) for i, iou in enumerate(run)] for run in ious], seed=0)


@pytest.fixture
def page() -> str:
    test = dict(
        [
            runs(OURS, (0.6, 0.4, 0.6, 0.4, None), (0.8, 0.6, 0.8, 0.6, None)),
            runs(CENTRE, (0.1, 0.1, 0.1, 0.1, None)),
            runs(OURS_AV, (0.5, 0.1, 0.5, 0.1, None), (0.7, 0.3, 0.7, 0.3, None)),
            runs(RIGHT_LEFT, (0.7, 0.7, 0.7, 0.7, None), (0.9, 0.9, 0.9, 0.9, None)),
            runs(NO_AUDIO, (0.4, 0.4, 0.4, 0.4, None)),
            runs(SHUFFLED, (0.6, 0.4, 0.4, 0.4, None), (0.4, 0.4, 0.4, 0.4, None)),
        ]
    )
    return results_page({"test": test, "counterfactual": test}, "PROVENANCE", ["images/a.png"])


def test_it_says_simulation_first_and_where_the_figures_come_from(page) -> None:
    assert "simulation" in page.splitlines()[0]
    assert "PROVENANCE" in page and "![](images/a.png)" in page


def test_means_are_over_seeds_and_the_papers_figures_stand_beside(page) -> None:
    """Ours: 50 % and 70 %, so 60 % with a standard deviation of 14.14; exact in 2 of 4 and in 4 of 4."""
    assert "| Ours | 60.00 (60.0-60.0) | 14.14 | " in page
    assert "| 75.00 (75.0-75.0) | *39.38 / 39.60* | *38.34 / 38.43* |" in page
    assert "n = 4 samples with a visible collision, 2 seeds of weights." in page
    assert "In 1 more samples nothing collides visibly; answered with no mask: Centre (10 % square) 100.0 %" in page


def test_goals_compare_sample_by_sample(page) -> None:
    assert "| mIoU of Ours / of the best baseline (Centre (10 % square)) | >= 3 | 6.00 | reached |" in page
    assert "| Ours - Right-Left, mIoU | > 0 | -20.00 (-20.0 to -20.0) | **missed** |" in page
    assert "| Ours - Ours (AV), mIoU | > 0 | +20.00 (+20.0 to +20.0) | reached |" in page
    assert "| counterfactual: Ours - Ours, trained to look only, exact | >= 10 | +75.00 (" in page


def test_the_test_without_answers_by_looking_says_its_ceiling(page) -> None:
    assert "No row that only looks can be exact on more than 50.0 %." in page


def test_strata_with_one_label_are_left_out(page) -> None:
    assert "### By object size" in page and "### By audio duration" not in page
    assert "| small | 2 | 70.00 (70.0-70.0) |" in page and "| large | 2 | 50.00 (50.0-50.0) |" in page


def test_the_ablations_say_whether_they_look_twice_and_the_page_which_of_them_ours_is(page) -> None:
    assert all("use_crop=" in row.spec.spelled() for row in TABLE_2 if row is not OURS)
    assert "`use_crop` is off in the preset `micro`: *Ours* is *w/o crop*, and *w/ crop* is the same weights" in page
    assert (
        "segmented by a point of that map, the best of 3, in 2 rounds" in page
        and "less than 30 px apart in a picture that is 352 px wide" in page
    )


def test_rows_stand_for_one_method_per_set_of_files() -> None:
    files = {kind: [] for kind in WeightFiles} | {
        WeightFiles.OURS: [Path("a"), Path("b")],
        WeightFiles.WEAK: [Path("w")],
    }

    def names(row: TableRow, num_shuffles: int) -> list[str]:
        return [spec.spelled() for spec in row.specs(files, num_shuffles)]

    assert names(OURS, 3) == [f"preset:micro,weights={name},strategy=ours" for name in ("a", "b")]
    assert names(NO_AUDIO, 3) == [] and names(CENTRE, 3) == ["centre"]
    assert names(WEAK, 3)[0].startswith("preset:micro,weights=a,weak=w,") and len(names(WEAK, 3)) == 1
    assert names(SHUFFLED, 2)[1] == "preset:micro,weights=a,strategy=ours,sound=shuffled,shuffle=1"
    assert len(names(SHUFFLED, 2)) == 4
