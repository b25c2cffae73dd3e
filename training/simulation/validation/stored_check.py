"""Checks what lies on disk of a sample against itself: pictures, ids, boxes, hands, times and sound."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import soundfile

from training.simulation.dataset.generation_plan import DURATION_S
from training.simulation.dataset.labelling import MIN_AREA
from training.simulation.dataset.storage import FRAME_NAMES
from training.simulation.dataset.truth import CollisionTruth, SceneTruth
from training.simulation.rendering.id_map import LEFT_HAND_ID, RIGHT_HAND_ID, TABLE_ID, Box, IdMap, box_of

MAX_TRAVEL_M = 0.025
"""The masks are those of up to 30 ms before the contact, in which a hand moves that far."""
_HANDS = {"left": LEFT_HAND_ID, "right": RIGHT_HAND_ID}


def mask_violations(truth: SceneTruth, ids: IdMap) -> list[str]:
    """What is wrong with ids, areas and boxes, in sentences; empty if nothing."""
    objects = {item.id: item for item in truth.objects}
    problems = []
    if ids.shape != (truth.camera.height, truth.camera.width):
        problems.append(f"the id map is {ids.shape}")
    if len(objects) != len(truth.objects):
        problems.append("two objects have one id")
    if strange := set(np.unique(ids).tolist()) - set(objects) - {0, TABLE_ID, *_HANDS.values()}:
        problems.append(f"nothing has the ids {sorted(strange)} of the picture")
    areas_px = {identity: item.area_px for identity, item in objects.items()} | {TABLE_ID: truth.table.area_px}
    for identity, area_px in areas_px.items():
        mask = ids == identity
        if area_px != mask.sum():
            problems.append(f"object {identity} has {mask.sum()} pixels and not {area_px}")
        if identity in objects and objects[identity].box_xyxy != box_of(mask):
            problems.append(f"object {identity} lies in {box_of(mask)} and not in {objects[identity].box_xyxy}")
    return problems


def hand_violations(truth: SceneTruth, ids: IdMap) -> list[str]:
    """What is wrong with the hands and what they hold, in sentences; empty if nothing."""
    objects = {item.id: item for item in truth.objects}
    problems = []
    for hand in truth.hands:
        side, held = hand.side, hand.object_id
        if not _is_tight(hand.box_xyxy, ids == _HANDS[side]):
            problems.append(f"the box {hand.box_xyxy} of the {side} hand is not tight around some of its pixels")
        if held is None:
            continue
        if held not in objects or side not in objects[held].held_by:
            problems.append(f"the {side} hand holds {held}, which says otherwise")
        elif hand.object_box_xyxy is None or not _is_tight(hand.object_box_xyxy, ids == held):
            problems.append(f"the box {hand.object_box_xyxy} in the {side} hand is not tight around pixels of {held}")
    return problems


def contact_violations(truth: SceneTruth, hit: CollisionTruth, ids: IdMap) -> list[str]:
    """What is wrong with the place of a contact in the picture, in sentences; empty if nothing.

    Each colliding object must be seen, and be there, or there be hidden behind its partner or a hand.
    """
    materials = {item.id: item.material for item in truth.objects} | {truth.table.id: truth.table.material}
    if not set(hit.ids) <= set(materials) or len(hit.ids) not in (1, 2):
        return [f"objects {list(hit.ids)} are not one or two of the scene"]
    problems = []
    if len(hit.ids) == 2 and tuple(sorted({materials[identity] for identity in hit.ids})) != hit.materials:
        problems.append(f"objects {list(hit.ids)} are not of {', '.join(hit.materials)}")
    (x, y), (x_m, y_m, depth_m), focal_px = hit.contact_xy, hit.contact_xyz_m, truth.camera.focal_px
    centre_x, centre_y = truth.camera.centre_xy
    if np.hypot(x_m / depth_m * focal_px + centre_x - x, y_m / depth_m * focal_px + centre_y - y) > 0.01:
        problems.append(f"the contact at {list(hit.contact_xyz_m)} m does not project to {list(hit.contact_xy)}")
    row, column = (int(np.clip(round(value), 0, size - 1)) for value, size in zip((y, x), ids.shape, strict=True))
    in_front = {*hit.ids, *_HANDS.values()}
    for identity in hit.ids:
        rows, columns = np.nonzero(ids == identity)
        if len(rows) < MIN_AREA * ids.size:
            problems.append(f"object {identity} has {len(rows)} pixels")
            continue
        away_m = float(np.hypot(columns - x, rows - y).min()) * depth_m / focal_px
        if away_m > MAX_TRAVEL_M and ids[row, column] not in in_front:
            problems.append(f"the contact is {away_m * 1000:.0f} mm from object {identity}, and nothing hides it there")
    return problems


def file_violations(folder: Path, truth: SceneTruth) -> list[str]:
    """What is wrong with pictures, times and sound, in sentences; empty if nothing."""
    problems, onset_s = [], truth.onset_s
    size_hw = truth.camera.height, truth.camera.width
    for name in FRAME_NAMES:
        if not (folder / name).exists() and name != FRAME_NAMES[1]:
            continue  # left out on request
        picture = cv2.imread(str(folder / name))
        if picture is None or picture.shape[:2] != size_hw:
            problems.append(f"{name} is no picture of {size_hw[1]} x {size_hw[0]} pixels")
    before_s, at_s, after_s = truth.frame_times_s
    if not before_s < at_s < onset_s < after_s:
        problems.append(f"the pictures are of {list(truth.frame_times_s)} s, the onset of {onset_s:.3f} s")
    sound, rate_hz = soundfile.read(folder / "sound.flac", always_2d=True)
    if rate_hz != truth.sound.rate_hz or sound.shape != (round(DURATION_S * rate_hz), 1):
        problems.append(f"the sound has {sound.shape} samples at {rate_hz} Hz")
    if not 0.0 < np.abs(sound).max() < 1.0:
        problems.append(f"the sound peaks at {np.abs(sound).max():.3f}")
    if truth.collision is not None and truth.collision.time_s != onset_s:
        problems.append(f"the collision is at {truth.collision.time_s:.3f} s, the onset at {onset_s:.3f} s")
    return problems


def _is_tight(box_xyxy: Box, mask: npt.NDArray[np.bool_]) -> bool:
    """Whether each edge of the box holds pixels of the mask."""
    x_min, y_min, x_max, y_max = box_xyxy
    part = mask[y_min:y_max, x_min:x_max]
    return part.size > 0 and all(edge.any() for edge in (part[0], part[-1], part[:, 0], part[:, -1]))
