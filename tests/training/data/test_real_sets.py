"""EPIC-CS3 and Ego4D-CS3 on a made disk: layouts, times, truth, and what is missing."""

from __future__ import annotations

import json
import pickle
import shutil

import cv2
import numpy as np
import pytest
import soundfile

from tests.training.conftest import number_of_picture, picture_of_number
from training.data import DataSpec, open_data_set
from training.data.samples import Hand, SampleError
from training.data.sound_windows import read_window

EPIC_VAL = (
    "annotation_id,participant_id,video_id,start_timestamp,stop_timestamp,start_sample,stop_sample,class,"
    "selected_frame,selected_timestamp,selected_frame_type\n"
    "P01_14_1,P01,P01_14,00:00:01.400,00:00:01.800,33600,43200,metal-wood-collision,98,00:00:01.640,max\n"
)
EPIC_TRAIN = (
    "annotation_id,participant_id,video_id,start_timestamp,stop_timestamp,start_sample,stop_sample,class\n"
    "P01_101_1,P01,P01_101,00:00:01.000,00:00:01.400,24000,33600,glass-only-collision\n"
)
EGO4D_VAL = (
    "annotation_id,video_id,start_timestamp,stop_timestamp,start_sample,stop_sample,class,score,selected_timestamp,"
    "selected_timestamp_relative,selected_frame_relative,selected_frame_type\n"
    "ab-cd_0.50_3.50,ab-cd,00:00:00.500,00:00:03.500,12000,84000,metal-only-collision,0.3,00:00:01.540,1.04,30.0,manual\n"
)
PICTURE_AT_1_64 = 41


@pytest.fixture
def epic(tmp_path):
    (tmp_path / "epic_val_filtered.csv").write_text(EPIC_VAL)
    (tmp_path / "epic_train_filtered.csv").write_text(EPIC_TRAIN)
    return tmp_path


@pytest.fixture
def label_map() -> np.ndarray:
    """Two objects in a picture [48, 64]."""
    labels = np.zeros((48, 64), np.uint8)
    labels[10:20, 10:30], labels[30:40, 40:60] = 1, 2
    return labels


def write(path, image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


@pytest.mark.parametrize(
    "place", ["videos/P01_14.mkv", "P01/videos/P01_14.mkv", "EPIC-KITCHENS/P01/videos/P01_14.mkv", "P01_14.mkv"]
)
def test_epic_videos_are_found_where_people_keep_them(place, epic, make_video, label_map) -> None:
    make_video(epic / place, seconds=3.0, click_s=[1.6])
    write(epic / "masks/P01_14_1.png", label_map)
    data_set = open_data_set(DataSpec(name="epic_cs3", root=epic))
    assert data_set.missing == () and data_set.split == "val"
    (sample,) = data_set.samples
    assert number_of_picture(sample.load_image()) == PICTURE_AT_1_64
    assert number_of_picture(sample.load_image_at(0.2)) == 40  # 1.4 s + 0.2 s at 25 Hz
    loud = np.flatnonzero(np.abs(read_window(sample.sound).samples) > 0.3)
    assert abs(loud[0] / 16_000 - 1.0) < 0.002  # the segment's middle is 1.6 s
    objects = sample.load_objects()
    assert [int(item.mask.sum()) for item in objects] == [200, 200] and all(item.is_colliding for item in objects)
    assert sample.materials == ("metal", "wood")


EGO4D_TRAIN = (
    "annotation_id,video_id,start_timestamp,stop_timestamp,start_sample,stop_sample,class,score\n"
    "ab-cd_0.50_3.50,ab-cd,00:00:00.500,00:00:03.500,12000,84000,metal-only-collision,0.3\n"
)


def test_ego4d_can_be_trained_on(tmp_path, make_video) -> None:
    (tmp_path / "ego4d_train_filtered.csv").write_text(EGO4D_TRAIN)
    make_video(tmp_path / "videos/ab-cd.mp4", seconds=4.0, click_s=[2.0])
    data_set = open_data_set(DataSpec(name="ego4d_cs3", root=tmp_path, split="train"))
    (sample,) = data_set.samples
    assert data_set.missing == () and sample.load_objects is None and sample.sound.duration_s == 3.0
    assert number_of_picture(sample.load_image_at(1.0)) == 38  # 0.5 s + 1.0 s at 25 Hz, to the nearest picture


def test_another_layout_of_the_training_file_is_refused_with_found_and_expected_columns(tmp_path) -> None:
    (tmp_path / "ego4d_train_filtered.csv").write_text(EGO4D_TRAIN.replace("start_timestamp", "start"))
    with pytest.raises(ValueError) as error:
        open_data_set(DataSpec(name="ego4d_cs3", root=tmp_path, split="train"))
    message = str(error.value)
    assert "expected a column 'start_timestamp', got the columns annotation_id, video_id, start, " in message
    assert "; expected annotation_id, video_id, start_timestamp, stop_timestamp" in message and "\n" not in message


def test_the_time_of_the_picture_goes_with_the_sound(epic, make_video) -> None:
    make_video(epic / "videos/P01_14.mkv", seconds=3.0)
    (sample,) = open_data_set(DataSpec(name="epic_cs3", root=epic)).samples
    assert sample.sound.picture_s == 1.64


@pytest.mark.parametrize("folder", ["frames/P01_14", "P01/rgb_frames/P01_14", "EPIC-KITCHENS/P01/rgb_frames/P01_14"])
def test_epic_pictures_are_numbered_sixty_per_second(folder, epic) -> None:
    write(epic / folder / "frame_0000000098.jpg", picture_of_number(7))
    (sample,) = open_data_set(DataSpec(name="epic_cs3", root=epic)).samples
    assert number_of_picture(sample.load_image()) == 7


def test_later_epic_videos_are_numbered_fifty_per_second(epic) -> None:
    """The middle of a training segment, 1.2 s."""
    write(epic / "frames/P01_101/frame_0000000060.jpg", picture_of_number(5))
    (sample,) = open_data_set(DataSpec(name="epic_cs3", root=epic, split="train")).samples
    assert number_of_picture(sample.load_image()) == 5 and sample.load_objects is None


def test_the_released_picture_comes_before_the_video(epic, make_video) -> None:
    make_video(epic / "videos/P01_14.mkv", seconds=3.0)
    write(epic / "images/P01_14_1.png", picture_of_number(3))
    (sample,) = open_data_set(DataSpec(name="epic_cs3", root=epic)).samples
    assert number_of_picture(sample.load_image()) == 3


def test_sound_of_its_own_comes_before_the_videos(epic, make_video) -> None:
    make_video(epic / "videos/P01_14.mkv", seconds=3.0)
    (epic / "audio").mkdir()
    soundfile.write(epic / "audio/P01_14.wav", np.full(72_000, 0.25), 24_000)
    (sample,) = open_data_set(DataSpec(name="epic_cs3", root=epic)).samples
    assert np.median(read_window(sample.sound).samples) == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("names", [["masks/P01_14_1/pan.png", "masks/P01_14_1/lid.png"],
                                   ["masks/P01_14_1_0.png", "masks/P01_14_1_1.png"],
                                   ["masks/P01_14_1_1.png", "masks/P01_14_1_2.png"]])  # fmt: skip
def test_masks_may_be_one_file_per_object(names, epic, make_video, label_map) -> None:
    make_video(epic / "videos/P01_14.mkv", seconds=3.0)
    for value, name in enumerate(names, start=1):
        write(epic / name, np.where(label_map == value, 255, 0).astype(np.uint8))
    (sample,) = open_data_set(DataSpec(name="epic_cs3", root=epic)).samples
    assert [int(item.mask.sum()) for item in sample.load_objects()] == [200, 200]


@pytest.mark.parametrize(
    "place", ["videos/ab-cd.mkv", "v2/full_scale/ab-cd.mkv", "v2/video_540ss/ab-cd.mkv", "clips/ab-cd_0.50_3.50.mkv"]
)
def test_ego4d_is_read_by_time_from_whole_videos_or_clips(place, tmp_path, make_video) -> None:
    """The row's frame 30 is one too low: the picture at 1.04 s after the start, at 25 Hz, is 26 in the clip and 38.5 in
    the video. The sound follows the picture: it starts 0.04 s after the segment, and the click is at 1.5 s of that."""
    (tmp_path / "annotations/ego4d").mkdir(parents=True)
    (tmp_path / "annotations/ego4d/ego4d_val_filtered.csv").write_text(EGO4D_VAL)
    is_clip = place.startswith("clips")
    make_video(tmp_path / place, seconds=4.0, click_s=[1.5] if is_clip else [2.0])
    (sample,) = open_data_set(DataSpec(name="ego4d_cs3", root=tmp_path)).samples
    assert number_of_picture(sample.load_image()) in ((26,) if is_clip else (38, 39))
    loud = np.flatnonzero(np.abs(read_window(sample.sound).samples) > 0.3)
    assert abs(loud[0] / 16_000 - 1.46) < 0.002


def test_visor_names_the_objects_and_the_hands(epic, make_video, label_map) -> None:
    make_video(epic / "videos/P01_14.mkv", seconds=3.0)
    write(epic / "masks/P01_14_1.png", label_map)
    square = [[300, 225], [900, 225], [900, 450], [300, 450]]  # columns 10-30, rows 10-20 of 64 x 48
    annotations = [
        {"id": "a", "name": "pan", "segments": [square]},
        {"id": "h", "name": "left hand", "in_contact_object": "a", "segments": []},
    ]
    name = "P01_14_frame_0000000098.jpg"
    (epic / "visor").mkdir()
    (epic / "visor/P01_14.json").write_text(
        json.dumps({"video_annotations": [{"image": {"name": name}, "annotations": annotations}]})
    )
    (epic / "visor/frame_mapping.json").write_text(json.dumps({"P01_14": {}}))
    (sample,) = open_data_set(DataSpec(name="epic_cs3", root=epic)).samples
    pan, other = sample.load_objects()
    assert (pan.category, pan.held_by, other.category) == ("pan", Hand.LEFT, "")
    assert sample.knows_whole_scene


def test_what_is_missing_is_listed_with_the_places_that_were_tried(epic) -> None:
    data_set = open_data_set(DataSpec(name="epic_cs3", root=epic))
    assert data_set.missing == (
        "masks of P01_14_1 (1 collision)", "pictures of video P01_14 (1 collision)", "sound of video P01_14 (1 collision)",
    )  # fmt: skip
    pictures, sound, masks = data_set.places
    assert "frames/{video}/frame_%010d.jpg" in pictures and "{participant}/videos/{video}" in pictures
    assert sound.startswith("sound: audio/{video}, ") and masks.startswith("masks: masks/{id}.png, masks/{id}/*.png")
    (sample,) = data_set.samples
    expected = rf"epic_val_filtered.csv, line 2: no pictures of video P01_14 below {epic}; looked for pictures: images"
    with pytest.raises(SampleError, match=expected):
        sample.load_image()
    with pytest.raises(SampleError, match=r"line 2: no masks of P01_14_1 below .*; looked for masks: masks/{id}.png"):
        sample.load_objects()


def test_a_broken_mask_is_named_with_its_row(epic, make_video) -> None:
    make_video(epic / "videos/P01_14.mkv", seconds=3.0)
    write(epic / "masks/P01_14_1.png", np.zeros((48, 64), np.uint8))
    (sample,) = open_data_set(DataSpec(name="epic_cs3", root=epic)).samples
    with pytest.raises(
        SampleError, match=r"epic_val_filtered.csv, line 2: .*P01_14_1.png: expected one or two objects"
    ):
        sample.load_objects()


def test_samples_travel_to_other_processes(epic, make_video, label_map) -> None:
    make_video(epic / "videos/P01_14.mkv", seconds=3.0)
    write(epic / "masks/P01_14_1.png", label_map)
    (sample,) = pickle.loads(pickle.dumps(open_data_set(DataSpec(name="epic_cs3", root=epic)).samples))
    assert number_of_picture(sample.load_image()) == PICTURE_AT_1_64 and len(sample.load_objects()) == 2


def test_the_official_rows_become_samples(shared_data, tmp_path) -> None:
    """Without any media: all rows there, every one of them missing its video."""
    shutil.copy(shared_data("cs3_annotations/epic_val_filtered.csv"), tmp_path)
    data_set = open_data_set(DataSpec(name="epic_cs3", root=tmp_path, split="val"))
    assert len(data_set.samples) == 614
    assert sum("pictures of video" in line for line in data_set.missing) == 29


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [
        ("epic_sounds", "", "data set must be one of .*epic_cs3.*, got 'epic_sounds'"),
        ("epic_cs3", "test", "split of epic_cs3 must be one of train, val, got 'test'"),
        ("ego4d_cs3", "test", "split of ego4d_cs3 must be one of train, val, got 'test'"),
        ("epic_cs3", "train", "epic_train_filtered.csv does not exist"),
    ],
)
def test_unknown_names_are_refused_with_the_choices(name, split, message, tmp_path) -> None:
    with pytest.raises(ValueError, match=message):
        open_data_set(DataSpec(name=name, root=tmp_path, split=split))


def test_a_folder_that_is_not_there_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="gone is not a folder: it should hold the files of epic_cs3"):
        open_data_set(DataSpec(name="epic_cs3", root=tmp_path / "gone"))


def two_rows(epic) -> None:
    """A second collision of the same video, picture 130."""
    with (epic / "epic_val_filtered.csv").open("a") as file:
        file.write(
            "P01_14_2,P01,P01_14,00:00:02.000,00:00:02.400,48000,57600,glass-only-collision,130,00:00:02.167,max\n"
        )


@pytest.mark.parametrize(
    ("names", "renaming"),
    [
        (["P01_14_frame_0000000098.png", "P01_14_frame_0000000130.png"], "video and number of the picture"),
        (["P01_14/98.png", "P01_14/130.png"], "video and number of the picture"),
        (["P01-14-1_mask.png", "P01-14-2_mask.png"], "annotation"),
        (["000.png", "001.png"], "row of the annotations, counted from 0"),
        (["mask_1.png", "mask_2.png"], "row of the annotations, counted from 1"),
    ],
)  # fmt: skip
def test_masks_of_other_names_are_listed_with_the_renaming_that_would_fit(names, renaming, epic, label_map) -> None:
    two_rows(epic)
    for name in names:
        write(epic / "masks" / name, label_map)
    place = next(line for line in open_data_set(DataSpec(name="epic_cs3", root=epic)).places if "masks: " in line)
    lines = [line.strip() for line in place.splitlines()[1:]]
    assert lines[0] == f"found there, {', '.join(sorted(f'masks/{name}' for name in names))}"
    assert lines[1] == f"named by {renaming}, 2 of them would fit if renamed, the first:"
    assert lines[2:] == [f"masks/{name} -> masks/P01_14_{index}.png" for index, name in enumerate(names, 1)]


def test_one_file_per_object_keeps_its_number_when_it_is_renamed(epic, label_map) -> None:
    for number in (0, 1):
        write(epic / f"masks/P01_14_frame_0000000098_{number}.png", label_map)
    (place,) = (line for line in open_data_set(DataSpec(name="epic_cs3", root=epic)).places if "masks: " in line)
    assert "masks/P01_14_frame_0000000098_0.png -> masks/P01_14_1_0.png" in place
    assert "masks/P01_14_frame_0000000098_1.png -> masks/P01_14_1_1.png" in place


def test_names_that_fit_by_no_rule_are_listed_with_those_that_are_needed(epic, label_map) -> None:
    for number in range(30):
        write(epic / f"masks/kitchen_{chr(97 + number % 26)}{number}x.png", label_map)
    (place,) = (line for line in open_data_set(DataSpec(name="epic_cs3", root=epic)).places if "masks: " in line)
    assert "found there, the first of 30: masks/kitchen_a0x.png, " in place
    assert "no rule was found by which they would fit; needed, the first of 1: masks/P01_14_1.png" in place


def test_pictures_of_ego4d_under_other_names_are_listed_too(tmp_path) -> None:
    (tmp_path / "ego4d_val_filtered.csv").write_text(EGO4D_VAL)
    write(tmp_path / "images/ab-cd_frame_46.png", picture_of_number(1))  # 30 x 1.54 s
    pictures = next(
        line for line in open_data_set(DataSpec(name="ego4d_cs3", root=tmp_path)).places if "pictures: " in line
    )
    assert "images/ab-cd_frame_46.png -> images/ab-cd_0.50_3.50.jpg" in pictures


def test_a_folder_of_pictures_without_the_one_that_is_wanted_names_the_first_ten(epic) -> None:
    for number in range(12):
        write(epic / f"frames/P01_14/img_{number:03d}.jpg", picture_of_number(number))
    (sample,) = open_data_set(DataSpec(name="epic_cs3", root=epic)).samples
    expected = r"frame_0000000098.jpg does not exist; .*P01_14 holds the first of 12: img_000.jpg, .*img_009.jpg$"
    with pytest.raises(SampleError, match=expected):
        sample.load_image()


def test_a_visor_folder_of_other_names_is_told_with_the_renaming(epic, caplog) -> None:
    (epic / "visor/annotations/val").mkdir(parents=True)
    (epic / "visor/annotations/val/P01_14.json").write_text("{}")
    (sample,) = open_data_set(DataSpec(name="epic_cs3", root=epic)).samples
    assert not sample.knows_whole_scene
    assert "visor has no file of any of the 1 videos, so that VISOR is not used" in caplog.text
    assert "these would fit: visor/annotations/val/P01_14.json -> visor/P01_14.json" in caplog.text


def test_a_visor_folder_that_fits_by_no_name_says_what_is_needed(epic, caplog) -> None:
    (epic / "visor").mkdir()
    (epic / "visor/one.json").write_text("{}")
    open_data_set(DataSpec(name="epic_cs3", root=epic))
    assert "it holds one.json; needed, for instance: visor/P01_14.json" in caplog.text
