"""Collects bodies, meshes and materials into a MuJoCo model."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from training.simulation.objects.appearance import SurfaceFinish
from training.simulation.objects.meshes import Mesh, Points
from training.simulation.objects.textures import SIZE, skin_palette, texture
from training.simulation.scene.table_layout import Item

TIMESTEP_S = 0.001
WELD_S = 0.002
"""Time constant with which a hand follows its path."""
VISIBLE, SKIN_GROUP, HIDDEN = 2, 1, 3
"""MuJoCo geom groups: what is seen, hands, and collision primitives."""


def quaternion(rotation: Rotation) -> list[float]:
    """MuJoCo's order: w x y z."""
    return rotation.as_quat()[[3, 0, 1, 2]].tolist()


class Builder:
    """Collects bodies, meshes and materials into a MuJoCo specification."""

    def __init__(self) -> None:
        spec = mujoco.MjSpec()
        spec.option.timestep = TIMESTEP_S
        spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        spec.option.cone = mujoco.mjtCone.mjCONE_PYRAMIDAL
        spec.option.iterations = 20
        spec.visual.global_.offwidth, spec.visual.global_.offheight = 1920, 1440
        spec.visual.map.znear, spec.visual.map.zfar = 0.02, 12.0
        self.spec, self.world = spec, spec.worldbody
        self._textures: set[str] = set()
        self._num_materials = self._num_meshes = 0

    def material(self, finish: SurfaceFinish) -> str:
        """Adds a surface; returns its name."""
        name = f"material{self._num_materials}"
        self._num_materials += 1
        material = self.spec.add_material(
            name=name,
            rgba=list(finish.rgba),
            metallic=finish.metallic,
            roughness=finish.roughness,
            texrepeat=[finish.repeat, finish.repeat],
        )
        if finish.picture is not None:
            kind, variant = finish.picture
            material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = self._texture(
                f"{kind}{variant}", texture(kind, variant)
            )
        return name

    def skin(self, tone: int, roughness: float) -> str:
        """Adds skin of a tone of `textures.SKIN_TONES`; returns its name."""
        name = self.material(SurfaceFinish(rgba=(1, 1, 1, 1), roughness=roughness))
        picture = self._texture(f"skin{tone}", skin_palette(tone))
        self.spec.material(name).textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = picture
        return name

    def _texture(self, name: str, picture: npt.NDArray[np.uint8]) -> str:
        if name not in self._textures:
            kind = mujoco.mjtTexture.mjTEXTURE_2D
            self.spec.add_texture(name=name, type=kind, width=SIZE, height=SIZE, nchannel=3).data = picture.tobytes()
            self._textures.add(name)
        return name

    def show(self, body: Any, name: str, mesh: Mesh, material: str, group: int = VISIBLE, **pose: Any) -> None:
        """Adds a mesh that is seen and not felt."""
        mesh_name = f"mesh{self._num_meshes}"
        self._num_meshes += 1
        asset = self.spec.add_mesh(name=mesh_name)
        # Lists: the binding converts arrays five times more slowly.
        asset.uservert = mesh.vertices.ravel().tolist()
        asset.userface = mesh.faces.ravel().tolist()
        asset.usertexcoord = mesh.uv.ravel().tolist()
        asset.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
        body.add_geom(
            name=name, type=mujoco.mjtGeom.mjGEOM_MESH, meshname=mesh_name, material=material, contype=0, conaffinity=0,
            group=group, mass=0.0, **pose,
        )  # fmt: skip

    def body(self, name: str, position: Points, rotation: Rotation, *, free: bool) -> Any:
        """Adds a body to the world; a free one can move."""
        body = self.world.add_body(name=name, pos=list(position), quat=quaternion(rotation))
        if free:
            body.add_freejoint()
        return body

    def item(
        self, body: Any, index: int, item: Item, offset: Points | None = None, turn: Rotation | None = None
    ) -> None:
        """Adds the geoms of an object at a pose relative to its body."""
        offset = np.zeros(3) if offset is None else offset
        turn = Rotation.identity() if turn is None else turn
        shape = item.shape
        pose: dict[str, Any] = {"pos": list(offset), "quat": quaternion(turn)}
        self.show(body, f"item{index}.body", shape.body, self.material(item.finish), **pose)
        if shape.handle is not None:
            self.show(body, f"item{index}.handle", shape.handle, self.material(item.handle), **pose)
        for number, part in enumerate(shape.colliders):
            lean = Rotation.from_euler("ZY", part.euler_zy)
            body.add_geom(
                name=f"item{index}.collider{number}",
                type=getattr(mujoco.mjtGeom, f"mjGEOM_{part.kind.upper()}"),
                size=[*part.size, 0.0, 0.0][:3],
                pos=list(offset + turn.apply(np.array(part.position))),
                quat=quaternion(turn * lean),
                group=HIDDEN,
                mass=shape.mass / len(shape.colliders),
                friction=[0.5, 0.005, 0.0001],
                solref=[0.004, 0.9],
            )

    def weld(self, name: str, one: str, two: str) -> None:
        """Ties two bodies as they stand in the initial state."""
        weld = self.spec.add_equality(
            name=name, type=mujoco.mjtEq.mjEQ_WELD, name1=one, name2=two, objtype=mujoco.mjtObj.mjOBJ_BODY
        )
        weld.data = np.array(
            [0.0] * 10 + [1.0, 0.0]
        )  # anchor at the origin, relative pose of the initial state, full torque
        weld.solref, weld.solimp = [WELD_S, 1.0], [0.99, 0.99, 0.001, 0.5, 2.0]
