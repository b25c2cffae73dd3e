"""Builds the MuJoCo model of a layout: bodies, looks, room, light and head camera."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from training.simulation.objects.appearance import SurfaceFinish, robot_shell, table_top
from training.simulation.objects.meshes import Mesh, Points
from training.simulation.objects.textures import SKIN_TONES
from training.simulation.scenario.difficulty import Level
from training.simulation.scene import arms, hands
from training.simulation.scene.grippers import gripper_mesh
from training.simulation.scene.mujoco_model import SKIN_GROUP, Builder, quaternion
from training.simulation.scene.room import furnish, light
from training.simulation.scene.scene import HeadCamera, SimulatedScene
from training.simulation.scene.table_layout import TABLE, TableLayout

_NO_OBJECT, _NOT_A_HAND = -2, 0


def build_scene(
    rng: np.random.Generator, layout: TableLayout, level: Level, *, held_out: bool = False
) -> SimulatedScene:
    """Compiles the scene; `rng` draws room, light, camera and clothes."""
    builder = Builder()
    table = table_top(rng, held_out)
    furnish(rng, builder, table, held_out=held_out)
    light(rng, builder)
    free = _free_items(layout)
    held = {plan.item: plan for plan in layout.plans.values() if plan.item is not None}
    for index, item in enumerate(layout.items):
        if index not in held:
            body = builder.body(f"item{index}", item.position, item.rotation, free=index in free)
            builder.item(body, index, item)
    is_robot = level.gripper_share > 0.0 and rng.random() < level.gripper_share
    limbs = _robot(rng, builder) if is_robot else _person(rng, builder)
    worn = {side: _hand(builder, layout, side, limbs) for side in layout.plans}
    camera = _camera(rng, layout, level)
    _head(builder, camera)
    model = builder.spec.compile()
    names = [model.geom(index).name for index in range(model.ngeom)]
    sides = {"L": -1, "R": 1}
    return SimulatedScene(
        layout=layout,
        table=table,
        camera=camera,
        arms=worn,
        model=model,
        object_of_geom=np.array([_object_of(name) for name in names]),
        hand_of_geom=np.array([sides[name[4]] if name.startswith("hand") else _NOT_A_HAND for name in names]),
        is_hand_proper=np.array([name.startswith("hand") and name.endswith("hand") for name in names]),
    )


def _free_items(layout: TableLayout, count: int = 6) -> set[int]:
    """Targets and the nearest other objects move; the rest stands fixed, which saves time."""
    held = {plan.item for plan in layout.plans.values()}
    standing = [index for index in range(len(layout.items)) if index not in held]
    spots = [plan.touch[:2] for plan in layout.plans.values() if plan.item is not None]

    def nearness(index: int) -> float:
        return min((float(np.hypot(*(layout.items[index].position[:2] - spot))) for spot in spots), default=0.0)

    targets = {plan.target for plan in layout.plans.values() if plan.target is not None and plan.target >= 0} - held
    return targets | set(sorted(standing, key=nearness)[: count - len(targets)])


def _camera(rng: np.random.Generator, layout: TableLayout, level: Level) -> HeadCamera:
    spots = [plan.touch for plan in layout.plans.values() if plan.item is not None]
    middle = np.mean(spots, axis=0) if spots else np.zeros(3)
    look_at = np.array([0.6 * middle[0], 0.5 * middle[1] + 0.03, 0.02]) + rng.normal(0.0, 0.025, 3)
    down = rng.uniform(*level.camera_down_rad)
    distance = rng.uniform(*level.camera_distance_m)
    away = np.array([rng.normal(0.0, 0.06), -np.cos(down), np.sin(down)])
    position = look_at + away / np.linalg.norm(away) * distance
    back = away / np.linalg.norm(away)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right)
    level_frame = Rotation.from_matrix(np.stack([right, np.cross(back, right), back], 1))
    roll = Rotation.from_euler("z", rng.normal(0.0, 0.05))
    return HeadCamera(position=position, rotation=level_frame * roll, fov_y=float(np.deg2rad(rng.uniform(56.0, 72.0))))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Limbs:
    """What hands and arms are like."""

    skin: str
    """Material of the hand and the arm next to it."""
    sleeve: str
    """Material of the rest of the arm."""
    hand: Callable[[str, float], Mesh]
    """From pose and radius of the grip to a left hand."""
    arm: Callable[[Points], arms.Arm]
    """From the arc length of its path to an arm."""


def _person(rng: np.random.Generator, builder: Builder) -> _Limbs:
    skin = builder.skin(int(rng.integers(len(SKIN_TONES))), float(rng.uniform(0.5, 0.65)))
    sleeve = builder.material(SurfaceFinish(rgba=(1, 1, 1, 1), roughness=0.95, picture=("knit", int(rng.integers(6)))))
    sleeve_from = float(rng.choice([rng.uniform(0.002, 0.03), rng.uniform(0.10, 0.2)], p=[0.65, 0.35]))
    return _Limbs(
        skin=skin,
        sleeve=sleeve,
        hand=lambda pose, radius: hands.hand_mesh(pose, radius)[0],
        arm=lambda length: arms.dressed(rng, length, sleeve_from),
    )


def _robot(rng: np.random.Generator, builder: Builder) -> _Limbs:
    gripper, arm = (builder.material(robot_shell(rng)) for _ in range(2))
    return _Limbs(skin=gripper, sleeve=arm, hand=gripper_mesh, arm=arms.robotic)


def _hand(builder: Builder, layout: TableLayout, side: int, limbs: _Limbs) -> arms.Arm:
    """Adds a hand that follows a moving frame, with its arm and what it holds."""
    plan, letter = layout.plans[side], "LR"[side > 0]
    mesh, wrist = limbs.hand(plan.pose, plan.grip_radius), hands.hand_mesh(plan.pose, plan.grip_radius)[1]
    if side > 0:
        mesh, wrist = mesh.mirrored_x(), wrist * (-1.0, 1.0, 1.0)
    builder.world.add_body(name=f"path{letter}", mocap=True, pos=list(plan.touch))
    body = builder.world.add_body(name=f"hand{letter}", pos=list(plan.touch), gravcomp=1.0)
    body.add_freejoint()
    body.mass, body.inertia, body.explicitinertial = 0.4, [0.002, 0.002, 0.002], True
    builder.show(body, f"hand{letter}.hand", mesh, limbs.skin, SKIN_GROUP, quat=quaternion(plan.rotation))
    wrist = plan.rotation.apply(wrist)
    shoulder = layout.shoulders[side]
    elbow = arms.elbow_of(plan.touch + wrist, shoulder, side)
    into_arm = plan.rotation.apply(arms.INTO_ARM)
    path, length = arms.arm_path(wrist, into_arm, elbow - plan.touch, shoulder - plan.touch)
    dress = limbs.arm(length)
    arm, cloth = dress.along(path)
    builder.show(body, f"hand{letter}.arm", arm, limbs.skin, SKIN_GROUP)
    builder.show(body, f"hand{letter}.sleeve", cloth, limbs.sleeve, SKIN_GROUP)
    builder.weld(f"weld{letter}", f"hand{letter}", f"path{letter}")
    if plan.item is None:
        return dress
    item = layout.items[plan.item]
    if plan.act == "drop":
        body = builder.body(f"item{plan.item}", item.position, item.rotation, free=True)
        builder.item(body, plan.item, item)
        builder.weld(f"grip{letter}", f"item{plan.item}", f"hand{letter}")
    else:
        builder.item(body, plan.item, item, item.position - plan.touch, item.rotation)
    return dress


def _head(builder: Builder, camera: HeadCamera) -> None:
    """The head, which `hand_motion` moves, with the camera in it."""
    head = builder.world.add_body(name="head", mocap=True, pos=list(camera.position), quat=quaternion(camera.rotation))
    head.add_camera(name="head", fovy=float(np.rad2deg(camera.fov_y)))


def _object_of(name: str) -> int:
    if name.startswith("item"):
        return int(name[4 : name.index(".")])
    return TABLE if name.startswith("table") else _NO_OBJECT
