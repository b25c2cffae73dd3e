"""The check of a data set on disk lets true samples pass and names what is wrong with others."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from training.simulation.command import app
from training.simulation.dataset.generation_plan import stored_plan
from training.simulation.dataset.scene_samples import MadeScene, make_scene
from training.simulation.dataset.storage import read_ids, read_truth, sample_folder
from training.simulation.validation import check
from training.simulation.validation.label_check import sound_violations, steepest_rise_s, triangle_distance

SPLIT, SAMPLE = "counterfactual", 2


@pytest.fixture(scope="module")
def made(tiny, renderer) -> MadeScene:
    """The scene of `SAMPLE`, made again from its seed."""
    return make_scene(SPLIT, SAMPLE // 2, stored_plan(tiny).form, renderer)


@pytest.fixture
def spoilt(tiny, tmp_path, made) -> Callable[..., check.Report]:
    """Returns a function that checks a scene after a change of the truth, or of another file, of its first sample."""

    def run(change: Callable[[dict[str, Any]], None] | None = None, **files: bytes) -> check.Report:
        for index in (SAMPLE, SAMPLE + 1):
            shutil.copytree(sample_folder(tiny, SPLIT, index), sample_folder(tmp_path, SPLIT, index))
        folder = sample_folder(tmp_path, SPLIT, SAMPLE)
        if change is not None:
            content = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
            change(content)
            (folder / "truth.json").write_text(json.dumps(content), encoding="utf-8")
        for name, content in files.items():
            (folder / name.replace("_", ".")).write_bytes(content)
        return check.compare_scene(tmp_path, SPLIT, made)

    return run


def broken(report: check.Report) -> set[str]:
    return {name for name, count in report.broken.items() if count}


def test_what_the_generator_makes_has_no_violation(tiny, renderer):
    report = check.Report()
    for name, scene in (("train", 0), ("train", 1), ("twins", 0), ("held_out", 0)):
        report.join(check.check_scene(stored_plan(tiny), name, scene, renderer))
    assert report.violations == []
    assert report.checked["files"] == report.checked["again"] == 8
    assert report.checked["force"] + report.checked["silence"] == 8


def test_a_collision_of_another_object_is_refuted_by_the_picture(spoilt):
    def move_contact_to_the_left(content):
        hit, camera = content["collision"], content["camera"]
        x_m, y_m, z_m = hit["contact_xyz_m"]
        hit["contact_xy"][0] -= 60.0
        hit["contact_xyz_m"] = [x_m - 60.0 * z_m / camera["focal_px"], y_m, z_m]

    report = spoilt(move_contact_to_the_left)
    assert {"contact", "again"} <= broken(report)
    assert any(f"{SPLIT} {SAMPLE:06d}: the contact is" in violation for violation in report.violations)


def test_an_object_that_is_not_in_the_scene_is_named(spoilt):
    report = spoilt(lambda content: content["collision"].update(ids=[199]))
    assert f"{SPLIT} {SAMPLE:06d}: objects [199] are not one or two of the scene" in report.violations


def test_a_box_beside_the_hand_is_found(spoilt):
    def widen(content):
        content["hands"][0]["box_xyxy"] = [0, 0, 96, 96]

    assert "hands" in broken(spoilt(widen))


def test_an_onset_after_the_last_picture_is_found(spoilt):
    def delay(content):
        content["onset_s"] += 0.5

    assert "files" in broken(spoilt(delay))


def test_an_id_map_without_an_object_is_found(spoilt, tiny):
    ids = read_ids(sample_folder(tiny, SPLIT, SAMPLE)).copy()
    truth = read_truth(sample_folder(tiny, SPLIT, SAMPLE))
    ids[ids == truth.collision.ids[0]] = 0
    report = spoilt(ids_png=cv2.imencode(".png", ids)[1].tobytes())
    assert {"masks", "contact", "again"} <= broken(report)


def test_the_command_prints_a_table_and_fails_on_a_violation(tiny, tmp_path):
    shutil.copytree(tiny, tmp_path / "data")
    folder = sample_folder(tmp_path / "data", "twins", 0)
    (folder / "sound.flac").write_bytes((sample_folder(tiny, "twins", 1) / "sound.flac").read_bytes())
    command = ["check", str(tmp_path / "data"), "--samples", "2", "--workers", "1", "--splits"]
    found = CliRunner().invoke(app, [*command, "twins"])
    said = found.stdout
    assert found.exit_code == 1
    assert "- twins 000000: sound.flac is another when made again" in said
    assert "| the seed gives the same files again, byte for byte | 2 | 1 |" in said
    empty = CliRunner().invoke(app, [*command, "val"])
    assert empty.exit_code == 1
    assert "has no whole scene of val" in empty.stderr


def test_a_folder_that_is_no_data_set_is_refused(tmp_path):
    refused = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert refused.exit_code == 1
    assert "dataset.json does not say what a data set of the world is made of" in refused.stderr


def test_the_distance_to_a_triangle_is_that_to_its_inside_edge_or_corner():
    triangle = np.array([[[0.0, 0.0, 0.0], [4.0, 0.0, 0.0], [0.0, 4.0, 0.0]]])
    for point, expected in (((1.0, 1.0, 2.0), 2.0), ((1.0, -3.0, 4.0), 5.0), ((7.0, 0.0, 4.0), 5.0)):
        assert triangle_distance(triangle, np.array(point)) == pytest.approx(expected)


def test_a_sound_rises_where_it_becomes_loud_over_what_went_before():
    rate_hz, noise = 16_000, np.random.default_rng(0).standard_normal(16_000)
    sound = 0.01 * noise
    sound[8_000:] = noise[8_000:]
    assert steepest_rise_s(sound, 0.51, rate_hz) == pytest.approx(0.5, abs=0.001)


def test_a_second_touch_may_be_the_louder_if_the_truth_names_it():
    rate_hz = 16_000
    sound = 1e-4 * np.random.default_rng(0).standard_normal(rate_hz)
    for time_s, loudness in ((0.5, 0.05), (0.512, 1.0)):
        start = round(time_s * rate_hz)
        sound[start : start + 400] += loudness * np.exp(-np.arange(400) / 80)
    assert sound_violations(sound, 0.5, rate_hz, [0.512]) == []
    (problem,) = sound_violations(sound, 0.5, rate_hz)
    assert "rises at 0.51" in problem
