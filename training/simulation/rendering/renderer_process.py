"""Draws in a process of its own, which is replaced now and then, as the renderer keeps some memory of each picture."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt

from cs3_model.child_processes import end_with_parent
from training.simulation.objects.meshes import Mesh
from training.simulation.physics.record import SceneState
from training.simulation.rendering.renderers import Renderer, check_renderer, make_renderer

SHOTS_PER_PROCESS = 300
"""Pictures and maps of ids. The library keeps about 1.4 MB of each, whatever its size, until its process ends."""
_SHOTS_PER_SCENE = 4
"""It keeps about as much of a scene as of so many pictures."""


class RendererProcess:
    """A `Renderer` whose memory does not grow, as it draws in one process after another."""

    def __init__(self, name: str, size_hw: tuple[int, int], *, shots_per_process: int = SHOTS_PER_PROCESS) -> None:
        """Prepares a renderer; its first process starts with the first picture, the last ends with this object.

        Args:
            name: One of `RENDERERS`.
            size_hw: Height and width of the pictures.
            shots_per_process: Pictures and maps of ids after which a process is replaced.

        Raises:
            ValueError: if there is no such renderer.
            RuntimeError: if system libraries are missing; the message names them.
        """
        check_renderer(name)
        self._name, self._size_hw, self._shots_per_process = name, size_hw, shots_per_process
        self._pool: ProcessPoolExecutor | None = None
        self._is_open = False
        self._num_shots = 0
        self.num_started = 0
        """Processes that were started so far."""

    def open(self, model: Any) -> None:
        """Makes the scene of a compiled model current."""
        self._model = model
        self._meshes: dict[int, Mesh] = {}
        self._unsent: dict[int, Mesh] = {}

    def close(self) -> None:
        """Forgets the current scene."""
        if self._pool is not None and self._is_open:
            self._is_open = False
            self._pool.submit(_close).result()

    def reshape(self, geom: int, mesh: Mesh) -> None:
        """Lets a mesh geom of the current scene show `mesh`, of as many vertices as before, in the geom's own frame."""
        self._meshes[geom] = self._unsent[geom] = mesh

    def picture(self, data: Any) -> npt.NDArray[np.float32]:
        """Renders the fixed camera 0: linear light, RGB float32 [H, W, 3] in [0, 1]."""
        return self._shoot("picture", data)

    def geom_ids(self, data: Any) -> npt.NDArray[np.int32]:
        """Returns the id of the geom that each pixel of the fixed camera 0 shows, -1 for none, int32 [H, W]."""
        return self._shoot("geom_ids", data)

    def _shoot(self, what: str, data: Any) -> Any:
        pool = self._pool
        if pool is None or self._num_shots >= self._shots_per_process:
            pool = self._replace()
        if not self._is_open:
            pool.submit(_open, self._model).result()
            self._is_open, self._unsent = True, dict(self._meshes)
            self._num_shots += _SHOTS_PER_SCENE
        self._num_shots += 1
        meshes, self._unsent = self._unsent, {}
        return pool.submit(_shoot, what, SceneState.of(data, data.time), meshes).result()

    def _replace(self) -> ProcessPoolExecutor:
        if self._pool is not None:
            self._pool.shutdown()
        context = multiprocessing.get_context("spawn")  # a renderer does not survive a fork
        self._pool = ProcessPoolExecutor(1, context, _begin, (self._name, self._size_hw))
        self._is_open, self._num_shots = False, 0
        self.num_started += 1
        return self._pool


_renderer: Renderer
_data: Any


def _begin(name: str, size_hw: tuple[int, int]) -> None:
    """Prepares the new process, which ends when the first one is killed."""
    global _renderer
    end_with_parent()
    _renderer = make_renderer(name, size_hw)


def _open(model: Any) -> None:
    global _data
    _data = mujoco.MjData(model)
    _renderer.open(model)


def _close() -> None:
    _renderer.close()


def _shoot(what: str, state: SceneState, meshes: dict[int, Mesh]) -> Any:
    _data.qpos[:] = state.qpos
    _data.mocap_pos[:], _data.mocap_quat[:] = state.mocap_pos, state.mocap_quat
    mujoco.mj_kinematics(_data.model, _data)
    mujoco.mj_camlight(_data.model, _data)
    for geom, mesh in meshes.items():
        _renderer.reshape(geom, mesh)
    return getattr(_renderer, what)(_data)
