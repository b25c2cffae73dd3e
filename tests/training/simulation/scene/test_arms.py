"""Arms follow their hands, without a change to how they were laid out."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from training.simulation.physics import arm_motion
from training.simulation.physics.hand_motion import set_hand
from training.simulation.rendering.renderers import make_renderer
from training.simulation.rendering.system_libraries import missing_for_classic
from training.simulation.scene import arms
from training.simulation.scene.table_layout import LayoutError

SHOULDER = np.array([0.2, -0.58, 0.33])


def reaching(wrist):
    wrist = np.array(wrist)
    return arms.arm_path(wrist, np.array([0.0, -1.0, -0.05]), arms.elbow_of(wrist, SHOULDER, 1), SHOULDER)


def test_forearm_and_upper_arm_keep_their_lengths_within_reach():
    lengths = []
    for wrist in ([0.15, -0.2, 0.05], [0.3, -0.1, 0.2]):
        elbow = arms.elbow_of(np.array(wrist), SHOULDER, 1)
        lengths.append((np.linalg.norm(elbow - wrist), np.linalg.norm(elbow - SHOULDER)))
    np.testing.assert_allclose(lengths[0], lengths[1], rtol=1e-9)


def test_an_elbow_points_outward():
    assert arms.elbow_of(np.array([0.15, -0.2, 0.05]), SHOULDER, 1)[0] > 0.2
    mirrored = SHOULDER * (-1, 1, 1)
    assert arms.elbow_of(np.array([-0.15, -0.2, 0.05]), mirrored, -1)[0] < -0.2


def test_an_arm_has_the_same_faces_in_every_pose():
    path, length = reaching([0.1, 0.0, 0.05])
    arm = arms.dressed(np.random.default_rng(0), length, 0.02)
    for mesh, bent in zip(arm.along(path), arm.along(reaching([0.3, 0.2, 0.15])[0]), strict=True):
        np.testing.assert_array_equal(mesh.faces, bent.faces)
        np.testing.assert_array_equal(mesh.uv, bent.uv)
        assert np.isfinite(bent.vertices).all() and np.abs(mesh.vertices - bent.vertices).max() > 0.1


def test_arms_of_unmoved_hands_are_as_they_were_built(outcomes):
    scene, _ = outcomes[0]
    data = mujoco.MjData(scene.model)
    mujoco.mj_kinematics(scene.model, data)
    seen = list(arm_motion.bent_arms(scene, data))
    assert len(seen) == 4
    for geom, mesh in seen:
        number = scene.model.geom_dataid[geom]
        first, count = scene.model.mesh_vertadr[number], scene.model.mesh_vertnum[number]
        np.testing.assert_allclose(mesh.vertices, scene.model.mesh_vert[first : first + count], atol=1e-6)


def test_a_sleeve_goes_with_its_hand_and_stays_at_its_shoulder(outcomes):
    scene, _ = outcomes[0]
    data = mujoco.MjData(scene.model)
    for side, plan in scene.layout.plans.items():
        set_hand(scene, data, side, plan.touch + np.array((0.0, 0.05, 0.1)))
    mujoco.mj_kinematics(scene.model, data)
    for geom, mesh in arm_motion.bent_arms(scene, data):
        world = mesh.vertices @ data.geom_xmat[geom].reshape(3, 3).T + data.geom_xpos[geom]
        side = int(scene.hand_of_geom[geom])
        letter = "LR"[side > 0]
        to_hand = np.linalg.norm(world - data.body(f"hand{letter}").xpos, axis=1).min()
        assert to_hand < 0.2
        if scene.model.geom(geom).name.endswith("sleeve"):
            assert np.linalg.norm(world - scene.layout.shoulders[side], axis=1).min() < 0.15


def test_an_arm_before_the_lens_is_refused(outcomes):
    scene, _ = outcomes[0]
    away = scene.camera.rotation.apply([0.0, 0.0, -1.0])
    with pytest.raises(LayoutError, match="near to the camera"):
        arm_motion.check_view(scene, 1, scene.camera.position + 0.1 * away)


@pytest.mark.parametrize("name", ["filament", "classic"])
def test_a_renderer_shows_the_new_shape(outcomes, renderer, name):
    if name == "classic":
        if missing := missing_for_classic():
            pytest.skip(missing)
        renderer = make_renderer("classic", (96, 96))
    scene, variants = outcomes[0]
    state = variants[0].record.states[1]
    data = mujoco.MjData(scene.model)
    data.qpos[:], data.mocap_pos[:], data.mocap_quat[:] = state.qpos, state.mocap_pos, state.mocap_quat
    mujoco.mj_kinematics(scene.model, data)
    mujoco.mj_camlight(scene.model, data)
    renderer.open(scene.model)
    try:
        before = renderer.geom_ids(data)
        for geom, mesh in arm_motion.bent_arms(scene, data):
            renderer.reshape(geom, mesh)
        same = renderer.geom_ids(data)
        for geom, mesh in arm_motion.bent_arms(scene, data):
            tiny = mesh.vertices * 1e-3
            renderer.reshape(geom, type(mesh)(vertices=tiny, faces=mesh.faces, uv=mesh.uv))
        gone = renderer.geom_ids(data)
    finally:
        renderer.close()
    limbs = np.flatnonzero((scene.hand_of_geom != 0) & ~scene.is_hand_proper)
    assert np.isin(before, limbs).sum() > 20
    assert (before != same).mean() < 0.01  # the hands are 9 cm or less from where they were laid out
    assert np.isin(gone, limbs).sum() < 3
