"""Takes the pictures of a scene: light from the renderer, motion blur and the camera."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np

from training.simulation.physics import variants
from training.simulation.physics.arm_motion import bent_arms
from training.simulation.physics.contacts import State
from training.simulation.physics.hand_motion import HeadMotion, Stroke
from training.simulation.rendering import camera, labels
from training.simulation.rendering.renderers import Renderer
from training.simulation.scenario.plan import TABLE, LayoutError
from training.simulation.scene.scene import Scene

MIN_AREA = 0.0012
"""A colliding object must cover this share of the picture, or the scene is drawn again."""


class Shots:
    """Takes the pictures of a scene; the same state gives the same picture, so variants share what they can."""

    def __init__(
        self,
        scene: Scene,
        size_hw: tuple[int, int],
        renderer: Renderer,
        sensor: camera.Sensor,
        noise_seed: int,
        head: HeadMotion | None = None,
    ) -> None:
        """With the motion of the head, as clips need it, the head blurs the pictures and the arms follow their hands."""
        self._head = head
        self._shown: bytes | None = None
        self._scene, self._renderer, self._sensor, self._noise_seed = scene, renderer, sensor, noise_seed
        self.camera = labels.intrinsics(scene.camera, size_hw)
        self.data = mujoco.MjData(scene.model)
        self._ids: dict[bytes, Any] = {}
        self._pictures: dict[bytes, Any] = {}
        self._gain: float | None = None

    def __enter__(self) -> Shots:
        self._renderer.open(self._scene.model)
        return self

    def __exit__(self, *error: object) -> None:
        self._renderer.close()

    def show(self, state: State) -> bytes:
        """Puts the scene into a state; returns the state's identity."""
        key = state.qpos.tobytes() + state.mocap_pos.tobytes()
        if key == self._shown:
            return key
        self._shown = key
        self.data.qpos[:] = state.qpos
        self.data.mocap_pos[:], self.data.mocap_quat[:] = state.mocap_pos, state.mocap_quat
        mujoco.mj_kinematics(self._scene.model, self.data)
        mujoco.mj_camlight(self._scene.model, self.data)
        if self._head is not None:
            for geom, mesh in bent_arms(self._scene, self.data):
                self._renderer.reshape(geom, mesh)
        return key

    def geom_ids(self, state: State) -> Any:
        """The map of geom ids of a state, int32 [H, W]."""
        key = self.show(state)
        if key not in self._ids:
            self._ids[key] = self._renderer.geom_ids(self.data)
        return self._ids[key]

    def picture(self, state: State, strokes: Sequence[Stroke]) -> Any:
        """The finished picture of a state, RGB uint8 [H, W, 3]; `strokes` say which hands move."""
        key = self.show(state)
        if key not in self._pictures:
            moving, object_shift, camera_shift = self._shifts(state, strokes)
            light = camera.soften_edges(self._renderer.picture(self.data), self.geom_ids(state))
            if self._gain is None:  # the exposure stays as it was for the first picture
                self._gain = camera.metered(light)
            light = camera.blur_motion(light, moving, object_shift, camera_shift)
            rng = np.random.default_rng([self._noise_seed, round(state.time_s * 1e6)])
            self._pictures[key] = camera.develop(rng, light, self._sensor, self._gain)
        return self._pictures[key]

    def _shifts(self, state: State, strokes: Sequence[Stroke]) -> tuple[Any, Any, Any]:
        """What moves in a picture, and how far in pixels while the shutter is open."""
        shutter, scene = self._sensor.shutter_s, self._scene
        camera_shift = self._camera_shift(state.time_s)
        hand_ids = np.append(scene.hand_of_geom, 0)[self.geom_ids(state)]
        object_ids = np.append(scene.object_of_geom, -2)[self.geom_ids(state)]
        moving, shift = np.zeros(hand_ids.shape, bool), np.zeros(2)
        for stroke in strokes:
            here, there = stroke.position(state.time_s - shutter), stroke.position(state.time_s)
            pixels = labels.project(self.camera, labels.to_camera(self.data, np.stack([here, there])))
            travelled = pixels[1] - pixels[0] + camera_shift
            if np.hypot(*travelled) > np.hypot(*shift):
                moving, shift = hand_ids == stroke.plan.side, travelled
                if stroke.plan.item is not None:
                    moving |= object_ids == stroke.plan.item
        return moving, shift, camera_shift

    def _camera_shift(self, t: float) -> Any:
        """How far the motion of the head moves the table in the middle of the picture, pixels; none in a still."""
        if self._head is None:
            return np.zeros(2)
        back = self.data.cam_xmat[0].reshape(3, 3)[:, 2]
        spot = self.data.cam_xpos[0] - back * self.data.cam_xpos[0, 2] / back[2]
        position, rotation = self._head.pose(t - self._sensor.shutter_s)
        before = rotation.inv().apply(spot - position) * (1.0, -1.0, -1.0)
        seen = labels.project(self.camera, np.stack([before, labels.to_camera(self.data, spot[None])[0]]))
        return seen[1] - seen[0]

    def forget(self) -> None:
        """Drops what was taken so far."""
        self._ids.clear()
        self._pictures.clear()

    def check_visible(self, outcome: variants.Outcome) -> None:
        """Raises a LayoutError if a colliding object is out of sight."""
        ids = labels.id_map(self._scene, self.geom_ids(outcome.record.states[1]))
        whole = labels.roots(self._scene)
        for index in () if outcome.collision is None else outcome.collision.objects:
            if index != TABLE and (ids == whole[index] + 1).sum() < MIN_AREA * ids.size:
                raise LayoutError("a colliding object is out of sight")
