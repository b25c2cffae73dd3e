"""Turns a simulated state into a picture and a map of geom ids, without a display.

`FilamentRenderer` is physically based and runs on the CPU through Vulkan (Mesa lavapipe); `ClassicRenderer` is the
fallback. One renderer per process; open a scene, take its pictures, close it. That of `renderer_process` has memory that does
not grow.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from training.simulation.objects.meshes import Mesh
from training.simulation.rendering.system_libraries import missing_for_classic, missing_for_filament

RENDERERS = ("filament", "classic")


class Renderer(Protocol):
    """What the generator needs of a renderer."""

    def open(self, model: Any) -> None:
        """Makes the scene of a compiled model current."""

    def close(self) -> None:
        """Forgets the current scene and frees its memory."""

    def reshape(self, geom: int, mesh: Mesh) -> None:
        """Lets a mesh geom of the current scene show `mesh`, of as many vertices as before, in the geom's own frame."""

    def picture(self, data: Any) -> npt.NDArray[np.float32]:
        """Renders the fixed camera 0: linear light, RGB float32 [H, W, 3] in [0, 1]."""

    def geom_ids(self, data: Any) -> npt.NDArray[np.int32]:
        """Returns the id of the geom that each pixel of the fixed camera 0 shows, -1 for none, int32 [H, W]."""


def make_renderer(name: str, size_hw: tuple[int, int]) -> Renderer:
    """Makes a renderer.

    Raises:
        ValueError: if there is no such renderer.
        RuntimeError: if system libraries are missing; the message names them.
    """
    check_renderer(name)
    with _silenced():
        return FilamentRenderer(size_hw) if name == "filament" else ClassicRenderer(size_hw)


def check_renderer(name: str) -> None:
    """Raises what `make_renderer` would raise."""
    if name not in RENDERERS:
        raise ValueError(f"renderer must be one of {', '.join(RENDERERS)}, got {name!r}")
    missing = missing_for_filament() if name == "filament" else missing_for_classic()
    if missing:
        raise RuntimeError(missing)


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Keeps the notes that the renderer's library prints about itself off the terminal."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        for handle in (*kept, nowhere):
            os.close(handle)


class FilamentRenderer:
    """MuJoCo's physically based renderer on a software Vulkan device."""

    def __init__(self, size_hw: tuple[int, int]) -> None:
        os.environ.setdefault("LP_NUM_THREADS", "1")  # the generator runs one process per core
        from training.simulation.rendering import filament_assets

        filament_assets.register()
        from mujoco import mjrf

        self._mjrf = mjrf
        config = mjrf.ContextConfig()
        config.graphics_api = mjrf.GraphicsApi.GRAPHICS_API_VULKAN
        config.software_rendering = True
        self._context = mjrf.Context(config)
        self._height, self._width = size_hw
        target = mjrf.RenderTargetConfig(color_format=mjrf.PixelFormat.PIXEL_FORMAT_RGB8)
        self._target = self._context.create_render_target(target)
        self._target.resize(self._width, self._height)
        self._pixels = np.empty((self._height, self._width, 3), np.uint8)
        self._read = mjrf.ReadRequest(target=self._target)
        self._read.set_buffer(self._pixels)
        self._reshaped: dict[int, tuple[Any, Any]] = {}

    def open(self, model: Any) -> None:
        """Makes the scene of a compiled model current."""
        from mujoco.rendering.filament.model_scene import ModelScene

        self._model = model
        self._scene = self._context.create_scene(self._mjrf.SceneParams())
        self._model_scene = ModelScene(self._context, model, self._scene)

    def close(self) -> None:
        """Forgets the current scene and frees its memory."""
        del self._model_scene, self._scene
        self._reshaped.clear()
        self._context.flush()  # else about a megabyte per scene stays allocated

    def reshape(self, geom: int, mesh: Mesh) -> None:
        """Lets a mesh geom of the current scene show `mesh`, of as many vertices as before, in the geom's own frame."""
        import mujoco

        if geom not in self._reshaped:
            config = self._mesh_config(mesh)
            self._reshaped[geom] = config, self._context.create_mesh(config)
        config, shown = self._reshaped[geom]
        attributes = [values.astype(np.float32).tobytes() for values in (mesh.vertices, mesh.normals(), mesh.uv)]
        data = self._mjrf.MeshData(compute_bounds=True)
        data.set_vertices(config, b"".join(attributes))
        data.set_indices(config, mesh.faces.astype(np.uint32).tobytes())
        shown.upload(data)
        self._model_scene.get_renderable(mujoco.mjtObj.mjOBJ_GEOM, geom).set_mesh(shown, 0, mesh.faces.size)

    def _mesh_config(self, mesh: Mesh) -> Any:
        usage, kind = self._mjrf.VertexAttributeUsage, self._mjrf.VertexAttributeType
        attributes = [
            self._mjrf.VertexAttribute(usage.VERTEX_ATTRIBUTE_USAGE_POSITION, kind.VERTEX_ATTRIBUTE_TYPE_FLOAT3),
            self._mjrf.VertexAttribute(usage.VERTEX_ATTRIBUTE_USAGE_NORMAL, kind.VERTEX_ATTRIBUTE_TYPE_FLOAT3),
            self._mjrf.VertexAttribute(usage.VERTEX_ATTRIBUTE_USAGE_UV, kind.VERTEX_ATTRIBUTE_TYPE_FLOAT2),
        ]
        return self._mjrf.MeshConfig(
            max_vertices=len(mesh.vertices),
            max_indices=mesh.faces.size,
            attributes=attributes,
            interleaved=False,
            index_type=self._mjrf.IndexType.INDEX_TYPE_U32,
            primitive_type=self._mjrf.MeshPrimitiveType.MESH_PRIMITIVE_TYPE_TRIANGLES,
        )

    def picture(self, data: Any) -> npt.NDArray[np.float32]:
        """Renders the fixed camera 0: linear light, RGB float32 [H, W, 3] in [0, 1]."""
        self._model_scene.update(data)
        request = self._request(data)
        # Filament's post-processing dithers with a random pattern of each frame, so that no picture could be made
        # again. Without it the picture is linear light, and `effects` is the camera.
        request.post_processing = False
        return self._shoot(request).astype(np.float32) / np.float32(255.0)

    def geom_ids(self, data: Any) -> npt.NDArray[np.int32]:
        """Returns the id of the geom that each pixel of the fixed camera 0 shows, -1 for none, int32 [H, W]."""
        self._model_scene.update(data)
        request = self._request(data)
        request.draw_mode = self._mjrf.DrawMode.DRAW_MODE_SEGMENTATION_BY_ID
        request.post_processing = request.shadows = request.reflections = False
        red, green, blue = np.moveaxis(self._shoot(request).astype(np.int32), -1, 0)
        return red + (green << 8) + (blue << 16) - 1

    def _request(self, data: Any) -> Any:
        import mujoco

        view = mujoco.MjvCamera()
        view.type, view.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, 0
        camera = mujoco.mjv_camera2GLCamera(self._model, data, view)
        request = self._mjrf.RenderRequest()
        request.scene, request.target, request.headlight = self._scene, self._target, False
        request.camera = self._mjrf.Camera(
            pos=camera.pos,
            forward=camera.forward,
            up=camera.up,
            frustum_bottom=camera.frustum_bottom,
            frustum_top=camera.frustum_top,
            frustum_near=camera.frustum_near,
            frustum_far=camera.frustum_far,
            frustum_width=(camera.frustum_top - camera.frustum_bottom) / 2 * self._width / self._height,
        )
        request.viewport.width, request.viewport.height = self._width, self._height
        return request

    def _shoot(self, request: Any) -> npt.NDArray[np.uint8]:
        self._context.wait_for_frame(self._context.render([request], [self._read]))
        return self._pixels


_CLASSIC_LAMP, _CLASSIC_ROOM = 0.55, 0.42
"""Share of the lamps' light that the classic renderer uses, and its light from everywhere."""


class ClassicRenderer:
    """MuJoCo's OpenGL renderer: plainer pictures, the same ids."""

    def __init__(self, size_hw: tuple[int, int]) -> None:
        self._height, self._width = size_hw

    def open(self, model: Any) -> None:
        """Makes the scene of a compiled model current."""
        import mujoco

        self._model = model
        # OpenGL lights corners and blends between them, so that a cone of light would leave all of the table dark.
        model.light_exponent[:] = 0.0
        model.light_diffuse[:] *= _CLASSIC_LAMP
        model.vis.headlight.ambient[:], model.vis.headlight.diffuse[:] = _CLASSIC_ROOM, 0.0
        model.vis.headlight.specular[:] = 0.0
        self._renderer = mujoco.Renderer(model, self._height, self._width)
        self._options = mujoco.MjvOption()
        self._options.geomgroup[:] = [1, 1, 1, 0, 0, 0]

    def close(self) -> None:
        """Forgets the current scene and frees its memory."""
        self._renderer.close()

    def reshape(self, geom: int, mesh: Mesh) -> None:
        """Lets a mesh geom of the current scene show `mesh`, of as many vertices as before, in the geom's own frame."""
        import mujoco

        number = self._model.geom_dataid[geom]
        first, count = self._model.mesh_vertadr[number], self._model.mesh_vertnum[number]
        self._model.mesh_vert[first : first + count] = mesh.vertices
        first, count = self._model.mesh_normaladr[number], self._model.mesh_normalnum[number]
        self._model.mesh_normal[first : first + count] = mesh.normals()
        mujoco.mjr_uploadMesh(self._model, self._renderer._mjr_context, number)

    def picture(self, data: Any) -> npt.NDArray[np.float32]:
        """Renders the fixed camera 0: linear light, RGB float32 [H, W, 3] in [0, 1]."""
        self._renderer.disable_segmentation_rendering()
        self._renderer.update_scene(data, 0, self._options)
        return (self._renderer.render().astype(np.float32) / np.float32(255.0)) ** np.float32(2.2)

    def geom_ids(self, data: Any) -> npt.NDArray[np.int32]:
        """Returns the id of the geom that each pixel of the fixed camera 0 shows, -1 for none, int32 [H, W]."""
        import mujoco

        self._renderer.enable_segmentation_rendering()
        self._renderer.update_scene(data, 0, self._options)
        identity, kind = np.moveaxis(self._renderer.render(), -1, 0)
        return np.where(kind == mujoco.mjtObj.mjOBJ_GEOM, identity, -1).astype(np.int32)
