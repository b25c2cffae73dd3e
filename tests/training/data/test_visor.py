"""VISOR's polygons and hands, in a small file of its format."""

from __future__ import annotations

import json

import numpy as np
import pytest

from training.data.samples import Hand, SampleError, SceneObject
from training.data.visor import add_visor, read_visor

PAN = {
    "id": "a", "name": "pan", "class_id": 5, "in_contact_object": None, "on_which_hand": None,
    "segments": [[[0, 0], [960, 0], [960, 540], [0, 540]]],
}  # fmt: skip
LID = {
    "id": "b", "name": "lid", "class_id": 9,
    "segments": [[[1200, 600], [1500, 600], [1500, 900], [1200, 900]], [[1600, 600], [1700, 600], [1700, 900]]],
}  # fmt: skip
RIGHT = {"id": "c", "name": "right hand", "class_id": 301, "in_contact_object": "a", "segments": [[[0, 0], [9, 9]]]}
GLOVE = {
    "id": "d", "name": "oven glove", "class_id": 60, "in_contact_object": "b", "on_which_hand": ["left hand"],
    "segments": [[[0, 0], [9, 9]]],
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    entry = {"image": {"name": "P01_01_frame_0000000140.jpg"}, "annotations": [PAN, LID, RIGHT, GLOVE]}
    (tmp_path / "P01_01.json").write_text(json.dumps({"info": {}, "video_annotations": [entry]}))
    mapping = {"P01_01": {"P01_01_frame_0000000140.jpg": "P01_01_frame_0000000142.jpg"}}
    (tmp_path / "frame_mapping.json").write_text(json.dumps(mapping))
    return tmp_path


def read(folder):
    return read_visor(folder / "P01_01.json", folder / "frame_mapping.json")


def test_objects_come_with_their_hands_under_epics_frame_name(folder) -> None:
    pictures = read(folder)
    assert list(pictures) == ["P01_01_frame_0000000142.jpg"]
    pan, lid = pictures["P01_01_frame_0000000142.jpg"]
    assert (pan.name, pan.held_by, lid.name, lid.held_by) == ("pan", Hand.RIGHT, "lid", Hand.LEFT)
    assert len(lid.polygons) == 2


def test_polygons_are_scaled_to_the_picture(folder) -> None:
    pan, lid = read(folder)["P01_01_frame_0000000142.jpg"]
    mask = pan.mask((108, 192))
    assert mask[:54, :96].all() and mask.sum() == 55 * 97  # fillPoly draws the boundary pixels too
    assert lid.mask((108, 192))[75, 135] and lid.mask((108, 192))[65, 168] and not lid.mask((108, 192))[75, 155]


def test_visor_completes_what_collided(folder) -> None:
    true = np.zeros((108, 192), bool)
    true[2:54, :96] = True
    pan, lid = add_visor(
        [SceneObject(mask=true, is_colliding=True)], read(folder)["P01_01_frame_0000000142.jpg"], (108, 192)
    )
    assert (pan.category, pan.held_by, pan.is_colliding) == ("pan", Hand.RIGHT, True) and pan.mask is true
    assert (lid.category, lid.held_by, lid.is_colliding) == ("lid", Hand.LEFT, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "P01_01.json is not JSON"),
        ('{"info": {}}', "expected the list 'video_annotations'"),
        ('{"video_annotations": [{"image": {}}]}', r"video_annotations\[0\]: .* KeyError: 'name'"),
        (
            '{"video_annotations": [{"image": {"name": "x"}, "annotations": [{"id": 1, "name": "a", "segments": [[1]]}]}]}',
            r"video_annotations\[0\]: expected .* points \[x, y\], got ValueError",
        ),
    ],
)
def test_a_broken_file_is_refused_by_entry(text, message, folder) -> None:
    (folder / "P01_01.json").write_text(text)
    with pytest.raises(SampleError, match=message):
        read(folder)


def test_without_the_frame_mapping_nothing_is_guessed(folder) -> None:
    (folder / "frame_mapping.json").unlink()
    with pytest.raises(SampleError, match=r"frame_mapping.json does not exist"):
        read(folder)
