"""Builds the MuJoCo model of a layout: bodies, looks, room, light and head camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from training.world import arms, hands
from training.world.appearance import Finish, Table, table_top, wall_finish
from training.world.levels import Level
from training.world.meshes import Mesh, Points, box
from training.world.plans import TABLE, Item, Layout
from training.world.textures import SIZE, SKIN_TONES, skin_palette, texture

TIMESTEP_S = 0.001
WELD_S = 0.002
"""Time constant with which a hand follows its path."""
_NO_OBJECT, _NOT_A_HAND = -2, 0
VISIBLE, SKIN_GROUP, HIDDEN = 2, 1, 3
"""MuJoCo geom groups: what is seen, hands, and collision primitives."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Camera:
    """The head camera at rest."""

    position: Points
    rotation: Rotation
    """Columns: right, up, backward."""
    fov_y: float
    """Vertical field of view, radians."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scene:
    """A compiled scene and the meaning of its geoms."""

    layout: Layout
    table: Table
    camera: Camera
    arms: dict[int, arms.Arm]
    """By side."""
    model: Any
    object_of_geom: npt.NDArray[np.int64]
    """[num_geoms]: index of the item, `TABLE`, or -2."""
    hand_of_geom: npt.NDArray[np.int64]
    """[num_geoms]: side of the hand or arm, 0 for none."""
    is_hand_proper: npt.NDArray[np.bool_]
    """[num_geoms]: the hand without the arm."""


def quaternion(rotation: Rotation) -> list[float]:
    """MuJoCo's order: w x y z."""
    return rotation.as_quat()[[3, 0, 1, 2]].tolist()


def build(rng: np.random.Generator, layout: Layout, level: Level, *, held_out: bool = False) -> Scene:
    """Compiles the scene; `rng` draws room, light, camera and clothes."""
    builder = _Builder(rng)
    table = table_top(rng, held_out)
    builder.room(table, held_out)
    builder.light()
    free = _free_items(layout)
    held = {plan.item: plan for plan in layout.plans.values() if plan.item is not None}
    for index, item in enumerate(layout.items):
        if index not in held:
            body = builder.body(f"item{index}", item.position, item.rotation, free=index in free)
            builder.item(body, index, item)
    skin = builder.skin(int(rng.integers(len(SKIN_TONES))))
    sleeve = builder.material(Finish(rgba=(1, 1, 1, 1), roughness=0.95, picture=("knit", int(rng.integers(6)))))
    sleeve_from = float(rng.choice([rng.uniform(0.002, 0.03), rng.uniform(0.10, 0.2)], p=[0.65, 0.35]))
    for side in layout.plans:
        builder.hand(layout, side, skin, sleeve, sleeve_from)
    camera = _camera(rng, layout, level)
    builder.camera(camera)
    return builder.compile(layout, table, camera)


def _free_items(layout: Layout, count: int = 6) -> set[int]:
    """Targets and the nearest other things move; the rest stands fixed, which saves time."""
    held = {plan.item for plan in layout.plans.values()}
    standing = [index for index in range(len(layout.items)) if index not in held]
    spots = [plan.touch[:2] for plan in layout.plans.values() if plan.item is not None]

    def nearness(index: int) -> float:
        return min((float(np.hypot(*(layout.items[index].position[:2] - spot))) for spot in spots), default=0.0)

    targets = {plan.target for plan in layout.plans.values() if plan.target is not None and plan.target >= 0} - held
    return targets | set(sorted(standing, key=nearness)[: count - len(targets)])


def _camera(rng: np.random.Generator, layout: Layout, level: Level) -> Camera:
    spots = [plan.touch for plan in layout.plans.values() if plan.item is not None]
    middle = np.mean(spots, axis=0) if spots else np.zeros(3)
    look_at = np.array([0.6 * middle[0], 0.5 * middle[1] + 0.03, 0.02]) + rng.normal(0.0, 0.025, 3)
    down = rng.uniform(0.70, 0.98)
    distance = rng.uniform(*level.camera_distance_m)
    away = np.array([rng.normal(0.0, 0.06), -np.cos(down), np.sin(down)])
    position = look_at + away / np.linalg.norm(away) * distance
    back = away / np.linalg.norm(away)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right)
    level_frame = Rotation.from_matrix(np.stack([right, np.cross(back, right), back], 1))
    roll = Rotation.from_euler("z", rng.normal(0.0, 0.05))
    return Camera(position=position, rotation=level_frame * roll, fov_y=float(np.deg2rad(rng.uniform(56.0, 72.0))))


class _Builder:
    """Collects bodies, meshes and materials into a MuJoCo specification."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        spec = mujoco.MjSpec()
        spec.option.timestep = TIMESTEP_S
        spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        spec.option.cone = mujoco.mjtCone.mjCONE_PYRAMIDAL
        spec.option.iterations = 20
        spec.visual.global_.offwidth, spec.visual.global_.offheight = 1920, 1440
        spec.visual.map.znear, spec.visual.map.zfar = 0.02, 12.0
        self._spec, self._world = spec, spec.worldbody
        self._textures: set[str] = set()
        self._arms: dict[int, arms.Arm] = {}
        self._num_materials = self._num_meshes = 0

    def compile(self, layout: Layout, table: Table, camera: Camera) -> Scene:
        model = self._spec.compile()
        names = [model.geom(index).name for index in range(model.ngeom)]
        sides = {"L": -1, "R": 1}
        return Scene(
            layout=layout,
            table=table,
            camera=camera,
            arms=self._arms,
            model=model,
            object_of_geom=np.array([_object_of(name) for name in names]),
            hand_of_geom=np.array([sides[name[4]] if name.startswith("hand") else _NOT_A_HAND for name in names]),
            is_hand_proper=np.array([name.startswith("hand") and name.endswith("hand") for name in names]),
        )

    def material(self, finish: Finish) -> str:
        name = f"material{self._num_materials}"
        self._num_materials += 1
        material = self._spec.add_material(
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

    def skin(self, tone: int) -> str:
        name = self.material(Finish(rgba=(1, 1, 1, 1), roughness=float(self._rng.uniform(0.5, 0.65))))
        picture = self._texture(f"skin{tone}", skin_palette(tone))
        self._spec.material(name).textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = picture
        return name

    def _texture(self, name: str, picture: npt.NDArray[np.uint8]) -> str:
        if name not in self._textures:
            kind = mujoco.mjtTexture.mjTEXTURE_2D
            self._spec.add_texture(name=name, type=kind, width=SIZE, height=SIZE, nchannel=3).data = picture.tobytes()
            self._textures.add(name)
        return name

    def show(self, body: Any, name: str, mesh: Mesh, material: str, group: int = VISIBLE, **pose: Any) -> None:
        """Adds a mesh that is seen and not felt."""
        mesh_name = f"mesh{self._num_meshes}"
        self._num_meshes += 1
        asset = self._spec.add_mesh(name=mesh_name)
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
        body = self._world.add_body(name=name, pos=list(position), quat=quaternion(rotation))
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
        pose = {"pos": list(offset), "quat": quaternion(turn)}
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

    def hand(self, layout: Layout, side: int, skin: str, sleeve: str, sleeve_from: float) -> None:
        """Adds a hand that follows a moving frame, with its arm and what it holds."""
        plan, letter = layout.plans[side], "LR"[side > 0]
        mesh, wrist = hands.hand_mesh(plan.pose, plan.grip_radius)
        if side > 0:
            mesh, wrist = mesh.mirrored_x(), wrist * (-1.0, 1.0, 1.0)
        self._world.add_body(name=f"path{letter}", mocap=True, pos=list(plan.touch))
        body = self._world.add_body(name=f"hand{letter}", pos=list(plan.touch), gravcomp=1.0)
        body.add_freejoint()
        body.mass, body.inertia, body.explicitinertial = 0.4, [0.002, 0.002, 0.002], True
        self.show(body, f"hand{letter}.hand", mesh, skin, SKIN_GROUP, quat=quaternion(plan.rotation))
        wrist = plan.rotation.apply(wrist)
        shoulder = layout.shoulders[side]
        elbow = arms.elbow_of(plan.touch + wrist, shoulder, side)
        into_arm = plan.rotation.apply(arms.INTO_ARM)
        path, length = arms.arm_path(wrist, into_arm, elbow - plan.touch, shoulder - plan.touch)
        self._arms[side] = arms.dressed(self._rng, length, sleeve_from)
        arm, cloth = self._arms[side].along(path)
        self.show(body, f"hand{letter}.arm", arm, skin, SKIN_GROUP)
        self.show(body, f"hand{letter}.sleeve", cloth, sleeve, SKIN_GROUP)
        self._weld(f"weld{letter}", f"hand{letter}", f"path{letter}")
        if plan.item is None:
            return
        item = layout.items[plan.item]
        if plan.act == "drop":
            thing = self.body(f"item{plan.item}", item.position, item.rotation, free=True)
            self.item(thing, plan.item, item)
            self._weld(f"grip{letter}", f"item{plan.item}", f"hand{letter}")
        else:
            self.item(body, plan.item, item, item.position - plan.touch, item.rotation)

    def _weld(self, name: str, one: str, two: str) -> None:
        weld = self._spec.add_equality(
            name=name, type=mujoco.mjtEq.mjEQ_WELD, name1=one, name2=two, objtype=mujoco.mjtObj.mjOBJ_BODY
        )
        weld.data = np.array(
            [0.0] * 10 + [1.0, 0.0]
        )  # anchor at the origin, relative pose of the initial state, full torque
        weld.solref, weld.solimp = [WELD_S, 1.0], [0.99, 0.99, 0.001, 0.5, 2.0]

    def room(self, table: Table, held_out: bool) -> None:
        """The table top, a wall with what hangs there, and the floor."""
        rng = self._rng
        top = box((1.3, 0.8, 0.02))
        self.show(self._world, "table.look", top, self.material(table.finish), pos=[0.0, 0.3, -0.02])
        self._world.add_geom(
            name="table.collider", type=mujoco.mjtGeom.mjGEOM_BOX, size=[1.3, 0.8, 0.05], pos=[0.0, 0.3, -0.05],
            group=HIDDEN, friction=[0.6, 0.005, 0.0001],
        )  # fmt: skip
        wall_y = float(rng.uniform(0.6, 0.85))
        self.show(
            self._world,
            "wall",
            box((2.5, 0.02, 1.2)),
            self.material(wall_finish(rng, held_out)),
            pos=[0.0, wall_y, 1.1],
        )
        floor = Finish(rgba=(0.5, 0.45, 0.4, 1.0), roughness=0.7, picture=("planks", 1), repeat=3.0)
        self.show(self._world, "floor", box((3.0, 3.0, 0.02)), self.material(floor), pos=[0.0, 0.0, -0.9])
        if rng.random() < 0.5:
            self._hob(float(rng.choice([-1.0, 1.0])) * float(rng.uniform(0.62, 0.75)))

    def _hob(self, x: float) -> None:
        """A glass ceramic hob let into the table top."""
        glass = Finish(rgba=(0.045, 0.045, 0.05, 1.0), roughness=0.12)
        self.show(self._world, "hob", box((0.28, 0.24, 0.002), 0.001), self.material(glass), pos=[x, 0.25, 0.001])
        ring = self.material(Finish(rgba=(0.32, 0.32, 0.33, 1.0), roughness=0.4))
        from training.world.meshes import tube

        angle = np.linspace(0.0, 2 * np.pi, 41)
        for number, (dx, dy, radius) in enumerate(
            ((-0.13, -0.1, 0.085), (0.13, 0.1, 0.085), (-0.13, 0.12, 0.065), (0.13, -0.11, 0.065))
        ):
            path = np.stack([radius * np.cos(angle), radius * np.sin(angle), 0 * angle], 1)
            self.show(self._world, f"ring{number}", tube(path, 0.001, 6), ring, pos=[x + dx, 0.25 + dy, 0.003])

    def light(self) -> None:
        """A lamp or window that casts shadows, a weaker second light, and the light of the room."""
        rng, spec = self._rng, self._spec
        warm = float(rng.uniform(-1.0, 1.0))
        tint = np.array([1.0 + 0.05 * warm, 1.0, 1.0 - 0.08 * warm])
        for number in range(int(rng.integers(1, 3))):
            spot = np.array([rng.uniform(-0.9, 0.9), rng.uniform(-0.1, 0.5), rng.uniform(1.1, 1.7)])
            towards = np.array([0.0, 0.1, 0.0]) - spot
            self._world.add_light(
                pos=list(spot),
                dir=list(towards / np.linalg.norm(towards)),
                diffuse=list(np.clip(tint * (1.0 if number == 0 else 0.5), 0, 1.2)),
                castshadow=number == 0,
                type=mujoco.mjtLightType.mjLIGHT_SPOT,
                cutoff=80.0,
                bulbradius=float(rng.uniform(0.03, 0.1)),
            )
        # As bright as the 8 bits of linear light allow; the camera sets the exposure.
        numbers = {
            "fallback.environment_light_intensity": rng.uniform(14000, 26000),
            "fallback.scene_light_intensity": rng.uniform(80000, 170000),
        }
        for name, value in numbers.items():
            spec.add_numeric(name=f"filament.{name}", data=[float(value)])

    def camera(self, camera: Camera) -> None:
        """The head, which `script` moves, with the camera in it."""
        head = self._world.add_body(
            name="head", mocap=True, pos=list(camera.position), quat=quaternion(camera.rotation)
        )
        head.add_camera(name="head", fovy=float(np.rad2deg(camera.fov_y)))


def _object_of(name: str) -> int:
    if name.startswith("item"):
        return int(name[4 : name.index(".")])
    return TABLE if name.startswith("table") else _NO_OBJECT
