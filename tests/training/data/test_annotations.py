"""The official CSV files, whole; and broken copies."""

from __future__ import annotations

from collections import Counter

import pytest

from training.data.annotations import COLLISION_CLASSES, material_pair, read_annotations

HEADER = "annotation_id,video_id,start_timestamp,stop_timestamp,start_sample,stop_sample,class,selected_timestamp"
GOOD = "P01_14_37,P01_14,00:02:15.695,00:02:16.083,3256680,3265992,plastic-only-collision,00:02:15.850"


@pytest.mark.parametrize(
    ("name", "has_pictures", "num_rows", "num_videos", "num_metal_only"),
    [
        ("epic_train_filtered.csv", False, 20_352, 487, 9507),
        ("epic_val_filtered.csv", True, 614, 29, 256),
        ("ego4d_val_filtered.csv", True, 528, 166, 408),
    ],
)
def test_the_official_files_read_whole(name, has_pictures, num_rows, num_videos, num_metal_only, shared_data) -> None:
    rows = read_annotations(shared_data(f"cs3_annotations/{name}"), has_pictures=has_pictures)
    assert len(rows) == num_rows and len({row.video_id for row in rows}) == num_videos
    assert Counter(row.materials for row in rows)[("metal",)] == num_metal_only
    assert all((row.picture_s is not None) == has_pictures for row in rows)
    if has_pictures:
        assert all(row.start_s - 0.02 <= row.picture_s <= row.stop_s + 0.02 for row in rows)


def test_a_row_says_when_where_and_of_what(tmp_path) -> None:
    (tmp_path / "a.csv").write_text(f"{HEADER}\n{GOOD}\n")
    (row,) = read_annotations(tmp_path / "a.csv", has_pictures=True)
    assert (row.video_id, row.start_s, row.stop_s, row.picture_s) == ("P01_14", 135.695, 136.083, 135.85)
    assert row.materials == ("plastic",) and row.source.endswith("a.csv, line 2")


def test_every_class_names_its_one_or_two_materials() -> None:
    assert material_pair("plastic-ceramic-collision") == ("ceramic", "plastic")
    assert material_pair("wood-only") == ("wood",)
    assert {len(material_pair(name)) for name in COLLISION_CLASSES} == {1, 2}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("start_sample,", "first_sample,"), r"a.csv, line 1: expected a column 'start_sample', got .*first_sample"),
        (("00:02:15.695", "135.695"), r"line 3: expected start_timestamp as HH:MM:SS.mmm, got '135.695'"),
        (("00:02:16.083", "00:02:15.083"), r"line 3: expected stop_timestamp after start_timestamp"),
        (("3256680", "2171120"), r"line 3: expected start_sample near 3256680 .* 24000 Hz\), got 2171120"),
        (("3265992", "x"), r"line 3: expected stop_sample to be a whole number, got 'x'"),
        (
            ("plastic-only", "rubber-only"),
            r"line 3: class must be one of ceramic-glass, .*wood-only .* got 'rubber-only'",
        ),
        ((",00:02:15.850", ""), r"line 3: expected as many values as columns"),
        (("P01_14_37", "../P01"), r"line 3: expected annotation_id to be a plain name, got '../P01'"),
        (("P01_14_37", "other"), r"line 3: annotation_id 'other' is already used in .*a.csv, line 2"),
    ],
)
def test_a_broken_file_is_refused_by_file_and_line(change, message, tmp_path) -> None:
    text = f"{HEADER}\n{GOOD.replace('P01_14_37', 'other')}\n{GOOD}\n"
    header_or_row = text if change[0] in HEADER else text.rsplit(GOOD, 1)[0] + GOOD.replace(*change) + "\n"
    (tmp_path / "a.csv").write_text(header_or_row.replace(*change) if change[0] in HEADER else header_or_row)
    with pytest.raises(ValueError, match=message):
        read_annotations(tmp_path / "a.csv", has_pictures=True)


def test_an_empty_file_and_no_file_are_refused(tmp_path) -> None:
    (tmp_path / "a.csv").write_text(f"{HEADER}\n")
    with pytest.raises(ValueError, match="line 2: expected at least one collision"):
        read_annotations(tmp_path / "a.csv", has_pictures=True)
    with pytest.raises(ValueError, match=r"gone.csv does not exist: it should be the annotation file with columns"):
        read_annotations(tmp_path / "gone.csv", has_pictures=False)
