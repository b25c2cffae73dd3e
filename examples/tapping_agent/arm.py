"""A small robot arm of four joints with a wooden spoon for a stick, which always hangs down."""

from __future__ import annotations

from typing import Any, NamedTuple

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from training.simulation.objects.appearance import SurfaceFinish
from training.simulation.objects.meshes import Points, box, tube
from training.simulation.objects.shapes.shape import Shape
from training.simulation.scene.mujoco_model import Builder

_SHOULDER_M, _UPPER_M, _FORE_M, _STICK_M = 0.26, 0.20, 0.20, 0.17
"""Height of the shoulder, the two links, and how far the stick reaches below the wrist."""
_JOINTS = ("yaw", "shoulder", "elbow", "wrist")
_STIFFNESS, _DAMPING = 600.0, 15.0
STICK_TURN = Rotation.from_euler("y", np.pi / 2)
"""A tool lies along x; in the wrist's frame it hangs down."""


class Tip(NamedTuple):
    """Where the end of the stick is, around the arm's base."""

    angle: float
    """About the vertical, radians; 0 points along x."""
    reach_m: float
    height_m: float


def stick_offset(shape: Shape) -> Points:
    """Where the middle of the stick is in the wrist's frame [3]."""
    return np.array([0.0, 0.0, shape.radius - _STICK_M])


def add_arm(builder: Builder, base_xy: Points) -> Any:
    """Adds the arm; returns the body of its wrist."""
    grey = builder.material(SurfaceFinish(rgba=(0.82, 0.82, 0.84, 1.0), roughness=0.35))
    dark = builder.material(SurfaceFinish(rgba=(0.12, 0.13, 0.15, 1.0), roughness=0.45))
    base = builder.world.add_body(name="base", pos=[*base_xy, 0.0])
    builder.show(base, "arm.base", box((0.055, 0.055, 0.02), 0.004), dark, pos=[0.0, 0.0, 0.02])
    column = _link(builder, base, "yaw", (0.0, 0.0, 0.0), (0, 0, 1))
    builder.show(column, "arm.column", _rod((0, 0, 0.03), (0, 0, _SHOULDER_M), 0.032), grey)
    upper = _link(builder, column, "shoulder", (0.0, 0.0, _SHOULDER_M), (0, 1, 0))
    builder.show(upper, "arm.shoulder", _rod((0, -0.045, 0), (0, 0.045, 0), 0.034), dark)
    builder.show(upper, "arm.upper", _rod((0, 0, 0), (_UPPER_M, 0, 0), 0.024), grey)
    fore = _link(builder, upper, "elbow", (_UPPER_M, 0.0, 0.0), (0, 1, 0))
    builder.show(fore, "arm.elbow", _rod((0, -0.035, 0), (0, 0.035, 0), 0.027), dark)
    builder.show(fore, "arm.fore", _rod((0, 0, 0), (_FORE_M, 0, 0), 0.019), grey)
    wrist = _link(builder, fore, "wrist", (_FORE_M, 0.0, 0.0), (0, 1, 0))
    builder.show(wrist, "arm.wrist", _rod((0, -0.026, 0), (0, 0.026, 0), 0.022), dark)
    return wrist


def _rod(start: tuple[float, float, float], stop: tuple[float, float, float], radius: float) -> Any:
    path = np.linspace(start, stop, 4)
    return tube(path, radius, 20)


def _link(
    builder: Builder, parent: Any, name: str, position: tuple[float, float, float], axis: tuple[float, float, float]
) -> Any:
    """A body that turns about one axis, held in its place by a motor."""
    body = parent.add_body(name=f"arm.{name}", pos=list(position), gravcomp=1.0)
    body.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_HINGE, axis=list(axis), armature=0.02)
    body.mass, body.inertia, body.explicitinertial = 0.3, [0.001, 0.001, 0.001], True
    builder.spec.add_actuator(
        name=name,
        target=name,
        trntype=mujoco.mjtTrn.mjTRN_JOINT,
        gaintype=mujoco.mjtGain.mjGAIN_FIXED,
        biastype=mujoco.mjtBias.mjBIAS_AFFINE,
        gainprm=[_STIFFNESS] + [0.0] * 9,
        biasprm=[0.0, -_STIFFNESS, -_DAMPING] + [0.0] * 7,
    )
    return body


def joints_of(tip: Tip) -> Points:
    """The angles of the joints [4] that bring the stick there, elbow up, by plane trigonometry.

    Raises:
        ValueError: if it is out of reach.
    """
    height = tip.height_m + _STICK_M - _SHOULDER_M
    away = float(np.hypot(tip.reach_m, height))
    if not abs(_UPPER_M - _FORE_M) < away < _UPPER_M + _FORE_M:
        raise ValueError(f"the arm reaches {_UPPER_M + _FORE_M:g} m, not {away:.2f} m")
    raised = np.arctan2(height, tip.reach_m)
    at_shoulder = np.arccos((_UPPER_M**2 + away**2 - _FORE_M**2) / (2 * _UPPER_M * away))
    at_elbow = np.arccos((_UPPER_M**2 + _FORE_M**2 - away**2) / (2 * _UPPER_M * _FORE_M))
    shoulder, elbow = -(raised + at_shoulder), np.pi - at_elbow
    return np.array([tip.angle, shoulder, elbow, -(shoulder + elbow)])


def command(data: Any, tip: Tip) -> None:
    """Tells the motors, which are the only ones of the model, where the stick shall be."""
    data.ctrl[:] = joints_of(tip)


def place(model: Any, data: Any, tip: Tip) -> None:
    """Puts the arm where it would be with the stick there."""
    command(data, tip)
    for name, angle in zip(_JOINTS, data.ctrl, strict=True):
        data.qpos[model.jnt_qposadr[model.joint(name).id]] = angle


def between(start: Tip, stop: Tip, share: float) -> Tip:
    """A place on the way, at a share of the time, with a gentle start and stop."""
    share = float(np.clip(share, 0.0, 1.0))
    ease = share * share * (3.0 - 2.0 * share)
    return Tip(*(a + (b - a) * ease for a, b in zip(start, stop, strict=True)))
