"""How far places lie from the truth: scenes of the simulated world, depth by casting a ray through each pixel.

    scripts/run python benchmarks/places.py --scenes 40

The truth is the geometry of the scene itself. Depth is made worse as a depth camera makes it: noise that grows with
the square of the distance, holes, and mixed pixels at edges; masks are the true ones, shifted by some pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

import cv2
import mujoco
import numpy as np
import typer

from benchmarks.scaffold import print_header, print_row, where
from cs3_model.places.calibrated_camera import CalibratedCamera
from cs3_model.places.object_place import PlaceUnknownError, Plane, foot_pixels, place_from_depth, place_on_plane
from training.simulation.dataset.scene_samples import MAX_ATTEMPTS
from training.simulation.physics import variants
from training.simulation.rendering import camera as head_camera
from training.simulation.rendering import labels
from training.simulation.rendering.id_map import TABLE_ID
from training.simulation.scenario.difficulty import SHARES
from training.simulation.scenario.scenarios import request_at_level
from training.simulation.scenario.splits import split_named
from training.simulation.scene.mujoco_model import HIDDEN
from training.simulation.scene.table_layout import LayoutError

SIZE_HW = (352, 352)
_MIN_PIXELS = 150
_NOISE_PER_M2 = 0.003
_HOLES = 0.1
_MIXED_PX = 2
_ON_TABLE_M = 0.005
KINDS = ("surface from depth", "contact from depth", "foot on the plane")
_MASK_ERRORS_PX = {"true": 0, "2 px off, 1 px too large": 2}


@dataclass(frozen=True, kw_only=True)
class View:
    """One scene at its onset, and what is true of each pixel."""

    camera: CalibratedCamera
    depth_m: np.ndarray
    """float64 [H, W], infinite where nothing is."""
    points_m: np.ndarray
    """[H, W, 3] in the optical frame."""
    ids: np.ndarray
    """uint8 [H, W], values of the id map."""
    table: Plane
    contact_m: np.ndarray | None
    """[3] in the optical frame."""
    hit: tuple[int, ...]
    """Ids of what collides."""


@dataclass(kw_only=True)
class Errors:
    """Distances from the truth, metres, and how far away each object is."""

    error_m: list[float] = field(default_factory=list)
    distance_m: list[float] = field(default_factory=list)
    num_unknown: int = 0

    def row(self) -> tuple[str, ...]:
        """Cells: count, median and 90th percentile in cm, median distance, and those without an answer."""
        if not self.error_m:
            return ("0", "-", "-", "-", str(self.num_unknown))
        middle, high = 100 * np.percentile(self.error_m, (50, 90))
        return (
            str(len(self.error_m)),
            f"{middle:.2f}",
            f"{high:.2f}",
            f"{np.median(self.distance_m):.2f}",
            str(self.num_unknown),
        )


def views(num_scenes: int) -> Any:
    """The scenes of the validation split, one variant each."""
    split, number, made = split_named("val"), 0, 0
    while made < num_scenes:
        recipe = split.theme.draw_recipe(np.random.default_rng([split.number, number, MAX_ATTEMPTS]))
        for attempt in range(MAX_ATTEMPTS):
            rng = np.random.default_rng([split.number, number, attempt])
            level = str(rng.choice(list(SHARES), p=list(SHARES.values())))
            try:
                request = request_at_level(level, recipe)
                scene, head = variants.prepare(rng, recipe, request)
                outcome = variants.run(rng, recipe, scene, head, 0.1, 0.1)[0]
            except LayoutError:
                continue
            yield view_of(scene, outcome)
            made += 1
            break
        number += 1


def view_of(scene: Any, outcome: Any) -> View:
    """Casts a ray through each pixel of the picture at the onset."""
    model, data, state = scene.model, mujoco.MjData(scene.model), outcome.record.states[1]
    data.qpos[:], data.mocap_pos[:], data.mocap_quat[:] = state.qpos, state.mocap_pos, state.mocap_quat
    mujoco.mj_kinematics(model, data)
    mujoco.mj_camlight(model, data)
    intrinsics = head_camera.intrinsics(scene.camera, SIZE_HW)
    centre_x, centre_y = intrinsics.centre_xy
    matrix = np.array([[intrinsics.focal, 0, centre_x], [0, intrinsics.focal, centre_y], [0, 0, 1]])
    camera = CalibratedCamera(size_wh=SIZE_HW[::-1], matrix=matrix)
    height, width = SIZE_HW
    rays = camera.rays(np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).reshape(-1, 2))
    axes = data.cam_xmat[0].reshape(3, 3) * (1.0, -1.0, -1.0)  # columns: x right, y down, z forward, in the world
    world = np.ascontiguousarray(rays @ axes.T)
    groups = np.array([group != HIDDEN for group in range(6)], np.uint8)
    geoms, distances = np.full(len(rays), -1, np.int32), np.full(len(rays), -1.0)
    mujoco.mj_multiRay(
        model, data, data.cam_xpos[0], world.ravel(), groups, 1, -1, geoms, distances, None, len(rays), 100.0
    )
    depth_m = np.where(geoms >= 0, distances, np.inf)  # rays have z = 1, so distances count along the axis
    points_m = rays * np.where(np.isfinite(depth_m), depth_m, 0.0)[:, None]
    normal = axes.T @ np.array([0.0, 0.0, 1.0])
    hit = outcome.collision
    whole = labels.roots(scene)
    return View(
        camera=camera,
        depth_m=depth_m.reshape(SIZE_HW),
        points_m=points_m.reshape(*SIZE_HW, 3),
        ids=labels.id_map(scene, geoms).reshape(SIZE_HW),
        table=Plane(normal=normal, offset_m=-float(data.cam_xpos[0, 2])),
        contact_m=None if hit is None else head_camera.to_camera(data, np.array([hit.point]))[0],
        hit=() if hit is None else tuple(int(whole[index]) + 1 for index in hit.objects if index >= 0),
    )


def worsened(depth_m: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The depth as a camera would measure it, whole millimetres."""
    depth = np.where(np.isfinite(depth_m), depth_m, 0.0)
    mixed = cv2.blur(depth, (2 * _MIXED_PX + 1,) * 2)
    edges = cv2.dilate((np.abs(depth - mixed) > 0.02).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    measured = np.where(edges, mixed, depth)
    measured = measured + _NOISE_PER_M2 * measured**2 * rng.standard_normal(measured.shape)
    measured[rng.random(measured.shape) < _HOLES] = 0.0
    return (np.round(1000 * measured) / 1000).astype(np.float32)


def shifted(mask: np.ndarray, pixels: int, rng: np.random.Generator) -> np.ndarray:
    """The mask, wrong by some pixels in a random direction and grown by one."""
    angle = rng.uniform(0, 2 * np.pi)
    move = np.array([[1, 0, pixels * np.cos(angle)], [0, 1, pixels * np.sin(angle)]])
    grown = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) if pixels else mask.astype(np.uint8)
    return cv2.warpAffine(grown, move, mask.shape[::-1], flags=cv2.INTER_NEAREST) > 0


def measure(num_scenes: int) -> dict[tuple[str, str], Errors]:
    """Errors by kind of mask and kind of answer."""
    errors = {(masks, kind): Errors() for masks in _MASK_ERRORS_PX for kind in KINDS}
    for number, view in enumerate(views(num_scenes)):
        rng = np.random.default_rng(number)
        depth_m = worsened(view.depth_m, rng)
        for value in np.unique(view.ids):
            truth = view.ids == value
            if value == 0 or value >= TABLE_ID or truth.sum() < _MIN_PIXELS:  # hands and the table are no objects
                continue
            for masks, error_px in _MASK_ERRORS_PX.items():
                of_kind = {kind: errors[masks, kind] for kind in KINDS}
                measure_object(view, depth_m, truth, shifted(truth, error_px, rng), int(value), of_kind)
    return errors


def measure_object(
    view: View, depth_m: np.ndarray, truth: np.ndarray, mask: np.ndarray, value: int, errors: dict[str, Errors]
) -> None:
    """Notes how far the places of one mask lie from those of the object `value`, whose mask is `truth`."""
    seen = view.points_m[truth]
    heights = seen @ view.table.normal - view.table.offset_m
    contact_xy = None
    if value in view.hit and view.contact_m is not None:
        rows, columns = np.nonzero(truth)
        nearest = np.argmin(np.linalg.norm(seen - view.contact_m, axis=1))
        if np.linalg.norm(seen[nearest] - view.contact_m) < 0.02:  # in sight
            contact_xy = (float(columns[nearest]), float(rows[nearest]))
    try:
        place = place_from_depth(mask, depth_m, view.camera, contact_xy=contact_xy)
    except PlaceUnknownError:
        errors["surface from depth"].num_unknown += 1
    else:
        _note(errors["surface from depth"], place.position_m, np.median(seen, axis=0))
        if place.contact_m is not None and view.contact_m is not None:
            _note(errors["contact from depth"], place.contact_m, view.contact_m)
    if np.min(np.abs(heights)) > _ON_TABLE_M:
        return  # it is held, or its foot is hidden
    try:
        place = place_on_plane(mask, view.camera, view.table)
    except PlaceUnknownError:
        errors["foot on the plane"].num_unknown += 1
        return
    foot = foot_pixels(truth, view.camera, view.table)
    _note(errors["foot on the plane"], place.position_m, np.median(view.points_m[foot[:, 1], foot[:, 0]], axis=0))


def _note(errors: Errors, found: np.ndarray, truth: np.ndarray) -> None:
    errors.error_m.append(float(np.linalg.norm(found - truth)))
    errors.distance_m.append(float(np.linalg.norm(truth)))


def main(scenes: Annotated[int, typer.Option(help="Scenes of the validation split.")] = 40) -> None:
    """Print the errors as a table."""
    print(f"{where('numpy', 'mujoco', 'opencv-python-headless')}, {scenes} scenes\n")
    print_header("masks", "place", "objects", "median, cm", "90 %, cm", "median distance, m", "without an answer")
    for (masks, kind), errors in measure(scenes).items():
        print_row(masks, kind, *errors.row())


if __name__ == "__main__":
    typer.run(main)
