"""Takes the pictures of a scene: light from the renderer, motion blur and the camera."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np

from training.simulation.physics.arm_motion import bent_arms
from training.simulation.physics.hand_motion import HeadMotion, Stroke
from training.simulation.physics.record import SceneState
from training.simulation.rendering import camera, sensor
from training.simulation.rendering.renderers import Renderer
from training.simulation.scene.scene import SimulatedScene


class Shots:
    """Takes the pictures of a scene; the same state gives the same picture, so variants share what they can."""

    def __init__(
        self,
        scene: SimulatedScene,
        size_hw: tuple[int, int],
        renderer: Renderer,
        settings: sensor.Sensor,
        noise_seed: int,
        head: HeadMotion | None = None,
    ) -> None:
        """Prepares the pictures of a scene.

        Args:
            scene: The scene.
            size_hw: Height and width of the pictures.
            renderer: What draws the light.
            settings: The camera's sensor.
            noise_seed: Fixes the noise of the sensor.
            head: The motion of the head, as clips need it: it blurs the pictures, and the arms follow their hands.
        """
        self._head = head
        self._shown: bytes | None = None
        self._scene, self._renderer, self._sensor, self._noise_seed = scene, renderer, settings, noise_seed
        self.camera = camera.intrinsics(scene.camera, size_hw)
        self.data = mujoco.MjData(scene.model)
        self._ids: dict[bytes, Any] = {}
        self._pictures: dict[bytes, Any] = {}
        self._gain: float | None = None

    def __enter__(self) -> Shots:
        self._renderer.open(self._scene.model)
        return self

    def __exit__(self, *error: object) -> None:
        self._renderer.close()

    def show(self, state: SceneState) -> bytes:
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

    def geom_ids(self, state: SceneState) -> Any:
        """The map of geom ids of a state, int32 [H, W]."""
        key = self.show(state)
        if key not in self._ids:
            self._ids[key] = self._renderer.geom_ids(self.data)
        return self._ids[key]

    def picture(self, state: SceneState, strokes: Sequence[Stroke]) -> Any:
        """The finished picture of a state, RGB uint8 [H, W, 3]; `strokes` say which hands move."""
        key = self.show(state)
        if key not in self._pictures:
            moving, object_shift, camera_shift = self._shifts(state, strokes)
            light = sensor.soften_edges(self._renderer.picture(self.data), self.geom_ids(state))
            if self._gain is None:  # the exposure stays as it was for the first picture
                self._gain = sensor.metered(light)
            light = sensor.blur_motion(light, moving, object_shift, camera_shift)
            rng = np.random.default_rng([self._noise_seed, round(state.time_s * 1e6)])
            self._pictures[key] = sensor.develop(rng, light, self._sensor, self._gain)
        return self._pictures[key]

    def _shifts(self, state: SceneState, strokes: Sequence[Stroke]) -> tuple[Any, Any, Any]:
        """What moves in a picture, and how far in pixels while the shutter is open."""
        shutter, scene = self._sensor.shutter_s, self._scene
        camera_shift = self._camera_shift(state.time_s)
        hand_ids = np.append(scene.hand_of_geom, 0)[self.geom_ids(state)]
        object_ids = np.append(scene.object_of_geom, -2)[self.geom_ids(state)]
        moving, shift = np.zeros(hand_ids.shape, bool), np.zeros(2)
        for stroke in strokes:
            here, there = stroke.position(state.time_s - shutter), stroke.position(state.time_s)
            pixels = camera.project(self.camera, camera.to_camera(self.data, np.stack([here, there])))
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
        seen = camera.project(self.camera, np.stack([before, camera.to_camera(self.data, spot[None])[0]]))
        return seen[1] - seen[0]

    def forget(self) -> None:
        """Drops what was taken so far."""
        self._ids.clear()
        self._pictures.clear()
