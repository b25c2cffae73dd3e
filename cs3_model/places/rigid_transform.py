"""A rotation and a translation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation, Slerp

Points = npt.NDArray[np.float64]
"""Points [..., 3], metres."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RigidTransform:
    """Maps points of one frame into another."""

    rotation: Rotation
    translation_m: Points
    """[3]."""

    @classmethod
    def identity(cls) -> RigidTransform:
        """Leaves points where they are."""
        return cls(rotation=Rotation.identity(), translation_m=np.zeros(3))

    @classmethod
    def from_quaternion(cls, translation_m: npt.ArrayLike, quaternion_xyzw: npt.ArrayLike) -> RigidTransform:
        """From the numbers of a geometry_msgs/Transform.

        Raises:
            ValueError: if they are not finite or the quaternion is not of length 1.
        """
        translation, quaternion = np.asarray(translation_m, float), np.asarray(quaternion_xyzw, float)
        if not (np.isfinite(translation).all() and np.isfinite(quaternion).all()):
            raise ValueError("a transform must be of finite numbers")
        length = float(np.linalg.norm(quaternion))
        if abs(length - 1.0) > 0.01:
            raise ValueError(f"the quaternion of a transform must have length 1, got {length:.3g}")
        return cls(rotation=Rotation.from_quat(quaternion), translation_m=translation)

    def apply(self, points: npt.ArrayLike) -> Points:
        """Maps points [K, 3] or [3]."""
        return self.rotation.apply(points) + self.translation_m

    def after(self, first: RigidTransform) -> RigidTransform:
        """The transform that applies `first` and then this one."""
        return RigidTransform(rotation=self.rotation * first.rotation, translation_m=self.apply(first.translation_m))

    def inverse(self) -> RigidTransform:
        """The way back."""
        back = self.rotation.inv()
        return RigidTransform(rotation=back, translation_m=-back.apply(self.translation_m))

    def towards(self, other: RigidTransform, share: float) -> RigidTransform:
        """Between this (share 0) and another (share 1): translation on a line, rotation on the shortest arc."""
        rotations = Rotation.concatenate([self.rotation, other.rotation])
        return RigidTransform(
            rotation=Slerp([0.0, 1.0], rotations)(share),
            translation_m=(1.0 - share) * self.translation_m + share * other.translation_m,
        )
