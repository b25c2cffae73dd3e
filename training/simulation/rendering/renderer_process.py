"""Draws in a process of its own, which is replaced now and then, as the renderer keeps some memory of each picture."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt

from training.simulation.objects.meshes import Mesh
from training.simulation.physics.record import SceneState
from training.simulation.rendering.renderers import Renderer, check_renderer, make_renderer
from training.worker_processes import end_with_parent

SHOTS_PER_PROCESS = 300
"""Pictures and maps of ids. The library keeps about 1.4 MB of each, whatever its size, until its process ends."""


class RendererProcess:
    """A `Renderer` whose memory does not grow: each scene has a process, a long one has several after another."""

    def __init__(self, name: str, size_hw: tuple[int, int], *, shots_per_process: int = SHOTS_PER_PROCESS) -> None:
        """Prepares a renderer; its first process starts with the first picture.

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
        self._num_shots = 0
        self.num_started = 0
        """Processes that were started so far."""

    def open(self, model: Any) -> None:
        """Makes the scene of a compiled model current."""
        self._model = model
        self._meshes: dict[int, Mesh] = {}
        self._unsent: dict[int, Mesh] = {}

    def close(self) -> None:
        """Forgets the current scene and ends its process."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

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
        if self._num_shots == self._shots_per_process:
            self.close()
        if self._pool is None:
            self._start()
        assert self._pool is not None
        self._num_shots += 1
        meshes, self._unsent = self._unsent, {}
        return self._pool.submit(_shoot, what, SceneState.of(data, data.time), meshes).result()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # a renderer does not survive a fork
        self._pool = ProcessPoolExecutor(1, context, _begin, (self._name, self._size_hw, self._model))
        self._num_shots, self._unsent = 0, dict(self._meshes)
        self.num_started += 1


_renderer: Renderer
_data: Any


def _begin(name: str, size_hw: tuple[int, int], model: Any) -> None:
    """Opens the scene in the new process, which ends when the first one is killed."""
    global _renderer, _data
    end_with_parent()
    _renderer, _data = make_renderer(name, size_hw), mujoco.MjData(model)
    _renderer.open(model)


def _shoot(what: str, state: SceneState, meshes: dict[int, Mesh]) -> Any:
    _data.qpos[:] = state.qpos
    _data.mocap_pos[:], _data.mocap_quat[:] = state.mocap_pos, state.mocap_quat
    mujoco.mj_kinematics(_data.model, _data)
    mujoco.mj_camlight(_data.model, _data)
    for geom, mesh in meshes.items():
        _renderer.reshape(geom, mesh)
    return getattr(_renderer, what)(_data)
