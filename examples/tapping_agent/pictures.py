"""The robot's camera: what the perception node sees, and a view of the arm for people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import mujoco
import numpy as np

from cs3_model.types import UInt8Image
from examples.tapping_agent.agent import Sample
from examples.tapping_agent.table import TappingTable
from training.simulation.physics.record import SceneState
from training.simulation.rendering import sensor
from training.simulation.rendering.id_map import box_of
from training.simulation.rendering.renderers import Renderer
from training.simulation.scene.mujoco_model import quaternion
from training.simulation.scene.scene import HeadCamera


class RobotCamera:
    """Takes pictures of one table."""

    def __init__(self, table: TappingTable, renderer: Renderer, seed: int) -> None:
        self._table, self._renderer = table, renderer
        self._data = mujoco.MjData(table.scene.model)
        self._rng = np.random.default_rng([22, seed])
        self._sensor = sensor.draw_sensor(self._rng)

    def samples(self, state: SceneState) -> tuple[UInt8Image, tuple[Sample, ...]]:
        """The picture over the samples, RGB uint8 [H, W, 3], and where each of them is in it."""
        picture = self._take(state, self._table.listening)
        objects = np.append(self._table.scene.object_of_geom, -2)[self._renderer.geom_ids(self._data)]
        first = self._table.stick + 1
        boxes = [box_of(objects == first + place) for place in range(len(self._table.samples))]
        return picture, tuple(
            Sample(material=material, box_xyxy=box)
            for material, box in zip(self._table.samples, boxes, strict=True)
            if box is not None
        )

    def arm(self, state: SceneState) -> UInt8Image:
        """A picture of the arm and the look-alikes, RGB uint8 [H, W, 3]."""
        return self._take(state, self._table.watching)

    def _take(self, state: SceneState, pose: HeadCamera) -> UInt8Image:
        self._data.qpos[:] = state.qpos
        self._data.mocap_pos[0], self._data.mocap_quat[0] = pose.position, quaternion(pose.rotation)
        mujoco.mj_kinematics(self._table.scene.model, self._data)
        mujoco.mj_camlight(self._table.scene.model, self._data)
        light = sensor.soften_edges(self._renderer.picture(self._data), self._renderer.geom_ids(self._data))
        return sensor.develop(self._rng, light, self._sensor, sensor.metered(light))


@contextmanager
def robot_camera(table: TappingTable, renderer: Renderer, seed: int) -> Iterator[RobotCamera]:
    """A camera in a scene, which is closed afterwards."""
    renderer.open(table.scene.model)
    try:
        yield RobotCamera(table, renderer, seed)
    finally:
        renderer.close()
