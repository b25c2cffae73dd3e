"""Clips: pictures, sound and truth are of one clock, and become a bag."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import soundfile

from training.simulation.dataset.clips import ClipPlan, make_clip
from training.simulation.dataset.generation_plan import SampleFormat
from training.simulation.sound.soundscape import audible_onset_s


@pytest.fixture(scope="module")
def clip(tmp_path_factory, renderer):
    """Three seconds with little background: its folder and its truth."""
    plan = ClipPlan(duration_s=3.0, fps=15.0, form=SampleFormat(size_hw=(96, 96), level="easy"))
    folder = tmp_path_factory.mktemp("clips") / "clip"
    return folder, make_clip(3, plan, folder, renderer)


def test_a_clip_has_all_its_frames_and_sound(clip):
    folder, truth = clip
    assert truth.num_frames == 45
    assert len(list((folder / "frames").glob("*.jpg"))) == 45
    sound, rate_hz = soundfile.read(folder / "sound.flac")
    assert len(sound) == 3 * rate_hz


def test_the_loudest_collision_is_heard_at_its_time(clip):
    folder, truth = clip
    loudest = max((hit.collision for hit in truth.collisions), key=lambda collision: collision.impulse_ns)
    sound, rate_hz = soundfile.read(folder / "sound.flac")
    start = round(loudest.time_s * rate_hz)
    before, after = sound[start - rate_hz // 50 : start - 16], sound[start : start + rate_hz // 200]
    assert np.abs(after).max() > 2 * np.abs(before).max()
    assert audible_onset_s(sound, loudest.time_s, rate_hz) == pytest.approx(loudest.time_s, abs=0.005)


def test_the_frame_of_a_collision_is_the_nearest_one(clip):
    _, truth = clip
    for hit in truth.collisions:
        assert abs(hit.frame / 15.0 - hit.collision.time_s) <= 0.5 / 15.0 + 1e-3


def test_ids_of_a_collision_hold_its_objects(clip):
    folder, truth = clip
    for number, hit in enumerate(truth.collisions):
        ids = cv2.imread(str(folder / f"ids{number:03d}.png"), cv2.IMREAD_UNCHANGED)
        seen = [identity for identity in hit.collision.ids if (ids == identity).any()]
        assert seen or hit.collision.occlusion == 1.0


def test_where_asked_for_each_frame_has_its_id_map(clip, tmp_path, renderer):
    """The map of a collision's frame is the one that the clip has in any case; nothing else changes."""
    plan = ClipPlan(duration_s=3.0, fps=15.0, form=SampleFormat(size_hw=(96, 96), level="easy"), all_ids=True)
    folder, truth = clip
    assert make_clip(3, plan, tmp_path / "all", renderer) == truth
    assert len(list((tmp_path / "all" / "ids").glob("*.png"))) == 45 and not (folder / "ids").exists()
    for number, hit in enumerate(truth.collisions):
        one, all_ = (folder / f"ids{number:03d}.png", tmp_path / "all" / "ids" / f"{hit.frame:06d}.png")
        assert one.read_bytes() == all_.read_bytes()


def test_the_same_seed_gives_the_same_clip(clip, tmp_path, renderer):
    plan = ClipPlan(duration_s=3.0, fps=15.0, form=SampleFormat(size_hw=(96, 96), level="easy"))
    folder, truth = clip
    assert make_clip(3, plan, tmp_path / "again", renderer) == truth
    for name in ("truth.json", "sound.flac", "frames/000020.jpg"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_a_clip_too_short_for_its_first_draw_is_drawn_again(tmp_path, renderer):
    """With this seed the first draw collides after the end of the clip."""
    plan = ClipPlan(duration_s=1.5, fps=5.0, form=SampleFormat(size_hw=(96, 96)))
    assert make_clip(0, plan, tmp_path / "short", renderer).collisions


@pytest.fixture(scope="module")
def clip_with_off_screen(tmp_path_factory, renderer):
    """The same three seconds, with at most one impact out of sight."""
    form = SampleFormat(size_hw=(96, 96), level="easy")
    plan = ClipPlan(duration_s=3.0, fps=15.0, form=form, off_screen=1)
    folder = tmp_path_factory.mktemp("off_screen") / "clip"
    return folder, make_clip(3, plan, folder, renderer)


def test_an_impact_out_of_sight_is_heard_between_the_collisions_and_changes_no_picture(clip, clip_with_off_screen):
    (folder, truth), (other_folder, other) = clip, clip_with_off_screen
    (time_s,) = other.sound.off_screen_s
    assert other.collisions == truth.collisions
    assert min(abs(time_s - hit.collision.time_s) for hit in truth.collisions) >= 0.5
    for number in (0, 20, 44):
        name = f"frames/{number:06d}.jpg"
        assert (folder / name).read_bytes() == (other_folder / name).read_bytes()
    sound, rate_hz = soundfile.read(other_folder / "sound.flac")
    assert audible_onset_s(sound, time_s, rate_hz) == pytest.approx(time_s, abs=0.005)
    without, _ = soundfile.read(folder / "sound.flac")
    assert audible_onset_s(without, time_s, rate_hz) is None


def test_a_bag_says_that_an_impact_out_of_sight_is_not_in_view(clip_with_off_screen, tmp_path):
    from cs3_ros.bags.bag_reader import RecordedBag
    from cs3_ros.bags.clip_to_bag import ClipToBag, clip_to_bag
    from cs3_ros.replay.reading.ground_truth import read_truth

    folder, truth = clip_with_off_screen
    clip_to_bag(folder, tmp_path / "bag", ClipToBag())
    with RecordedBag(tmp_path / "bag") as bag:
        unseen = [entry for entry in read_truth(bag, "/ground_truth/collision") if entry.not_in_view]
    expected_ns = [round(1e9 * (1000.0 + time_s)) for time_s in truth.sound.off_screen_s]
    assert [entry.onset_ns for entry in unseen if not entry.masks] == expected_ns


def test_a_clip_does_not_overwrite_another(clip, renderer):
    with pytest.raises(ValueError, match="exists already"):
        make_clip(3, ClipPlan(), clip[0], renderer)


def test_a_bag_holds_the_truth_of_its_clip(clip, tmp_path):
    rosbags = pytest.importorskip("rosbags.highlevel")
    from cs3_ros.bags.clip_to_bag import ClipToBag, clip_to_bag
    from cs3_ros.message_types import typestore_with_cs3_msgs

    folder, _ = clip
    counts = clip_to_bag(folder, tmp_path / "bag", ClipToBag())
    assert counts["/image/compressed"] == counts["/camera_info"] == 45
    assert counts["/audio"] == 150
    truth = json.loads((folder / "truth.json").read_text())
    with rosbags.AnyReader([tmp_path / "bag"], default_typestore=typestore_with_cs3_msgs()) as bag:
        messages = {}
        for connection, _, data in bag.messages():
            messages.setdefault(connection.topic, []).append(bag.deserialize(data, connection.msgtype))
    collisions = messages["/ground_truth/collision"]
    assert len(collisions) == len(truth["collisions"])
    first, expected = collisions[0], truth["collisions"][0]
    onset_s = first.onset.sec + 1e-9 * first.onset.nanosec
    assert onset_s == pytest.approx(1000.0 + expected["time_s"], abs=1e-6)
    assert first.verdict == len(first.masks)
    mask = cv2.imdecode(np.asarray(first.masks[0].mask_compressed.data), cv2.IMREAD_GRAYSCALE)
    ids = cv2.imread(str(folder / "ids000.png"), cv2.IMREAD_UNCHANGED)
    assert any(np.array_equal(mask > 0, ids == identity) for identity in expected["ids"])
    camera = messages["/camera_info"][0]
    assert camera.k[0] == pytest.approx(truth["camera"]["focal_px"])
    assert messages["/tf_static"][0].transforms[0].child_frame_id == first.header.frame_id
