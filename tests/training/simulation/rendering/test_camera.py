"""Ids, projection and the camera agree."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from training.simulation.rendering import sensor
from training.simulation.rendering.camera import Intrinsics, intrinsics, project, to_camera
from training.simulation.rendering.id_map import box_of
from training.simulation.rendering.labels import id_map, occlusion
from training.simulation.rendering.renderers import make_renderer
from training.simulation.rendering.system_libraries import missing_for_classic


def show(scene, state) -> mujoco.MjData:
    data = mujoco.MjData(scene.model)
    data.qpos[:], data.mocap_pos[:], data.mocap_quat[:] = state.qpos, state.mocap_pos, state.mocap_quat
    mujoco.mj_kinematics(scene.model, data)
    mujoco.mj_camlight(scene.model, data)
    return data


@pytest.fixture(scope="module")
def shot(outcomes, renderer):
    """A scene, its state at the onset, and the ids that the renderer sees."""
    scene, variants = outcomes[0]
    data = show(scene, variants[0].record.states[1])
    renderer.open(scene.model)
    yield scene, data, renderer.geom_ids(data)
    renderer.close()


def test_a_point_on_the_axis_projects_to_the_centre():
    camera = Intrinsics(width=101, height=81, focal=90.0)
    assert project(camera, np.array([[0.0, 0.0, 2.0]])).tolist() == [[50.0, 40.0]]
    assert project(camera, np.array([[1.0, -1.0, 2.0]])).tolist() == [[95.0, -5.0]]


def test_objects_are_seen_where_they_project(shot):
    scene, data, geoms = shot
    ids, camera = id_map(scene, geoms), intrinsics(scene.camera, geoms.shape)
    checked = 0
    for index, _item in enumerate(scene.layout.items):
        rows, columns = np.nonzero(ids == index + 1)
        if len(rows) < 30 or occlusion(scene, data, index, ids, camera) > 0.3:
            continue
        middle = project(camera, to_camera(data, data.geom(f"item{index}.body").xpos[None]))[0]
        assert np.hypot(*(middle - (columns.mean(), rows.mean()))) < 0.12 * geoms.shape[0]
        checked += 1
    assert checked >= 3


def test_occlusion_of_a_covered_object_is_its_covered_share(shot):
    scene, data, geoms = shot
    ids, camera = id_map(scene, geoms), intrinsics(scene.camera, geoms.shape)
    index = int(np.bincount(ids[(ids > 0) & (ids < 200)]).argmax()) - 1
    free = occlusion(scene, data, index, ids, camera)
    covered = ids.copy()
    rows, columns = np.nonzero(ids == index + 1)
    half = columns < np.median(columns)
    covered[rows[half], columns[half]] = 250
    assert occlusion(scene, data, index, covered, camera) == pytest.approx(1 - (1 - free) * (1 - half.mean()), abs=1e-6)


def test_both_renderers_see_the_same_objects(shot):
    scene, data, geoms = shot
    if missing := missing_for_classic():
        pytest.skip(missing)
    classic = make_renderer("classic", geoms.shape)
    classic.open(scene.model)
    agreement = (id_map(scene, classic.geom_ids(data)) == id_map(scene, geoms)).mean()
    classic.close()
    assert agreement > 0.98


def test_a_picture_can_be_made_again_to_the_last_bit(shot, renderer):
    _scene, data, _ = shot
    first = renderer.picture(data)
    assert first.max() > 0.05
    assert np.array_equal(first, renderer.picture(data))


def test_the_box_of_a_mask_has_exclusive_ends():
    mask = np.zeros((6, 8), bool)
    mask[2:4, 3:7] = True
    assert box_of(mask) == (3, 2, 7, 4)
    assert box_of(np.zeros((6, 8), bool)) is None


def test_motion_blur_keeps_the_light():
    light = np.zeros((31, 31, 3), np.float32)
    light[13:18, 13:18] = 1.0
    moving = light[..., 0] > 0.5
    blurred = sensor.blur_motion(light, moving, (6.0, 0.0), (0.0, 0.0))
    assert blurred.sum() >= 0.99 * light.sum()
    assert blurred[15, 11, 0] > 0.0 and blurred[11, 15, 0] == 0.0


def test_twice_the_light_is_brighter_and_never_wraps():
    settings = sensor.draw_sensor(np.random.default_rng(0))
    ramp = np.repeat(np.linspace(0, 1, 64, dtype=np.float32)[None, :, None], 64, 0).repeat(3, 2)
    dark = sensor.develop(np.random.default_rng(1), ramp, settings, 0.5).astype(int)
    bright = sensor.develop(np.random.default_rng(1), ramp, settings, 50.0).astype(int)
    assert bright.mean() > dark.mean()
    assert bright[:, 32:].min() > 150


def test_an_unknown_renderer_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="renderer must be one of filament, classic, got 'unreal'"):
        make_renderer("unreal", (96, 96))
