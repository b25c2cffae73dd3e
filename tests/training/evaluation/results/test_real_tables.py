"""The paper's tables on real data, whole, from made files in the official layout and networks of debug size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from training.tables import main

COLUMNS = (
    "annotation_id,participant_id,video_id,start_timestamp,stop_timestamp,start_sample,stop_sample,class,"
    "selected_frame,selected_timestamp,selected_frame_type"
)
EPIC_VAL = f"""{COLUMNS}
P01_14_1,P01,P01_14,00:00:00.400,00:00:00.800,9600,19200,metal-wood-collision,36,00:00:00.600,max
P01_14_2,P01,P01_14,00:00:01.000,00:00:02.400,24000,57600,metal-only-collision,72,00:00:01.200,max
P01_14_3,P01,P01_14,00:00:00.500,00:00:04.000,12000,96000,glass-only-collision,180,00:00:03.000,max
"""
ALL_ROWS = (
    "Random: a random projection, its map", "Random: the same as Ours (AV), with crop and SAM", "Centre (10 % square)",
    "CLIPSound", "Mix-Localize", "Ours (AV)", "Ours", "w/o SAM(AV)", "w/o SAM(AV), crop", "w/o SAM(AV), crop, HOI",
    "Right", "Left", "Right-AV", "Left-AV", "Touch", "Right-Left", "Oracle",
)  # fmt: skip


@pytest.fixture
def epic(tmp_path, make_video):
    """Three collisions; what the middle one shows is a single object."""
    root = tmp_path / "epic"
    (root / "annotations").mkdir(parents=True)
    (root / "annotations/epic_val_filtered.csv").write_text(EPIC_VAL)
    make_video(root / "videos/P01_14.mkv", seconds=4.5, click_s=[0.6, 1.2, 3.0])
    (root / "masks").mkdir()
    labels = np.zeros((48, 64), np.uint8)
    labels[10:20, 10:30] = 1
    cv2.imwrite(str(root / "masks/P01_14_2.png"), labels)
    labels[30:40, 40:60] = 2
    for name in ("P01_14_1", "P01_14_3"):
        cv2.imwrite(str(root / f"masks/{name}.png"), labels)
    return root


@pytest.fixture
def run(tmp_path):
    def invoke(*arguments: str):
        command = typer.Typer()
        command.command()(main)
        places = ["--out", f"{tmp_path}/page/tables.md", "--cache", f"{tmp_path}/cache", "--device", "cpu"]
        return CliRunner().invoke(command, [*places, *arguments])

    return invoke


def lines_of(page: str, label: str) -> list[list[str]]:
    """The cells of all lines of tables that begin with a label."""
    return [
        [cell.strip() for cell in line.split("|")[2:-1]]
        for line in page.splitlines()
        if line.startswith(f"| {label} |")
    ]


@pytest.mark.slow
def test_the_three_tables_stand_beside_the_papers_figures(epic, tmp_path, run) -> None:
    """Also by hand: the square of 10 % of 64 x 48 px has a side of 17.5 px: columns 23 to 40, rows 15 to 32. Of the first
    object (20 x 10 px) it covers 7 x 5 px: an IoU of 35 / (324 + 200 - 35) = .0716, whole where that is alone, half beside
    a second one."""
    preset = tmp_path / "paper.yaml"
    preset.write_text("parts: {audio_visual: debug, hands: debug, boxes: debug}\n")
    data = f"epic_cs3:{epic}"
    result = run("--data", data, "--preset", str(preset), "--clipsound", str(preset))
    assert result.exit_code == 0, result.output
    page = (tmp_path / "page/tables.md").read_text()
    assert "Random weights, meaningless figures" in page and "n = 3." in page and "debug-audio-visual-0" in page
    for label in ALL_ROWS:
        assert lines_of(page, label), label
    assert [line[-1] for line in lines_of(page, "Ours")] == ["*39.38 / 39.60*"] * 3
    centre = float(lines_of(page, "Centre (10 % square)")[0][0].split()[0])
    assert centre == pytest.approx(100 * 0.0716 * 2 / 3, abs=0.01)
    assert lines_of(page, "Touch")[0][-1] == "*34.03 / 34.80*" and lines_of(page, "Touch")[0][0] != "not measured"
    assert lines_of(page, "CLIPSound")[0][-1] == "*6.46 / 6.97*" and lines_of(page, "CLIPSound")[0][0] != "not measured"
    absent = [line.split(":")[0] for line in page.splitlines() if line.startswith("- *")]
    assert absent == ["- *Random", "- *Random", "- *Mix-Localize*"]
    for name in ("success_curves.png", "miou_by_stratum.png", "examples.png"):
        assert cv2.imread(str(tmp_path / "page/images/results" / name)).std() > 5
    # By kind: the paper's own figures where it says them.
    assert lines_of(page, "one")[0][0] == "1" and lines_of(page, "one")[0][-1] == "*36.68*"
    assert lines_of(page, "two")[0][0] == "2" and lines_of(page, "two")[0][-1] == "*40.21*"
    assert lines_of(page, "< 1 s")[0][-1] == "*about 40*" and lines_of(page, "1-2 s")[0][-1] == ""


@pytest.mark.slow
def test_rows_that_networks_cannot_make_say_what_is_missing(epic, tmp_path, run) -> None:
    result = run("--data", f"epic_cs3:{epic}", "--preset", "micro")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "page/tables.md").read_text()
    assert "Random weights" not in page
    assert lines_of(page, "Touch")[0] == ["not measured", "", "", "", "*34.03 / 34.80*"]
    assert "- *Touch*: " in page and "does not say what a held object touches" in page
    assert "- *CLIPSound*: " in page and "`cs3 weights import-acl`" in page
    assert lines_of(page, "Random: a random projection, its map")[0][0] != "not measured"


def test_files_that_are_missing_are_listed_and_there_is_no_page(epic, tmp_path, run) -> None:
    (epic / "masks/P01_14_2.png").unlink()
    result = run("--data", f"epic_cs3:{epic}", "--preset", "debug")
    assert result.exit_code == 1 and "masks of P01_14_2 (1 collision)" in result.output
    assert not (tmp_path / "page").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--data", "recordings:x"), "--data must be sim_cs3:PATH, epic_cs3 or ego4d_cs3:PATH, got 'recordings:x'"),
        (("--data", "sim_cs3:x"), "--weights must name weights of micro, once per seed"),
        (("--data", "epic_cs3:x", "--weights", "w"), "on epic_cs3 the preset names its weights"),
        (("--data", "epic_cs3:x:train"), "x is not a folder"),
    ],
)
def test_options_of_the_other_kind_of_data_are_refused(arguments, message, run) -> None:
    result = run(*arguments)
    assert result.exit_code == 2 and message in result.output.replace("\n", " ")
